//! Chains that were found good, by what they are made of and for as long as all of their certificates last.
//!
//! What is wrong with a chain is not remembered: whoever presents one pays for it.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use base::time::Time;
use ring::digest::{Context, SHA256};
use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::limits::GOOD_CHAINS;

/// What tells chains apart.
pub(super) type Digest = [u8; 32];

/// The chains of one set of authorities.
#[derive(Debug, Default)]
pub(super) struct Good(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    lasting: HashMap<Digest, Lasting>,
    /// The oldest first.
    order: VecDeque<Digest>,
}

/// From when until when, in seconds since 1970; both are part of it.
#[derive(Clone, Copy, Debug)]
struct Lasting {
    begin: i64,
    end: i64,
}

/// Each certificate counts with its length, so that no two chains are made of the same bytes.
pub(super) fn digest(chain: &[CertificateDer<'_>]) -> Digest {
    let mut context = Context::new(&SHA256);
    for certificate in chain {
        context.update(&certificate.len().to_be_bytes());
        context.update(certificate);
    }
    let mut digest = Digest::default();
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

impl Good {
    /// Whether a chain was found good and still is.
    pub(super) fn knows(&self, digest: &Digest, now: Time) -> bool {
        let now = now.unix_seconds();
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.lasting.get(digest).is_some_and(|lasting| (lasting.begin..=lasting.end).contains(&now))
    }

    /// Remembers a chain that was found good.
    pub(super) fn learn(&self, digest: Digest, chain: &[CertificateDer<'_>]) {
        let Some(lasting) = lasting(chain) else { return };
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.lasting.insert(digest, lasting).is_some() {
            return;
        }
        known.order.push_back(digest);
        if known.order.len() > GOOD_CHAINS
            && let Some(oldest) = known.order.pop_front()
        {
            known.lasting.remove(&oldest);
        }
    }
}

/// While all of its certificates last.
fn lasting(chain: &[CertificateDer<'_>]) -> Option<Lasting> {
    let mut all = Lasting { begin: i64::MIN, end: i64::MAX };
    for certificate in chain {
        let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
        let validity = certificate.validity();
        all.begin = all.begin.max(validity.not_before.timestamp());
        all.end = all.end.min(validity.not_after.timestamp());
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chains_are_told_apart_by_their_certificates() {
        let chain = |parts: &[&[u8]]| {
            let chain: Vec<_> = parts.iter().map(|part| CertificateDer::from(part.to_vec())).collect();
            digest(&chain)
        };
        assert_eq!(chain(&[b"ab", b"c"]), chain(&[b"ab", b"c"]));
        assert_ne!(chain(&[b"ab", b"c"]), chain(&[b"a", b"bc"]));
        assert_ne!(chain(&[b"ab", b"c"]), chain(&[b"c", b"ab"]));
        assert_ne!(chain(&[b"ab"]), chain(&[b"ab", b""]));
    }

    #[test]
    fn no_more_chains_are_known_than_the_bound() {
        let good = Good::default();
        let digest = |number: usize| {
            let mut digest = Digest::default();
            digest[..8].copy_from_slice(&number.to_be_bytes());
            digest
        };
        for number in 0..=GOOD_CHAINS {
            good.learn(digest(number), &[]);
        }
        let now = Time::from_unix_seconds(0);
        assert!(!good.knows(&digest(0), now) && good.knows(&digest(GOOD_CHAINS), now));
        let known = good.0.lock().expect("whole");
        assert_eq!((known.lasting.len(), known.order.len()), (GOOD_CHAINS, GOOD_CHAINS));
    }
}
