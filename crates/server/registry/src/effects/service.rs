//! Services: addresses of the cluster's ranges, and ports of every node.
//!
//! An address belongs to the service whose transaction made its IPAddress object; the ports in use are one RangeAllocation
//! under stock Kubernetes' key, compared and swapped.

mod addresses;
mod families;
mod pool;
mod ports;
mod previous;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;

use api_meta::Status;
use api_meta::field::ErrorList;
use api_meta::gvk::GroupKind;
use api_record::Record;
use api_types::core::v1::Service;
use client::BoxFuture;
use store::Txn;
use tokio::sync::Mutex;

use super::{Bound, Effect};
use crate::Registry;
pub use ports::RepairedPorts;

/// What a headless service has in place of an address.
const NONE: &str = "None";

/// The effect of services.
pub(super) struct Services {
    node_ports: RangeInclusive<u16>,
    ports_lock: Arc<Mutex<()>>,
}

impl Services {
    pub(super) fn new(node_ports: RangeInclusive<u16>) -> Services {
        Services { node_ports, ports_lock: Arc::default() }
    }

    /// Brings the ports in use to what the services say.
    pub(super) async fn repair_ports(&self, registry: &Registry) -> Result<RepairedPorts, Status> {
        ports::repair(registry, &self.node_ports).await
    }

    async fn fill(
        &self,
        registry: &Registry,
        new: &mut Service,
        old: Option<&Service>,
    ) -> Result<(), Status> {
        previous::adopt(new, old);
        addresses::choose(registry, new, old).await?;
        ports::choose(registry, &self.node_ports, new, old).await
    }

    async fn bind_all(
        &self,
        registry: &Registry,
        new: Option<&Service>,
        old: Option<&Service>,
        txn: Txn,
    ) -> Result<Option<Bound>, Status> {
        let txn = addresses::bind(registry, new, old, txn).await?;
        let (held, wanted) = (old.map(ports_of).unwrap_or_default(), new.map(ports_of).unwrap_or_default());
        if held == wanted {
            return Ok(Some(txn.into()));
        }
        let hold = Arc::clone(&self.ports_lock).lock_owned().await;
        let bound = ports::bind(registry, &self.node_ports, &held, &wanted, txn).await?;
        Ok(bound.map(|txn| Bound { txn, hold: Some(hold) }))
    }
}

impl Effect for Services {
    fn choose<'a>(
        &'a self,
        registry: &'a Registry,
        new: &'a mut dyn Record,
        old: Option<&'a dyn Record>,
    ) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(async move {
            let old = old.and_then(|old| old.downcast_ref());
            match new.downcast_mut() {
                Some(new) => self.fill(registry, new, old).await,
                None => Ok(()),
            }
        })
    }

    fn bind<'a>(
        &'a self,
        registry: &'a Registry,
        new: Option<&'a dyn Record>,
        old: Option<&'a dyn Record>,
        txn: Txn,
    ) -> BoxFuture<'a, Result<Option<Bound>, Status>> {
        let new = new.and_then(|new| new.downcast_ref());
        let old = old.and_then(|old| old.downcast_ref());
        Box::pin(self.bind_all(registry, new, old, txn))
    }
}

fn is_external_name(service: &Service) -> bool {
    service.spec.type_ == "ExternalName"
}

fn is_headless(service: &Service) -> bool {
    service.spec.cluster_ips.first().map_or(service.spec.cluster_ip.as_str(), String::as_str) == NONE
}

/// Whether its ports are also ports of every node.
fn has_node_ports(service: &Service) -> bool {
    matches!(service.spec.type_.as_str(), "NodePort" | "LoadBalancer")
}

/// Whether load balancers ask the nodes whether they have pods of the service.
fn needs_health_check(service: &Service) -> bool {
    service.spec.type_ == "LoadBalancer" && service.spec.external_traffic_policy == "Local"
}

/// The addresses that the service holds.
fn addresses_of(service: &Service) -> BTreeSet<IpAddr> {
    if is_external_name(service) || is_headless(service) {
        return BTreeSet::new();
    }
    service.spec.cluster_ips.iter().filter_map(|text| api_meta::names::parse_ip_sloppy(text)).collect()
}

/// The ports that the service holds.
fn ports_of(service: &Service) -> BTreeSet<u16> {
    let of_ports = service.spec.ports.iter().filter(|_| has_node_ports(service)).map(|port| port.node_port);
    let health = needs_health_check(service).then_some(service.spec.health_check_node_port);
    of_ports.chain(health).filter_map(|port| u16::try_from(port).ok()).filter(|port| *port != 0).collect()
}

fn invalid(service: &Service, errors: impl Into<ErrorList>) -> Status {
    Status::invalid(GroupKind { group: "", kind: "Service" }, &service.metadata.name, &errors.into())
}

/// A random number below `bound`.
fn below(registry: &Registry, bound: u128) -> u128 {
    let mut bytes = [0; 16];
    registry.shared.random.fill(&mut bytes);
    u128::from_le_bytes(bytes).checked_rem(bound).unwrap_or(0)
}
