//! Who this server is among those of its cluster: a lease in `kube-system`, renewed while it serves.
//!
//! Follows `pkg/controlplane/apiserver/server.go` (`APIServerIdentity`), `component-helpers/apimachinery/lease` and
//! `pkg/controlplane/controller/apiserverleasegc`. The lease is made anew at each start and is deleted at its end, so that nobody takes a server for
//! one that serves which does not; leases of servers that died otherwise are collected once they have expired.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use api_record::scalar::MicroTime;
use api_types::coordination::v1::{Lease, LeaseSpec};
use base::random::{self, Random};
use base::time::Time;
use client::{Resource, Status};
use ring::digest::{SHA256, digest};
use server_registry::Registry;

use crate::limits::ATTEMPTS;
use crate::writer::{Writer, contended};

static LEASES: Resource = Resource::of("coordination.k8s.io", "v1", "leases");

const NAMESPACE: &str = "kube-system";
/// The label that says that a lease is an API server's, and its value for those of Kubernetes.
const LABEL: &str = "apiserver.kubernetes.io/identity";
const COMPONENT: &str = "kube-apiserver";
const DURATION_SECONDS: i32 = 3600;

/// Who a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    name: String,
    holder: String,
    host: String,
    address: SocketAddr,
}

impl Identity {
    /// The server of a host, reached at an address; `random` tells its runs from one another.
    pub fn new(host: &str, advertise: IpAddr, port: u16, random: &dyn Random) -> Identity {
        let name = name(host);
        let holder = format!("{name}_{}", random::uuid(random));
        Identity { name, holder, host: host.to_owned(), address: SocketAddr::new(advertise, port) }
    }

    /// The lease, made now or of what it was.
    fn lease(&self, before: Option<Lease>, now: Time) -> Lease {
        let mut lease = before.unwrap_or_else(|| {
            let mut lease = Lease::default();
            lease.metadata.name = self.name.clone();
            lease.metadata.namespace = NAMESPACE.to_owned();
            lease.spec = LeaseSpec { holder_identity: Some(self.holder.clone()), ..LeaseSpec::default() };
            lease
        });
        lease.spec.lease_duration_seconds = Some(DURATION_SECONDS);
        lease.spec.renew_time = Some(MicroTime::from(now));
        let meta = &mut lease.metadata;
        for (key, value) in [(LABEL, COMPONENT), ("kubernetes.io/hostname", &self.host)] {
            meta.labels.insert(key.to_owned(), value.to_owned());
        }
        meta.annotations.insert("kubernetes.io/peer-advertise-address".to_owned(), self.address.to_string());
        lease
    }

    /// Deletes the lease: one that an earlier run left, or this one's at its end.
    pub async fn release(&self, registry: &Registry) -> Result<(), Status> {
        let writer = Writer::new(registry);
        match writer.get::<Lease>(&LEASES, NAMESPACE, &self.name).await? {
            Some(lease) => writer.delete(&LEASES, &lease).await,
            None => Ok(()),
        }
    }

    /// Renews the lease, or makes it.
    pub async fn renew(&self, registry: &Registry) -> Result<(), Status> {
        let writer = Writer::new(registry);
        for _ in 0..ATTEMPTS {
            let before = writer.get::<Lease>(&LEASES, NAMESPACE, &self.name).await?;
            let exists = before.is_some();
            let lease = self.lease(before, registry.now());
            let done = if exists {
                writer.update(&LEASES, "", &lease).await?
            } else {
                writer.create(&LEASES, Box::new(lease)).await?
            };
            if done {
                return Ok(());
            }
        }
        Err(contended(&LEASES, &self.name))
    }
}

/// Deletes the leases of servers that have not renewed them in time.
pub async fn collect(registry: &Registry) -> Result<(), Status> {
    let writer = Writer::new(registry);
    for lease in writer.all::<Lease>(&LEASES, NAMESPACE).await? {
        let own = lease.metadata.labels.get(LABEL).is_some_and(|value| value == COMPONENT);
        if own && has_expired(&lease, registry.now()) {
            writer.delete(&LEASES, &lease).await?;
        }
    }
    Ok(())
}

/// A lease that says neither when it was renewed nor for how long is nobody's.
fn has_expired(lease: &Lease, now: Time) -> bool {
    let (Some(renewed), Some(seconds)) = (lease.spec.renew_time, lease.spec.lease_duration_seconds) else {
        return true;
    };
    let renewed = Time::from_unix_nanos(renewed.micros.saturating_mul(1000));
    renewed + Duration::from_secs(u64::try_from(seconds).unwrap_or_default()) < now
}

/// Upstream's name of the server of a host: a digest, so that it is a name whatever the host's is.
fn name(host: &str) -> String {
    let mut text = Vec::new();
    for part in [host, COMPONENT] {
        // The lengths tell where a part ends; hosts' names are far below the bound.
        text.extend_from_slice(&u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
        text.extend_from_slice(part.as_bytes());
    }
    format!("apiserver-{}", base32(&digest(&SHA256, &text).as_ref()[..16]))
}

/// RFC 4648's base 32, in small letters and without padding.
fn base32(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
    let letter = |at: usize| (at * 5..at * 5 + 5).fold(0, |value, at| value << 1 | bit(at));
    (0..(bytes.len() * 8).div_ceil(5)).map(|at| char::from(LETTERS[usize::from(letter(at))])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_upstreams() {
        for (bytes, text) in [("", ""), ("f", "my"), ("foobar", "mzxw6ytboi"), ("fooba", "mzxw6ytb")] {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
        assert_eq!(name("box"), "apiserver-cv3t357sspoikjgjpiemjidab4");
    }

    #[test]
    fn leases_expire_when_they_are_not_renewed() {
        let at = Time::from_unix_seconds;
        let row = |renewed: Option<i64>, seconds, now, expired| {
            let mut lease = Lease::default();
            lease.spec.renew_time = renewed.map(|renewed| MicroTime::from(at(renewed)));
            lease.spec.lease_duration_seconds = seconds;
            assert_eq!(has_expired(&lease, at(now)), expired, "{renewed:?} {seconds:?} {now}");
        };
        row(Some(100), Some(10), 110, false);
        row(Some(100), Some(10), 111, true);
        row(None, Some(10), 0, true);
        row(Some(100), None, 0, true);
    }
}
