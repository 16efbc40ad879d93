//! Who is on the other end.

pub use base_serve::Peer;
use client::Caller;
use http::HeaderMap;

/// Finds out who sent a request.
pub trait Identify: Send + Sync {
    /// The caller, anonymous ones included; `None` if a credential was refused.
    fn identify(&self, peer: &Peer, headers: &HeaderMap, path: &str) -> Option<Caller>;
}
