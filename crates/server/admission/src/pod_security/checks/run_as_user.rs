//! Containers that are told to run as root.

use super::{Fault, Subject, fault, sayers, those};

pub(super) fn judge(subject: Subject<'_>) -> Option<Fault> {
    let of_pod = subject.security().and_then(|own| own.run_as_user);
    let names = those(subject, |container| container.security.and_then(|own| own.run_as_user) == Some(0));
    let who = sayers(of_pod == Some(0), &names);
    fault("runAsUser=0", who.map(|who| format!("{who} must not set runAsUser=0")))
}

pub(super) fn unless_own_users(subject: Subject<'_>) -> Option<Fault> {
    if subject.has_own_users() { None } else { judge(subject) }
}
