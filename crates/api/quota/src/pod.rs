//! What a pod uses: itself, and what its containers may claim while it lives.

use api_meta::pod_resources::{Count, is_pod_level, limits, requests};
use api_meta::qos;
use api_meta::resources::is_extended;
use api_types::core::v1::{Affinity, Pod, PodAffinityTerm, ScopedResourceSelectorRequirement};
use base::time::Time;

use crate::list::{ResourceList, whole};
use crate::scope;

const COUNT: &str = "count/pods";
const DEVICE_CLASS: &str = "deviceclass.resource.kubernetes.io/";

/// What each container must say if a quota counts it. That this couples quotas and validation upstream regrets, and keeps.
const MUST_BE_SAID: [&str; 6] =
    ["cpu", "limits.cpu", "limits.memory", "memory", "requests.cpu", "requests.memory"];

pub(crate) fn is_measured(name: &str) -> bool {
    let compute = ["cpu", "memory", "ephemeral-storage"];
    let plain = name.strip_prefix("requests.").or_else(|| name.strip_prefix("limits.")).unwrap_or(name);
    if matches!(name, COUNT | "pods") || compute.contains(&plain) || name.starts_with("hugepages-") {
        return true;
    }
    let Some(asked) = name.strip_prefix("requests.") else { return false };
    let foreign = asked.contains('/') && !asked.contains("kubernetes.io/");
    foreign || asked.starts_with("hugepages-") || asked.starts_with(DEVICE_CLASS)
}

/// Whether it still counts: not once it has ended, nor when it should be gone and is not, as after the loss of a node.
pub fn is_counted(pod: &Pod, now: Time) -> bool {
    if matches!(pod.status.phase.as_str(), "Succeeded" | "Failed") {
        return false;
    }
    released_at(pod).is_none_or(|end| now <= end)
}

/// Until when a pod that is being deleted counts at the latest: its grace once more after the end of its grace.
pub fn released_at(pod: &Pod) -> Option<Time> {
    let grace = pod.metadata.deletion_grace_period_seconds?;
    let deadline = Time::from(pod.metadata.deletion_timestamp?);
    Some(deadline + std::time::Duration::from_secs(u64::try_from(grace).unwrap_or(0)))
}

pub(crate) fn usage(pod: &Pod, now: Time) -> ResourceList {
    let mut used = ResourceList::from([(COUNT.to_owned(), whole(1))]);
    if is_counted(pod, now) {
        used.extend(compute(&requests(pod, Count::InForce), &limits(pod, Count::InForce)));
    }
    used
}

/// Requests and limits by the names that quotas have for them, and the pod itself.
fn compute(requests: &ResourceList, limits: &ResourceList) -> ResourceList {
    let mut used = ResourceList::from([("pods".to_owned(), whole(1))]);
    for (name, quantity) in requests {
        let basic = matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage");
        let huge = name.starts_with("hugepages-");
        if basic || huge {
            used.insert(name.clone(), quantity.clone());
        }
        if basic || huge || is_extended(name) || name.starts_with(DEVICE_CLASS) {
            used.insert(format!("requests.{name}"), quantity.clone());
        }
    }
    for (name, quantity) in limits {
        if matches!(name.as_str(), "cpu" | "memory" | "ephemeral-storage") {
            used.insert(format!("limits.{name}"), quantity.clone());
        }
    }
    used
}

/// What the containers do not say although a quota counts it, in upstream's words.
pub(crate) fn unsaid(pod: &Pod, counted: &[&str]) -> Option<String> {
    let whole = pod.spec.resources.as_deref();
    let mut of_pod = whole.into_iter().flat_map(|own| own.requests.keys().chain(own.limits.keys()));
    if of_pod.any(|name| is_pod_level(name)) {
        return None;
    }
    let mut parts = Vec::new();
    for name in MUST_BE_SAID.into_iter().filter(|name| counted.contains(name)) {
        let all = pod.spec.containers.iter().chain(&pod.spec.init_containers);
        let silent = all.filter(|container| {
            let own = &container.resources;
            !compute(&own.requests, &own.limits).contains_key(name)
        });
        let mut silent: Vec<&str> = silent.map(|container| container.name.as_str()).collect();
        silent.sort_unstable();
        silent.dedup();
        if !silent.is_empty() {
            parts.push(format!("{name} for: {}", silent.join(",")));
        }
    }
    (!parts.is_empty()).then(|| format!("must specify {}", parts.join("; ")))
}

/// Whether it ends by itself: it has a deadline.
pub fn is_terminating(pod: &Pod) -> bool {
    pod.spec.active_deadline_seconds.is_some_and(|seconds| seconds >= 0)
}

pub(crate) fn is_in(pod: &Pod, selector: &ScopedResourceSelectorRequirement) -> bool {
    let best_effort = || qos_class(pod) == "BestEffort";
    match selector.scope_name.as_str() {
        "Terminating" => is_terminating(pod),
        "NotTerminating" => !is_terminating(pod),
        "BestEffort" => best_effort(),
        "NotBestEffort" => !best_effort(),
        "PriorityClass" => {
            let class = pod.spec.priority_class_name.as_str();
            scope::picks(selector, Some(class).filter(|class| !class.is_empty()))
        }
        "CrossNamespacePodAffinity" => pod.spec.affinity.as_deref().is_some_and(crosses_namespaces),
        _ => false,
    }
}

fn qos_class(pod: &Pod) -> &str {
    match pod.status.qos_class.as_str() {
        "" => qos::class(&pod.spec),
        known => known,
    }
}

fn crosses_namespaces(affinity: &Affinity) -> bool {
    let crosses = |term: &PodAffinityTerm| !term.namespaces.is_empty() || term.namespace_selector.is_some();
    let near = affinity.pod_affinity.as_deref().is_some_and(|own| {
        own.required_during_scheduling_ignored_during_execution.iter().any(crosses)
            || own
                .preferred_during_scheduling_ignored_during_execution
                .iter()
                .any(|term| crosses(&term.pod_affinity_term))
    });
    let apart = affinity.pod_anti_affinity.as_deref().is_some_and(|own| {
        own.required_during_scheduling_ignored_during_execution.iter().any(crosses)
            || own
                .preferred_during_scheduling_ignored_during_execution
                .iter()
                .any(|term| crosses(&term.pod_affinity_term))
    });
    near || apart
}
