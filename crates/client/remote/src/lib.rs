//! The API's remote form: the API of a server elsewhere, over TLS and HTTP/2, in protobuf.
//!
//! Layer: above `client`, whose [`client::Api`] it implements; a leaf, so that nothing but the binary builds TLS for it.
//! Entry points: [`Remote`], [`Access`], [`kubeconfig`].
//!
//! Invariants: the server knows a request by the credentials of this end alone: whom the caller says it is does not leave
//! the process. A server that its authority does not vouch for is never spoken to. An answer that is not the API's becomes
//! a [`client::Status`] in upstream's words.
//! State: connections, and views that are filled by listing and watching. Failure: a connection that breaks fails its own
//! requests; views list and watch again, nothing else is tried twice here.
//! Limits: [`limits`].
//! Upstream: `k8s.io/client-go` (`rest`, `transport`, `tools/clientcmd`, `tools/watch`).
//! How to test: `cargo test -p client-remote`; against a real server in `tests/e2e`.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell: it owns the sockets")]

mod access;
mod answer;
mod ask;
mod connect;
mod introduce;
pub mod kubeconfig;
pub mod limits;
mod remote;
mod watch;

pub use access::{Access, AccessError, Certificate, Credentials};
pub use connect::{Connection, Connector, Pooled};
pub use introduce::presented;
pub use remote::Remote;
