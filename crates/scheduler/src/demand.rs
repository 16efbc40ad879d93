//! What a pod asks of a node's resources, as upstream's `PodRequests` adds it up.
//!
//! The largest of: all containers with all sidecars (init containers that restart always), and each init container with
//! the sidecars started before it. Requests of the pod itself override that for the resources they name; overhead comes on top.
//! For a pod that runs, a container counts as the largest of what is wished, allocated and in force, so that a resize in
//! place never frees what the node still uses.

use std::collections::BTreeMap;
use std::sync::Arc;

use api_record::scalar::Quantity;
use api_types::core::v1::{Container, ContainerStatus, Pod};

use crate::limits::{DEFAULT_CPU_MILLI, DEFAULT_MEMORY_BYTES};
use crate::profile::Resource;

/// Amounts of the resources that every node has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Amounts {
    pub(crate) cpu_milli: i64,
    pub(crate) memory_bytes: i64,
    pub(crate) ephemeral_bytes: i64,
    pub(crate) pods: i64,
}

/// What one pod takes from a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Demand {
    pub(crate) amounts: Amounts,
    /// CPU and memory with defaults for containers that name none; scores count with these.
    pub(crate) scored_cpu_milli: i64,
    pub(crate) scored_memory_bytes: i64,
    /// Extended resources, huge pages and the like, by name; none is zero.
    pub(crate) extended: Vec<(Arc<str>, i64)>,
}

type List<'a> = BTreeMap<&'a str, i64>;

impl Demand {
    /// What a pod that is to be placed asks for.
    pub(crate) fn wished(pod: &Pod) -> Demand {
        Demand::of(pod, false)
    }

    /// What a placed pod takes.
    pub(crate) fn in_force(pod: &Pod) -> Demand {
        Demand::of(pod, true)
    }

    fn of(pod: &Pod, in_force: bool) -> Demand {
        let requests = requests(pod, in_force, &[]);
        let pod_level = pod_level(pod).next().is_some();
        let missing = |name: &str| !pod_level || requests.get(name).copied().unwrap_or(0) == 0;
        let mut defaults = Vec::new();
        if missing("cpu") {
            defaults.push(("cpu", DEFAULT_CPU_MILLI));
        }
        if missing("memory") {
            defaults.push(("memory", DEFAULT_MEMORY_BYTES));
        }
        let scored = self::requests(pod, in_force, &defaults);
        let amount = |list: &List<'_>, name: &str| list.get(name).copied().unwrap_or(0);
        Demand {
            amounts: Amounts {
                cpu_milli: amount(&requests, "cpu"),
                memory_bytes: amount(&requests, "memory"),
                ephemeral_bytes: amount(&requests, "ephemeral-storage"),
                pods: 1,
            },
            scored_cpu_milli: amount(&scored, "cpu"),
            scored_memory_bytes: amount(&scored, "memory"),
            extended: requests
                .iter()
                .filter(|(name, amount)| is_scalar(name) && **amount != 0)
                .map(|(name, amount)| (Arc::from(*name), *amount))
                .collect(),
        }
    }

    /// How much of a resource, as scores count it or as it is asked for.
    pub(crate) fn of_resource(&self, resource: &Resource, as_scored: bool) -> i64 {
        match resource {
            Resource::Cpu if as_scored => self.scored_cpu_milli,
            Resource::Cpu => self.amounts.cpu_milli,
            Resource::Memory if as_scored => self.scored_memory_bytes,
            Resource::Memory => self.amounts.memory_bytes,
            Resource::EphemeralStorage => self.amounts.ephemeral_bytes,
            Resource::Other(name) => {
                let found = self.extended.iter().find(|(other, _)| other == name);
                found.map_or(0, |(_, amount)| *amount)
            }
        }
    }
}

/// The value of a quantity in the unit it is counted in: thousandths of CPUs, else whole units.
pub(crate) fn count(name: &str, quantity: &Quantity) -> i64 {
    if name == "cpu" { quantity.millis() } else { quantity.units() }
}

/// Whether nodes are checked for a resource that is not one of the four basic ones.
pub(crate) fn is_scalar(name: &str) -> bool {
    let native = !name.contains('/') || name.contains("kubernetes.io/");
    let extended = !native && !name.starts_with("requests.");
    extended
        || name.starts_with("hugepages-")
        || name.starts_with("attachable-volumes-")
        || (native && name.contains('/'))
}

fn is_pod_level(name: &str) -> bool {
    matches!(name, "cpu" | "memory") || name.starts_with("hugepages-")
}

fn pod_level(pod: &Pod) -> impl Iterator<Item = (&str, i64)> {
    let requests = pod.spec.resources.iter().flat_map(|resources| &resources.requests);
    requests
        .filter(|(name, _)| is_pod_level(name))
        .map(|(name, quantity)| (name.as_str(), count(name, quantity)))
}

fn requests<'a>(pod: &'a Pod, in_force: bool, defaults: &[(&'a str, i64)]) -> List<'a> {
    let infeasible = pod.status.conditions.iter().any(|condition| {
        condition.type_ == "PodResizePending"
            && condition.status == "True"
            && condition.reason == "Infeasible"
    });
    let status = |container: &Container, of: &'a [ContainerStatus]| -> Option<&'a ContainerStatus> {
        if !in_force {
            return None;
        }
        of.iter().find(|status| status.name == container.name && status.resources.is_some())
    };
    let mut sum = List::new();
    for container in pod.spec.containers.iter() {
        let reported = status(container, &pod.status.container_statuses);
        add(&mut sum, &container_requests(container, reported, infeasible, defaults));
    }
    let mut sidecars = List::new();
    let mut starting = List::new();
    for container in &pod.spec.init_containers {
        let sidecar = container.restart_policy.as_deref() == Some("Always");
        let reported = if sidecar { status(container, &pod.status.init_container_statuses) } else { None };
        let mut own = container_requests(container, reported, infeasible, defaults);
        if sidecar {
            add(&mut sum, &own);
            add(&mut sidecars, &own);
            raise(&mut starting, &sidecars);
        } else {
            add(&mut own, &sidecars);
            raise(&mut starting, &own);
        }
    }
    raise(&mut sum, &starting);
    for (name, amount) in pod_level(pod) {
        sum.insert(name, amount);
    }
    for (name, quantity) in &pod.spec.overhead {
        *sum.entry(name).or_insert(0) += count(name, quantity);
    }
    sum
}

fn container_requests<'a>(
    container: &'a Container,
    reported: Option<&'a ContainerStatus>,
    infeasible: bool,
    defaults: &[(&'a str, i64)],
) -> List<'a> {
    let list = |of: &'a BTreeMap<String, Quantity>| -> List<'a> {
        of.iter().map(|(name, quantity)| (name.as_str(), count(name, quantity))).collect()
    };
    let mut own = list(&container.resources.requests);
    if let Some(status) = reported {
        if infeasible {
            own.clear();
        }
        raise(&mut own, &list(&status.allocated_resources));
        if let Some(resources) = &status.resources {
            raise(&mut own, &list(&resources.requests));
        }
    }
    for (name, amount) in defaults {
        own.entry(name).or_insert(*amount);
    }
    own
}

fn add<'a>(to: &mut List<'a>, more: &List<'a>) {
    for (name, amount) in more {
        let sum = to.entry(name).or_insert(0);
        *sum = sum.saturating_add(*amount);
    }
}

fn raise<'a>(to: &mut List<'a>, other: &List<'a>) {
    for (name, amount) in other {
        let largest = to.entry(name).or_insert(*amount);
        *largest = (*largest).max(*amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use api_types::core::v1::ResourceRequirements;

    fn container(name: &str, requests: &[(&str, &str)], sidecar: bool) -> Container {
        Container {
            name: name.into(),
            resources: ResourceRequirements { requests: list(requests), ..ResourceRequirements::default() },
            restart_policy: sidecar.then(|| "Always".into()),
            ..Container::default()
        }
    }

    fn list(requests: &[(&str, &str)]) -> BTreeMap<String, Quantity> {
        requests.iter().map(|(name, text)| ((*name).into(), text.parse().unwrap())).collect()
    }

    fn pod(init: Vec<Container>, main: Vec<Container>) -> Pod {
        let mut pod = Pod::default();
        pod.spec.init_containers = init;
        pod.spec.containers = main.into();
        pod
    }

    #[test]
    fn init_containers_and_sidecars_overlap_as_upstreams_do() {
        let main = || vec![container("m", &[("cpu", "1")], false)];
        for (what, init, cpu_milli) in [
            ("containers alone", vec![], 1000),
            ("a small init container hides", vec![container("i", &[("cpu", "500m")], false)], 1000),
            ("a large init container rules", vec![container("i", &[("cpu", "3")], false)], 3000),
            ("a sidecar adds", vec![container("s", &[("cpu", "500m")], true)], 1500),
            (
                "an init container runs beside the sidecars before it",
                vec![container("s", &[("cpu", "500m")], true), container("i", &[("cpu", "2")], false)],
                2500,
            ),
            (
                "but not beside those after it",
                vec![container("i", &[("cpu", "2")], false), container("s", &[("cpu", "500m")], true)],
                2000,
            ),
        ] {
            assert_eq!(Demand::wished(&pod(init, main())).amounts.cpu_milli, cpu_milli, "{what}");
        }
    }

    #[test]
    fn pod_level_requests_override_and_overhead_adds() {
        let mut pod = pod(vec![], vec![container("m", &[("cpu", "1"), ("memory", "1Gi")], false)]);
        pod.spec.overhead = list(&[("cpu", "250m")]);
        pod.spec.resources = Some(Box::new(ResourceRequirements {
            requests: list(&[("cpu", "2")]),
            ..ResourceRequirements::default()
        }));
        let demand = Demand::wished(&pod);
        assert_eq!((demand.amounts.cpu_milli, demand.amounts.memory_bytes), (2250, 1 << 30));
    }

    #[test]
    fn scores_count_defaults_for_what_is_not_named() {
        let demand = Demand::wished(&pod(
            vec![],
            vec![container("a", &[], false), container("b", &[("cpu", "0")], false)],
        ));
        assert_eq!((demand.scored_cpu_milli, demand.scored_memory_bytes), (100, 2 * DEFAULT_MEMORY_BYTES));
        assert_eq!(demand.of_resource(&Resource::Memory, false), 0);
        assert_eq!(demand.of_resource(&Resource::Memory, true), 2 * DEFAULT_MEMORY_BYTES);
    }

    #[test]
    fn a_resize_counts_the_largest_until_it_is_done() {
        let mut pod = pod(vec![], vec![container("m", &[("cpu", "1")], false)]);
        pod.status.container_statuses = vec![ContainerStatus {
            name: "m".into(),
            allocated_resources: list(&[("cpu", "2")]),
            resources: Some(Box::new(ResourceRequirements {
                requests: list(&[("cpu", "3")]),
                ..ResourceRequirements::default()
            })),
            ..ContainerStatus::default()
        }];
        assert_eq!(Demand::in_force(&pod).amounts.cpu_milli, 3000);
        assert_eq!(Demand::wished(&pod).amounts.cpu_milli, 1000);
    }

    #[test]
    fn only_scalar_resources_are_extended() {
        let names =
            [("example.com/gpu", true), ("hugepages-2Mi", true), ("storage", false), ("requests.a/b", false)];
        for (name, expected) in names {
            assert_eq!(is_scalar(name), expected, "{name}");
        }
    }
}
