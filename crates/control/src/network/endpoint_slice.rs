//! EndpointSlices of services with a selector.
//!
//! Upstream: `pkg/controller/endpointslice` and `staging/src/k8s.io/endpointslice`. Not done: hints by the older annotation
//! `service.kubernetes.io/topology-mode`, with which a service has none here.

mod fill;
mod hints;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use api_meta::gvk::GroupVersionKind;
use api_meta::{Status, owners};
use api_record::scalar;
use api_types::core::v1::{Node, Pod, Service};
use api_types::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use api_types::meta::v1::ObjectMeta;
use base::time::Time;
use client::reconcile::{BackOff, Controller, Name, Plan, Wires, World, Write, name};

use super::{backend, trigger};
use control_base::pod;

/// The label that names a slice's service.
pub(super) const SERVICE_NAME: &str = "kubernetes.io/service-name";
/// The label that names who makes a slice.
pub(super) const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
const MANAGER: &str = "endpointslice-controller.k8s.io";
const HEADLESS: &str = "service.kubernetes.io/headless";
const ZONE: &str = "topology.kubernetes.io/zone";
const KIND: GroupVersionKind<'static> = GroupVersionKind { group: "", version: "v1", kind: "Service" };

/// The controller of EndpointSlices.
pub struct EndpointSlices;

impl Controller for EndpointSlices {
    const NAME: &'static str = "endpointslice-controller";
    const SOURCE: &'static str = "endpoint-slice-controller";
    const BACK_OFF: BackOff = BackOff { first: Duration::from_secs(1), ..BackOff::USUAL };
    type Key = Name;

    fn wire(&self, wires: &mut Wires<Name>) {
        wires.primary::<Service>();
        wires.maps::<EndpointSlice>(|slice, _| match service_of(slice) {
            Some(service) => vec![name(&slice.metadata.namespace, service)],
            None => Vec::new(),
        });
        wires.maps::<Pod>(backend::services_of);
        wires.reads::<Node>();
    }

    fn plan(&self, (namespace, name): &Name, world: &World, _: Time) -> Plan {
        let mut plan = Plan::default();
        let Some(service) = world.get::<Service>(namespace, name) else { return plan };
        if !backend::is_selecting(service) || service.metadata.deletion_timestamp.is_some() {
            return plan;
        }
        let own = world
            .in_namespace::<EndpointSlice>(namespace)
            .filter(|slice| service_of(slice) == Some(name) && slice.metadata.deletion_timestamp.is_none());
        // Those of an earlier service of the name are on their way out.
        let (existing, foreign): (Vec<&EndpointSlice>, Vec<&EndpointSlice>) =
            own.partition(|slice| owners::is_controlled_by(&slice.metadata, &service.metadata));
        let families = families(service);
        let mut writes: Vec<Write> = foreign.into_iter().map(Write::delete).collect();
        let (pods, homeless): (Vec<&Pod>, Vec<&Pod>) = backend::pods(service, world)
            .into_iter()
            .partition(|pod| service.spec.publish_not_ready_addresses || node_of(pod, world).is_some());
        let changed = changed(service, &pods, &existing);
        for family in &families {
            let wanted = wanted(service, &pods, family, world);
            let of_family: Vec<&EndpointSlice> =
                existing.iter().copied().filter(|slice| slice.address_type == *family).collect();
            writes.extend(fill::writes(&wanted, &of_family, &blank(service, family, changed)));
        }
        let obsolete = existing.iter().filter(|slice| !families.contains(&slice.address_type));
        writes.extend(obsolete.map(|slice| Write::delete(*slice)));
        plan.stage(writes);
        plan.failure = homeless.first().map(|pod| {
            Status::internal_error(format!(
                "skipping Pod {} for Service {namespace}/{name}: Node {} Not Found",
                pod.metadata.name, pod.spec.node_name
            ))
        });
        plan
    }
}

fn node_of<'a>(pod: &Pod, world: &'a World) -> Option<&'a Node> {
    world.get::<Node>("", &pod.spec.node_name)
}

/// When that happened which the slices do not show yet.
fn changed(service: &Service, pods: &[&Pod], existing: &[&EndpointSlice]) -> Option<scalar::Time> {
    let endpoints = existing.iter().flat_map(|slice| slice.endpoints.iter());
    let shown = endpoints.filter_map(|it| Some((&*it.target_ref.as_ref()?.uid, it.conditions.serving?)));
    let serving: BTreeMap<&str, bool> = shown.collect();
    let was_ready = |pod: &Pod| serving.get(&*pod.metadata.uid).copied();
    trigger::time(service, pods, (!existing.is_empty()).then_some(was_ready))
}

/// Endpoints by the ports that they share.
type Wanted = BTreeMap<Ports, Vec<Endpoint>>;

/// A set of ports as something that can be compared: name, protocol, number and application protocol of each.
pub(super) type Ports = Vec<(String, String, Option<i32>, Option<String>)>;

fn service_of(slice: &EndpointSlice) -> Option<&String> {
    let labels = &slice.metadata.labels;
    labels.get(SERVICE_NAME).filter(|_| labels.get(MANAGED_BY).is_some_and(|manager| manager == MANAGER))
}

fn families(service: &Service) -> Vec<String> {
    if !service.spec.ip_families.is_empty() {
        return service.spec.ip_families.clone();
    }
    vec![backend::family_of(&service.spec.cluster_ip).unwrap_or("IPv4").to_owned()]
}

fn wanted(service: &Service, pods: &[&Pod], family: &str, world: &World) -> Wanted {
    let mut wanted = Wanted::new();
    for pod in pods {
        let Some(address) = backend::address(pod, family) else { continue };
        wanted.entry(ports(service, pod)).or_default().push(endpoint(service, pod, address, world));
    }
    wanted
}

fn ports(service: &Service, pod: &Pod) -> Ports {
    let numbered = service.spec.ports.iter().filter_map(|port| {
        let number = backend::port_number(pod, port)?;
        Some((port.name.clone(), port.protocol.clone(), Some(number), port.app_protocol.clone()))
    });
    let mut ports: Ports = numbered.collect();
    ports.sort();
    ports
}

/// The ports as slices have them.
pub(super) fn port_list(ports: &Ports) -> Vec<EndpointPort> {
    let port =
        |(name, protocol, port, app_protocol): &(String, String, Option<i32>, Option<String>)| EndpointPort {
            name: Some(name.clone()),
            protocol: Some(protocol.clone()),
            port: *port,
            app_protocol: app_protocol.clone(),
        };
    ports.iter().map(port).collect()
}

/// The ports of a slice.
pub(super) fn ports_of(slice: &EndpointSlice) -> Ports {
    let mut ports: Ports = slice
        .ports
        .iter()
        .map(|port| {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            (text(&port.name), text(&port.protocol), port.port, port.app_protocol.clone())
        })
        .collect();
    ports.sort();
    ports
}

fn endpoint(service: &Service, pod: &Pod, address: &str, world: &World) -> Endpoint {
    let serving = pod::is_ready(pod);
    let terminating = pod.metadata.deletion_timestamp.is_some();
    let ready = service.spec.publish_not_ready_addresses || (serving && !terminating);
    let node = &pod.spec.node_name;
    let zone = node_of(pod, world).and_then(|node| node.metadata.labels.get(ZONE));
    let mut endpoint = Endpoint {
        addresses: vec![address.to_owned()].into(),
        conditions: EndpointConditions {
            ready: Some(ready),
            serving: Some(serving),
            terminating: Some(terminating),
        },
        hostname: backend::host_name(pod, service).map(str::to_owned),
        target_ref: Some(Box::new(backend::reference(pod))),
        node_name: Some(node.clone()).filter(|node| !node.is_empty()),
        zone: zone.cloned(),
        ..Endpoint::default()
    };
    endpoint.hints = hints::of(service, &endpoint).map(Box::new);
    endpoint
}

/// A slice of a service without endpoints and ports, as what happened at a time has it written.
fn blank(service: &Service, family: &str, changed: Option<scalar::Time>) -> EndpointSlice {
    let mut labels = service.metadata.labels.clone();
    labels.remove(HEADLESS);
    labels.insert(SERVICE_NAME.into(), service.metadata.name.clone());
    labels.insert(MANAGED_BY.into(), MANAGER.into());
    if backend::is_headless(service) {
        labels.insert(HEADLESS.into(), String::new());
    }
    let mut metadata = ObjectMeta {
        generate_name: format!("{}-", service.metadata.name),
        namespace: service.metadata.namespace.clone(),
        labels,
        owner_references: vec![owners::controller_reference(&service.metadata, KIND)],
        ..ObjectMeta::default()
    };
    trigger::note(&mut metadata, changed);
    EndpointSlice { metadata, address_type: family.to_owned(), ..EndpointSlice::default() }
}
