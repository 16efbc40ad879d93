//! Which of a service's endpoints is asked: any that is ready, those of the preferred family before others.
//!
//! Upstream's `RandomEndpoint`. Whoever has more to ask of an endpoint takes the first candidate that will do.

use std::net::{IpAddr, SocketAddr};

use api_types::discovery::v1::{Endpoint, EndpointSlice};
use base::random::Random;

/// The label that says whose endpoints a slice holds.
pub const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// An endpoint that may be asked.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Where it serves the port.
    pub address: SocketAddr,
    /// The endpoint itself.
    pub endpoint: &'a Endpoint,
}

/// The ready endpoints of a service that serve a port, by the port's name, in the order in which they are to be tried.
pub fn candidates<'a>(
    slices: impl Iterator<Item = &'a EndpointSlice>,
    service: &str,
    port: &str,
    family: &str,
    random: &dyn Random,
) -> Vec<Candidate<'a>> {
    let mut own: Vec<&EndpointSlice> = slices
        .filter(|slice| slice.metadata.labels.get(SERVICE_NAME).is_some_and(|name| name == service))
        .collect();
    shuffle(&mut own, random);
    own.sort_by_key(|slice| slice.address_type != family);
    own.into_iter().flat_map(|slice| of_slice(slice, port, random)).collect()
}

fn of_slice<'a>(slice: &'a EndpointSlice, port: &str, random: &dyn Random) -> Vec<Candidate<'a>> {
    let own = slice.ports.iter().find(|own| own.port.is_some() && own.name.as_deref() == Some(port));
    let Some(port) = own.and_then(|own| own.port).and_then(|port| u16::try_from(port).ok()) else {
        return Vec::new();
    };
    let ready = slice.endpoints.iter().filter(|endpoint| endpoint.conditions.ready != Some(false));
    let mut candidates: Vec<Candidate<'_>> = ready
        .filter_map(|endpoint| {
            let address: IpAddr = endpoint.addresses.first()?.parse().ok()?;
            Some(Candidate { address: SocketAddr::new(address, port), endpoint })
        })
        .collect();
    if !candidates.is_empty() {
        let middle = below(candidates.len(), random);
        candidates.rotate_left(middle);
    }
    candidates
}

/// Any number below another that is not zero.
fn below(count: usize, random: &dyn Random) -> usize {
    let mut bytes = [0; 8];
    random.fill(&mut bytes);
    usize::try_from(u64::from_le_bytes(bytes) % count as u64).unwrap_or_default()
}

fn shuffle<T>(items: &mut [T], random: &dyn Random) {
    for last in (1..items.len()).rev() {
        items.swap(last, below(last + 1, random));
    }
}
