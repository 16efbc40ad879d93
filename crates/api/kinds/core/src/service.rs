//! Services. Addresses and node ports are allocated elsewhere, before the validation that stands here.

mod columns;
#[cfg(test)]
mod tests;
mod validate;
mod warnings;

use api_kind::{Ctx, Kind};
use api_meta::names;
use api_record::scalar::IntOrString;
use api_types::core::v1::{ClientIPConfig, Service, ServiceSpec, SessionAffinityConfig};

const AFFINITY_SECONDS: i32 = 10_800;

/// The row.
pub const KIND: Kind<Service> = Kind::<Service>::of("", "v1", "services")
    .create_on_update()
    .name(names::name_is_dns_label)
    .defaults(defaults)
    .prepare(prepare)
    .validate(validate::validate)
    .warnings(warnings::warnings)
    .columns(columns::COLUMNS)
    .selectable(&[
        ("spec.clusterIP", |service| service.spec.cluster_ip.as_str().into()),
        ("spec.type", |service| service.spec.type_.as_str().into()),
    ]);

fn defaults(_: &Ctx<'_>, service: &mut Service) {
    let spec = &mut service.spec;
    if spec.session_affinity.is_empty() {
        "None".clone_into(&mut spec.session_affinity);
    }
    match spec.session_affinity.as_str() {
        "None" => spec.session_affinity_config = None,
        "ClientIP" => {
            let given = spec.session_affinity_config.as_ref().and_then(|config| config.client_ip.as_ref());
            if given.and_then(|client| client.timeout_seconds).is_none() {
                let client = ClientIPConfig { timeout_seconds: Some(AFFINITY_SECONDS) };
                let config = SessionAffinityConfig { client_ip: Some(Box::new(client)) };
                spec.session_affinity_config = Some(Box::new(config));
            }
        }
        _ => {}
    }
    if spec.type_.is_empty() {
        "ClusterIP".clone_into(&mut spec.type_);
    }
    for port in &mut spec.ports {
        if port.protocol.is_empty() {
            "TCP".clone_into(&mut port.protocol);
        }
        let unsaid = match &port.target_port {
            IntOrString::Int(number) => *number == 0,
            IntOrString::String(text) => text.is_empty(),
        };
        if unsaid {
            port.target_port = IntOrString::Int(port.port);
        }
    }
    if externally_accessible(spec) && spec.external_traffic_policy.is_empty() {
        "Cluster".clone_into(&mut spec.external_traffic_policy);
    }
    if matches!(spec.type_.as_str(), "NodePort" | "LoadBalancer" | "ClusterIP") {
        spec.internal_traffic_policy.get_or_insert_with(|| "Cluster".into());
    }
    if spec.type_ == "LoadBalancer" {
        spec.allocate_load_balancer_node_ports.get_or_insert(true);
        for ingress in
            service.status.load_balancer.ingress.iter_mut().filter(|ingress| !ingress.ip.is_empty())
        {
            ingress.ip_mode.get_or_insert_with(|| "VIP".into());
        }
    }
}

fn externally_accessible(spec: &ServiceSpec) -> bool {
    matches!(spec.type_.as_str(), "LoadBalancer" | "NodePort")
        || (spec.type_ == "ClusterIP" && !spec.external_ips.is_empty())
}

fn needs_node_ports(spec: &ServiceSpec) -> bool {
    matches!(spec.type_.as_str(), "LoadBalancer" | "NodePort")
}

fn needs_health_check(spec: &ServiceSpec) -> bool {
    spec.type_ == "LoadBalancer" && spec.external_traffic_policy == "Local"
}

/// The first address being `None` makes a service headless.
fn headless(spec: &ServiceSpec) -> bool {
    spec.cluster_ips.first().is_some_and(|ip| ip == "None") && spec.cluster_ips.len() == 1
}

fn prepare(ctx: &Ctx<'_>, service: &mut Service, old: Option<&Service>) {
    let Some(old) = old.filter(|_| ctx.subresource.is_empty()) else { return };
    keep_addresses(&mut service.spec, &old.spec);
    drop_what_no_longer_applies(&mut service.spec, &old.spec);
    if service.spec.type_ != "LoadBalancer" {
        service.status.load_balancer = Default::default();
    }
}

/// What has been allocated stays when an update does not speak of it (upstream's `patchAllocatedValues`).
fn keep_addresses(new: &mut ServiceSpec, old: &ServiceSpec) {
    if new.type_ != "ExternalName" && old.type_ != "ExternalName" {
        if new.cluster_ip.is_empty() && new.cluster_ips.is_empty() {
            new.cluster_ip.clone_from(&old.cluster_ip);
            new.cluster_ips.clone_from(&old.cluster_ips);
        } else if new.cluster_ip.is_empty() && new.cluster_ips == old.cluster_ips {
            new.cluster_ip.clone_from(&old.cluster_ip);
        } else if new.cluster_ips.is_empty() && new.cluster_ip == old.cluster_ip {
            new.cluster_ips.clone_from(&old.cluster_ips);
        }
    }
    if needs_node_ports(old) && needs_node_ports(new) {
        let taken: Vec<i32> = new.ports.iter().map(|port| port.node_port).collect();
        for port in new.ports.iter_mut().filter(|port| port.node_port == 0) {
            let same = |other: &&api_types::core::v1::ServicePort| {
                other.port == port.port
                    && other.protocol == port.protocol
                    && !taken.contains(&other.node_port)
            };
            if let Some(before) = old.ports.iter().find(same) {
                port.node_port = before.node_port;
            }
        }
    }
    if needs_health_check(old) && needs_health_check(new) && new.health_check_node_port == 0 {
        new.health_check_node_port = old.health_check_node_port;
    }
}

/// Wipes what the old type was given and the new one cannot have, where the update did not change it as well.
fn drop_what_no_longer_applies(new: &mut ServiceSpec, old: &ServiceSpec) {
    if old.type_ != "ExternalName" && new.type_ == "ExternalName" {
        if new.cluster_ip == old.cluster_ip && new.cluster_ips == old.cluster_ips {
            new.cluster_ip.clear();
            new.cluster_ips.clear();
        }
        if new.ip_families == old.ip_families {
            new.ip_families.clear();
        }
        if new.ip_family_policy == old.ip_family_policy {
            new.ip_family_policy = None;
        }
    }
    let known = |port: i32| port == 0 || old.ports.iter().any(|other| other.node_port == port);
    if needs_node_ports(old) && !needs_node_ports(new) && new.ports.iter().all(|port| known(port.node_port)) {
        new.ports.iter_mut().for_each(|port| port.node_port = 0);
    }
    if needs_health_check(old)
        && !needs_health_check(new)
        && new.health_check_node_port == old.health_check_node_port
    {
        new.health_check_node_port = 0;
    }
    if old.type_ == "LoadBalancer" && new.type_ != "LoadBalancer" {
        if new.allocate_load_balancer_node_ports == old.allocate_load_balancer_node_ports {
            new.allocate_load_balancer_node_ports = None;
        }
        if new.load_balancer_class == old.load_balancer_class {
            new.load_balancer_class = None;
        }
    }
    if externally_accessible(old)
        && !externally_accessible(new)
        && new.external_traffic_policy == old.external_traffic_policy
    {
        new.external_traffic_policy.clear();
    }
}
