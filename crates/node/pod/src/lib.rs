//! What the node does with a pod, decided purely: its record, what to do next, its status, its containers' environment.
//!
//! Layer: node, above `node-runtime`'s plain values and `api`; below the agent, which observes, carries out and waits.
//!
//! Entry points: [`plan::plan`] (what to do next), [`status::compute`] (what the API shows), [`fields::refusals`] (what is refused).
//!
//! Invariants: no I/O, no clock, no randomness, no async; the same pod, record and time give the same plan. A pod goes from
//! [`record::Stage::Syncing`] to `Terminating` to `Terminated` and never back. A field of a pod's spec that is neither
//! honoured nor harmless is refused before anything starts.
//!
//! State: [`record::PodRecord`], which the agent writes atomically, one for each pod: what the kernel cannot tell again. What all of a node's pods
//! were given is a [`ledger::Ledger`], made anew from the records.
//!
//! Failure: what cannot be built (a missing key, an unsupported field) is a value with kubelet's reason and wording.
//!
//! Upstream behaviour answered to: kubelet 1.37 (`kubelet_pods.go`, `kuberuntime`, `status`, `prober`, `network/dns`).
//!
//! Testing: `cargo test -p node-pod`; tables only.

pub mod allocation;
pub mod backoff;
pub mod conditions;
pub mod container;
pub mod devices;
pub mod env;
pub mod expand;
pub mod fields;
pub mod files;
pub mod ledger;
pub mod plan;
pub mod ports;
pub mod preemption;
pub mod probe;
pub mod record;
pub mod resize;
pub mod resources;
pub mod restart;
pub mod room;
pub mod security;
pub mod status;
