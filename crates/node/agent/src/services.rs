//! Services on this node, in kube-proxy's and CoreDNS's place: views of Services and EndpointSlices become the data plane's maps, the
//! records of the cluster's DNS, and the variables of containers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use api_types::core::v1::{Namespace, Service};
use api_types::discovery::v1::{EndpointPort, EndpointSlice};
use base::drain;
use base::error::Chain;
use client::view::typed;
use client::{Resource, Snapshot, View};
use net_dns::records::{self, Records};
use net_service::dataplane::Dataplane;
use net_service::node::NodeWant;
use net_service::proxy;
use net_service::spec::{
    Endpoint, Endpoints, NodeFacts, Protocol, ServiceName, ServicePort, ServiceSpec, TrafficPolicy,
};

use crate::core::{Core, blocking};
use crate::error::AgentError;
use crate::limits;

pub(crate) const NAMESPACES: Resource = Resource::of("", "v1", "namespaces");
pub(crate) const SLICES: Resource = Resource::of("discovery.k8s.io", "v1", "endpointslices");
const OF_SERVICE: &str = "kubernetes.io/service-name";

/// What is watched.
#[derive(Clone)]
pub(crate) struct Views {
    pub(crate) services: View<Service>,
    pub(crate) slices: View<EndpointSlice>,
    pub(crate) namespaces: View<Namespace>,
}

fn protocol(name: &str) -> Protocol {
    match name {
        "UDP" => Protocol::Udp,
        "SCTP" => Protocol::Sctp,
        _ => Protocol::Tcp,
    }
}

fn addresses(list: &[String]) -> Vec<IpAddr> {
    list.iter().filter_map(|text| text.parse().ok()).collect()
}

fn cluster_ips(service: &Service) -> Vec<IpAddr> {
    let spec = &service.spec;
    match spec.cluster_ips.is_empty() {
        true => spec.cluster_ip.parse().into_iter().collect(),
        false => addresses(&spec.cluster_ips),
    }
}

/// A service for the data plane; `None` for one without cluster addresses.
pub(crate) fn spec(service: &Service) -> Option<ServiceSpec> {
    let spec = &service.spec;
    let cluster_ips = cluster_ips(service);
    if cluster_ips.is_empty() || spec.type_ == "ExternalName" {
        return None;
    }
    let policy = |local: bool| if local { TrafficPolicy::Local } else { TrafficPolicy::Cluster };
    let ingress = service.status.load_balancer.ingress.iter();
    let number = |port: i32| u16::try_from(port).ok().filter(|port| *port > 0);
    let config = spec.session_affinity_config.as_deref().and_then(|config| config.client_ip.as_deref());
    Some(ServiceSpec {
        cluster_ips,
        external_ips: addresses(&spec.external_ips),
        load_balancer_ips: ingress
            .filter(|one| one.ip_mode.as_deref().is_none_or(|mode| mode == "VIP"))
            .filter_map(|one| one.ip.parse().ok())
            .collect(),
        source_ranges: spec
            .load_balancer_source_ranges
            .iter()
            .filter_map(|text| text.trim().parse().ok())
            .collect(),
        ports: spec
            .ports
            .iter()
            .filter_map(|port| {
                Some(ServicePort {
                    name: port.name.clone(),
                    protocol: protocol(&port.protocol),
                    port: number(port.port)?,
                    node_port: number(port.node_port),
                })
            })
            .collect(),
        external_policy: policy(spec.external_traffic_policy == "Local"),
        internal_policy: policy(spec.internal_traffic_policy.as_deref() == Some("Local")),
        affinity_seconds: (spec.session_affinity == "ClientIP").then(|| {
            let seconds = config.and_then(|config| config.timeout_seconds).unwrap_or(10_800);
            u32::try_from(seconds).unwrap_or(10_800)
        }),
    })
}

fn number(port: &EndpointPort) -> Option<u16> {
    u16::try_from(port.port?).ok().filter(|port| *port > 0)
}

/// A service's endpoints from its slices.
pub(crate) fn endpoints(slices: &[&EndpointSlice]) -> Endpoints {
    let mut all = Endpoints::new();
    for slice in slices.iter().filter(|slice| slice.address_type != "FQDN") {
        for port in &slice.ports {
            let Some(number) = number(port) else { continue };
            let list = all.entry(port.name.clone().unwrap_or_default()).or_default();
            for one in &slice.endpoints {
                let Some(ip) = one.addresses.first().and_then(|text| text.parse().ok()) else { continue };
                let conditions = &one.conditions;
                let ready = conditions.ready.unwrap_or(true);
                let hints = one.hints.as_deref();
                list.push(Endpoint {
                    ip,
                    port: number,
                    ready,
                    serving: conditions.serving.unwrap_or(ready),
                    terminating: conditions.terminating.unwrap_or(false),
                    node: one.node_name.clone(),
                    zone_hints: hints
                        .iter()
                        .flat_map(|hints| &hints.for_zones)
                        .map(|one| one.name.clone())
                        .collect(),
                    node_hints: hints
                        .iter()
                        .flat_map(|hints| &hints.for_nodes)
                        .map(|one| one.name.clone())
                        .collect(),
                });
            }
        }
    }
    all
}

type Slices<'a> = BTreeMap<ServiceName, Vec<&'a EndpointSlice>>;

/// Slices by the service that they belong to.
fn by_service(snapshot: &Snapshot) -> Slices<'_> {
    let mut slices = Slices::new();
    for slice in typed::<EndpointSlice>(snapshot.iter()) {
        if let Some(name) = slice.metadata.labels.get(OF_SERVICE) {
            let name = ServiceName::new(&slice.metadata.namespace, name);
            slices.entry(name).or_default().push(slice);
        }
    }
    slices
}

fn headless(service: &Service, slices: &[&EndpointSlice]) -> Vec<records::Endpoint> {
    let all = service.spec.publish_not_ready_addresses;
    let mut found = Vec::new();
    for slice in slices {
        let ports: Vec<records::Port> = slice
            .ports
            .iter()
            .filter_map(|port| {
                let protocol = port.protocol.as_deref().unwrap_or("TCP").to_ascii_lowercase();
                Some(records::Port {
                    name: port.name.clone().unwrap_or_default(),
                    protocol,
                    port: number(port)?,
                })
            })
            .collect();
        for one in slice.endpoints.iter().filter(|one| all || one.conditions.ready.unwrap_or(true)) {
            for ip in addresses(&one.addresses) {
                found.push(records::Endpoint { ip, hostname: one.hostname.clone(), ports: ports.clone() });
            }
        }
    }
    found
}

/// What a service's name resolves to.
fn kind(service: &Service, slices: &[&EndpointSlice]) -> records::Kind {
    if service.spec.type_ == "ExternalName" {
        return records::Kind::ExternalName { target: service.spec.external_name.clone() };
    }
    let ips = cluster_ips(service);
    if ips.is_empty() {
        return records::Kind::Headless { endpoints: headless(service, slices) };
    }
    let port = |port: &api_types::core::v1::ServicePort| {
        let protocol =
            if port.protocol.is_empty() { "tcp".to_owned() } else { port.protocol.to_ascii_lowercase() };
        Some(records::Port { name: port.name.clone(), protocol, port: u16::try_from(port.port).ok()? })
    };
    records::Kind::ClusterIp { ips, ports: service.spec.ports.iter().filter_map(port).collect() }
}

/// The variables of services that a pod of a namespace gets, in kubelet's words; only the API server's without service links.
pub(crate) fn variables(services: &Snapshot, namespace: &str, links: bool) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let own = services.in_namespace(namespace);
    let of_default = services.get("default", "kubernetes").into_iter();
    for service in typed::<Service>(of_default.chain(own)) {
        let is_api = service.metadata.name == "kubernetes" && service.metadata.namespace == "default";
        let Some(ip) = cluster_ips(service).first().copied().filter(|_| links || is_api) else { continue };
        let Some(first) = service.spec.ports.first() else { continue };
        let name = service.metadata.name.to_ascii_uppercase().replace('-', "_");
        let mut put = |suffix: &str, value: String| drop(variables.insert(format!("{name}_{suffix}"), value));
        put("SERVICE_HOST", ip.to_string());
        put("SERVICE_PORT", first.port.to_string());
        let shown = if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
        for (index, port) in service.spec.ports.iter().enumerate() {
            let protocol = if port.protocol.is_empty() { "TCP" } else { &port.protocol };
            let url = format!("{}://{shown}:{}", protocol.to_ascii_lowercase(), port.port);
            if !port.name.is_empty() {
                let suffix = port.name.to_ascii_uppercase().replace('-', "_");
                put(&format!("SERVICE_PORT_{suffix}"), port.port.to_string());
            }
            if index == 0 {
                put("PORT", url.clone());
            }
            let prefix = format!("PORT_{}_{}", port.port, protocol.to_ascii_uppercase());
            put(&prefix, url);
            put(&format!("{prefix}_PROTO"), protocol.to_ascii_lowercase());
            put(&format!("{prefix}_PORT"), port.port.to_string());
            put(&format!("{prefix}_ADDR"), ip.to_string());
        }
    }
    variables
}

/// Feeds the data plane and the DNS snapshot until the agent is to end.
pub(crate) async fn run(core: Arc<Core>, zone: String, mut drain: drain::Watch) {
    let mut plane = None;
    let mut known = BTreeSet::new();
    let mut serial = 0;
    let views = &core.views;
    let mut services = views.services.raw().changed();
    let mut slices = views.slices.raw().changed();
    let mut namespaces = views.namespaces.raw().changed();
    loop {
        for changes in [&mut services, &mut slices, &mut namespaces] {
            changes.borrow_and_update();
        }
        let synced = [views.services.raw(), views.slices.raw(), views.namespaces.raw()];
        let mut retry = None;
        if synced.iter().all(|view| view.snapshot().is_synced()) {
            serial += 1;
            match feed(&core, &zone, plane.take(), &mut known, serial).await {
                Ok(fed) => plane = Some(fed),
                Err(error) => {
                    tracing::warn!(error = %Chain(&error), "services are not what they should be on this node");
                    // What the kernel holds is listed anew then.
                    known.clear();
                    retry = Some(core.clock.sleep(limits::SYNC_RETRY));
                }
            }
        }
        tokio::select! {
            () = drain.signaled() => return,
            Ok(()) = services.changed() => {}
            Ok(()) = slices.changed() => {}
            Ok(()) = namespaces.changed() => {}
            () = async { match retry { Some(sleep) => sleep.await, None => std::future::pending().await } } => {}
        }
    }
}

fn restore(core: &Core, zone: &str) -> Result<Dataplane, AgentError> {
    let config = &core.config;
    let settings = proxy::Config {
        cluster: config.cluster.to_string(),
        node: NodeFacts {
            name: config.node_name.clone(),
            zone: zone.to_owned(),
            ips: config.node_ips.clone(),
        },
        pod_cidrs: config.cluster_cidrs.clone(),
        service_cidrs: config.service_cidrs.clone(),
    };
    let kernel = config.kernel.clone();
    let plane = Dataplane::restore(settings, kernel.netlink, kernel.nft)?;
    let want = NodeWant { service_cidrs: config.service_cidrs.clone(), node_ips: config.node_ips.clone() };
    plane.sync_node(&want)?;
    Ok(plane)
}

/// Brings the data plane and the DNS snapshot to what the views show.
async fn feed(
    core: &Arc<Core>,
    zone: &str,
    plane: Option<Dataplane>,
    known: &mut BTreeSet<ServiceName>,
    serial: u32,
) -> Result<Dataplane, AgentError> {
    let (services, slices) = (core.views.services.snapshot(), core.views.slices.snapshot());
    let namespaces = core.views.namespaces.snapshot();
    let before = std::mem::take(known);
    let (core, zone) = (Arc::clone(core), zone.to_owned());
    let (plane, now) = blocking(move || {
        let slices = by_service(&slices);
        let mut plane = plane.map_or_else(|| restore(&core, &zone), Ok)?;
        let mut names = BTreeSet::new();
        let mut records = Records {
            domain: core.config.cluster_domain.clone(),
            serial,
            dns_ips: core.config.cluster_dns.clone(),
            namespaces: typed::<Namespace>(namespaces.iter()).map(|one| one.metadata.name.clone()).collect(),
            services: Vec::new(),
        };
        for service in typed::<Service>(services.iter()) {
            let name = ServiceName::new(&service.metadata.namespace, &service.metadata.name);
            let own = slices.get(&name).map(Vec::as_slice).unwrap_or_default();
            records.services.push(records::Service {
                namespace: name.namespace.clone(),
                name: name.name.clone(),
                kind: kind(service, own),
            });
            let here = core.config.serves_dns && is_at(service, &core.config.cluster_dns);
            let spec = if here { None } else { spec(service) };
            plane.set(&name, spec.map(|spec| (spec, endpoints(own))));
            names.insert(name);
        }
        for gone in before.difference(&names) {
            plane.set(gone, None);
        }
        plane.sync()?;
        net_dns::snapshot::save(&core.config.data_dir.join("dns.json"), &records)?;
        Ok((plane, names))
    })
    .await?;
    *known = now;
    Ok(plane)
}

/// Whether a service has one of these addresses.
fn is_at(service: &Service, addresses: &[IpAddr]) -> bool {
    cluster_ips(service).iter().any(|own| addresses.contains(own))
}

#[cfg(test)]
mod tests {
    use client::Revision;

    use super::*;

    fn service(name: &str, ip: &str) -> Service {
        let mut service = Service::default();
        service.metadata.name = name.into();
        service.metadata.namespace = "shop".into();
        service.spec.cluster_ip = ip.into();
        service.spec.ports = vec![api_types::core::v1::ServicePort {
            name: "http".into(),
            protocol: "TCP".into(),
            port: 80,
            ..Default::default()
        }];
        service
    }

    #[test]
    fn variables_name_services() {
        let snapshot = Snapshot::of(
            [Arc::new(service("web-a", "10.96.0.5")) as _, Arc::new(service("none", "None")) as _],
            Revision(1),
        );
        let got = variables(&snapshot, "shop", true);
        let want = [
            ("WEB_A_PORT", "tcp://10.96.0.5:80"),
            ("WEB_A_PORT_80_TCP", "tcp://10.96.0.5:80"),
            ("WEB_A_PORT_80_TCP_ADDR", "10.96.0.5"),
            ("WEB_A_PORT_80_TCP_PORT", "80"),
            ("WEB_A_PORT_80_TCP_PROTO", "tcp"),
            ("WEB_A_SERVICE_HOST", "10.96.0.5"),
            ("WEB_A_SERVICE_PORT", "80"),
            ("WEB_A_SERVICE_PORT_HTTP", "80"),
        ];
        assert_eq!(got, want.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
        assert!(variables(&snapshot, "shop", false).is_empty());
        assert!(variables(&snapshot, "other", true).is_empty());
    }

    #[test]
    fn the_service_of_the_nodes_own_dns_is_told_by_its_address() {
        let dns = ["10.96.0.10".parse().unwrap()];
        assert!(is_at(&service("kube-dns", "10.96.0.10"), &dns));
        assert!(!is_at(&service("web", "10.96.0.5"), &dns) && !is_at(&service("a", "None"), &dns));
    }

    #[test]
    fn services_without_cluster_addresses_have_no_data_plane() {
        assert!(spec(&service("a", "None")).is_none());
        assert!(spec(&service("a", "")).is_none());
        let found = spec(&service("a", "10.96.0.5")).unwrap();
        assert_eq!((found.ports.len(), found.affinity_seconds), (1, None));
    }
}
