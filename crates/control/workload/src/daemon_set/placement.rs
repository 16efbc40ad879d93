//! Which nodes a set's pods belong on, and what makes each of them go to its node and stay there.

use api_meta::node_affinity::{NAME_FIELD, Required};
use api_types::core::v1::{
    Node, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, Pod, PodSpec, PodTemplateSpec, Toleration,
};

use control_base::taints::all_tolerated;

const NO_SCHEDULE: &str = "NoSchedule";
const NO_EXECUTE: &str = "NoExecute";

/// What every pod of a daemon tolerates, without end: a node in trouble is no reason to go.
const TOLERATED: [(&str, &str); 6] = [
    ("node.kubernetes.io/not-ready", NO_EXECUTE),
    ("node.kubernetes.io/unreachable", NO_EXECUTE),
    ("node.kubernetes.io/disk-pressure", NO_SCHEDULE),
    ("node.kubernetes.io/memory-pressure", NO_SCHEDULE),
    ("node.kubernetes.io/pid-pressure", NO_SCHEDULE),
    ("node.kubernetes.io/unschedulable", NO_SCHEDULE),
];

/// What those tolerate as well that use the node's network.
const NO_NETWORK: (&str, &str) = ("node.kubernetes.io/network-unavailable", NO_SCHEDULE);

/// Whether a pod of a set belongs on a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fit {
    /// If there is none, there should be.
    pub(super) runs: bool,
    /// If there is one, it may stay.
    pub(super) stays: bool,
}

/// What a set's pods demand of a node, worked out once for all nodes.
pub(super) struct Placement {
    node_name: String,
    required: Required,
    tolerations: Vec<Toleration>,
}

impl Placement {
    /// That of the pods of a template.
    pub(super) fn of(template: &PodTemplateSpec) -> Placement {
        let spec = &template.spec;
        Placement {
            node_name: spec.node_name.clone(),
            required: Required::of(spec),
            tolerations: tolerations(spec),
        }
    }

    /// Upstream's `NodeShouldRunDaemonPod`.
    pub(super) fn on(&self, node: &Node) -> Fit {
        let named = self.node_name.is_empty() || self.node_name == node.metadata.name;
        if !named || !self.required.matches(&node.metadata.name, &node.metadata.labels) {
            return Fit { runs: false, stays: false };
        }
        let tolerated = |effects: &[&str]| all_tolerated(&node.spec.taints, effects, &self.tolerations);
        Fit { runs: tolerated(&[NO_SCHEDULE, NO_EXECUTE]), stays: tolerated(&[NO_EXECUTE]) }
    }
}

/// What a template's pods tolerate, together with what all daemons do.
pub(super) fn tolerations(spec: &PodSpec) -> Vec<Toleration> {
    let mut all: Vec<Toleration> = spec.tolerations.to_vec();
    for (key, effect) in TOLERATED.into_iter().chain(spec.host_network.then_some(NO_NETWORK)) {
        let wanted = Toleration {
            key: key.to_owned(),
            operator: "Exists".to_owned(),
            effect: effect.to_owned(),
            ..Toleration::default()
        };
        let is_same = |own: &&mut Toleration| {
            own.key == wanted.key
                && own.effect == wanted.effect
                && own.operator == wanted.operator
                && own.value == wanted.value
        };
        let mut found = false;
        // One that ends after some seconds does not end any more.
        for own in all.iter_mut().filter(is_same) {
            *own = wanted.clone();
            found = true;
        }
        if !found {
            all.push(wanted);
        }
    }
    all
}

/// Sees to it that the scheduler can bind pods of a spec to this node only.
pub(super) fn pin(spec: &mut PodSpec, node: &str) {
    let term = NodeSelectorTerm {
        match_fields: vec![NodeSelectorRequirement {
            key: NAME_FIELD.to_owned(),
            operator: "In".to_owned(),
            values: vec![node.to_owned()],
        }],
        ..NodeSelectorTerm::default()
    };
    let affinity = spec.affinity.get_or_insert_default().node_affinity.get_or_insert_default();
    affinity.required_during_scheduling_ignored_during_execution =
        Some(Box::new(NodeSelector { node_selector_terms: vec![term].into() }));
}

/// The node that a pod is on, or is meant for.
pub(super) fn node_of(pod: &Pod) -> Option<&str> {
    if !pod.spec.node_name.is_empty() {
        return Some(&pod.spec.node_name);
    }
    let affinity = pod.spec.affinity.as_ref()?.node_affinity.as_ref()?;
    let required = affinity.required_during_scheduling_ignored_during_execution.as_ref()?;
    let mut fields = required.node_selector_terms.iter().flat_map(|term| &term.match_fields);
    let named = fields.find(|field| field.key == NAME_FIELD && field.operator == "In")?;
    match named.values.as_slice() {
        [name] => Some(name),
        _ => None,
    }
}
