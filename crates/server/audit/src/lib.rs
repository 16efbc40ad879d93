//! The audit log: who asked the API for what, and what became of it.
//!
//! Layer: `server`, beside authorization, whose view of a request policies are about; below the pipeline and HTTP, which begin the records
//! of requests. Entry points: [`Auditor`], [`Record`], [`Policy`]; [`Sink`] to a [`Writer`] of lines or to a [`Webhook`].
//!
//! Invariants: without a policy nothing is spent on requests; what a policy says of a request is settled once, when it is known who asks, and
//! goes with the caller ([`client::Trail`]), so that whoever decides something notes it there. Requests wait for a backend as its [`Mode`]
//! says: until their events are written (not: on the disk), or not at all. An event is with the backend, or its loss is counted and said. What
//! waits for a backend is bounded in bytes.
//! State: the log's files, which a restart goes on with; events that wait, which are handed on when the server finishes, and lost
//! when it is killed.
//! Failure: a log that cannot be opened or a policy that cannot be read keeps the server from starting. What cannot be written or sent is counted
//! (`apiserver_audit_error_total`) and goes to the server's own log instead; a strict backend then has requests refused.
//! Limits: [`limits`].
//! Upstream: `k8s.io/apiserver/pkg/audit`, `pkg/apis/audit`, `pkg/endpoints/filters/audit.go`, `plugin/pkg/audit/{log,webhook,buffered,truncate}`.
//! Batches are bounded by the size that truncation allows also where they gather, which upstream's are before they do.
//! How to test: `cargo test -p server-audit`.

mod batch;
mod budget;
mod event;
pub mod limits;
mod log;
mod metrics;
pub mod policy;
mod record;
mod sink;
#[cfg(test)]
mod tests;
mod throttle;
mod webhook;
mod writer;

pub use batch::Batch;
pub use budget::Kept;
pub use event::{Answered, Asked, Reference};
pub use log::{Log, Retention};
pub use metrics::Metrics;
pub use policy::{Policy, PolicyError, Stage};
pub use record::{Auditor, Record, Unlogged};
pub use sink::{Deliver, Delivery, Form, Mode, Options, Sink, Truncate};
pub use throttle::Rate;
pub use webhook::{Receiver, Webhook};
pub use writer::{Lines, Writer};
