//! The node's own API in HTTP's form, as kubelet serves it: containers' and the machine's logs, exec, attach, port-forward, pods,
//! what they use, configuration, health.
//!
//! Layer: node, above the agent; a shell. The API server forwards users' requests to it: by a call where both are in one
//! process, over TLS otherwise. Entry points: [`Direct`], [`Server`], [`Guard`].
//!
//! Invariants: over TLS there is nothing for strangers, not even health: every request is authenticated
//! and authorized by the [`Guard`], in kubelet's attributes. State: connections. Failure: one that breaks ends its own
//! request; pods are not disturbed.
//! Limits: [`limits`].
//! Upstream: `pkg/kubelet/server` (paths, query, `auth.go`).
//! How to test: `cargo test -p node-http`.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a shell: it owns the sockets and serves the machine's logs"
)]

mod direct;
mod files;
mod guard;
pub mod limits;
mod query;
mod resource;
mod server;
mod summary;

pub use base_serve::{Peer, Tls};
pub use direct::{Body, Direct};
pub use guard::{Guard, Refused, Wanted};
pub use hyper::body::Incoming;
pub use node_agent::node_api::{Used, UsedByContainer, UsedByPod};
pub use server::Server;
