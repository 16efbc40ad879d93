//! Who is on the other end.

use client::Caller;
use http::HeaderMap;
use rustls::pki_types::CertificateDer;

/// What a connection knows of its other end.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// The certificates that it showed, its own first.
    pub chain: Vec<CertificateDer<'static>>,
}

/// Finds out who sent a request.
pub trait Identify: Send + Sync {
    /// The caller, anonymous ones included; `None` if a credential was refused.
    fn identify(&self, peer: &Peer, headers: &HeaderMap, path: &str) -> Option<Caller>;
}
