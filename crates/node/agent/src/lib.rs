//! The node agent, in kubelet's and kube-proxy's place: it registers its node, runs the pods that are bound to it, says how they
//! are, and feeds the node's service data plane and DNS.
//!
//! Layer: node, the topmost; it carries out what `node-pod` decides with `node-runtime`, `node-image`, `node-volume` and `net-*`.
//! It speaks to the cluster through [`client::Api`] only, as `system:node:<name>`.
//!
//! Entry points: [`Agent::start`], [`Agent::run`], [`Agent::node_api`].
//!
//! Invariants:
//! - One worker per pod uid; it goes from syncing to terminating to terminated and never back.
//! - Nothing is destroyed before the view of this node's pods has synced.
//! - A pod's record is on disk before what it tells of is done.
//! - No more of the node is given to pods than it has: one ledger, in which all that run are entered before any new one.
//! - The API forgets a pod (its deletion with grace 0) only after nothing of it is left and its last status was taken.
//! - Dropping the agent disturbs no container: shims keep them, and the next agent adopts them.
//!
//! State: `<data>/pods/<uid>/record.json` and each pod's volumes and small files; images (`<data>/store`, and what is dropped into
//! `<data>/images`); logs. What runs is asked of the
//! shims and the kernel after every start.
//!
//! Failure: starts are tried again with kubelet's back-offs, calls to the API with a doubling wait. While the API is away, containers
//! go on and are restarted.
//!
//! Limits: [`limits`].
//!
//! Upstream behaviour answered to: kubelet 1.37 (events, reasons, statuses, waits), kube-proxy (through `net-service`).
//!
//! Testing: `cargo test -p node-agent` as root on a real kernel with busybox-static; the API is a small one in memory.

mod action;
mod agent;
mod allocations;
mod calls;
mod collect;
mod config;
mod core;
mod devices;
mod dropped;
mod error;
mod events;
mod eviction;
mod garbage;
mod health;
mod hooks;
mod image;
pub mod limits;
mod lookup;
mod machine;
mod node;
pub mod node_api;
mod peers;
mod pressure;
mod records;
mod reporter;
mod services;
mod volumes;
mod worker;

pub use agent::Agent;
pub use config::{Config, Kernel};
pub use error::AgentError;
pub use eviction::{EvictionError, EvictionHard};
pub use image::{DROPPED, STORE};
pub use node_api::NodeApi;
