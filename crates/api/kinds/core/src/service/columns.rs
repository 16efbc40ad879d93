//! How `kubectl get services` shows a service (`printService`).

use std::collections::BTreeSet;

use api_kind::Column;
use api_meta::labels::format_labels;
use api_types::core::v1::Service;

/// The columns.
pub const COLUMNS: &[Column<Service>] = &[
    Column::<Service>::name(),
    Column::<Service>::text("Type", "type determines how the Service is exposed.", |service, _| {
        service.spec.type_.as_str().into()
    }),
    Column::<Service>::text(
        "Cluster-IP",
        "clusterIP is the IP address of the service and is usually assigned randomly.",
        |service, _| service.spec.cluster_ips.first().map_or("<none>", String::as_str).into(),
    ),
    Column::<Service>::text(
        "External-IP",
        "externalIPs is a list of IP addresses for which nodes in the cluster will also accept traffic for this service.",
        |service, _| external(service).into(),
    ),
    Column::<Service>::text(
        "Port(s)",
        "The list of ports that are exposed by this service.",
        |service, _| ports(service).into(),
    ),
    Column::<Service>::age(),
    Column::<Service>::text(
        "Selector",
        "Route service traffic to pods with label keys and values matching this selector.",
        |service, _| format_labels(&service.spec.selector).into(),
    )
    .wide(),
];

fn ports(service: &Service) -> String {
    let shown: Vec<String> = service
        .spec
        .ports
        .iter()
        .map(|port| match port.node_port {
            0 => format!("{}/{}", port.port, port.protocol),
            node => format!("{}:{node}/{}", port.port, port.protocol),
        })
        .collect();
    if shown.is_empty() { "<none>".to_owned() } else { shown.join(",") }
}

fn external(service: &Service) -> String {
    let own = &service.spec.external_ips;
    match service.spec.type_.as_str() {
        "ClusterIP" | "NodePort" if own.is_empty() => "<none>".to_owned(),
        "ClusterIP" | "NodePort" => own.join(","),
        "LoadBalancer" => {
            let ingress = service.status.load_balancer.ingress.iter();
            let names: BTreeSet<&String> = ingress
                .map(|one| if one.ip.is_empty() { &one.hostname } else { &one.ip })
                .filter(|name| !name.is_empty())
                .collect();
            let all: Vec<&str> = names.into_iter().chain(own).map(String::as_str).collect();
            if all.is_empty() { "<pending>".to_owned() } else { all.join(",") }
        }
        "ExternalName" => service.spec.external_name.clone(),
        _ => "<unknown>".to_owned(),
    }
}
