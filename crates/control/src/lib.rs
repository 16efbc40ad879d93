//! The controllers: what Kubernetes' controller manager does, one module for each; those of workloads, of storage, of devices, and autoscaling, are in crates below.
//!
//! Layer: above `client`, beside the scheduler and the node; knows neither store nor server. Entry points: [`run`],
//! and the controllers themselves for whoever drives them otherwise (the simulator).
//!
//! Invariants: a controller's `plan` is pure, synchronous and level-triggered; it acts under upstream's service
//! account for it; its words (conditions, events, reasons) are upstream's.
//! State: none. A restart plans everything anew. Failure: a key that fails is planned again after its back-off; nothing else
//! stops. Limits: `client::reconcile::limits`, and those that stand with upstream's rule in the module concerned.
//! Upstream: `pkg/controller` and `staging/src/k8s.io/endpointslice` of Kubernetes 1.37.
//! How to test: `cargo test -p control`; tables of worlds and the plans that they lead to.

pub mod cluster;
pub mod network;
mod others;
mod run;

pub use control_autoscale as autoscale;
pub use control_base::resources;
pub use control_resource as resource;
pub use control_storage as storage;
pub use control_workload as workload;
pub use others::Others;
pub use run::{Config, run};
