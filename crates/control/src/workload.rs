//! Controllers of workloads: those that want so many pods of a template.

mod deployment;
mod replica_set;

pub use deployment::Deployments;
pub use replica_set::ReplicaSets;
