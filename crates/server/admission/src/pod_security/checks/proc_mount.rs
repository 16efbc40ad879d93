//! A `/proc` without the usual masks.

use super::{Fault, Subject, containers, fault, quoted, said};

pub(super) fn judge(subject: Subject<'_>) -> Option<Fault> {
    let (names, values) = said(subject, |container| {
        let own = container.security.and_then(|own| own.proc_mount.as_deref());
        own.filter(|kind| *kind != "Default")
    });
    let detail =
        format!("{} must not set securityContext.procMount to {}", containers(&names), quoted(values));
    fault("procMount", (!names.is_empty()).then_some(detail))
}

pub(super) fn unless_own_users(subject: Subject<'_>) -> Option<Fault> {
    if subject.has_own_users() { None } else { judge(subject) }
}
