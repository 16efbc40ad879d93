//! Where a request through a pod, a service or a node is to go: upstream's `ResourceLocation` of each.

use std::net::{IpAddr, SocketAddr};

use api_meta::Status;
use api_record::Record;
use api_types::core::v1::{Node, Pod, Service};
use api_types::discovery::v1::EndpointSlice;
use base::random::SystemRandom;
use client::{ListOptions, Target};
use server_registry::{Registry, Served};
use server_webhook::endpoint::{self, Candidate};

use super::name::{self, Named};

/// The port of a node's own API, where it does not say.
const NODE_PORT: i32 = 10_250;

/// The types of a node's addresses, in the order in which they are tried; names would need a resolver that knows them.
const NODE_ADDRESSES: [&str; 2] = ["InternalIP", "ExternalIP"];

/// Where a request is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// To a node's own API.
    Node(String),
    /// To whoever serves at an address.
    Address {
        /// Whether in TLS.
        tls: bool,
        /// The address.
        address: SocketAddr,
        /// The same as a URL has it: without a port where none was given.
        host: String,
    },
}

/// Finds out where a request is to go.
///
/// # Errors
/// When the name is none, its object does not exist, or nothing can be reached through it.
pub(crate) async fn locate(registry: &Registry, target: &Target) -> Result<Place, Status> {
    let kind = match &*target.resource.plural {
        "pods" => "pod",
        "services" => "service",
        _ => "node",
    };
    let invalid = || Status::bad_request(format!("invalid {kind} request {:?}", target.name));
    let named = name::parse(&target.name).ok_or_else(invalid)?;
    match kind {
        "pod" => pod(&find::<Pod>(registry, "pods", &target.namespace, named.name).await?, &named, invalid),
        "service" => service(registry, &target.namespace, &named).await,
        _ => node(&find::<Node>(registry, "nodes", "", named.name).await?, &named, invalid),
    }
}

fn served<'a>(registry: &'a Registry, group: &str, plural: &str) -> Result<&'a Served, Status> {
    let found = registry.catalog().find(group, "v1", plural);
    found.map(|served| &**served).ok_or_else(|| Status::internal_error(format!("no {plural}")))
}

async fn find<T: Record + Clone>(
    registry: &Registry,
    plural: &str,
    namespace: &str,
    name: &str,
) -> Result<T, Status> {
    let object = registry.get_hub(served(registry, "", plural)?, namespace, name).await?;
    object.downcast_ref::<T>().cloned().ok_or_else(|| Status::internal_error("an object of another type"))
}

fn pod(pod: &Pod, named: &Named<'_>, invalid: impl Fn() -> Status) -> Result<Place, Status> {
    let first = || pod.spec.containers.iter().find_map(|container| container.ports.first());
    let port = match named.port {
        "" => first().and_then(|port| u16::try_from(port.container_port).ok()),
        port => Some(port.parse().map_err(|_| invalid())?),
    };
    let address = pod.status.pod_ips.first().and_then(|ip| ip.ip.parse::<IpAddr>().ok());
    let address = address.filter(|address| is_allowed(*address)).ok_or_else(not_allowed)?;
    Ok(at(named.tls, address, port))
}

fn node(node: &Node, named: &Named<'_>, invalid: impl Fn() -> Status) -> Result<Place, Status> {
    let status = &node.status;
    let of_type = |wanted: &&str| {
        let mut addresses = status.addresses.iter().filter(|address| address.type_ == *wanted);
        addresses.find_map(|address| address.address.parse::<IpAddr>().ok())
    };
    let address = NODE_ADDRESSES.iter().find_map(of_type).ok_or_else(|| {
        let known: Vec<String> =
            status.addresses.iter().map(|own| format!("{{{} {}}}", own.type_, own.address)).collect();
        let why = format!("no preferred addresses found; known addresses: [{}]", known.join(" "));
        Status::failure(500, "", why, None)
    })?;
    if !is_allowed(address) {
        return Err(not_allowed());
    }
    let own = match status.daemon_endpoints.kubelet_endpoint.port {
        port if port > 0 => port,
        _ => NODE_PORT,
    };
    if named.port.is_empty() || named.port == own.to_string() {
        return Ok(Place::Node(node.metadata.name.clone()));
    }
    Ok(at(named.tls, address, Some(named.port.parse().map_err(|_| invalid())?)))
}

async fn service(registry: &Registry, namespace: &str, named: &Named<'_>) -> Result<Place, Status> {
    let mut port = named.port.to_owned();
    if let Ok(number) = port.parse::<i64>() {
        let service = find::<Service>(registry, "services", namespace, named.name).await?;
        let own = service.spec.ports.iter().find(|own| i64::from(own.port) == number);
        let missing = || format!("no service port {number} found for service {:?}", named.name);
        port = own.ok_or_else(|| Status::service_unavailable(missing()))?.name.clone();
    }
    let slices = registry
        .list(served(registry, "discovery.k8s.io", "endpointslices")?, namespace, &ListOptions::default())
        .await?;
    let slices = slices.items.iter().filter_map(|object| object.downcast_ref::<EndpointSlice>());
    // Of the cluster's own family first.
    for candidate in endpoint::candidates(slices, named.name, &port, "IPv4", &SystemRandom) {
        if is_a_pods(registry, namespace, &candidate).await {
            let address = candidate.address;
            return Ok(at(named.tls, address.ip(), Some(address.port())));
        }
    }
    Err(Status::service_unavailable(format!("no endpoints available for service {:?}", named.name)))
}

/// Whoever may write endpoints could otherwise have the API server ask anybody.
async fn is_a_pods(registry: &Registry, namespace: &str, candidate: &Candidate<'_>) -> bool {
    let Some(target) = candidate.endpoint.target_ref.as_deref() else { return false };
    if target.namespace != namespace {
        return false;
    }
    let Ok(pod) = find::<Pod>(registry, "pods", namespace, &target.name).await else { return false };
    pod.status.pod_ips.iter().any(|ip| ip.ip.parse() == Ok(candidate.address.ip()))
}

fn at(tls: bool, address: IpAddr, port: Option<u16>) -> Place {
    let number = port.unwrap_or(if tls { 443 } else { 80 });
    let address = SocketAddr::new(address, number);
    let host = match port {
        Some(_) => address.to_string(),
        None => address.to_string().trim_end_matches(&format!(":{number}")).to_owned(),
    };
    Place::Address { tls, address, host }
}

fn not_allowed() -> Status {
    Status::bad_request("address not allowed")
}

/// Go's `IP.IsGlobalUnicast`: what leads to this machine itself, or to all of a network, is nobody's to ask.
fn is_allowed(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            !(address.is_broadcast()
                || address.is_unspecified()
                || address.is_loopback()
                || address.is_multicast()
                || address.is_link_local())
        }
        IpAddr::V6(address) => {
            !(address.is_unspecified()
                || address.is_loopback()
                || address.is_multicast()
                || address.is_unicast_link_local())
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
