//! What an old client leaves out, taken from the old object, and the fields `clusterIP` and `clusterIPs` kept alike
//! (upstream's `patchAllocatedValues` and `normalizeClusterIPs`).

use std::collections::{BTreeMap, BTreeSet};

use api_types::core::v1::Service;

use super::{is_external_name, needs_health_check};

/// Takes over what was allocated and is left out, and keeps the linked fields alike.
pub(super) fn adopt(new: &mut Service, old: Option<&Service>) {
    match old {
        None => {
            if !new.spec.cluster_ip.is_empty() && new.spec.cluster_ips.is_empty() {
                new.spec.cluster_ips = vec![new.spec.cluster_ip.clone()];
            }
        }
        Some(old) => {
            take_over(new, old);
            keep_alike(new, old);
        }
    }
}

fn take_over(new: &mut Service, old: &Service) {
    if !is_external_name(old) && !is_external_name(new) {
        if new.spec.cluster_ip.is_empty() {
            new.spec.cluster_ip.clone_from(&old.spec.cluster_ip);
        }
        if new.spec.cluster_ips.is_empty() {
            new.spec.cluster_ips.clone_from(&old.spec.cluster_ips);
        }
    }
    if allocates_node_ports(old) && allocates_node_ports(new) {
        take_over_node_ports(new, old);
    }
    if needs_health_check(old) && needs_health_check(new) && new.spec.health_check_node_port == 0 {
        new.spec.health_check_node_port = old.spec.health_check_node_port;
    }
}

/// Ports keep their node ports by name, unless another port has taken it.
fn take_over_node_ports(new: &mut Service, old: &Service) {
    let used = |service: &Service| -> BTreeSet<i32> {
        service.spec.ports.iter().map(|port| port.node_port).filter(|port| *port != 0).collect()
    };
    let kept: BTreeSet<i32> = used(old).intersection(&used(new)).copied().collect();
    let by_name: BTreeMap<&str, i32> =
        old.spec.ports.iter().map(|port| (port.name.as_str(), port.node_port)).collect();
    for port in new.spec.ports.iter_mut().filter(|port| port.node_port == 0) {
        let before = by_name.get(port.name.as_str()).copied().unwrap_or(0);
        if !kept.contains(&before) {
            port.node_port = before;
        }
    }
}

/// Whether ports without a node port are given one.
pub(super) fn allocates_node_ports(service: &Service) -> bool {
    match service.spec.type_.as_str() {
        "NodePort" => true,
        "LoadBalancer" => service.spec.allocate_load_balancer_node_ports.unwrap_or(true),
        _ => false,
    }
}

/// Clients that know only the single field change both by it.
fn keep_alike(new: &mut Service, old: &Service) {
    let same_single = old.spec.cluster_ip == new.spec.cluster_ip;
    if !old.spec.cluster_ips.is_empty() && new.spec.cluster_ips.is_empty() && same_single {
        new.spec.cluster_ips.clone_from(&old.spec.cluster_ips);
    }
    if same_single || old.spec.cluster_ips != new.spec.cluster_ips {
        return;
    }
    let cleared = !old.spec.cluster_ip.is_empty() && new.spec.cluster_ip.is_empty();
    new.spec.cluster_ips = if cleared { Vec::new() } else { vec![new.spec.cluster_ip.clone()] };
}
