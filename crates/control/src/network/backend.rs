//! What a pod is to a service: an address of a family, and numbers for its ports.

use std::net::IpAddr;

use api_meta::labels::Selector;
use api_record::scalar::IntOrString;
use api_types::core::v1::{Container, ObjectReference, Pod, Service, ServicePort};
use client::reconcile::{Name, World, name};

use control_base::pod;

/// Whether endpoints are made for a service: it has a selector, and a name of its own.
pub(super) fn is_selecting(service: &Service) -> bool {
    service.spec.type_ != "ExternalName" && !service.spec.selector.is_empty()
}

/// The pods of a service, whether they are ready or not.
pub(super) fn pods<'a>(service: &Service, world: &'a World) -> Vec<&'a Pod> {
    let selector = Selector::from_labels(&service.spec.selector);
    let picked = world.picked::<Pod>(&service.metadata.namespace, &selector);
    picked.filter(|pod| !pod::is_terminal(pod) && has_address(pod)).collect()
}

fn has_address(pod: &Pod) -> bool {
    !pod.status.pod_ip.is_empty() || !pod.status.pod_ips.is_empty()
}

/// The keys of the services that pick a pod.
pub(super) fn services_of(pod: &Pod, world: &World) -> Vec<Name> {
    let all = world.in_namespace::<Service>(&pod.metadata.namespace);
    let picking = all.filter(|service| {
        is_selecting(service) && Selector::from_labels(&service.spec.selector).matches(&pod.metadata.labels)
    });
    picking.map(|service| name(&service.metadata.namespace, &service.metadata.name)).collect()
}

/// Whether it has no address of its own.
pub(super) fn is_headless(service: &Service) -> bool {
    matches!(service.spec.cluster_ip.as_str(), "" | "None")
}

/// The pod's first address of a family, `IPv4` or `IPv6`.
pub(super) fn address<'a>(pod: &'a Pod, family: &str) -> Option<&'a str> {
    let listed = pod.status.pod_ips.iter().map(|it| it.ip.as_str());
    let all = listed.chain([pod.status.pod_ip.as_str()]);
    all.into_iter().find(|text| family_of(text) == Some(family))
}

/// The family of an address.
pub(super) fn family_of(text: &str) -> Option<&'static str> {
    Some(if text.parse::<IpAddr>().ok()?.is_ipv4() { "IPv4" } else { "IPv6" })
}

/// The number of the pod's port behind a port of the service; `None` if no container has a port of that name.
pub(super) fn port_number(pod: &Pod, port: &ServicePort) -> Option<i32> {
    let wanted = match &port.target_port {
        IntOrString::Int(0) => return Some(port.port),
        IntOrString::Int(number) => return Some(*number),
        IntOrString::String(name) => name,
    };
    let sidecar = |container: &&Container| container.restart_policy.as_deref() == Some("Always");
    let sidecars = pod.spec.init_containers.iter().filter(sidecar);
    let mut ports = pod.spec.containers.iter().chain(sidecars).flat_map(|container| &container.ports);
    let protocol = |text: &str| if text.is_empty() { "TCP".to_owned() } else { text.to_owned() };
    let found =
        ports.find(|own| own.name == *wanted && protocol(&own.protocol) == protocol(&port.protocol))?;
    Some(found.container_port)
}

/// The name under which the service's domain knows the pod.
pub(super) fn host_name<'a>(pod: &'a Pod, service: &Service) -> Option<&'a str> {
    let named = !pod.spec.hostname.is_empty()
        && pod.spec.subdomain == service.metadata.name
        && service.metadata.namespace == pod.metadata.namespace;
    named.then_some(pod.spec.hostname.as_str())
}

/// What an endpoint refers to.
pub(super) fn reference(pod: &Pod) -> ObjectReference {
    ObjectReference {
        kind: "Pod".into(),
        namespace: pod.metadata.namespace.clone(),
        name: pod.metadata.name.clone(),
        uid: pod.metadata.uid.clone(),
        ..ObjectReference::default()
    }
}
