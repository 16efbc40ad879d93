//! What is wrong with the security contexts of a pod and its containers.

use std::collections::BTreeSet;

use api_kind::checks::{shown, supported};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_types::core::v1::{AppArmorProfile, PodSecurityContext, PodSpec, SeccompProfile, SecurityContext};

use super::volume::descending_path;
use super::windows;

/// A pod's.
pub fn of_pod(errors: &mut ErrorList, path: &Path, context: &PodSecurityContext, spec: &PodSpec) {
    group(errors, &path.child("fsGroup"), context.fs_group);
    user(errors, &path.child("runAsUser"), context.run_as_user);
    group(errors, &path.child("runAsGroup"), context.run_as_group);
    for (index, gid) in context.supplemental_groups.iter().enumerate() {
        group(errors, &path.child("supplementalGroups").index(index), Some(*gid));
    }
    sysctls(errors, &path.child("sysctls"), context, spec);
    if let Some(policy) = &context.fs_group_change_policy {
        supported(errors, &path.child("fsGroupChangePolicy"), policy, &["Always", "OnRootMismatch"]);
    }
    seccomp(errors, &path.child("seccompProfile"), context.seccomp_profile.as_deref());
    windows::options(errors, &path.child("windowsOptions"), context.windows_options.as_deref());
    app_armor(errors, &path.child("appArmorProfile"), context.app_armor_profile.as_deref());
    if let Some(policy) = &context.supplemental_groups_policy {
        supported(errors, &path.child("supplementalGroupsPolicy"), policy, &["Merge", "Strict"]);
    }
    if let Some(policy) = &context.se_linux_change_policy {
        supported(errors, &path.child("seLinuxChangePolicy"), policy, &["MountOption", "Recursive"]);
    }
}

/// A container's.
pub fn of_container(errors: &mut ErrorList, path: &Path, context: &SecurityContext, host_users: bool) {
    user(errors, &path.child("runAsUser"), context.run_as_user);
    group(errors, &path.child("runAsGroup"), context.run_as_group);
    if let Some(mount) = &context.proc_mount {
        let at = path.child("procMount");
        supported(errors, &at, mount, &["Default", "Unmasked"]);
        if host_users && mount == "Unmasked" {
            errors.push(FieldError::invalid(&at, mount, "`hostUsers` must be false to use `Unmasked`"));
        }
    }
    seccomp(errors, &path.child("seccompProfile"), context.seccomp_profile.as_deref());
    if context.allow_privilege_escalation == Some(false) {
        if context.privileged == Some(true) {
            let why = "cannot set `allowPrivilegeEscalation` to false and `privileged` to true";
            errors.push(FieldError::invalid(path, shown(context), why));
        }
        let admin = |capabilities: &api_types::core::v1::Capabilities| {
            capabilities.add.iter().any(|capability| capability == "CAP_SYS_ADMIN")
        };
        if context.capabilities.as_deref().is_some_and(admin) {
            let why = "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN";
            errors.push(FieldError::invalid(path, shown(context), why));
        }
    }
    windows::options(errors, &path.child("windowsOptions"), context.windows_options.as_deref());
    app_armor(errors, &path.child("appArmorProfile"), context.app_armor_profile.as_deref());
}

fn user(errors: &mut ErrorList, path: &Path, id: Option<i64>) {
    let Some(id) = id else { return };
    for message in names::is_valid_user_id(id) {
        errors.push(FieldError::invalid(path, id, message));
    }
}

fn group(errors: &mut ErrorList, path: &Path, id: Option<i64>) {
    let Some(id) = id else { return };
    for message in names::is_valid_group_id(id) {
        errors.push(FieldError::invalid(path, id, message));
    }
}

fn sysctls(errors: &mut ErrorList, path: &Path, context: &PodSecurityContext, spec: &PodSpec) {
    const REGEX: &str = "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
    let mut seen = BTreeSet::new();
    for (index, sysctl) in context.sysctls.iter().enumerate() {
        let at = path.index(index).child("name");
        if sysctl.name.is_empty() {
            errors.push(FieldError::required(&at, ""));
        } else if !is_sysctl(&sysctl.name) {
            let why = format!("must have at most 253 characters and match regex {REGEX}");
            errors.push(FieldError::invalid(&at, &sysctl.name, why));
        } else if !seen.insert(&sysctl.name) {
            errors.push(FieldError::duplicate(&at, &sysctl.name));
        }
        let shares = match sysctl_space(&sysctl.name) {
            Some(Space::Net) if spec.host_network => "hostNetwork",
            Some(Space::Ipc) if spec.host_ipc => "hostIPC",
            _ => continue,
        };
        let why = format!("may not be specified when '{shares}' is true");
        errors.push(FieldError::invalid(&at, &sysctl.name, why));
    }
}

/// A namespace of the kernel's that a pod may share with its node.
#[derive(Debug, PartialEq)]
enum Space {
    Net,
    Ipc,
}

/// Whose a parameter is, as upstream's `sysctl.GetNamespace` has it.
fn sysctl_space(name: &str) -> Option<Space> {
    const IPC: &[&str] = &[
        "kernel.msg",
        "kernel.msgmax",
        "kernel.msgmnb",
        "kernel.msgmni",
        "kernel.sem",
        "kernel.shm",
        "kernel.shm_rmid_forced",
        "kernel.shmall",
        "kernel.shmmax",
        "kernel.shmmni",
    ];
    // Which of the two separates is told by the first; the other is then a part of names.
    let by_slashes = name.find(['.', '/']).is_some_and(|first| name[first..].starts_with('/'));
    let swapped = |c| match c {
        '.' => '/',
        '/' => '.',
        other => other,
    };
    let name = if by_slashes { name.chars().map(swapped).collect() } else { name.to_owned() };
    if name.starts_with("net.") {
        Some(Space::Net)
    } else if IPC.contains(&name.as_str()) || name.starts_with("fs.mqueue.") {
        Some(Space::Ipc)
    } else {
        None
    }
}

fn is_sysctl(name: &str) -> bool {
    let edge = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let part = |text: &str| {
        let bytes = text.as_bytes();
        let inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_');
        edge(bytes.first()) && edge(bytes.last()) && bytes.iter().all(inner)
    };
    name.len() <= 253 && name.split(['.', '/']).all(part)
}

fn seccomp(errors: &mut ErrorList, path: &Path, profile: Option<&SeccompProfile>) {
    let Some(profile) = profile else { return };
    let at = path.child("type");
    if profile.type_.is_empty() {
        errors.push(FieldError::required(&at, "type is required when seccompProfile is set"));
    } else {
        supported(errors, &at, &profile.type_, &["Localhost", "RuntimeDefault", "Unconfined"]);
    }
    let at = path.child("localhostProfile");
    match (profile.type_ == "Localhost", &profile.localhost_profile) {
        (true, None) => errors.push(FieldError::required(&at, "must be set when seccomp type is Localhost")),
        (true, Some(text)) => descending_path(errors, &at, text),
        (false, Some(_)) => {
            let why = "can only be set when seccomp type is Localhost";
            errors.push(FieldError::invalid(&at, shown(profile), why));
        }
        (false, None) => {}
    }
}

pub(super) fn app_armor(errors: &mut ErrorList, path: &Path, profile: Option<&AppArmorProfile>) {
    let Some(profile) = profile else { return };
    let at = path.child("type");
    if profile.type_.is_empty() {
        errors.push(FieldError::required(&at, "type is required when appArmorProfile is set"));
    } else {
        supported(errors, &at, &profile.type_, &["Localhost", "RuntimeDefault", "Unconfined"]);
    }
    let at = path.child("localhostProfile");
    match (profile.type_ == "Localhost", &profile.localhost_profile) {
        (true, None) => errors.push(FieldError::required(&at, "must be set when AppArmor type is Localhost")),
        (true, Some(text)) => {
            if text.trim() != text {
                errors.push(FieldError::invalid(&at, text, "must not be padded with whitespace"));
            } else if text.trim().is_empty() {
                errors.push(FieldError::required(&at, "must be set when AppArmor type is Localhost"));
            }
            if text.len() > 4095 {
                errors.push(FieldError::too_long(&at, 4095));
            }
        }
        // What type it is has been asked for already.
        (false, Some(_)) if !matches!(profile.type_.as_str(), "RuntimeDefault" | "Unconfined") => {}
        (false, Some(text)) => {
            let why = "can only be set when AppArmor type is Localhost";
            errors.push(FieldError::invalid(&at, text, why));
        }
        (false, None) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_of_a_namespace() {
        for (name, expected) in [
            ("net.ipv4.ip_forward", Some(Space::Net)),
            ("net/ipv4/conf/eno2.100/rp_filter", Some(Space::Net)),
            ("kernel.shmmax", Some(Space::Ipc)),
            ("kernel/sem", Some(Space::Ipc)),
            ("kernel.shmem", None),
            ("fs.mqueue.msg_max", Some(Space::Ipc)),
            ("fs.mqueue/msg_max", None),
            ("vm.swappiness", None),
        ] {
            assert_eq!(sysctl_space(name), expected, "{name}");
        }
    }
}
