//! Whether a node suits a pod by what is said of the two alone: a module for each plugin that filters so, named as upstream's are.
//!
//! Layer: below `scheduler`, whose filters that reckon with what is on nodes, or with where other pods are, stand there. Entry points: the functions and
//! types of the modules.
//!
//! Invariants: an answer depends on its arguments alone. State: none. Failure: none; what is malformed suits nothing. Limits: none.
//!
//! Upstream behaviour answered to: `pkg/scheduler/framework/plugins` of k8s.io/kubernetes v1.37.1.
//!
//! How to test: `cargo test -p scheduler-filters`: tables beside the rules.

pub mod node_affinity;
pub mod node_ports;
pub mod node_unschedulable;
pub mod taint_toleration;
