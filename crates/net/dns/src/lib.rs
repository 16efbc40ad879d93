//! The cluster's DNS server: names of services and their endpoints from a snapshot, everything else from the resolvers of the
//! machine.
//!
//! Layer: `net`; a process of its own (`knarr dns`) beside the node's agent. It never talks to the API: whoever watches
//! Services and endpoints builds [`records::Records`] and hands them to [`server::Serving`].
//!
//! Entry points: [`server::Server`] listens on UDP and TCP; [`zone::Zone`] is the immutable snapshot that answers;
//! [`snapshot`] keeps it on disk, and [`follow`] hears when it is replaced.
//!
//! Invariants: an answer comes from one snapshot, never from two; a malformed packet costs an error answer or silence,
//! never more; what a query may cost is bounded ([`limits`]).
//!
//! State: the last snapshot as one file, replaced atomically, from which the server starts again while its feeder is away.
//! If this process dies, its clients' lookups time out until it is back; connections that exist are not touched.
//!
//! Failure: without an answer from any resolver the client gets SERVFAIL within [`limits::UPSTREAM_PATIENCE`] for each;
//! with no resolver at once. Nothing is retried here: stub resolvers do that.
//!
//! Upstream behaviour answered to: the Kubernetes DNS specification 1.1.0, and CoreDNS as kubeadm configures it where the
//! specification leaves room (names of endpoints without a hostname, `pods insecure`, a TTL of 5 seconds for what is
//! absent, external names followed). Not here: caching of forwarded answers, zone transfers, search lists (`ndots` is the
//! client's business).
//!
//! Testing: tables for names, arbitrary bytes for the parser, real sockets on loopback for the server.

pub mod answer;
pub mod follow;
pub mod limits;
pub mod records;
pub mod server;
pub mod snapshot;
pub mod upstream;
pub mod zone;
