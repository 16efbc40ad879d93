//! Requests and limits as the kernel takes them: control groups by quality of service, readiness to be killed, and their text.

use api_record::scalar::Quantity;
use api_types::core::v1::{Container, Pod, ResourceFieldSelector};
use host::cgroup::{CgroupError, CgroupPath, Limits};

use crate::container::all;
use crate::env::{EnvError, Node};
use crate::restart::is_sidecar;

/// The period of CPU quotas in microseconds.
const QUOTA_PERIOD_MICROS: i64 = 100_000;
/// The smallest quota that the kernel takes.
const QUOTA_MIN_MICROS: i64 = 1000;
/// The fewest CPU shares.
const SHARES_MIN: i64 = 2;
/// The most CPU shares.
const SHARES_MAX: i64 = 262_144;

/// A pod's quality of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qos {
    /// Every container has limits, and requests equal to them.
    Guaranteed,
    /// Some container asks for something.
    Burstable,
    /// None asks for anything.
    BestEffort,
}

impl Qos {
    /// The name in a status.
    pub fn name(self) -> &'static str {
        match self {
            Qos::Guaranteed => "Guaranteed",
            Qos::Burstable => "Burstable",
            Qos::BestEffort => "BestEffort",
        }
    }
}

/// A pod's quality of service: what its status says, or else what follows from its containers.
pub fn qos(pod: &Pod) -> Qos {
    match pod.status.qos_class.as_str() {
        "Guaranteed" => return Qos::Guaranteed,
        "Burstable" => return Qos::Burstable,
        "BestEffort" => return Qos::BestEffort,
        _ => {}
    }
    let mut any = false;
    let mut guaranteed = true;
    for (container, _) in all(pod) {
        let resources = &container.resources;
        for name in ["cpu", "memory"] {
            let limit = resources.limits.get(name).filter(|limit| !limit.is_zero());
            let request = resources.requests.get(name).filter(|request| !request.is_zero());
            any |= limit.is_some() || request.is_some();
            guaranteed &= limit.is_some() && request.is_none_or(|request| Some(request) == limit);
        }
    }
    match (any, guaranteed) {
        (false, _) => Qos::BestEffort,
        (true, true) => Qos::Guaranteed,
        (true, false) => Qos::Burstable,
    }
}

/// A pod's control group below `parent` (kubelet's `kubepods`).
///
/// # Errors
/// When the uid cannot name a group.
pub fn cgroup(parent: &CgroupPath, pod: &Pod) -> Result<CgroupPath, CgroupError> {
    let group = match qos(pod) {
        Qos::Guaranteed => parent.clone(),
        Qos::Burstable => parent.join("burstable")?,
        Qos::BestEffort => parent.join("besteffort")?,
    };
    group.join(&format!("pod{}", pod.metadata.uid))
}

fn shares(millis: i64) -> u64 {
    let shares = (millis.saturating_mul(1024) / 1000).clamp(SHARES_MIN, SHARES_MAX);
    shares.cast_unsigned()
}

fn quota(millis: i64) -> i64 {
    (millis.saturating_mul(QUOTA_PERIOD_MICROS) / 1000).max(QUOTA_MIN_MICROS)
}

fn limits(request: Option<i64>, limit: Option<i64>, memory: Option<i64>) -> Limits {
    Limits {
        cpu_shares: Some(shares(request.or(limit).unwrap_or(0))),
        cpu_quota_micros: limit.map(quota),
        cpu_period_micros: limit.map(|_| QUOTA_PERIOD_MICROS.cast_unsigned()),
        memory_bytes: memory,
        ..Limits::default()
    }
}

/// What a container may use.
pub fn container_limits(container: &Container) -> Limits {
    let resources = &container.resources;
    let cpu = resources.limits.get("cpu").filter(|limit| !limit.is_zero()).map(Quantity::millis);
    let memory = resources.limits.get("memory").filter(|limit| !limit.is_zero()).map(Quantity::units);
    limits(resources.requests.get("cpu").map(Quantity::millis), cpu, memory)
}

/// What a whole pod may use: the sum of its containers that run together, or its largest init container if that is more; limits
/// only where every container has one.
pub fn pod_limits(pod: &Pod) -> Limits {
    let total = |of: &dyn Fn(&Container) -> Option<i64>| -> (i64, bool) {
        let regular: i64 = pod.spec.containers.iter().filter_map(of).sum();
        let (mut sidecars, mut peak) = (0, 0);
        for container in &pod.spec.init_containers {
            let own = of(container).unwrap_or(0);
            if is_sidecar(container) {
                sidecars += own;
                peak = peak.max(sidecars);
            } else {
                peak = peak.max(sidecars + own);
            }
        }
        let all_have = all(pod).all(|(container, _)| of(container).is_some());
        (peak.max(regular + sidecars), all_have)
    };
    let limit = |name: &'static str, value: fn(&Quantity) -> i64| {
        let (sum, all_have) = total(&move |container: &Container| {
            container.resources.limits.get(name).filter(|limit| !limit.is_zero()).map(value)
        });
        all_have.then_some(sum)
    };
    let (requested, _) = total(&|container| container.resources.requests.get("cpu").map(Quantity::millis));
    limits(Some(requested), limit("cpu", Quantity::millis), limit("memory", Quantity::units))
}

/// How readily the kernel kills a container for want of memory, as kubelet's `qos.GetContainerOOMScoreAdjust`.
pub fn oom_score_adj(pod: &Pod, container: &Container, capacity_bytes: i64) -> i32 {
    const SYSTEM_CRITICAL: i32 = 2_000_000_000;
    if pod.spec.priority.is_some_and(|priority| priority >= SYSTEM_CRITICAL) {
        return -997;
    }
    match qos(pod) {
        Qos::Guaranteed => -997,
        Qos::BestEffort => 1000,
        Qos::Burstable => {
            let request = container.resources.requests.get("memory").map_or(0, Quantity::units);
            let score = 1000 - 1000_i64.saturating_mul(request) / capacity_bytes.max(1);
            // Never as safe as a guaranteed container, never quite as unsafe as one that asked for nothing.
            i32::try_from(score.clamp(3, 999)).unwrap_or(999)
        }
    }
}

/// The text of a container's request or limit, for variables and for downward API volumes.
///
/// # Errors
/// When there is no such container or resource.
pub fn field(
    selector: &ResourceFieldSelector,
    own: &Container,
    pod: &Pod,
    node: &Node,
) -> Result<String, EnvError> {
    let name = selector.container_name.as_str();
    let container = if name.is_empty() || name == own.name {
        own
    } else {
        let found = all(pod).find(|(container, _)| container.name == name);
        found.map(|(container, _)| container).ok_or_else(|| EnvError::NoContainer(name.to_owned()))?
    };
    let (list, resource) =
        selector.resource.split_once('.').ok_or_else(|| EnvError::Resource(selector.resource.clone()))?;
    let values = match list {
        "limits" => &container.resources.limits,
        "requests" => &container.resources.requests,
        _ => return Err(EnvError::Resource(selector.resource.clone())),
    };
    let found = values.get(resource).filter(|value| !value.is_zero());
    let is_limit = list == "limits";
    if resource == "cpu" {
        let millis = found.map_or(if is_limit { node.allocatable_millis } else { 0 }, Quantity::millis);
        let divisor = if selector.divisor.is_zero() { 1000 } else { selector.divisor.millis() };
        return Ok(divide(millis, divisor));
    }
    let allocatable = match resource {
        "memory" => node.allocatable_memory_bytes,
        "ephemeral-storage" => node.allocatable_storage_bytes,
        _ if resource.starts_with("hugepages-") => 0,
        _ => return Err(EnvError::Resource(selector.resource.clone())),
    };
    let units = found.map_or(if is_limit { allocatable } else { 0 }, Quantity::units);
    let divisor = if selector.divisor.is_zero() { 1 } else { selector.divisor.units() };
    Ok(divide(units, divisor))
}

fn divide(value: i64, divisor: i64) -> String {
    let divisor = divisor.max(1);
    (value / divisor + i64::from(value % divisor > 0)).to_string()
}
