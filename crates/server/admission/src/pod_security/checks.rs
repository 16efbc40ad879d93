//! What pods may not have, by level and release: a table of checks, one file each.
//!
//! Upstream: `k8s.io/pod-security-admission/policy`. The wording, and the order of the checks within a message, are upstream's.

mod app_armor_profile;
mod capabilities;
mod host_namespaces;
mod host_path_volumes;
mod host_ports;
mod host_probes;
mod privilege_escalation;
mod privileged;
mod proc_mount;
mod restricted_volumes;
mod run_as_non_root;
mod run_as_user;
mod se_linux_options;
mod seccomp_profile;
mod sysctls;
#[cfg(test)]
mod tests;
mod windows_host_process;

use std::collections::BTreeSet;

use api_types::core::v1::{ContainerPort, Lifecycle, PodSecurityContext, PodSpec, Probe, SecurityContext};
use api_types::meta::v1::ObjectMeta;

use super::policy::{Level, Standard, Version};

/// The release that these checks are of. Versions to come are judged by it.
const NEWEST_MINOR: u32 = 37;

/// What is judged: a pod, or what a workload makes its pods of.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) meta: &'a ObjectMeta,
    pub(crate) spec: &'a PodSpec,
}

/// A container of any kind, as far as checks look at it.
struct Seen<'a> {
    name: &'a str,
    security: Option<&'a SecurityContext>,
    ports: &'a [ContainerPort],
    probes: [Option<&'a Probe>; 3],
    lifecycle: Option<&'a Lifecycle>,
}

macro_rules! seen {
    ($container:expr) => {{
        let container = $container;
        Seen {
            name: &container.name,
            security: container.security_context.as_deref(),
            ports: &container.ports,
            probes: [
                container.liveness_probe.as_deref(),
                container.readiness_probe.as_deref(),
                container.startup_probe.as_deref(),
            ],
            lifecycle: container.lifecycle.as_deref(),
        }
    }};
}

impl<'a> Subject<'a> {
    /// All containers: initial, main, ephemeral.
    fn containers(self) -> impl Iterator<Item = Seen<'a>> {
        let initial = self.spec.init_containers.iter().map(|container| seen!(container));
        let main = self.spec.containers.iter().map(|container| seen!(container));
        let ephemeral = self.spec.ephemeral_containers.iter().map(|it| seen!(&it.ephemeral_container_common));
        initial.chain(main).chain(ephemeral)
    }

    fn security(self) -> Option<&'a PodSecurityContext> {
        self.spec.security_context.as_deref()
    }

    /// Whether it runs in a user namespace of its own, where root is nobody outside.
    fn has_own_users(self) -> bool {
        self.spec.host_users == Some(false)
    }

    fn is_windows(self) -> bool {
        self.spec.os.as_deref().is_some_and(|os| os.name == "windows")
    }
}

/// Why a pod violates a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// What it has, in few words.
    pub(crate) reason: &'static str,
    /// Where.
    pub(crate) detail: String,
}

/// A fault with this detail, if there is any.
fn fault(reason: &'static str, detail: Option<String>) -> Option<Fault> {
    detail.map(|detail| Fault { reason, detail })
}

type Judge = fn(Subject<'_>) -> Option<Fault>;

struct Check {
    id: &'static str,
    level: Level,
    /// Since which release, and how.
    since: &'static [(u32, Judge)],
    /// The check of the baseline in whose place it comes.
    overrides: &'static str,
}

const fn baseline(id: &'static str, since: &'static [(u32, Judge)]) -> Check {
    Check { id, level: Level::Baseline, since, overrides: "" }
}

const fn restricted(id: &'static str, overrides: &'static str, since: &'static [(u32, Judge)]) -> Check {
    Check { id, level: Level::Restricted, since, overrides }
}

/// In the order in which faults are told: the baseline's first, each by its name.
const CHECKS: [Check; 19] = [
    baseline("appArmorProfile", &[(0, app_armor_profile::judge)]),
    baseline("capabilities_baseline", &[(0, capabilities::baseline)]),
    baseline("hostNamespaces", &[(0, host_namespaces::judge)]),
    baseline("hostPathVolumes", &[(0, host_path_volumes::judge)]),
    baseline("hostPorts", &[(0, host_ports::judge)]),
    baseline("hostProbesAndHostLifecycle", &[(34, host_probes::judge)]),
    baseline("privileged", &[(0, privileged::judge)]),
    baseline("procMount", &[(0, proc_mount::judge), (35, proc_mount::unless_own_users)]),
    baseline("seLinuxOptions", &[(0, se_linux_options::since_0), (31, se_linux_options::since_31)]),
    baseline(
        "seccompProfile_baseline",
        &[(0, seccomp_profile::annotations), (19, seccomp_profile::baseline)],
    ),
    baseline(
        "sysctls",
        &[
            (0, sysctls::since_0),
            (27, sysctls::since_27),
            (29, sysctls::since_29),
            (32, sysctls::since_32),
            (37, sysctls::since_37),
        ],
    ),
    baseline("windowsHostProcess", &[(0, windows_host_process::judge)]),
    restricted(
        "allowPrivilegeEscalation",
        "",
        &[(8, privilege_escalation::judge), (25, privilege_escalation::unless_windows)],
    ),
    restricted(
        "capabilities_restricted",
        "capabilities_baseline",
        &[(22, capabilities::restricted), (25, capabilities::unless_windows)],
    ),
    restricted("procMount_restricted", "procMount", &[(35, proc_mount::judge)]),
    restricted("restrictedVolumes", "hostPathVolumes", &[(0, restricted_volumes::judge)]),
    restricted("runAsNonRoot", "", &[(0, run_as_non_root::judge), (35, run_as_non_root::unless_own_users)]),
    restricted("runAsUser", "", &[(23, run_as_user::judge), (35, run_as_user::unless_own_users)]),
    restricted(
        "seccompProfile_restricted",
        "seccompProfile_baseline",
        &[(19, seccomp_profile::restricted), (25, seccomp_profile::unless_windows)],
    ),
];

impl Check {
    fn of(&self, minor: u32) -> Option<Judge> {
        self.since.iter().rev().find(|(since, _)| *since <= minor).map(|(_, judge)| *judge)
    }
}

/// What a pod has that a standard forbids.
pub(crate) fn judge(standard: Standard, subject: Subject<'_>) -> Vec<Fault> {
    if standard.level == Level::Privileged {
        return Vec::new();
    }
    let minor = match standard.version {
        Version::Latest => NEWEST_MINOR,
        Version::Minor(minor) => minor.min(NEWEST_MINOR),
    };
    let active = || CHECKS.iter().filter(|check| check.level <= standard.level);
    let overridden = |id: &str| active().any(|other| other.overrides == id && other.of(minor).is_some());
    let judges = active().filter(|check| !overridden(check.id)).filter_map(|check| check.of(minor));
    judges.filter_map(|judge| judge(subject)).collect()
}

/// The faults of one pod, with where they are.
pub(crate) fn details(faults: &[Fault]) -> String {
    let each = faults.iter().map(|fault| match fault.detail.as_str() {
        "" => fault.reason.to_owned(),
        detail => format!("{} ({detail})", fault.reason),
    });
    each.collect::<Vec<_>>().join(", ")
}

/// The faults of many pods, in few words.
pub(crate) fn reasons(faults: &[Fault]) -> String {
    faults.iter().map(|fault| fault.reason).collect::<Vec<_>>().join(", ")
}

fn plural<'a>(one: &'a str, many: &'a str, count: usize) -> &'a str {
    if count == 1 { one } else { many }
}

fn quoted<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    let each = items.into_iter().map(|item| format!("\"{}\"", item.as_ref()));
    each.collect::<Vec<_>>().join(", ")
}

/// `container "a"` or `containers "a", "b"`.
fn containers(names: &[&str]) -> String {
    format!("{} {}", plural("container", "containers", names.len()), quoted(names))
}

/// The pod, its containers, or both, as those who say something.
fn sayers(pod: bool, names: &[&str]) -> Option<String> {
    match (pod, names.is_empty()) {
        (false, true) => None,
        (true, true) => Some("pod".to_owned()),
        (false, false) => Some(containers(names)),
        (true, false) => Some(format!("pod and {}", containers(names))),
    }
}

/// The containers that a condition holds for.
fn those<'a>(subject: Subject<'a>, holds: impl Fn(&Seen<'a>) -> bool) -> Vec<&'a str> {
    subject.containers().filter(holds).map(|container| container.name).collect()
}

/// What the containers say that they may not, and which ones say it.
fn said<'a, I: IntoIterator<Item = &'a str>>(
    subject: Subject<'a>,
    forbidden: impl Fn(&Seen<'a>) -> I,
) -> (Vec<&'a str>, BTreeSet<&'a str>) {
    let (mut names, mut values) = (Vec::new(), BTreeSet::new());
    for container in subject.containers() {
        let mut own = forbidden(&container).into_iter().peekable();
        if own.peek().is_some() {
            names.push(container.name);
            values.extend(own);
        }
    }
    (names, values)
}
