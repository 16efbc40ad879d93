//! Containers that the kernel hardly keeps apart from the node.

use super::{Fault, Subject, containers, fault, those};

pub(super) fn judge(subject: Subject<'_>) -> Option<Fault> {
    let names =
        those(subject, |container| container.security.and_then(|own| own.privileged).unwrap_or(false));
    let detail = format!("{} must not set securityContext.privileged=true", containers(&names));
    fault("privileged", (!names.is_empty()).then_some(detail))
}
