//! Controllers of workloads: those that want so many pods of a template, and what budgets their disruptions.
//!
//! Layer: above `control-base`, below `control`, which starts them. Entry points: the controllers themselves.
//! Invariants, state, failure: as `control`'s front page says for all controllers. Limits: with upstream's rule in the module concerned.
//! Upstream: `pkg/controller` of Kubernetes 1.37. How to test: `cargo test -p control-workload`; tables of worlds and the plans that they lead to.

mod cron_job;
mod daemon_set;
mod deployment;
mod disruption;
mod history;
mod job;
mod replica_set;
mod replicas;
mod replication_controller;
mod stateful_set;
mod template_hash;
mod ttl_after_finished;

pub use cron_job::CronJobs;
pub use daemon_set::DaemonSets;
pub use deployment::{Bounds, Deployments, split as split_sets};
pub use disruption::{Disruptions, Key as DisruptionKey};
pub use job::{Jobs, Key as JobKey};
pub use replica_set::ReplicaSets;
pub use replication_controller::ReplicationControllers;
pub use stateful_set::StatefulSets;
pub use ttl_after_finished::TtlAfterFinished;
