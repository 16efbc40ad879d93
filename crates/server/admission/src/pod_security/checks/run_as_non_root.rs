//! Containers that may run as root.

use super::{Fault, Subject, containers, fault, sayers, those};

const REASON: &str = "runAsNonRoot != true";

pub(super) fn judge(subject: Subject<'_>) -> Option<Fault> {
    let of_pod = subject.security().and_then(|own| own.run_as_non_root);
    let said = |wanted: Option<bool>| {
        those(subject, |container| container.security.and_then(|own| own.run_as_non_root) == wanted)
    };
    if let Some(who) = sayers(of_pod == Some(false), &said(Some(false))) {
        return fault(REASON, Some(format!("{who} must not set securityContext.runAsNonRoot=false")));
    }
    let silent = if of_pod == Some(true) { Vec::new() } else { said(None) };
    let detail = format!("pod or {} must set securityContext.runAsNonRoot=true", containers(&silent));
    fault(REASON, (!silent.is_empty()).then_some(detail))
}

pub(super) fn unless_own_users(subject: Subject<'_>) -> Option<Fault> {
    if subject.has_own_users() { None } else { judge(subject) }
}
