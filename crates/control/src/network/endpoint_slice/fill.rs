//! Distributing endpoints over slices so that few slices change.

use std::collections::BTreeMap;

use api_types::discovery::v1::{Endpoint, EndpointSlice};
use client::reconcile::Write;

use super::super::trigger;
use super::{Ports, Wanted, port_list, ports_of};

/// How many endpoints a slice may have (`--max-endpoints-per-slice`).
const SLICE_ENDPOINTS: usize = 100;

/// The writes that make the slices of one family hold these endpoints.
pub(super) fn writes(wanted: &Wanted, existing: &[&EndpointSlice], blank: &EndpointSlice) -> Vec<Write> {
    let mut by_ports: BTreeMap<Ports, Vec<&EndpointSlice>> = BTreeMap::new();
    for slice in existing {
        by_ports.entry(ports_of(slice)).or_default().push(slice);
    }
    let mut spare: Vec<&EndpointSlice> = Vec::new();
    let mut writes = Vec::new();
    for (ports, slices) in &by_ports {
        if !wanted.contains_key(ports) {
            spare.extend(slices);
        }
    }
    for (ports, endpoints) in wanted {
        let slices = by_ports.remove(ports).unwrap_or_default();
        writes.extend(fill(ports, endpoints, &slices, &mut spare, blank));
    }
    // A service without endpoints keeps one empty slice, so that those who read it know that somebody looked.
    if wanted.is_empty() {
        match spare.pop() {
            Some(slice) => writes.extend(changed(slice, None, Vec::new(), blank)),
            None => {
                writes.push(Write::create(EndpointSlice { endpoints: Vec::new().into(), ..blank.clone() }))
            }
        }
    }
    writes.extend(spare.into_iter().map(Write::delete));
    writes
}

/// Keeps what is in place, then fills slices with room, the fullest first, then emptied and new ones.
fn fill<'a>(
    ports: &Ports,
    endpoints: &[Endpoint],
    slices: &[&'a EndpointSlice],
    spare: &mut Vec<&'a EndpointSlice>,
    blank: &EndpointSlice,
) -> Vec<Write> {
    let mut missing: BTreeMap<&str, &Endpoint> = endpoints.iter().map(|it| (identity(it), it)).collect();
    let mut filled: Vec<(&'a EndpointSlice, Vec<Endpoint>)> = Vec::new();
    for slice in slices {
        let kept: Vec<Endpoint> =
            slice.endpoints.iter().filter_map(|old| missing.remove(identity(old)).cloned()).collect();
        filled.push((slice, kept));
    }
    let mut left = missing.into_values().cloned();
    let mut order: Vec<usize> = (0..filled.len()).collect();
    order.sort_by_key(|index| std::cmp::Reverse(filled[*index].1.len()));
    for index in order {
        let held = &mut filled[index].1;
        let room = SLICE_ENDPOINTS.saturating_sub(held.len());
        held.extend(left.by_ref().take(room));
    }
    let mut writes = Vec::new();
    for (slice, held) in filled {
        if held.is_empty() {
            spare.push(slice);
        } else {
            writes.extend(changed(slice, Some(ports), held, blank));
        }
    }
    loop {
        let held: Vec<Endpoint> = left.by_ref().take(SLICE_ENDPOINTS).collect();
        if held.is_empty() {
            return writes;
        }
        match spare.pop() {
            Some(slice) => writes.extend(changed(slice, Some(ports), held, blank)),
            None => writes.push(Write::create(EndpointSlice {
                endpoints: held.into(),
                ports: port_list(ports).into(),
                ..blank.clone()
            })),
        }
    }
}

fn identity(endpoint: &Endpoint) -> &str {
    let uid = endpoint.target_ref.as_deref().map(|target| target.uid.as_str()).filter(|uid| !uid.is_empty());
    uid.or_else(|| endpoint.addresses.first().map(String::as_str)).unwrap_or_default()
}

fn changed(
    slice: &EndpointSlice,
    ports: Option<&Ports>,
    endpoints: Vec<Endpoint>,
    blank: &EndpointSlice,
) -> Option<Write> {
    let mut new = slice.clone();
    new.metadata.labels.clone_from(&blank.metadata.labels);
    new.metadata.owner_references.clone_from(&blank.metadata.owner_references);
    let same_ports = ports.is_some_and(|ports| ports_of(slice) == *ports);
    let both_bare = ports.is_none() && slice.ports.is_empty();
    if !same_ports && !both_bare {
        new.ports = ports.map(|ports| port_list(ports).into()).unwrap_or_default();
    }
    if *slice.endpoints != endpoints {
        new.endpoints = endpoints.into();
    }
    (new != *slice).then(|| {
        trigger::renew(&mut new.metadata, &blank.metadata);
        Write::update(new)
    })
}
