//! Requests and limits as the kernel takes them: control groups by quality of service, readiness to be killed, and their text.

use api_meta::pod_resources::{
    Count, aggregated, is_pod_level, limits as limits_of, requests as requests_of,
};
use api_meta::resources::ResourceList;
use api_record::scalar::Quantity;
use api_types::core::v1::{Container, Pod, ResourceFieldSelector};
use host::cgroup::{CgroupError, CgroupPath, Limits};

use crate::allocation::{Amounts, Share};
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

/// A pod's quality of service: what its status says, or else what follows from what it asks for.
pub fn qos(pod: &Pod) -> Qos {
    let class = match pod.status.qos_class.as_str() {
        "" => api_meta::qos::class(&pod.spec),
        known => known,
    };
    match class {
        "Guaranteed" => Qos::Guaranteed,
        "Burstable" => Qos::Burstable,
        _ => Qos::BestEffort,
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

/// What a container of these amounts may use. What it has no limit of is left as it is.
pub fn amounts_limits(amounts: Amounts) -> Limits {
    let some = |amount: i64| Some(amount).filter(|amount| *amount != 0);
    let (request, limit) = (some(amounts.cpu_request_millis), some(amounts.cpu_limit_millis));
    limits(request, limit, some(amounts.memory_limit_bytes))
}

/// What a container may use: its pod's limits where it has none of its own.
pub fn container_limits(pod: &Pod, container: &Container) -> Limits {
    let whole = pod.spec.resources.as_deref().map(Share::of);
    amounts_limits(Share::of(&container.resources).within(whole.as_ref()).amounts())
}

/// What a whole pod may use: what it asks for as a whole, or else the sum of its containers that run together, or its largest init
/// container if that is more; limits only where the pod or every container has one.
pub fn pod_limits(pod: &Pod) -> Limits {
    let (requests, most) = (requests_of(pod, Count::Wished), limits_of(pod, Count::Wished));
    let limit = |name: &'static str, value: fn(&Quantity) -> i64| {
        let has = |list: &ResourceList| list.get(name).is_some_and(|limit| !limit.is_zero());
        let declared = pod.spec.resources.as_deref().is_some_and(|own| has(&own.limits))
            || all(pod).all(|(container, _)| has(&container.resources.limits));
        most.get(name).filter(|_| declared).map(value)
    };
    match qos(pod) {
        Qos::BestEffort => limits(None, None, None),
        _ => {
            let requested = requests.get("cpu").map_or(0, Quantity::millis);
            limits(Some(requested), limit("cpu", Quantity::millis), limit("memory", Quantity::units))
        }
    }
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
            let spread = spread_memory(pod);
            let score = |request: i64| {
                1000 - 1000_i64.saturating_mul(request.saturating_add(spread)) / capacity_bytes.max(1)
            };
            let mut own = score(memory_request(container));
            if is_sidecar(container)
                && pod.spec.init_containers.iter().any(|init| init.name == container.name)
            {
                // A sidecar goes no sooner than what it serves.
                let least = pod.spec.containers.iter().map(memory_request).min().unwrap_or(0);
                own = own.min(score(least));
            }
            // Never as safe as a guaranteed container, never quite as unsafe as one that asked for nothing.
            i32::try_from(own.clamp(3, 999)).unwrap_or(999)
        }
    }
}

fn memory_request(container: &Container) -> i64 {
    container.resources.requests.get("memory").map_or(0, Quantity::units)
}

/// Each container's part of the memory that a pod asks for beyond what its containers do.
fn spread_memory(pod: &Pod) -> i64 {
    let whole = pod.spec.resources.as_deref().map(|own| &own.requests);
    if !whole.is_some_and(|own| own.keys().any(|name| is_pod_level(name))) {
        return 0;
    }
    let together = aggregated(&pod.spec, |container| &container.resources.requests);
    let own = together.get("memory").map_or(0, Quantity::units);
    let count = i64::try_from(all(pod).count()).unwrap_or(i64::MAX).max(1);
    let asked = whole.and_then(|own| own.get("memory")).map_or(0, Quantity::units);
    asked.saturating_sub(own).max(0) / count
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
    let is_limit = list == "limits";
    // Where a container has no limit, its pod's holds.
    let whole = pod.spec.resources.as_deref().map(|own| &own.limits);
    let whole = whole.filter(|_| is_limit && is_pod_level(resource)).and_then(|limits| limits.get(resource));
    let found =
        values.get(resource).filter(|value| !value.is_zero()).or(whole.filter(|value| !value.is_zero()));
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

#[cfg(test)]
mod tests;
