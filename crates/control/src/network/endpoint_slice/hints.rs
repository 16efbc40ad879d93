//! Whose traffic an endpoint is meant for, by the service's `trafficDistribution`: that of its own zone, or of its own node first.
//!
//! Upstream: `staging/src/k8s.io/endpointslice/trafficdist`. Proxies heed hints only if all ready endpoints have them.

use api_types::core::v1::Service;
use api_types::discovery::v1::{Endpoint, EndpointHints, ForNode, ForZone};

/// The older way to ask for hints, by the name that it had before and by its last: where it is used, `trafficDistribution` is not.
const TOPOLOGY_MODE: [&str; 2] =
    ["service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"];

/// The hints of an endpoint: none if it is not ready, or nothing is known of where it is.
pub(super) fn of(service: &Service, endpoint: &Endpoint) -> Option<EndpointHints> {
    let by_node = match service.spec.traffic_distribution.as_deref()? {
        "PreferClose" | "PreferSameZone" => false,
        "PreferSameNode" => true,
        _ => return None,
    };
    if endpoint.conditions.ready != Some(true) || is_by_annotation(service) {
        return None;
    }
    let zones = endpoint.zone.iter().map(|name| ForZone { name: name.clone() });
    let nodes = endpoint.node_name.iter().filter(|_| by_node).map(|name| ForNode { name: name.clone() });
    let hints = EndpointHints { for_zones: zones.collect(), for_nodes: nodes.collect() };
    (hints != EndpointHints::default()).then_some(hints)
}

fn is_by_annotation(service: &Service) -> bool {
    let value = TOPOLOGY_MODE.iter().find_map(|name| service.metadata.annotations.get(*name));
    value.is_some_and(|value| matches!(value.as_str(), "Auto" | "auto"))
}
