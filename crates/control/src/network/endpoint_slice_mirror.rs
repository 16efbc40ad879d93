//! EndpointSlices for the Endpoints that somebody wrote by hand, of services without a selector.
//!
//! Upstream: `pkg/controller/endpointslicemirroring`. Each set of ports has one slice a family; what does not fit into it is left out.

mod desired;
#[cfg(test)]
mod tests;

use std::time::Duration;

use api_meta::gvk::GroupVersionKind;
use api_meta::{names, owners};
use api_types::core::v1::{Endpoints, Service};
use api_types::discovery::v1::{Endpoint, EndpointSlice};
use api_types::meta::v1::ObjectMeta;
use base::time::Time;
use client::reconcile::{BackOff, Controller, Name, Note, Plan, Wires, World, Write, name};

use super::endpoint_slice::{MANAGED_BY, Ports, SERVICE_NAME, port_list, ports_of};

const MANAGER: &str = "endpointslicemirroring-controller.k8s.io";
const SKIP: &str = "endpointslice.kubernetes.io/skip-mirror";
const LEADER: &str = "control-plane.alpha.kubernetes.io/leader";
const LAST_CHANGE: &str = "endpoints.kubernetes.io/last-change-trigger-time";
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";
/// How many addresses of a set of ports are mirrored (`--mirroring-max-endpoints-per-subset`).
const MOST: usize = 1000;
const KIND: GroupVersionKind<'static> = GroupVersionKind { group: "", version: "v1", kind: "Endpoints" };

/// The controller that mirrors Endpoints.
pub struct EndpointSliceMirroring;

impl Controller for EndpointSliceMirroring {
    const NAME: &'static str = "endpointslicemirroring-controller";
    const BACK_OFF: BackOff = BackOff { first: Duration::from_secs(1), longest: Duration::from_secs(100) };
    const SOURCE: &'static str = "endpoint-slice-mirroring-controller";
    type Key = Name;

    fn wire(&self, wires: &mut Wires<Name>) {
        wires.primary::<Endpoints>();
        wires.primary::<Service>();
        wires.maps::<EndpointSlice>(|slice, _| {
            let service = mirrored(slice);
            service.map(|service| name(&slice.metadata.namespace, service)).into_iter().collect()
        });
    }

    fn plan(&self, (namespace, name): &Name, world: &World, _: Time) -> Plan {
        let mut plan = Plan::default();
        let all = world.in_namespace::<EndpointSlice>(namespace);
        let slices: Vec<&EndpointSlice> = all.filter(|slice| mirrored(slice) == Some(name)).collect();
        let endpoints = world.get::<Endpoints>(namespace, name).filter(|own| is_mirrored(own));
        let service = world.get::<Service>(namespace, name);
        match endpoints.filter(|_| service.is_some_and(|service| service.spec.selector.is_empty())) {
            Some(endpoints) => mirror(&mut plan, endpoints, slices),
            None => {
                plan.stage(slices.into_iter().map(Write::delete));
            }
        }
        plan
    }
}

/// The service of a slice that is a mirror.
fn mirrored(slice: &EndpointSlice) -> Option<&String> {
    let labels = &slice.metadata.labels;
    labels.get(SERVICE_NAME).filter(|_| labels.get(MANAGED_BY).is_some_and(|manager| manager == MANAGER))
}

/// Whether the Endpoints are for a service: not a leader's, and not those that somebody makes slices of already.
fn is_mirrored(endpoints: &Endpoints) -> bool {
    let skipped = endpoints.metadata.labels.get(SKIP).is_some_and(|value| value == "true");
    !skipped && !endpoints.metadata.annotations.contains_key(LEADER)
}

fn mirror(plan: &mut Plan, endpoints: &Endpoints, slices: Vec<&EndpointSlice>) {
    let desired = desired::of(&endpoints.subsets);
    if desired.invalid > 0 {
        let message =
            format!("Skipped {} invalid IP addresses when mirroring to EndpointSlices", desired.invalid);
        plan.events.push(Note::warning(endpoints, "InvalidIPAddress", message));
    }
    if desired.skipped > desired.invalid {
        let message = format!(
            "A max of {MOST} addresses can be mirrored to EndpointSlices per Endpoints subset. {} addresses were skipped",
            desired.skipped
        );
        plan.events.push(Note::warning(endpoints, "TooManyAddressesToMirror", message));
    }
    let mut spare = slices;
    let (mut writes, mut missing) = (Vec::new(), Vec::new());
    for ((family, ports), wanted) in desired.slices {
        let is_of = |slice: &&EndpointSlice| slice.address_type == family && ports_of(slice) == ports;
        match spare.iter().position(is_of) {
            Some(index) => writes.extend(changed(spare.remove(index), endpoints, &ports, wanted)),
            None => missing.push((family, ports, wanted)),
        }
    }
    for (family, ports, wanted) in missing {
        match spare.iter().position(|slice| slice.address_type == family) {
            Some(index) => writes.extend(changed(spare.remove(index), endpoints, &ports, wanted)),
            None if endpoints.metadata.deletion_timestamp.is_some() => {}
            None => writes.push(Write::create(slice(endpoints, family, &ports, wanted))),
        }
    }
    writes.extend(spare.into_iter().map(Write::delete));
    plan.stage(writes);
}

/// A new slice.
fn slice(endpoints: &Endpoints, family: &str, ports: &Ports, wanted: Vec<Endpoint>) -> EndpointSlice {
    let own = &endpoints.metadata;
    let mut labels = own.labels.clone();
    labels.insert(SERVICE_NAME.into(), own.name.clone());
    labels.insert(MANAGED_BY.into(), MANAGER.into());
    let mut annotations = own.annotations.clone();
    annotations.retain(|key, _| key != LAST_CHANGE && key != LAST_APPLIED);
    let dashed = format!("{}-", own.name);
    let fits = names::name_is_dns_subdomain(&dashed, true).is_empty();
    let metadata = ObjectMeta {
        generate_name: if fits { dashed } else { own.name.clone() },
        namespace: own.namespace.clone(),
        labels,
        annotations,
        owner_references: vec![owners::controller_reference(own, KIND)],
        ..ObjectMeta::default()
    };
    EndpointSlice {
        metadata,
        address_type: family.to_owned(),
        endpoints: wanted.into(),
        ports: port_list(ports).into(),
    }
}

/// The slice with what is wanted in it, if that is news.
fn changed(
    old: &EndpointSlice,
    endpoints: &Endpoints,
    ports: &Ports,
    wanted: Vec<Endpoint>,
) -> Option<Write> {
    let same_ports = ports_of(old) == *ports;
    let same_endpoints = desired::are_same(&old.endpoints, &wanted);
    let mut new = slice(endpoints, &old.address_type, ports, wanted);
    let made = &new.metadata;
    let same_metadata = made.labels == old.metadata.labels
        && made.annotations == old.metadata.annotations
        && made.owner_references == old.metadata.owner_references;
    if same_ports && same_endpoints && same_metadata {
        return None;
    }
    let ObjectMeta { labels, annotations, owner_references, .. } = std::mem::take(&mut new.metadata);
    new.metadata = ObjectMeta { labels, annotations, owner_references, ..old.metadata.clone() };
    Some(Write::update(new))
}
