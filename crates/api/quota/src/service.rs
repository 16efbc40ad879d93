//! What a service uses: itself, the node ports that it will have, a load balancer.

use api_types::core::v1::Service;

use crate::list::{ResourceList, whole};

pub(crate) const NAMES: [&str; 4] =
    ["count/services", "services", "services.loadbalancers", "services.nodeports"];

/// Node ports are counted by what the service asks for: they may not be allocated yet.
pub(crate) fn usage(service: &Service) -> ResourceList {
    let ports = &service.spec.ports;
    let (node_ports, balancers) = match service.spec.type_.as_str() {
        "NodePort" => (ports.len(), 0),
        "LoadBalancer" if service.spec.allocate_load_balancer_node_ports == Some(false) => {
            (ports.iter().filter(|port| port.node_port != 0).count(), 1)
        }
        "LoadBalancer" => (ports.len(), 1),
        _ => (0, 0),
    };
    let counts = [1, 1, balancers, node_ports];
    NAMES.into_iter().zip(counts).map(|(name, count)| (name.to_owned(), whole(count))).collect()
}
