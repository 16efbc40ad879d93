//! Controllers of workloads: those that want so many pods of a template.

mod deployment;
mod disruption;
mod history;
mod replica_set;
mod replicas;
mod replication_controller;
mod stateful_set;

pub use deployment::Deployments;
pub use disruption::{Disruptions, Key as DisruptionKey};
pub use replica_set::ReplicaSets;
pub use replication_controller::ReplicationControllers;
pub use stateful_set::StatefulSets;
