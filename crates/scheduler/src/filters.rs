//! What makes a node infeasible for a pod, one filter per file, named as upstream's plugins are. Those that ask nothing but what is said of the
//! node and the pod are `scheduler_filters`.
//!
//! The first filters look at the node alone and are judged once for a shape and a state of the node; the last two look at
//! where other pods are and read counts that are kept as pods come and go. Upstream's order is kept, as the first filter
//! to reject gives the reason. `NodeName` has no filter: a pod that names a node is bound, so it never gets here.

pub(crate) mod inter_pod_affinity;
pub(crate) mod node_resources_fit;
pub(crate) mod pod_topology_spread;
