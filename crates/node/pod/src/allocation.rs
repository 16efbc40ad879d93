//! What a node has given to a pod of what the pod asks for, kept with the pod's record: a pod whose resources are changed while it runs has
//! what it was given until the node has room for more.
//!
//! Upstream: `pkg/kubelet/allocation` and its checkpoint.

use std::collections::BTreeMap;

use api_meta::resources::ResourceList;
use api_record::scalar::Quantity;
use api_types::core::v1::{Container, Pod, ResourceRequirements};
use serde::{Deserialize, Serialize};

use crate::container::all;

/// Requests and limits of a container, or of a pod as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Share {
    /// What is set aside.
    #[serde(with = "as_text")]
    pub requests: ResourceList,
    /// The most that can be used.
    #[serde(with = "as_text")]
    pub limits: ResourceList,
}

impl Share {
    /// The part of what a spec says that a resize can change.
    pub fn of(resources: &ResourceRequirements) -> Share {
        Share { requests: resources.requests.clone(), limits: resources.limits.clone() }
    }

    /// As a status shows it.
    pub fn shown(&self) -> ResourceRequirements {
        ResourceRequirements {
            requests: self.requests.clone(),
            limits: self.limits.clone(),
            ..ResourceRequirements::default()
        }
    }

    /// A container's own with the limits that it has of its pod, where it has none: the pod's are set on its control group too.
    #[must_use]
    pub fn within(mut self, whole: Option<&Share>) -> Share {
        for name in ["cpu", "memory"] {
            let own = self.limits.get(name).is_none_or(Quantity::is_zero);
            let limit = whole.and_then(|whole| whole.limits.get(name)).filter(|limit| !limit.is_zero());
            if let (true, Some(limit)) = (own, limit) {
                self.limits.insert(name.to_owned(), limit.clone());
            }
        }
        self
    }

    /// The part of it that is set on control groups.
    pub fn amounts(&self) -> Amounts {
        let of =
            |list: &ResourceList, name: &str, value: fn(&Quantity) -> i64| list.get(name).map_or(0, value);
        Amounts {
            cpu_request_millis: of(&self.requests, "cpu", Quantity::millis),
            cpu_limit_millis: of(&self.limits, "cpu", Quantity::millis),
            memory_request_bytes: of(&self.requests, "memory", Quantity::units),
            memory_limit_bytes: of(&self.limits, "memory", Quantity::units),
        }
    }

    /// Takes over what another says of one resource.
    pub fn adopt(&mut self, other: &Share, resource: &str) {
        for (own, other) in [(&mut self.requests, &other.requests), (&mut self.limits, &other.limits)] {
            match other.get(resource) {
                Some(quantity) => drop(own.insert(resource.to_owned(), quantity.clone())),
                None => drop(own.remove(resource)),
            }
        }
    }
}

/// Processor and memory as numbers; 0 for what is not said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amounts {
    /// What is asked for of CPUs, in thousandths.
    pub cpu_request_millis: i64,
    /// The most of CPUs, in thousandths.
    pub cpu_limit_millis: i64,
    /// What is asked for of memory.
    pub memory_request_bytes: i64,
    /// The most of memory.
    pub memory_limit_bytes: i64,
}

/// What a pod has been given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Allocation {
    /// As a whole, where its spec says anything of that.
    pub pod: Option<Share>,
    /// Each of its containers, init containers included, by name.
    pub containers: BTreeMap<String, Share>,
}

impl Allocation {
    /// All that a pod asks for.
    pub fn of(pod: &Pod) -> Allocation {
        Allocation {
            pod: pod.spec.resources.as_deref().map(Share::of),
            containers: all(pod)
                .map(|(container, _)| (container.name.clone(), Share::of(&container.resources)))
                .collect(),
        }
    }

    /// The pod as it would be if it asked for what it has.
    pub fn applied(&self, pod: &Pod) -> Pod {
        let mut granted = pod.clone();
        granted.spec.resources = self.pod.as_ref().map(|share| Box::new(share.shown()));
        let grant = |container: &mut Container| {
            if let Some(share) = self.containers.get(&container.name) {
                container.resources.requests.clone_from(&share.requests);
                container.resources.limits.clone_from(&share.limits);
            }
        };
        granted.spec.init_containers.iter_mut().for_each(grant);
        granted.spec.containers.iter_mut().for_each(grant);
        granted
    }

    /// What a container has, its pod's limits included where it has none of its own.
    pub fn container(&self, name: &str) -> Share {
        self.containers.get(name).cloned().unwrap_or_default().within(self.pod.as_ref())
    }
}

mod as_text {
    //! Quantities in the text that the API has for them.

    use std::collections::BTreeMap;

    use api_meta::resources::ResourceList;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(list: &ResourceList, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(list.iter().map(|(name, quantity)| (name, quantity.to_string())))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ResourceList, D::Error> {
        let texts = BTreeMap::<String, String>::deserialize(deserializer)?;
        let parsed = texts.into_iter().map(|(name, text)| match text.parse() {
            Ok(quantity) => Ok((name, quantity)),
            Err(_) => Err(D::Error::custom(format!("{text:?} is no quantity"))),
        });
        parsed.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> ResourceList {
        let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.parse().expect("a quantity"))).collect()
    }

    fn share(requests: &str, limits: &str) -> Share {
        Share { requests: list(requests), limits: list(limits) }
    }

    #[test]
    fn what_was_given_goes_before_what_is_asked_for_and_survives_as_text() {
        let container = |name: &str, cpu: &str| Container {
            name: name.into(),
            resources: share(cpu, "").shown(),
            ..Container::default()
        };
        let mut pod = Pod::default();
        pod.spec.init_containers = vec![container("i", "cpu=1")];
        pod.spec.containers = vec![container("a", "cpu=1500m")].into();
        pod.spec.resources = Some(Box::new(share("cpu=2", "memory=1Gi").shown()));
        let given = Allocation::of(&pod);
        let mut wished = pod.clone();
        wished.spec.init_containers[0].resources = share("cpu=3", "").shown();
        wished.spec.containers[0].resources = share("cpu=3", "").shown();
        wished.spec.resources = None;
        assert_ne!(Allocation::of(&wished), given);
        assert_eq!(given.applied(&wished).spec, pod.spec);
        let text = serde_json::to_string(&given).expect("JSON");
        assert!(text.contains(r#""a":{"requests":{"cpu":"1500m"},"limits":{}}"#), "{text}");
        assert_eq!(serde_json::from_str::<Allocation>(&text).expect("read"), given);
        assert!(serde_json::from_str::<Share>(r#"{"requests":{"cpu":"many"}}"#).is_err());
    }

    #[test]
    fn a_container_without_limits_has_its_pods() {
        let whole = share("cpu=9", "cpu=4,memory=1Gi");
        let own = share("cpu=1", "cpu=2").within(Some(&whole));
        assert_eq!(own, share("cpu=1", "cpu=2,memory=1Gi"));
        assert_eq!(
            own.amounts(),
            Amounts {
                cpu_request_millis: 1000,
                cpu_limit_millis: 2000,
                memory_request_bytes: 0,
                memory_limit_bytes: 1 << 30
            }
        );
        assert_eq!(share("cpu=1", "").within(None), share("cpu=1", ""));
    }
}
