//! Endpoint slices: addresses behind a service, of one type.

use api_kind::checks::{each, one_of, qualified_name, supported};
use api_kind::{Column, Ctx, Kind};
use api_kinds_core::endpoints::endpoint_ip;
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_types::discovery::v1::{Endpoint, EndpointSlice};

const HOST: &str = "kubernetes.io/hostname";
const SHOWN: usize = 3;
const MAX_ENDPOINTS: usize = 1000;
const MAX_PORTS: usize = 20_000;
const MAX_ADDRESSES: usize = 100;

/// The row.
pub const KIND: Kind<EndpointSlice> = Kind::<EndpointSlice>::of("discovery.k8s.io", "v1", "endpointslices")
    .generation()
    .defaults(defaults)
    .prepare(prepare)
    .validate(validate)
    .warnings(warnings)
    .columns(&[
        Column::<EndpointSlice>::name(),
        Column::<EndpointSlice>::text(
            "AddressType",
            "addressType specifies the type of address carried by this EndpointSlice.",
            |slice, _| slice.address_type.as_str().into(),
        ),
        Column::<EndpointSlice>::text(
            "Ports",
            "ports specifies the list of network ports exposed by each endpoint in this slice.",
            |slice, _| ports(slice).into(),
        ),
        Column::<EndpointSlice>::text(
            "Endpoints",
            "endpoints is a list of unique endpoints in this slice.",
            |slice, _| {
                shown(
                    slice.endpoints.iter().flat_map(|endpoint| endpoint.addresses.iter().cloned()).collect(),
                    "<unset>",
                )
                .into()
            },
        ),
        Column::<EndpointSlice>::age(),
    ]);

fn defaults(_: &Ctx<'_>, slice: &mut EndpointSlice) {
    for port in slice.ports.iter_mut() {
        port.name.get_or_insert_default();
        port.protocol.get_or_insert_with(|| "TCP".into());
    }
}

/// Version 1 does not write the topology of older versions. A node that an endpoint was known by there moves to the field of its own, so
/// that a partial update does not lose it.
fn prepare(_: &Ctx<'_>, slice: &mut EndpointSlice, old: Option<&EndpointSlice>) {
    if old.is_some_and(|old| *old.endpoints == *slice.endpoints) {
        return;
    }
    let known: Vec<&str> = old
        .into_iter()
        .flat_map(|old| old.endpoints.iter())
        .filter_map(|endpoint| endpoint.deprecated_topology.get(HOST).map(String::as_str))
        .collect();
    for endpoint in slice.endpoints.iter_mut() {
        let host = endpoint.deprecated_topology.remove(HOST);
        let named = host.filter(|host| {
            known.contains(&host.as_str()) && names::name_is_dns_subdomain(host, false).is_empty()
        });
        if endpoint.node_name.is_none() {
            endpoint.node_name = named;
        }
        endpoint.deprecated_topology.clear();
    }
}

fn ports(slice: &EndpointSlice) -> String {
    let each = slice.ports.iter().map(|port| match (port.port, &port.name) {
        (Some(number), _) => number.to_string(),
        (None, Some(name)) => name.clone(),
        (None, None) => "*".to_owned(),
    });
    shown(each.collect(), "<unset>")
}

fn shown(all: Vec<String>, none: &str) -> String {
    match all.len() {
        0 => none.to_owned(),
        count if count > SHOWN => format!("{} + {} more...", all[..SHOWN].join(","), count - SHOWN),
        _ => all.join(","),
    }
}

fn warnings(_: &Ctx<'_>, slice: &EndpointSlice, old: Option<&EndpointSlice>) -> Vec<String> {
    let mut out = Vec::new();
    if old.is_none() && slice.address_type == "FQDN" {
        out.push("spec.addressType: FQDN endpoints are deprecated".to_owned());
    }
    for (index, one) in slice.endpoints.iter().enumerate() {
        for (place, address) in one.addresses.iter().enumerate() {
            let at = Path::new("endpoints").index(index).child("addresses").index(place);
            out.extend(names::ip_warnings(&at, address));
        }
    }
    out
}

fn validate(_: &Ctx<'_>, slice: &EndpointSlice, _: Option<&EndpointSlice>, errors: &mut ErrorList) {
    let path = Path::new("addressType");
    one_of(errors, &path, &slice.address_type, &["FQDN", "IPv4", "IPv6"]);
    let path = Path::new("endpoints");
    if slice.endpoints.len() > MAX_ENDPOINTS {
        errors.push(FieldError::too_many(&path, slice.endpoints.len(), MAX_ENDPOINTS));
        return;
    }
    for (index, one) in slice.endpoints.iter().enumerate() {
        endpoint(errors, &path.index(index), one, &slice.address_type);
    }
    let path = Path::new("ports");
    if slice.ports.len() > MAX_PORTS {
        errors.push(FieldError::too_many(&path, slice.ports.len(), MAX_PORTS));
        return;
    }
    for (index, port) in slice.ports.iter().enumerate() {
        let at = path.index(index);
        let name = port.name.as_deref().unwrap_or_default();
        if !name.is_empty() {
            each(errors, &at.child("name"), name, names::is_dns1123_label(name));
        }
        if slice.ports[..index].iter().any(|other| other.name == port.name) {
            errors.push(FieldError::duplicate(&at.child("name"), name));
        }
        match &port.protocol {
            None => errors.push(FieldError::required(&at.child("protocol"), "")),
            Some(protocol) => supported(errors, &at.child("protocol"), protocol, &["SCTP", "TCP", "UDP"]),
        }
        if let Some(protocol) = &port.app_protocol {
            qualified_name(errors, &at.child("appProtocol"), protocol);
        }
    }
}

fn endpoint(errors: &mut ErrorList, path: &Path, endpoint: &Endpoint, type_: &str) {
    let addresses = path.child("addresses");
    if endpoint.addresses.is_empty() {
        errors.push(FieldError::required(&addresses, "must contain at least 1 address"));
    } else if endpoint.addresses.len() > MAX_ADDRESSES {
        errors.push(FieldError::too_many(&addresses, endpoint.addresses.len(), MAX_ADDRESSES));
    }
    for (index, address) in endpoint.addresses.iter().enumerate() {
        let at = addresses.index(index);
        match type_ {
            "IPv4" | "IPv6" => {
                let faults = names::is_valid_ip_for_legacy_field(&at, address, true, &[]);
                if faults.is_empty() && (type_ == "IPv6") != address.contains(':') {
                    // Upstream names the list and not the element.
                    let why = format!("must be an {type_} address");
                    errors.push(FieldError::invalid(&addresses, address, why));
                } else if faults.is_empty() {
                    endpoint_ip(errors, &at, address);
                }
                errors.extend(faults);
            }
            "FQDN" => errors.extend(names::is_fully_qualified_domain_name(&at, address)),
            _ => {}
        }
    }
    if let Some(node) = &endpoint.node_name {
        each(errors, &path.child("nodeName"), node, names::name_is_dns_subdomain(node, false));
    }
    if let Some(hostname) = &endpoint.hostname {
        each(errors, &path.child("hostname"), hostname, names::is_dns1123_label(hostname));
    }
    let Some(hints) = &endpoint.hints else { return };
    let at = path.child("hints").child("forZones");
    for (index, zone) in hints.for_zones.iter().enumerate() {
        let at = at.index(index).child("name");
        if hints.for_zones[..index].iter().any(|other| other.name == zone.name) {
            errors.push(FieldError::duplicate(&at, &zone.name));
        }
        each(errors, &at, &zone.name, names::is_label_value(&zone.name));
    }
    let at = path.child("hints").child("forNodes");
    for (index, node) in hints.for_nodes.iter().enumerate() {
        let at = at.index(index).child("name");
        if hints.for_nodes[..index].iter().any(|other| other.name == node.name) {
            errors.push(FieldError::duplicate(&at, &node.name));
        }
        each(errors, &at, &node.name, names::name_is_dns_subdomain(&node.name, false));
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use super::*;

    #[test]
    fn a_slice_is_filled_in_and_shown() {
        let made = create(
            &KIND,
            "{addressType: IPv4, endpoints: [{addresses: [10.0.0.1]}, {addresses: [10.0.0.2]}], ports: [{port: 80}]}",
        );
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|IPv4|80|10.0.0.1,10.0.0.2|<unknown>");
        let bad = create(&KIND, "{addressType: IPv6, endpoints: [{addresses: [10.0.0.1]}]}");
        assert_eq!(
            bad.errors,
            [r#"endpoints[0].addresses: Invalid value: "10.0.0.1": must be an IPv6 address"#]
        );
    }
}
