//! Ranges of services' addresses: one is ready once its finalizer holds it, and goes only when no address would be left without
//! a range.
//!
//! Upstream: `pkg/controller/servicecidrs`. Which addresses are given from which range is the registry's.

#[cfg(test)]
mod tests;

use std::net::IpAddr;
use std::time::Duration;

use api_meta::conditions;
use api_meta::names::{Cidr, parse_cidr_sloppy, parse_ip_sloppy};
use api_types::meta::v1::Condition;
use api_types::networking::v1::{IPAddress, ServiceCIDR};
use base::time::Time;
use client::reconcile::{Controller, Name, Note, Plan, Wires, World, Write, name};
use control_base::finalizer::{finalized, none_missed};

use super::service_address::is_managed;

const FINALIZER: &str = "networking.k8s.io/service-cidr-finalizer";
/// How long a range that is to go is kept: until then a server may give an address of it.
const GRACE: Duration = Duration::from_secs(10);

/// The controller of ranges.
pub struct ServiceCidrs;

impl Controller for ServiceCidrs {
    const NAME: &'static str = "service-cidrs-controller";
    const SOURCE: &'static str = "service-cidr-controller";
    type Key = Name;

    fn wire(&self, wires: &mut Wires<Name>) {
        // A range that comes or goes may be what another waits for.
        wires.maps::<ServiceCIDR>(|range, world| {
            let going = going(world).map(|other| &other.metadata.name);
            going.chain([&range.metadata.name]).map(|own| name("", own)).collect()
        });
        wires.maps::<IPAddress>(|address, world| {
            let Some(held) = address_of(address) else { return Vec::new() };
            let own = going(world).filter(|range| gives(range, held));
            own.map(|range| name("", &range.metadata.name)).collect()
        });
    }

    fn plan(&self, (_, key): &Name, world: &World, now: Time) -> Plan {
        let mut plan = Plan::default();
        let Some(range) = world.get::<ServiceCIDR>("", key) else { return plan };
        let Some(since) = range.metadata.deletion_timestamp.map(Time::from) else {
            let held = finalized(range, FINALIZER, || true);
            if held.is_some() {
                plan.stage(held);
                return plan;
            }
            let message = "Kubernetes Service CIDR is ready";
            let failed = "The ServiceCIDR Status can not be set to Ready=True";
            let note = Note::warning(range, "KubernetesServiceCIDRError", failed);
            let ready = is_ready(range, "True", "", message, now);
            plan.stage(ready.map(|write| write.telling(None, Some(note))));
            return plan;
        };
        if !may_go(range, world) {
            let message = "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR";
            plan.stage(is_ready(range, "False", "Terminating", message, now));
        } else if now.since(since) < GRACE {
            plan.again_in(GRACE - now.since(since));
        } else {
            let released = finalized(range, FINALIZER, || false);
            plan.stage(released.map(|write| write.guarded(none_missed::<IPAddress>(world, ""))));
        }
        plan
    }
}

fn going(world: &World) -> impl Iterator<Item = &ServiceCIDR> {
    world.all::<ServiceCIDR>().filter(|range| range.metadata.deletion_timestamp.is_some())
}

fn cidrs(range: &ServiceCIDR) -> impl Iterator<Item = Cidr> + '_ {
    range.spec.cidrs.iter().filter_map(|cidr| parse_cidr_sloppy(cidr))
}

/// The address that an object holds for a service.
fn address_of(held: &IPAddress) -> Option<IpAddr> {
    is_managed(held).then(|| parse_ip_sloppy(&held.metadata.name)).flatten()
}

/// Whether a range can give an address: the network's own is nobody's, and so is IPv4's last.
fn gives(range: &ServiceCIDR, address: IpAddr) -> bool {
    cidrs(range).any(|cidr| {
        cidr.contains(address)
            && cidr.network().address != address
            && !(address.is_ipv4() && cidr.last() == address)
    })
}

/// Whether every address of a range has another that could give it, or is given to nobody.
fn may_go(range: &ServiceCIDR, world: &World) -> bool {
    let others = || world.all::<ServiceCIDR>().filter(|other| other.metadata.name != range.metadata.name);
    let is_covered = |cidr: Cidr| others().flat_map(cidrs).any(|other| other.covers(cidr));
    if cidrs(range).all(is_covered) {
        return true;
    }
    let mut held = world.all::<IPAddress>().filter_map(address_of);
    !held.any(|address| gives(range, address) && !others().any(|other| gives(other, address)))
}

/// What says of a range whether it is ready; `None` if it is said already.
fn is_ready(range: &ServiceCIDR, status: &str, reason: &str, message: &str, now: Time) -> Option<Write> {
    let condition = Condition {
        type_: "Ready".to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message: message.to_owned(),
        ..Condition::default()
    };
    let mut changed = range.clone();
    let is_new = conditions::find(&range.status.conditions, "Ready").is_none_or(|known| {
        (known.status.as_str(), known.reason.as_str(), known.message.as_str()) != (status, reason, message)
    });
    // When it became so is the time of the writing, also where only the words are new: upstream applies it so.
    changed.status.conditions.retain(|known| known.type_ != "Ready");
    conditions::set(&mut changed.status.conditions, condition, now.into());
    is_new.then(|| Write::status(changed))
}
