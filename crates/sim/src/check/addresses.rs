//! No address is anybody's twice: pods' addresses, services' cluster addresses, node ports. And every cluster address has its
//! IPAddress, which names the service.

use std::collections::BTreeMap;

use api_types::core::v1::{Pod, Service};
use api_types::networking::v1::IPAddress;

use super::Check;
use crate::history::{Change, History};

/// Unique addresses.
pub struct Addresses;

impl Check for Addresses {
    fn name(&self) -> &'static str {
        "addresses"
    }

    fn changed(&mut self, history: &History, change: &Change) -> Result<(), String> {
        if change.after::<Pod>().is_some_and(|pod| holds(pod).is_some()) {
            return pods(history);
        }
        if change.after::<Service>().is_some() || change.before::<IPAddress>().is_some() {
            return services(history);
        }
        Ok(())
    }
}

/// The address that a pod has; one that has ended has given it back.
fn holds(pod: &Pod) -> Option<&str> {
    let over = matches!(pod.status.phase.as_str(), "Succeeded" | "Failed");
    Some(pod.status.pod_ip.as_str()).filter(|ip| !ip.is_empty() && !over)
}

fn pods(history: &History) -> Result<(), String> {
    let mut held: BTreeMap<&str, &Pod> = BTreeMap::new();
    for pod in history.all::<Pod>() {
        if let Some(ip) = holds(pod)
            && let Some(other) = held.insert(ip, pod)
        {
            return Err(format!(
                "pods {} and {} both have the address {ip}",
                other.metadata.name, pod.metadata.name
            ));
        }
    }
    Ok(())
}

fn services(history: &History) -> Result<(), String> {
    let mut addresses: BTreeMap<&str, &Service> = BTreeMap::new();
    let mut ports: BTreeMap<(i32, &str), &Service> = BTreeMap::new();
    for service in history.all::<Service>() {
        let meta = &service.metadata;
        for ip in service.spec.cluster_ips.iter().filter(|ip| !ip.is_empty() && *ip != "None") {
            if let Some(other) = addresses.insert(ip, service) {
                return Err(format!("services {} and {} both have {ip}", other.metadata.name, meta.name));
            }
            let object = history.get::<IPAddress>("", ip);
            let parent = object.and_then(|object| object.spec.parent_ref.as_deref());
            if parent.is_none_or(|parent| parent.name != meta.name || parent.namespace != meta.namespace) {
                return Err(format!("the IPAddress of {ip} is not that of service {}", meta.name));
            }
        }
        for port in service.spec.ports.iter().filter(|port| port.node_port != 0) {
            if let Some(other) = ports.insert((port.node_port, &port.protocol), service) {
                return Err(format!(
                    "services {} and {} both have the node port {}",
                    other.metadata.name, meta.name, port.node_port
                ));
            }
        }
    }
    Ok(())
}
