//! The audit log: who asked the API for what, and what became of it.
//!
//! Layer: `server`, beside authorization, whose view of a request policies are about; below the pipeline and HTTP, which begin the records
//! of requests. Entry points: [`Auditor`], [`Record`], [`Policy`].
//!
//! Invariants: without a policy nothing is spent on requests; what a policy says of a request is settled once, when it is known who asks, and
//! goes with the caller ([`client::Trail`]), so that whoever decides something notes it there. No request waits for the disk. What is
//! acknowledged to a client is in the log, or its loss is counted and said.
//! State: the log's files, which a restart goes on with; events that wait to be written, which are written when the server finishes, and lost
//! when it is killed.
//! Failure: a log that cannot be opened or a policy that cannot be read keeps the server from starting. What cannot be written is counted
//! (`apiserver_audit_error_total`) and goes to the server's own log instead.
//! Limits: [`limits`].
//! Upstream: `k8s.io/apiserver/pkg/audit`, `pkg/apis/audit`, `pkg/endpoints/filters/audit.go`, `plugin/pkg/audit/log`. Upstream's blocking log
//! keeps a request until its events are written; here it waits only for room.
//! How to test: `cargo test -p server-audit`.

mod event;
pub mod limits;
mod log;
mod metrics;
pub mod policy;
mod queue;
mod record;
#[cfg(test)]
mod tests;

pub use event::{Answered, Asked, Reference};
pub use log::{Kept, Log};
pub use metrics::Metrics;
pub use policy::{Policy, PolicyError, Stage};
pub use queue::{Lines, Mode, Queue};
pub use record::{Auditor, Record};
