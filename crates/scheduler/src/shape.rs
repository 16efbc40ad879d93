//! A shape: all that a pod demands of a node itself, whatever other pods there are. Pods of one shape share verdicts.

use std::collections::BTreeMap;
use std::sync::Arc;

use api_types::core::v1::Pod;

use crate::demand::Demand;
use crate::profile::{Profile, ProfileIx, Profiles};
use crate::reason::{Plugin, Refusal};
use scheduler_filters::node_affinity::{Preferred, Required};
use scheduler_filters::node_ports::HostPort;
use scheduler_filters::taint_toleration::Toleration;
use scheduler_scores::image_locality;

/// What a pod demands of a node; equal for all pods of a shape.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Shape {
    pub(crate) profile: ProfileIx,
    pub(crate) demand: Arc<Demand>,
    /// What nodes must have room for, where that is less.
    needed: Option<Arc<Demand>>,
    /// What NodeResourcesFit scores by, where that is something else.
    weighed: Option<Arc<Demand>>,
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
    /// What `pod` demands under the profile.
    pub(crate) fn of(pod: &Pod, profiles: &Profiles, profile: ProfileIx) -> Shape {
        let required = Required::of(&pod.spec);
        let settings = profiles.of(profile);
        let refusal = refusal(&required, settings);
        let demand = Demand::wished(pod);
        let mut needed = demand.clone();
        needed.extended.retain(|(name, _)| !settings.fit.ignores(name));
        Shape {
            profile,
            needed: (needed != demand).then(|| Arc::new(needed)),
            weighed: pod.spec.resources.is_some().then(|| Arc::new(Demand::of_containers(pod))),
            demand: Arc::new(demand),
            preferred: Preferred::of(&pod.spec),
            tolerations: pod.spec.tolerations.iter().map(Toleration::of).collect(),
            ports: HostPort::of_pod(pod),
            images: image_locality::images(pod),
            required,
            refusal,
        }
    }

    /// What nodes must have room for.
    pub(crate) fn needed(&self) -> &Demand {
        self.needed.as_deref().unwrap_or(&self.demand)
    }

    /// What NodeResourcesFit scores by: upstream's counts a pod that is to be placed by its containers alone.
    pub(crate) fn weighed(&self) -> &Demand {
        self.weighed.as_deref().unwrap_or(&self.demand)
    }
}

fn refusal(required: &Required, profile: &Profile) -> Option<Refusal> {
    let conflicts = required.node_names().is_some_and(|names| names.is_empty());
    (profile.filters(Plugin::NodeAffinity) && conflicts).then_some(Refusal::AffinityConflict)
}

/// Labels by key, as objects have them.
pub(crate) type Labels = BTreeMap<String, String>;
