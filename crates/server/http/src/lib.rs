//! The API over HTTP: connections, who is on them, what is asked in which form, and the answer in the form that was asked for.
//!
//! Layer: above the pipeline, a shell. Entry points: [`Server`], [`Identify`].
//!
//! Invariants: no request reaches the pipeline without a caller; a path that is not served is 404 only for those who may know; bodies,
//! headers and connections are bounded by [`limits`]; the same object has the same bytes as upstream's answer.
//! Each request has an id, and what a policy wants logged of it is logged by when its answer ends.
//! What pods, services, nodes and other API servers serve is asked for without anything of the sender's credentials, and passes unkept both ways.
//! Lists of everything are written while they are read. State: connections, and the messages that watchers were sent last. Failure: a
//! connection that breaks ends its own requests; everything else is a Status.
//! Upstream: `k8s.io/apiserver/pkg/{server,endpoints}` (request info, negotiation, handlers, discovery, tables, watch frames),
//! `k8s.io/apimachinery/pkg/util/proxy`.
//! How to test: `cargo test -p server-http`.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "a shell: it owns the sockets")]

mod aggregated;
mod audit;
mod body;
mod connect;
mod connection;
mod content;
mod discovery;
mod documents;
mod encode;
mod encoded;
mod flow;
mod guarded;
mod handler;
mod health;
mod identity;
mod impersonate;
mod lasting;
pub mod limits;
mod list;
mod metrics;
mod negotiate;
mod nodes;
mod options;
mod packed;
mod path;
mod proxy;
mod relay;
mod resource;
mod scrape;
mod table;
mod watch;
mod websocket;
pub mod words;

pub use connection::Server;
pub use content::{Body, Broken};
pub use documents::{Document, DocumentRequest, Documents};
pub use handler::Handler;
pub use hyper::body::Incoming;
pub use identity::{Identify, Peer};
pub use nodes::{Nodes, Unanswered};
pub use path::{Info, Place};
pub use relay::{Protocol, RelayError, relay};
