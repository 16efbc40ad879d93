//! System calls without the runtime's filter or one of the node's.

use std::collections::BTreeSet;

use super::{Fault, Subject, containers, fault, plural, quoted, said, sayers, those};

const REASON: &str = "seccompProfile";
const OF_POD: &str = "seccomp.security.alpha.kubernetes.io/pod";
const OF_CONTAINER: &str = "container.seccomp.security.alpha.kubernetes.io/";

fn is_allowed(kind: &str) -> bool {
    matches!(kind, "RuntimeDefault" | "Localhost")
}

/// Before there were fields.
pub(super) fn annotations(subject: Subject<'_>) -> Option<Fault> {
    let of_containers = subject.containers().map(|container| format!("{OF_CONTAINER}{}", container.name));
    let keys = [OF_POD.to_owned()].into_iter().chain(of_containers);
    let bad: BTreeSet<String> = keys
        .filter_map(|key| {
            let value = subject.meta.annotations.get(&key)?;
            let fine = matches!(value.as_str(), "runtime/default" | "docker/default")
                || value.starts_with("localhost/");
            (!fine).then(|| format!("{key}={value:?}"))
        })
        .collect();
    let what = plural("annotation", "annotations", bad.len());
    let detail = (!bad.is_empty())
        .then(|| format!("forbidden {what} {}", bad.into_iter().collect::<Vec<_>>().join(", ")));
    fault(REASON, detail)
}

pub(super) fn baseline(subject: Subject<'_>) -> Option<Fault> {
    let of_pod = profile_of_pod(subject).filter(|kind| !is_allowed(kind));
    let (names, mut values) = said(subject, |container| {
        let profile = container.security.and_then(|own| own.seccomp_profile.as_deref());
        profile.map(|profile| profile.type_.as_str()).filter(|kind| !is_allowed(kind))
    });
    values.extend(of_pod);
    let who = sayers(of_pod.is_some(), &names);
    let what = quoted(values);
    fault(REASON, who.map(|who| format!("{who} must not set securityContext.seccompProfile.type to {what}")))
}

pub(super) fn restricted(subject: Subject<'_>) -> Option<Fault> {
    let bad = baseline(subject);
    if bad.is_some() || profile_of_pod(subject).is_some_and(is_allowed) {
        return bad;
    }
    let silent =
        those(subject, |container| container.security.is_none_or(|own| own.seccomp_profile.is_none()));
    let who = containers(&silent);
    let detail = (!silent.is_empty()).then(|| {
        format!(
            "pod or {who} must set securityContext.seccompProfile.type to \"RuntimeDefault\" or \"Localhost\""
        )
    });
    fault(REASON, detail)
}

/// Pods for Windows cannot say anything of it.
pub(super) fn unless_windows(subject: Subject<'_>) -> Option<Fault> {
    if subject.is_windows() { None } else { restricted(subject) }
}

fn profile_of_pod(subject: Subject<'_>) -> Option<&str> {
    Some(subject.security()?.seccomp_profile.as_deref()?.type_.as_str())
}
