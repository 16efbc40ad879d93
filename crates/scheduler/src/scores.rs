//! How good a feasible node is for a pod, one score per file, with upstream's formulas and default weights.
//!
//! The first three are judged with the filters, once for a shape and a state of the node; taints and preferred node
//! affinity keep their raw values there and are normalised over the feasible nodes; the last two read counts.

pub(crate) mod balanced_allocation;
pub(crate) mod image_locality;
pub(crate) mod inter_pod_affinity;
pub(crate) mod least_allocated;
pub(crate) mod node_affinity;
pub(crate) mod pod_topology_spread;
pub(crate) mod taint_toleration;

/// The best that a score can give.
pub(crate) const MAX: i64 = 100;

/// The weights that upstream's default profile gives.
pub(crate) mod weight {
    pub(crate) const LEAST_ALLOCATED: i64 = 1;
    pub(crate) const BALANCED_ALLOCATION: i64 = 1;
    pub(crate) const IMAGE_LOCALITY: i64 = 1;
    pub(crate) const TAINT_TOLERATION: i64 = 3;
    pub(crate) const NODE_AFFINITY: i64 = 2;
    pub(crate) const POD_TOPOLOGY_SPREAD: i64 = 2;
    pub(crate) const INTER_POD_AFFINITY: i64 = 2;
}
