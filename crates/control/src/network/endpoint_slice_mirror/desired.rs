//! What the slices of Endpoints should hold.
//!
//! Subsets may say the same thing in many ways; first they are made canonical, as upstream's `RepackSubsets` does: for each set of ports
//! the addresses that serve just these. An address that is both is not ready.

use std::collections::BTreeMap;

use api_meta::names::parse_ip_sloppy;
use api_types::core::v1::{EndpointAddress, EndpointPort, EndpointSubset};
use api_types::discovery::v1::{Endpoint, EndpointConditions};

use super::{MOST, Ports};

/// Endpoints by family and ports, and what was left out.
#[derive(Default)]
pub(super) struct Desired {
    /// What each slice should hold; none is empty.
    pub(super) slices: BTreeMap<(&'static str, Ports), Vec<Endpoint>>,
    /// How many addresses are none.
    pub(super) invalid: usize,
    /// How many are not mirrored, these included.
    pub(super) skipped: usize,
}

/// What endpoints are told apart by: addresses, host name, and the namespace and name of what they refer to.
type Identity = (Vec<String>, String, String, String);

/// What these subsets lead to.
pub(super) fn of(subsets: &[EndpointSubset]) -> Desired {
    let mut desired = Desired::default();
    let mut found: BTreeMap<(&'static str, Ports), BTreeMap<Identity, Endpoint>> = BTreeMap::new();
    for (ports, addresses) in repacked(subsets) {
        let mut added = 0;
        let (ready, rest): (Vec<_>, Vec<_>) = addresses.iter().copied().partition(|(_, ready)| *ready);
        for (address, ready) in ready.into_iter().chain(rest) {
            if added >= MOST {
                break;
            }
            let Some((family, endpoint)) = endpoint(address, ready) else {
                desired.invalid += 1;
                continue;
            };
            added += 1;
            found.entry((family, ports.clone())).or_default().insert(identity(&endpoint), endpoint);
        }
        desired.skipped += addresses.len() - added;
    }
    desired.slices = found.into_iter().map(|(key, all)| (key, all.into_values().collect())).collect();
    desired
}

/// Whether these are the same endpoints in whatever order, but for the version of what they refer to.
pub(super) fn are_same(old: &[Endpoint], new: &[Endpoint]) -> bool {
    let sorted = |all: &[Endpoint]| -> BTreeMap<Identity, Endpoint> {
        let bare = all.iter().cloned().map(|mut endpoint| {
            if let Some(target) = &mut endpoint.target_ref {
                target.resource_version.clear();
            }
            (identity(&endpoint), endpoint)
        });
        bare.collect()
    };
    old.len() == new.len() && sorted(old) == sorted(new)
}

fn identity(endpoint: &Endpoint) -> Identity {
    let target = endpoint.target_ref.as_deref();
    let (namespace, name) =
        target.map(|target| (target.namespace.clone(), target.name.clone())).unwrap_or_default();
    (endpoint.addresses.to_vec(), endpoint.hostname.clone().unwrap_or_default(), namespace, name)
}

fn endpoint(address: &EndpointAddress, ready: bool) -> Option<(&'static str, Endpoint)> {
    let ip = parse_ip_sloppy(&address.ip)?;
    let family = if ip.is_ipv4() { "IPv4" } else { "IPv6" };
    let endpoint = Endpoint {
        addresses: vec![ip.to_string()].into(),
        conditions: EndpointConditions { ready: Some(ready), ..EndpointConditions::default() },
        hostname: Some(address.hostname.clone()).filter(|name| !name.is_empty()),
        target_ref: address.target_ref.clone(),
        node_name: address.node_name.clone(),
        ..Endpoint::default()
    };
    Some((family, endpoint))
}

/// An address's IP and the uid of what it refers to.
type AddressKey<'a> = (&'a str, &'a str);

fn repacked(subsets: &[EndpointSubset]) -> Vec<(Ports, Vec<(&EndpointAddress, bool)>)> {
    let mut addresses: BTreeMap<AddressKey<'_>, &EndpointAddress> = BTreeMap::new();
    let mut by_port: BTreeMap<Option<_>, BTreeMap<AddressKey<'_>, bool>> = BTreeMap::new();
    for subset in subsets {
        let mut ports: Vec<Option<_>> = subset.ports.iter().map(|port| Some(port_of(port))).collect();
        if ports.is_empty() {
            ports.push(None);
        }
        let ready = subset.addresses.iter().map(|address| (address, true));
        let rest = subset.not_ready_addresses.iter().map(|address| (address, false));
        for (address, ready) in ready.chain(rest) {
            let key = key(address);
            addresses.entry(key).or_insert(address);
            for port in &ports {
                let state = by_port.entry(port.clone()).or_default().entry(key).or_insert(ready);
                *state &= ready;
            }
        }
    }
    let mut by_addresses: BTreeMap<Vec<(AddressKey<'_>, bool)>, Ports> = BTreeMap::new();
    for (port, served) in by_port {
        by_addresses.entry(served.into_iter().collect()).or_default().extend(port);
    }
    let subset = |(served, ports): (Vec<(AddressKey<'_>, bool)>, Ports)| {
        let all = served.into_iter().filter_map(|(key, ready)| Some((*addresses.get(&key)?, ready)));
        (ports, all.collect())
    };
    by_addresses.into_iter().map(subset).collect()
}

fn key(address: &EndpointAddress) -> AddressKey<'_> {
    (&address.ip, address.target_ref.as_deref().map_or("", |target| &target.uid))
}

fn port_of(port: &EndpointPort) -> (String, String, Option<i32>, Option<String>) {
    (port.name.clone(), port.protocol.clone(), Some(port.port), port.app_protocol.clone())
}
