//! What a pod asks of a node's resources, in the numbers that the scheduler counts with.
//!
//! For a pod that runs, a container counts as the most of what is wished, allocated and in force, so that a resize in place never frees
//! what the node still uses. The sum itself is everybody's (`api_meta::pod_resources`).

use std::sync::Arc;

use api_meta::pod_resources::{Count, is_pod_level, requests, requests_with};
use api_meta::resources::{ResourceList, is_scalar};
use api_record::scalar::{Quantity, QuantityFormat};
use api_types::core::v1::Pod;

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

impl Demand {
    /// What a pod that is to be placed asks for.
    pub(crate) fn wished(pod: &Pod) -> Demand {
        Demand::of(pod, Count::Wished)
    }

    /// What the containers of a pod that is to be placed ask for, whatever it asks for as a whole.
    pub(crate) fn of_containers(pod: &Pod) -> Demand {
        let mut pod = pod.clone();
        pod.spec.resources = None;
        Demand::wished(&pod)
    }

    /// What a placed pod takes.
    pub(crate) fn in_force(pod: &Pod) -> Demand {
        Demand::of(pod, Count::InForce)
    }

    fn of(pod: &Pod, counting: Count) -> Demand {
        let asked = requests(pod, counting);
        let scored = requests_with(pod, counting, &missing(pod, &asked));
        let amount = |list: &ResourceList, name: &str| list.get(name).map_or(0, |own| count(name, own));
        Demand {
            amounts: Amounts {
                cpu_milli: amount(&asked, "cpu"),
                memory_bytes: amount(&asked, "memory"),
                ephemeral_bytes: amount(&asked, "ephemeral-storage"),
                pods: 1,
            },
            scored_cpu_milli: amount(&scored, "cpu"),
            scored_memory_bytes: amount(&scored, "memory"),
            extended: asked
                .iter()
                .filter(|(name, own)| is_scalar(name) && count(name, own) != 0)
                .map(|(name, own)| (Arc::from(name.as_str()), count(name, own)))
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

/// What scores count for a container that names no CPU or memory; nothing, where the pod as a whole names it.
fn missing(pod: &Pod, asked: &ResourceList) -> ResourceList {
    let whole = pod.spec.resources.iter().flat_map(|own| own.requests.keys()).any(|name| is_pod_level(name));
    let defaults = [
        ("cpu", Quantity::from_millis(DEFAULT_CPU_MILLI)),
        ("memory", Quantity::from_units(DEFAULT_MEMORY_BYTES, QuantityFormat::DecimalSi)),
    ];
    let counted = defaults.into_iter().filter(|(name, _)| !whole || !asked.contains_key(*name));
    counted.map(|(name, amount)| (name.to_owned(), amount)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use api_types::core::v1::{Container, ContainerStatus, ResourceRequirements};

    fn resources(requests: &[(&str, &str)]) -> ResourceRequirements {
        ResourceRequirements { requests: list(requests), ..ResourceRequirements::default() }
    }

    fn list(requests: &[(&str, &str)]) -> ResourceList {
        requests.iter().map(|(name, text)| ((*name).into(), text.parse().unwrap())).collect()
    }

    fn pod(containers: &[(&str, &[(&str, &str)])]) -> Pod {
        let container = |(name, requests): &(&str, &[(&str, &str)])| Container {
            name: (*name).into(),
            resources: resources(requests),
            ..Container::default()
        };
        let mut pod = Pod::default();
        pod.spec.containers = containers.iter().map(container).collect::<Vec<_>>().into();
        pod
    }

    #[test]
    fn scores_count_defaults_for_what_is_not_named() {
        let mut pod = pod(&[("a", &[]), ("b", &[("cpu", "0")])]);
        let demand = Demand::wished(&pod);
        assert_eq!((demand.scored_cpu_milli, demand.scored_memory_bytes), (100, 2 * DEFAULT_MEMORY_BYTES));
        assert_eq!(demand.of_resource(&Resource::Memory, false), 0);
        assert_eq!(demand.of_resource(&Resource::Memory, true), 2 * DEFAULT_MEMORY_BYTES);
        pod.spec.resources = Some(Box::new(resources(&[("cpu", "2")])));
        let demand = Demand::wished(&pod);
        assert_eq!((demand.scored_cpu_milli, demand.scored_memory_bytes), (2000, 2 * DEFAULT_MEMORY_BYTES));
        let alone = Demand::of_containers(&pod);
        assert_eq!((alone.amounts.cpu_milli, alone.scored_cpu_milli), (0, 100));
    }

    #[test]
    fn a_resize_counts_the_largest_until_it_is_done() {
        let mut pod = pod(&[("m", &[("cpu", "1")])]);
        pod.status.container_statuses = vec![ContainerStatus {
            name: "m".into(),
            allocated_resources: list(&[("cpu", "2")]),
            resources: Some(Box::new(resources(&[("cpu", "3")]))),
            ..ContainerStatus::default()
        }];
        assert_eq!(Demand::in_force(&pod).amounts.cpu_milli, 3000);
        assert_eq!(Demand::wished(&pod).amounts.cpu_milli, 1000);
    }
}
