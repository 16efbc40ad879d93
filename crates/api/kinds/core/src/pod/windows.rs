//! What is wrong with pods for Windows. Knarr's nodes run none, but its API server takes them for nodes that do.

mod options;

pub(super) use options::check as options;

use api_meta::field::{ErrorList, FieldError, Path};
use api_types::core::v1::{PodSecurityContext, PodSpec, SecurityContext, WindowsSecurityContextOptions};

use super::annotations::contexts;

const NOT_FOR_WINDOWS: &str = "cannot be set for a windows pod";
const NOT_FOR_LINUX: &str = "windows options cannot be set for a linux pod";

/// Containers that run as processes of the host: all of a pod or none.
pub(super) fn host_process(errors: &mut ErrorList, path: &Path, spec: &PodSpec) {
    let wanted = |options: Option<&WindowsSecurityContextOptions>| options.and_then(|own| own.host_process);
    let pod = spec.security_context.as_deref();
    let of_pod = wanted(pod.and_then(|context| context.windows_options.as_deref()));
    let all = contexts(path, spec);
    let mut processes = 0;
    for (_, at, context) in &all {
        let own = wanted(context.and_then(|context| context.windows_options.as_deref()));
        if let (Some(of_pod), Some(own)) = (of_pod, own)
            && of_pod != own
        {
            let at = at.child("securityContext").child("windowsOptions").child("hostProcess");
            let why = format!("pod hostProcess value must be identical if both are specified, was {of_pod}");
            errors.push(FieldError::invalid(&at, own, why));
        }
        processes += usize::from(own.or(of_pod) == Some(true));
    }
    if processes == 0 {
        return;
    }
    if processes != all.len() {
        let why =
            "If pod contains any hostProcess containers then all containers must be HostProcess containers";
        errors.push(FieldError::invalid(path, "", why));
    }
    if !spec.host_network {
        let why = "hostNetwork must be true if pod contains any hostProcess containers";
        errors.push(FieldError::invalid(&path.child("hostNetwork"), false, why));
    }
}

/// What only Windows knows, for a pod that says that it is for Linux.
pub(super) fn not_for_linux(errors: &mut ErrorList, path: &Path, spec: &PodSpec) {
    let pod = spec.security_context.as_deref().is_some_and(|context| context.windows_options.is_some());
    let own = contexts(path, spec).into_iter();
    let own =
        own.map(|(_, at, context)| (at, context.is_some_and(|context| context.windows_options.is_some())));
    for (at, _) in std::iter::once((path.clone(), pod)).chain(own).filter(|(_, given)| *given) {
        let at = at.child("securityContext").child("windowsOptions");
        errors.push(FieldError::forbidden(&at, NOT_FOR_LINUX));
    }
}

/// What Windows does not know, for a pod that says that it is for Windows.
pub(super) fn check(errors: &mut ErrorList, path: &Path, spec: &PodSpec) {
    let mut refuse = |at: &Path, fields: &[(&'static str, bool)]| {
        for (field, _) in fields.iter().filter(|(_, given)| *given) {
            errors.push(FieldError::forbidden(&at.child(*field), NOT_FOR_WINDOWS));
        }
    };
    if let Some(context) = &spec.security_context {
        refuse(&path.child("securityContext"), &of_pod(context));
    }
    refuse(
        path,
        &[
            ("hostUsers", spec.host_users.is_some()),
            ("hostPID", spec.host_pid),
            ("hostIPC", spec.host_ipc),
            ("shareProcessNamespace", spec.share_process_namespace.is_some()),
        ],
    );
    for (_, at, context) in contexts(path, spec) {
        if let Some(context) = context {
            refuse(&at.child("securityContext"), &of_container(context));
        }
    }
}

fn of_pod(context: &PodSecurityContext) -> [(&'static str, bool); 11] {
    [
        ("appArmorProfile", context.app_armor_profile.is_some()),
        ("seLinuxOptions", context.se_linux_options.is_some()),
        ("seccompProfile", context.seccomp_profile.is_some()),
        ("fsGroup", context.fs_group.is_some()),
        ("fsGroupChangePolicy", context.fs_group_change_policy.is_some()),
        ("sysctls", !context.sysctls.is_empty()),
        ("runAsUser", context.run_as_user.is_some()),
        ("runAsGroup", context.run_as_group.is_some()),
        ("supplementalGroups", !context.supplemental_groups.is_empty()),
        ("supplementalGroupsPolicy", context.supplemental_groups_policy.is_some()),
        ("seLinuxChangePolicy", context.se_linux_change_policy.is_some()),
    ]
}

fn of_container(context: &SecurityContext) -> [(&'static str, bool); 10] {
    [
        ("appArmorProfile", context.app_armor_profile.is_some()),
        ("seLinuxOptions", context.se_linux_options.is_some()),
        ("seccompProfile", context.seccomp_profile.is_some()),
        ("capabilities", context.capabilities.is_some()),
        ("readOnlyRootFilesystem", context.read_only_root_filesystem.is_some()),
        ("privileged", context.privileged.is_some()),
        ("allowPrivilegeEscalation", context.allow_privilege_escalation.is_some()),
        ("procMount", context.proc_mount.is_some()),
        ("runAsUser", context.run_as_user.is_some()),
        ("runAsGroup", context.run_as_group.is_some()),
    ]
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use crate::pod::KIND;

    fn errors(spec: &str) -> Vec<String> {
        create(&KIND, &format!("spec: {{{spec}}}")).errors
    }

    #[test]
    fn processes_of_the_host_are_all_of_a_pod_or_none() {
        let pod = "securityContext: {windowsOptions: {hostProcess: true}}, containers: [{name: a, image: i}";
        assert_eq!(errors(&format!("hostNetwork: true, {pod}]")), [""; 0]);
        let other = "{name: b, image: i, securityContext: {windowsOptions: {hostProcess: false}}}";
        assert_eq!(
            errors(&format!("{pod}, {other}]")),
            [
                "spec.containers[1].securityContext.windowsOptions.hostProcess: Invalid value: false: pod hostProcess value must be identical if both are specified, was true",
                "spec: Invalid value: \"\": If pod contains any hostProcess containers then all containers must be HostProcess containers",
                "spec.hostNetwork: Invalid value: false: hostNetwork must be true if pod contains any hostProcess containers"
            ]
        );
    }

    #[test]
    fn linux_knows_no_options_of_windows() {
        assert_eq!(
            errors(
                "os: {name: linux}, securityContext: {windowsOptions: {}}, containers: [{name: a, image: i, securityContext: {windowsOptions: {}}}]"
            ),
            [
                "spec.securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod",
                "spec.containers[0].securityContext.windowsOptions: Forbidden: windows options cannot be set for a linux pod"
            ]
        );
    }

    #[test]
    fn windows_knows_no_users_by_number() {
        assert_eq!(
            errors(
                "os: {name: windows}, hostPID: true, containers: [{name: a, image: i, securityContext: {runAsUser: 1}}]"
            ),
            [
                "spec.hostPID: Forbidden: cannot be set for a windows pod",
                "spec.containers[0].securityContext.runAsUser: Forbidden: cannot be set for a windows pod"
            ]
        );
    }
}
