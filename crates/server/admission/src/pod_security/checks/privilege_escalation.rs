//! Processes that can gain more privileges than those who start them.

use super::{Fault, Subject, containers, fault, those};

pub(super) fn judge(subject: Subject<'_>) -> Option<Fault> {
    let names = those(subject, |container| {
        container.security.and_then(|own| own.allow_privilege_escalation).unwrap_or(true)
    });
    let detail = format!("{} must set securityContext.allowPrivilegeEscalation=false", containers(&names));
    fault("allowPrivilegeEscalation != false", (!names.is_empty()).then_some(detail))
}

/// Pods for Windows cannot say anything of it.
pub(super) fn unless_windows(subject: Subject<'_>) -> Option<Fault> {
    if subject.is_windows() { None } else { judge(subject) }
}
