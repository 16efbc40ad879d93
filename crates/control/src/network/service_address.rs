//! Cluster addresses that went astray: every address of a service has its IPAddress object, and no such object is without
//! its service.
//!
//! Upstream: `pkg/registry/core/service/ipallocator/controller/repairip.go`. The server writes both in one transaction; what is
//! repaired here was done to the objects by hand, or by a server whose transactions are smaller. Ranges of ports are no objects
//! that anybody can see: the registry repairs those itself.

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Duration;

use api_meta::names::{parse_cidr_sloppy, parse_ip_sloppy};
use api_types::core::v1::Service;
use api_types::meta::v1::ObjectMeta;
use api_types::networking::v1::{IPAddress, IPAddressSpec, ParentReference, ServiceCIDR};
use base::time::Time;
use client::reconcile::{Controller, Guard, Name, Note, Op, Plan, Wires, World, Write, name, resource_of};
use client::{Revision, Target};

const FAMILY: &str = "ipaddress.kubernetes.io/ip-family";
const MANAGED_BY: &str = "ipaddress.kubernetes.io/managed-by";
const MANAGER: &str = "ipallocator.k8s.io";
/// How long an address may wait for its service to be made: a request's time.
const GRACE: Duration = Duration::from_secs(60);
/// When to look again at what one view shows and another does not yet.
const LAG: Duration = Duration::from_secs(1);

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The addresses of a service.
    Service(Name),
    /// The object of an address.
    Address(String),
}

/// The controller of services' addresses.
pub struct ServiceAddresses;

impl Controller for ServiceAddresses {
    const NAME: &'static str = "ipallocator-repair-controller";
    type Key = Key;

    fn wire(&self, wires: &mut Wires<Key>) {
        wires.maps::<Service>(|service, _| {
            let meta = &service.metadata;
            let addresses = addresses(service).filter_map(parse_ip_sloppy);
            let own = Key::Service(name(&meta.namespace, &meta.name));
            addresses.map(|address| Key::Address(address.to_string())).chain([own]).collect()
        });
        wires.maps::<IPAddress>(|address, _| {
            let parent = address.spec.parent_ref.as_deref().filter(|parent| is_service(parent));
            let service = parent.map(|parent| Key::Service(name(&parent.namespace, &parent.name)));
            service.into_iter().chain([Key::Address(address.metadata.name.clone())]).collect()
        });
        wires.reads::<ServiceCIDR>();
    }

    fn plan(&self, key: &Key, world: &World, now: Time) -> Plan {
        let mut plan = Plan::default();
        match key {
            Key::Service((namespace, name)) => {
                let Some(service) = world.get::<Service>(namespace, name) else { return plan };
                if is_behind::<IPAddress>(world, &service.metadata) {
                    plan.again_in(LAG);
                    return plan;
                }
                let mut repair = Repair::default();
                for text in addresses(service) {
                    repair.service(service, text, world);
                }
                plan.stage(repair.deletes).stage(repair.creates);
                plan.events = repair.notes;
            }
            Key::Address(name) => {
                let Some(address) = world.get::<IPAddress>("", name) else { return plan };
                if is_behind::<Service>(world, &address.metadata) {
                    plan.again_in(LAG);
                } else {
                    leaked(&mut plan, address, world, now);
                }
            }
        }
        plan
    }
}

/// The addresses that a service says it has.
fn addresses(service: &Service) -> impl Iterator<Item = &str> {
    let spec = &service.spec;
    let has = spec.type_ != "ExternalName" && !spec.cluster_ip.is_empty() && spec.cluster_ip != "None";
    spec.cluster_ips.iter().filter(move |_| has).map(String::as_str)
}

fn is_service(parent: &ParentReference) -> bool {
    parent.group.is_empty() && parent.resource == "services"
}

/// Whether the view of a type does not show all that had happened when an object was written.
fn is_behind<T: api_record::Typed>(world: &World, meta: &ObjectMeta) -> bool {
    let written = meta.resource_version.parse().map(Revision).unwrap_or_default();
    world.snapshot(resource_of::<T>()).is_some_and(|snapshot| snapshot.revision() < written)
}

fn family(address: IpAddr) -> &'static str {
    if address.is_ipv4() { "IPv4" } else { "IPv6" }
}

fn holds(service: &Service, address: &str) -> bool {
    service.spec.cluster_ips.iter().any(|own| own == address)
}

fn is_in_range(address: IpAddr, world: &World) -> bool {
    let cidrs = world.all::<ServiceCIDR>().flat_map(|range| &range.spec.cidrs);
    cidrs.filter_map(|cidr| parse_cidr_sloppy(cidr)).any(|cidr| cidr.contains(address))
}

/// Whether an address is given out by the API server, not by somebody else.
pub(super) fn is_managed(held: &IPAddress) -> bool {
    held.metadata.labels.get(MANAGED_BY).is_some_and(|manager| manager == MANAGER)
}

fn is_labelled(held: &IPAddress, address: IpAddr) -> bool {
    is_managed(held) && held.metadata.labels.get(FAMILY).is_some_and(|own| own == family(address))
}

/// What is to be done about the addresses of one service.
#[derive(Default)]
struct Repair {
    deletes: Vec<Write>,
    creates: Vec<Write>,
    notes: Vec<Note>,
}

impl Repair {
    fn service(&mut self, service: &Service, text: &str, world: &World) {
        let meta = &service.metadata;
        let mut tell = |reason: &'static str, message: String| {
            self.notes.push(Note::warning(service, reason, message));
        };
        let Some(address) = parse_ip_sloppy(text) else {
            let message = format!("Cluster IP {text} is not a valid IP; please recreate Service");
            return tell("ClusterIPNotValid", message);
        };
        let shown = format!("[{}]: {address}", family(address));
        if !is_in_range(address, world) {
            let message = format!(
                "Cluster IP {shown} is not within any configured Service CIDR; please recreate service"
            );
            return tell("ClusterIPOutOfRange", message);
        }
        let Some(held) = world.get::<IPAddress>("", &address.to_string()) else {
            let message = format!("Cluster IP {shown} is not allocated; repairing");
            let note = Note::warning(service, "ClusterIPNotAllocated", message);
            // If the object is there after all there was nothing to repair, and nobody is told.
            self.creates.push(create(address, service).telling(Some(note), None).or_exists());
            return;
        };
        let parent = held.spec.parent_ref.as_deref().filter(|parent| is_service(parent));
        let is_own =
            |parent: &ParentReference| parent.namespace == meta.namespace && parent.name == meta.name;
        if !parent.is_some_and(is_own) {
            let holder = parent.and_then(|parent| world.get::<Service>(&parent.namespace, &parent.name));
            if holder.is_some_and(|holder| holds(holder, &held.metadata.name)) {
                let message = format!(
                    "Cluster IP [{}]:{address} was assigned to multiple services; please recreate service",
                    family(address)
                );
                return tell("ClusterIPAlreadyAllocated", message);
            }
            let (namespace, name) = (&meta.namespace, &meta.name);
            let message = format!(
                "the ClusterIP {shown} for Service {namespace}/{name} has a wrong reference; repairing"
            );
            tell("ClusterIPNotAllocated", message);
        } else if is_labelled(held, address) {
            return;
        }
        self.deletes.push(delete(held));
        self.creates.push(create(address, service));
    }
}

fn create(address: IpAddr, service: &Service) -> Write {
    let meta = &service.metadata;
    let labels = [(FAMILY, family(address)), (MANAGED_BY, MANAGER)];
    let parent = ParentReference {
        group: String::new(),
        resource: "services".to_owned(),
        namespace: meta.namespace.clone(),
        name: meta.name.clone(),
    };
    let object = IPAddress {
        metadata: ObjectMeta {
            name: address.to_string(),
            labels: labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect(),
            ..ObjectMeta::default()
        },
        spec: IPAddressSpec { parent_ref: Some(Box::new(parent)) },
    };
    let target = Target {
        resource: resource_of::<Service>().clone(),
        namespace: meta.namespace.clone(),
        name: meta.name.clone(),
        subresource: String::new(),
    };
    Write::create(object).guarded(Guard::Alive(target, meta.uid.clone()))
}

/// Deletes the object as it was seen, and no later one.
fn delete(held: &IPAddress) -> Write {
    let version = Some(held.metadata.resource_version.clone());
    let op = Op::Delete { propagation: None, version, grace_seconds: None };
    Write::of(resource_of::<IPAddress>(), &held.metadata, "", op)
}

/// Deletes an address of ours that no service has.
fn leaked(plan: &mut Plan, held: &IPAddress, world: &World, now: Time) {
    let meta = &held.metadata;
    if !is_managed(held) {
        return;
    }
    let name = &meta.name;
    let (reason, message) = match held.spec.parent_ref.as_deref() {
        Some(parent) if is_service(parent) => {
            let (namespace, service) = (&parent.namespace, &parent.name);
            let place = format!("IPAddress: {name} for Service {namespace}/{service}");
            match world.get::<Service>(namespace, service) {
                Some(service) if holds(service, name) => return,
                Some(_) => ("IPAddressWrongReference", format!("{place} has a wrong reference; cleaning up")),
                None => {
                    let made = meta.creation_timestamp.map(Time::from).unwrap_or_default();
                    if now.since(made) <= GRACE {
                        plan.again_in((made + GRACE + Duration::from_secs(1)).since(now));
                        return;
                    }
                    ("IPAddressNotAllocated", format!("{place} appears to have leaked: cleaning up"))
                }
            }
        }
        _ => {
            let message = "appears to have been modified, not referencing a Service: cleaning up";
            ("IPAddressNotAllocated", format!("IPAddress {name} {message}"))
        }
    };
    plan.stage([delete(held)]);
    plan.events.push(Note::warning(held, reason, message));
}
