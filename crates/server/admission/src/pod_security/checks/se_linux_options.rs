//! SELinux users and roles, and types other than those of containers.

use std::collections::BTreeSet;

use api_types::core::v1::SELinuxOptions;

use super::{Fault, Subject, fault, plural, quoted, sayers, those};

const TYPES: [&str; 5] = ["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];

pub(super) fn since_0(subject: Subject<'_>) -> Option<Fault> {
    judge(subject, &TYPES[..4])
}

pub(super) fn since_31(subject: Subject<'_>) -> Option<Fault> {
    judge(subject, &TYPES)
}

fn judge(subject: Subject<'_>, allowed: &[&str]) -> Option<Fault> {
    let is_bad = |options: &SELinuxOptions| {
        !allowed.contains(&options.type_.as_str()) || !options.user.is_empty() || !options.role.is_empty()
    };
    let of_pod = subject.security().and_then(|own| own.se_linux_options.as_deref());
    let of_containers =
        subject.containers().filter_map(|container| container.security?.se_linux_options.as_deref());
    let all: Vec<&SELinuxOptions> = of_pod.into_iter().chain(of_containers).collect();
    let types: BTreeSet<&str> =
        all.iter().map(|options| options.type_.as_str()).filter(|kind| !allowed.contains(kind)).collect();
    let names = those(subject, |container| {
        container.security.and_then(|own| own.se_linux_options.as_deref()).is_some_and(is_bad)
    });
    let who = sayers(of_pod.is_some_and(is_bad), &names)?;
    let mut what = Vec::new();
    if !types.is_empty() {
        what.push(format!("{} {}", plural("type", "types", types.len()), quoted(types)));
    }
    if all.iter().any(|options| !options.user.is_empty()) {
        what.push("user may not be set".to_owned());
    }
    if all.iter().any(|options| !options.role.is_empty()) {
        what.push("role may not be set".to_owned());
    }
    let detail = format!("{who} set forbidden securityContext.seLinuxOptions: {}", what.join("; "));
    fault("seLinuxOptions", Some(detail))
}
