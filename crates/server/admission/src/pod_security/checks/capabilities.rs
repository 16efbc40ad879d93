//! Capabilities beyond those that containers have anyway, and, for restricted pods, all but one.

use super::{Fault, Subject, containers, fault, quoted, said, those};

const DEFAULT: [&str; 13] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
];

/// Which containers add what is not allowed, in words.
fn added(subject: Subject<'_>, allowed: &[&str]) -> Option<String> {
    let (names, values) = said(subject, |container| {
        let own = container.security.and_then(|own| own.capabilities.as_deref());
        let added = own.into_iter().flat_map(|own| &own.add).map(String::as_str);
        added.filter(|name| !allowed.contains(name)).collect::<Vec<_>>()
    });
    let (who, what) = (containers(&names), quoted(values));
    (!names.is_empty()).then(|| format!("{who} must not include {what} in securityContext.capabilities.add"))
}

pub(super) fn baseline(subject: Subject<'_>) -> Option<Fault> {
    fault("non-default capabilities", added(subject, &DEFAULT))
}

pub(super) fn restricted(subject: Subject<'_>) -> Option<Fault> {
    let kept = those(subject, |container| {
        let own = container.security.and_then(|own| own.capabilities.as_deref());
        own.is_none_or(|own| !own.drop.iter().any(|name| name == "ALL"))
    });
    let kept = (!kept.is_empty())
        .then(|| format!("{} must set securityContext.capabilities.drop=[\"ALL\"]", containers(&kept)));
    let both: Vec<String> = kept.into_iter().chain(added(subject, &["NET_BIND_SERVICE"])).collect();
    fault("unrestricted capabilities", (!both.is_empty()).then(|| both.join("; ")))
}

/// Pods for Windows cannot say anything of capabilities.
pub(super) fn unless_windows(subject: Subject<'_>) -> Option<Fault> {
    if subject.is_windows() { None } else { restricted(subject) }
}
