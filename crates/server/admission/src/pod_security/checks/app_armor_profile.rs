//! AppArmor profiles other than the runtime's and the node's own.

use std::collections::BTreeSet;

use super::{Fault, Subject, containers, fault, plural, quoted, said};

const ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/";

pub(super) fn judge(subject: Subject<'_>) -> Option<Fault> {
    let allowed = |kind: &str| matches!(kind, "RuntimeDefault" | "Localhost");
    let of_pod = subject.security().and_then(|own| own.app_armor_profile.as_deref());
    let of_pod = of_pod.map(|profile| profile.type_.as_str()).filter(|kind| !allowed(kind));
    let (names, mut values) = said(subject, |container| {
        let profile = container.security.and_then(|own| own.app_armor_profile.as_deref());
        profile.map(|profile| profile.type_.as_str()).filter(|kind| !allowed(kind))
    });
    values.extend(of_pod);
    let annotations = subject.meta.annotations.iter().filter(|(key, value)| {
        let fine = value.is_empty() || *value == "runtime/default" || value.starts_with("localhost/");
        key.starts_with(ANNOTATION) && !fine
    });
    let annotations: BTreeSet<String> = annotations.map(|(key, value)| format!("{key}={value:?}")).collect();
    let mut who = Vec::new();
    who.extend(of_pod.map(|_| "pod".to_owned()));
    if !names.is_empty() {
        who.push(containers(&names));
    }
    if !annotations.is_empty() {
        who.push(plural("annotation", "annotations", annotations.len()).to_owned());
    }
    let values: Vec<&str> = values.into_iter().chain(annotations.iter().map(String::as_str)).collect();
    let reason = plural("forbidden AppArmor profile", "forbidden AppArmor profiles", values.len());
    let detail = format!("{} must not set AppArmor profile type to {}", who.join(" and "), quoted(&values));
    fault(reason, (!who.is_empty()).then_some(detail))
}
