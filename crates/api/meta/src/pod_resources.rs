//! What a pod as a whole asks for, and what it may use at most: the one sum that quotas, the scheduler, nodes and autoscalers count with.
//!
//! The largest of: all containers with all sidecars (init containers that restart always), and each init container with the sidecars
//! started before it. What the pod itself says goes before that, for the resources it names; overhead comes on top.
//!
//! Upstream: `k8s.io/component-helpers/resource` (`PodRequests`, `PodLimits`), without what claims of devices add.

use std::borrow::Cow;

use api_types::core::v1::{Container, ContainerStatus, Pod, PodSpec, ResourceRequirements};

use crate::resources::{ResourceList, add};

static NOTHING: ResourceList = ResourceList::new();

/// What is counted of a pod whose resources are being changed while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// What its spec says.
    Wished,
    /// The most of what its spec says, what its node has allocated and what is in force there: a resize frees nothing before it is done.
    /// What the node can never do (`Infeasible`) does not count.
    InForce,
}

/// What a pod asks for.
pub fn requests(pod: &Pod, count: Count) -> ResourceList {
    requests_with(pod, count, &NOTHING)
}

/// What a pod asks for if each container that does not name one of the `missing` resources asks for that much of it.
pub fn requests_with(pod: &Pod, count: Count, missing: &ResourceList) -> ResourceList {
    let spec = || sum(&pod.spec, missing, |container| Some(&container.resources.requests));
    let mut total = match count {
        Count::Wished => spec(),
        Count::InForce => {
            let mut total = requests_of_node(pod, missing);
            if !is_infeasible(pod) {
                raise(&mut total, &spec());
            }
            total
        }
    };
    if let Some(own) =
        pod.spec.resources.as_deref().filter(|own| own.requests.keys().any(|name| is_pod_level(name)))
    {
        let known = pod.status.resources.as_deref().filter(|_| count == Count::InForce);
        let effective = match known {
            Some(known) => most(pod, &own.requests, &[&known.requests, &pod.status.allocated_resources]),
            None => Cow::Borrowed(&own.requests),
        };
        replace(&mut total, &effective);
    }
    add(&mut total, &pod.spec.overhead);
    total
}

/// What a pod may use at most, of the resources that any of its containers has a limit of.
pub fn limits(pod: &Pod, count: Count) -> ResourceList {
    let spec = || sum(&pod.spec, &NOTHING, |container| Some(&container.resources.limits));
    let mut total = match count {
        Count::Wished => spec(),
        Count::InForce => {
            let mut total = limits_of_node(pod);
            if !is_infeasible(pod) {
                raise(&mut total, &spec());
            }
            total
        }
    };
    if let Some(own) = pod.spec.resources.as_deref().filter(|own| is_said(own)) {
        let known = pod.status.resources.as_deref().filter(|_| count == Count::InForce);
        let effective = match known {
            Some(known) => most(pod, &own.limits, &[&known.limits]),
            None => Cow::Borrowed(&own.limits),
        };
        replace(&mut total, &effective);
    }
    for (name, overhead) in &pod.spec.overhead {
        if let Some(limit) = total.get_mut(name).filter(|limit| !limit.is_zero()) {
            limit.add(overhead);
        }
    }
    total
}

/// What all containers ask for together by the list that counts for each, initial ones as far as they run at the same time.
pub fn aggregated<'a>(spec: &'a PodSpec, list: impl Fn(&'a Container) -> &'a ResourceList) -> ResourceList {
    sum(spec, &NOTHING, |container| Some(list(container)))
}

/// Whether a pod as a whole can ask for a resource.
pub fn is_pod_level(name: &str) -> bool {
    matches!(name, "cpu" | "memory") || name.starts_with("hugepages-")
}

/// Whether a pod as a whole says anything about what it may have.
pub fn is_said(own: &ResourceRequirements) -> bool {
    own.requests.keys().chain(own.limits.keys()).any(|name| is_pod_level(name))
}

/// Whether the node has said that it can never do what a resize asks for.
pub fn is_infeasible(pod: &Pod) -> bool {
    let pending = pod.status.conditions.iter().find(|condition| condition.type_ == "PodResizePending");
    pending.is_some_and(|condition| condition.reason == "Infeasible")
}

/// The most of what the node has allocated and what is in force there, without what the pod as a whole asks for.
fn requests_of_node(pod: &Pod, missing: &ResourceList) -> ResourceList {
    let known = pod.status.resources.as_deref().filter(|known| !known.requests.is_empty());
    if let (Some(known), false) = (known, pod.status.allocated_resources.is_empty()) {
        let mut total = known.requests.clone();
        raise(&mut total, &pod.status.allocated_resources);
        return total;
    }
    let infeasible = is_infeasible(pod);
    let mut total = sum(&pod.spec, missing, |container| {
        allocated(pod, container).or_else(|| wished_unless(infeasible, &container.resources.requests))
    });
    let running = sum(&pod.spec, missing, |container| {
        let own = in_force(pod, container).map(|own| &own.requests).filter(|list| !list.is_empty());
        own.or_else(|| allocated(pod, container))
            .or_else(|| wished_unless(infeasible, &container.resources.requests))
    });
    raise(&mut total, &running);
    total
}

fn limits_of_node(pod: &Pod) -> ResourceList {
    if let Some(known) = pod.status.resources.as_deref().filter(|known| !known.limits.is_empty()) {
        return known.limits.clone();
    }
    let infeasible = is_infeasible(pod);
    sum(&pod.spec, &NOTHING, |container| {
        let own = in_force(pod, container).map(|own| &own.limits).filter(|list| !list.is_empty());
        own.or_else(|| wished_unless(infeasible, &container.resources.limits))
    })
}

fn wished_unless(infeasible: bool, list: &ResourceList) -> Option<&ResourceList> {
    (!infeasible).then_some(list)
}

fn status<'a>(pod: &'a Pod, container: &Container) -> Option<&'a ContainerStatus> {
    let mut all = pod.status.container_statuses.iter().chain(&pod.status.init_container_statuses);
    all.find(|status| status.name == container.name)
}

fn allocated<'a>(pod: &'a Pod, container: &Container) -> Option<&'a ResourceList> {
    Some(&status(pod, container)?.allocated_resources).filter(|list| !list.is_empty())
}

fn in_force<'a>(pod: &'a Pod, container: &Container) -> Option<&'a ResourceRequirements> {
    status(pod, container)?.resources.as_deref()
}

/// What the pod as a whole says, where that can be done, and the most of it and what its node says.
fn most<'a>(pod: &Pod, own: &'a ResourceList, others: &[&ResourceList]) -> Cow<'a, ResourceList> {
    let mut most = if is_infeasible(pod) { ResourceList::new() } else { own.clone() };
    for other in others {
        raise(&mut most, other);
    }
    Cow::Owned(most)
}

/// Raises each to that of `other`. Of equal amounts the first notation stays.
fn raise(list: &mut ResourceList, other: &ResourceList) {
    for (name, quantity) in other {
        if list.get(name).is_none_or(|most| quantity > most) {
            list.insert(name.clone(), quantity.clone());
        }
    }
}

fn replace(total: &mut ResourceList, own: &ResourceList) {
    for (name, quantity) in own.iter().filter(|(name, _)| is_pod_level(name)) {
        total.insert(name.clone(), quantity.clone());
    }
}

fn sum<'a>(
    spec: &'a PodSpec,
    missing: &ResourceList,
    list: impl Fn(&'a Container) -> Option<&'a ResourceList>,
) -> ResourceList {
    let add_to = |total: &mut ResourceList, container: &'a Container| {
        let own = list(container).unwrap_or(&NOTHING);
        add(total, own);
        for (name, quantity) in missing.iter().filter(|(name, _)| !own.contains_key(*name)) {
            total.entry(name.clone()).or_default().add(quantity);
        }
    };
    let mut total = ResourceList::new();
    for container in spec.containers.iter() {
        add_to(&mut total, container);
    }
    let (mut sidecars, mut initial) = (ResourceList::new(), ResourceList::new());
    for container in &spec.init_containers {
        let mut now = sidecars.clone();
        add_to(&mut now, container);
        raise(&mut initial, &now);
        if container.restart_policy.as_deref() == Some("Always") {
            add_to(&mut total, container);
            sidecars = now;
        }
    }
    raise(&mut total, &initial);
    total
}

#[cfg(test)]
mod tests;
