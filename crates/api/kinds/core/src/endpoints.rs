//! Endpoints: the addresses behind a service, in their first form.

use api_kind::checks::{each, one_of, qualified_name, required};
use api_kind::{Column, Ctx, Kind};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_types::core::v1::{EndpointAddress, EndpointPort, Endpoints};
use std::net::IpAddr;

/// How many addresses a table shows.
const SHOWN: usize = 3;

/// The row.
pub const KIND: Kind<Endpoints> = Kind::<Endpoints>::of("", "v1", "endpoints")
    .create_on_update()
    .defaults(defaults)
    .validate(validate)
    .columns(&[
        Column::<Endpoints>::name(),
        Column::<Endpoints>::text(
            "Endpoints",
            "The set of all endpoints is the union of all subsets.",
            |endpoints, _| shown(endpoints).into(),
        ),
        Column::<Endpoints>::age(),
    ]);

fn defaults(_: &Ctx<'_>, endpoints: &mut Endpoints) {
    let ports = endpoints.subsets.iter_mut().flat_map(|subset| &mut subset.ports);
    for port in ports.filter(|port| port.protocol.is_empty()) {
        "TCP".clone_into(&mut port.protocol);
    }
}

fn shown(endpoints: &Endpoints) -> String {
    let mut all = Vec::new();
    for subset in &endpoints.subsets {
        if subset.ports.is_empty() {
            all.extend(subset.addresses.iter().map(|address| address.ip.clone()));
        }
        for port in &subset.ports {
            all.extend(subset.addresses.iter().map(|address| match address.ip.contains(':') {
                true => format!("[{}]:{}", address.ip, port.port),
                false => format!("{}:{}", address.ip, port.port),
            }));
        }
    }
    match all.len() {
        _ if endpoints.subsets.is_empty() => "<none>".to_owned(),
        count if count > SHOWN => format!("{} + {} more...", all[..SHOWN].join(","), count - SHOWN),
        _ => all.join(","),
    }
}

fn validate(_: &Ctx<'_>, endpoints: &Endpoints, _: Option<&Endpoints>, errors: &mut ErrorList) {
    for (index, subset) in endpoints.subsets.iter().enumerate() {
        let at = Path::new("subsets").index(index);
        if subset.addresses.is_empty() && subset.not_ready_addresses.is_empty() {
            errors.push(FieldError::required(&at, "must specify `addresses` or `notReadyAddresses`"));
        }
        for (name, list) in
            [("addresses", &subset.addresses), ("notReadyAddresses", &subset.not_ready_addresses)]
        {
            for (place, one) in list.iter().enumerate() {
                address(errors, &at.child(name).index(place), one);
            }
        }
        for (place, one) in subset.ports.iter().enumerate() {
            port(errors, &at.child("ports").index(place), one, subset.ports.len() > 1);
        }
    }
}

fn address(errors: &mut ErrorList, path: &Path, address: &EndpointAddress) {
    let at = path.child("ip");
    errors.extend(names::is_valid_ip_for_legacy_field(&at, &address.ip, true, &[]));
    if !address.hostname.is_empty() {
        each(errors, &path.child("hostname"), &address.hostname, names::is_dns1123_label(&address.hostname));
    }
    if let Some(node) = &address.node_name {
        each(errors, &path.child("nodeName"), node, names::name_is_dns_subdomain(node, false));
    }
    if names::parse_ip_sloppy(&address.ip).is_none() {
        errors.push(FieldError::invalid(&at, &address.ip, "must be a valid IP address"));
    }
    endpoint_ip(errors, &at, &address.ip);
}

fn port(errors: &mut ErrorList, path: &Path, port: &EndpointPort, several: bool) {
    let name = path.child("name");
    if several {
        required(errors, &name, &port.name);
    }
    if !port.name.is_empty() {
        each(errors, &name, &port.name, names::is_dns1123_label(&port.name));
    }
    for message in names::is_valid_port_num(port.port.into()) {
        errors.push(FieldError::invalid(&path.child("port"), port.port, message));
    }
    one_of(errors, &path.child("protocol"), &port.protocol, &["SCTP", "TCP", "UDP"]);
    if let Some(protocol) = &port.app_protocol {
        qualified_name(errors, &path.child("appProtocol"), protocol);
    }
}

/// An address that traffic of a service may go to: not unspecified, not of the machine itself or its link.
pub fn endpoint_ip(errors: &mut ErrorList, path: &Path, text: &str) {
    let Some(ip) = names::parse_ip_sloppy(text) else { return };
    let (link_local, link_multicast) = match ip {
        IpAddr::V4(v4) => (v4.is_link_local(), v4.octets()[..3] == [224, 0, 0]),
        IpAddr::V6(v6) => (v6.is_unicast_link_local(), v6.segments()[0] == 0xff02),
    };
    for (found, why) in [
        (ip.is_unspecified(), format!("may not be unspecified ({text})")),
        (ip.is_loopback(), "may not be in the loopback range (127.0.0.0/8, ::1/128)".to_owned()),
        (link_local, "may not be in the link-local range (169.254.0.0/16, fe80::/10)".to_owned()),
        (link_multicast, "may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)".to_owned()),
    ] {
        if found {
            errors.push(FieldError::invalid(path, text, why));
        }
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use super::*;

    #[test]
    fn a_table_shows_the_first_addresses() {
        let made = create(
            &KIND,
            "subsets: [{addresses: [{ip: 10.0.0.1}, {ip: 10.0.0.2}], ports: [{port: 80, name: a}, {port: 81, name: b}]}]",
        );
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|10.0.0.1:80,10.0.0.2:80,10.0.0.1:81 + 1 more...|<unknown>");
        let bad = create(&KIND, "subsets: [{addresses: [{ip: 127.0.0.1}]}, {}]");
        assert_eq!(
            bad.errors,
            [
                "subsets[0].addresses[0].ip: Invalid value: \"127.0.0.1\": may not be in the loopback range (127.0.0.0/8, ::1/128)",
                "subsets[1]: Required value: must specify `addresses` or `notReadyAddresses`"
            ]
        );
    }
}
