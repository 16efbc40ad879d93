//! A shape: all that a pod demands of a node itself, whatever other pods there are. Pods of one shape share verdicts.

use std::collections::BTreeMap;
use std::sync::Arc;

use api_types::core::v1::Pod;

use crate::demand::Demand;
use crate::filters::node_affinity::{Preferred, Required};
use crate::filters::node_ports::HostPort;
use crate::filters::taint_toleration::Toleration;
use crate::reason::Refusal;
use crate::scores::image_locality;

/// What a pod demands of a node; equal for all pods of a shape.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    pub(crate) demand: Arc<Demand>,
    pub(crate) required: Required,
    pub(crate) preferred: Preferred,
    pub(crate) tolerations: Vec<Toleration>,
    pub(crate) ports: Vec<HostPort>,
    /// Normalised names of the images, one entry for each use.
    pub(crate) images: Vec<String>,
    /// Why no node at all can be found, if that is known beforehand.
    pub(crate) refusal: Option<Refusal>,
}

impl Shape {
    /// What `pod` demands.
    pub(crate) fn of(pod: &Pod) -> Shape {
        let required = Required::of(&pod.spec);
        let refusal = refusal(pod, &required);
        Shape {
            demand: Arc::new(Demand::wished(pod)),
            preferred: Preferred::of(&pod.spec),
            tolerations: pod.spec.tolerations.iter().map(Toleration::of).collect(),
            ports: HostPort::of_pod(pod),
            images: image_locality::images(pod),
            required,
            refusal,
        }
    }
}

fn refusal(pod: &Pod, required: &Required) -> Option<Refusal> {
    if required.node_names().is_some_and(|names| names.is_empty()) {
        return Some(Refusal::AffinityConflict);
    }
    (!pod.spec.resource_claims.is_empty()).then_some(Refusal::ResourceClaims)
}

/// Labels by key, as objects have them.
pub(crate) type Labels = BTreeMap<String, String>;
