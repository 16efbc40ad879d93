//! Which nodes count for a topology spread constraint: those that have all keys, and that the pod may use at all.

use super::node::{Facts, NodeIx};
use scheduler_arena::SharedId;
use scheduler_filters::node_affinity::Required;
use scheduler_filters::taint_toleration::{self, Toleration};

/// The place of a gate.
pub(crate) type GateId = SharedId<GateKey, Gate>;

/// What lets a node through.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct GateKey {
    /// Labels that the node must have.
    pub(crate) keys: Vec<String>,
    /// With the policy that honours node affinity.
    pub(crate) required: Option<Required>,
    /// With the policy that honours taints.
    pub(crate) tolerations: Option<Vec<Toleration>>,
}

impl GateKey {
    pub(crate) fn admits(&self, name: &str, facts: &Facts) -> bool {
        self.keys.iter().all(|key| facts.labels.contains_key(key))
            && self.required.as_ref().is_none_or(|required| required.matches(name, &facts.labels))
            && self
                .tolerations
                .as_ref()
                .is_none_or(|tolerations| taint_toleration::admits(&facts.taints, tolerations))
    }
}

/// The nodes that are let through.
#[derive(Default)]
pub(crate) struct Gate {
    open: Vec<bool>,
}

impl Gate {
    pub(crate) fn is_open(&self, node: NodeIx) -> bool {
        self.open.get(node.index()).copied().unwrap_or(false)
    }

    pub(crate) fn set(&mut self, node: NodeIx, open: bool) {
        if self.open.len() <= node.index() {
            self.open.resize(node.index() + 1, false);
        }
        self.open[node.index()] = open;
    }
}
