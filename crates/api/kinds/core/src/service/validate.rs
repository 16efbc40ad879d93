//! What is wrong with a service.

use std::collections::BTreeSet;

use api_kind::Ctx;
use api_kind::checks::{each, one_of, qualified_name, required, shown, supported};
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_meta::labels::validate_labels;
use api_meta::names;
use api_types::core::v1::{Service, ServicePort, ServiceSpec};

use super::{externally_accessible, headless, needs_health_check};
use crate::endpoints::endpoint_ip;
use crate::pod::probe;

const ONLY_BALANCED: &str = "may only be used when `type` is 'LoadBalancer'";

pub(super) fn validate(ctx: &Ctx<'_>, service: &Service, old: Option<&Service>, errors: &mut ErrorList) {
    let path = Path::new("spec");
    let spec = &service.spec;
    if ctx.subresource == "status" {
        return status(errors, service);
    }
    if let Some(old) = old.map(|old| &old.spec) {
        changes(errors, &path, spec, old);
    }
    if spec.ports.is_empty() && !headless(spec) && spec.type_ != "ExternalName" {
        errors.push(FieldError::required(&path.child("ports"), ""));
    }
    of_type(errors, &path, spec);
    let mut port_names = BTreeSet::new();
    for (index, one) in spec.ports.iter().enumerate() {
        port(errors, &path.child("ports").index(index), one, spec.ports.len() > 1, &mut port_names);
    }
    errors.extend(validate_labels(&spec.selector, &path.child("selector")));
    affinity(errors, &path, spec);
    addresses(errors, &path, spec, old.map(|old| &old.spec));
    let known: Vec<&str> = old.iter().flat_map(|old| &old.spec.external_ips).map(String::as_str).collect();
    for (index, text) in spec.external_ips.iter().enumerate() {
        let at = path.child("externalIPs").index(index);
        let faults = names::is_valid_ip_for_legacy_field(&at, text, true, &known);
        if faults.is_empty() {
            endpoint_ip(errors, &at, text);
        }
        errors.extend(faults);
    }
    one_of(
        errors,
        &path.child("type"),
        &spec.type_,
        &["ClusterIP", "ExternalName", "LoadBalancer", "NodePort"],
    );
    unique_ports(errors, &path.child("ports"), spec);
    balancer(errors, &path, spec, old.map(|old| &old.spec));
    traffic(errors, &path, spec);
}

fn status(errors: &mut ErrorList, service: &Service) {
    let at = Path::new("status").child("loadBalancer").child("ingress");
    let ingress = &service.status.load_balancer.ingress;
    if service.spec.type_ != "LoadBalancer" && !ingress.is_empty() {
        let why = "may only be used when `spec.type` is \"LoadBalancer\"";
        errors.push(FieldError::forbidden(&at, why));
        return;
    }
    for (index, one) in ingress.iter().enumerate() {
        let at = at.index(index);
        if !one.ip.is_empty() {
            errors.extend(names::is_valid_ip_for_legacy_field(&at.child("ip"), &one.ip, true, &[]));
        }
        match (&one.ip_mode, one.ip.is_empty()) {
            (Some(mode), false) => supported(errors, &at.child("ipMode"), mode, &["Proxy", "VIP"]),
            (Some(_), true) => {
                errors.push(FieldError::forbidden(
                    &at.child("ipMode"),
                    "may not be specified when `ip` is not set",
                ));
            }
            (None, false) => {
                errors.push(FieldError::required(&at.child("ipMode"), "must be specified when `ip` is set"))
            }
            (None, true) => {}
        }
        if !one.hostname.is_empty() {
            let at = at.child("hostname");
            each(errors, &at, &one.hostname, names::is_dns1123_subdomain(&one.hostname));
            if names::parse_ip_sloppy(&one.hostname).is_some() {
                errors.push(FieldError::invalid(&at, &one.hostname, "must be a DNS name, not an IP address"));
            }
        }
    }
}

/// What has been set once: the primary address, the class of the balancer.
fn changes(errors: &mut ErrorList, path: &Path, new: &ServiceSpec, old: &ServiceSpec) {
    if new.type_ != "ExternalName" && old.type_ != "ExternalName" {
        if !(headless(new) && headless(old)) {
            kept_addresses(errors, path, new, old);
        }
        if !headless(new) && !headless(old) {
            kept_families(errors, path, new, old);
        }
    }
    if new.type_ == "LoadBalancer"
        && old.type_ == "LoadBalancer"
        && new.load_balancer_class != old.load_balancer_class
    {
        let shown = new.load_balancer_class.as_deref().map_or_else(BadValue::null, BadValue::from);
        errors.push(FieldError::invalid(&path.child("loadBalancerClass"), shown, "may not change once set"));
    }
    if needs_health_check(old)
        && needs_health_check(new)
        && new.health_check_node_port != old.health_check_node_port
    {
        let at = path.child("healthCheckNodePort");
        errors.push(FieldError::forbidden(&at, "field is immutable"));
    }
}

const CHANGED: &str = "may not change once set";

fn list(values: &[String]) -> BadValue {
    if values.is_empty() { BadValue::null() } else { values.into() }
}

/// Giving up the second address or family is said by the policy too.
fn released(errors: &mut ErrorList, path: &Path, spec: &ServiceSpec, what: &str) {
    if spec.ip_family_policy.as_deref() != Some("SingleStack") {
        let why = format!("must be set to 'SingleStack' when releasing the secondary {what}");
        errors.push(FieldError::invalid(
            &path.child("ipFamilyPolicy"),
            spec.ip_family_policy.as_deref(),
            why,
        ));
    }
}

fn kept_addresses(errors: &mut ErrorList, path: &Path, new: &ServiceSpec, old: &ServiceSpec) {
    let at = path.child("clusterIPs");
    let (ips, before) = (&new.cluster_ips, &old.cluster_ips);
    if ips.len() == before.len() {
        for (index, _) in ips.iter().zip(before).enumerate().filter(|(_, (new, old))| new != old) {
            errors.push(FieldError::invalid(&at.index(index), ips, CHANGED));
        }
        return;
    }
    match (ips.first(), before.first()) {
        (None, Some(_)) => {
            errors.push(FieldError::invalid(&at.index(0), list(ips), "primary clusterIP can not be unset"));
        }
        (Some(first), Some(old)) if first != old => {
            errors.push(FieldError::invalid(&at.index(0), ips, CHANGED));
        }
        _ => {}
    }
    if ips.len() < before.len() && ips.len() == 1 {
        released(errors, path, new, "clusterIP");
    }
}

fn kept_families(errors: &mut ErrorList, path: &Path, new: &ServiceSpec, old: &ServiceSpec) {
    let at = path.child("ipFamilies").index(0);
    let (families, before) = (&new.ip_families, &old.ip_families);
    if families.len() == before.len() {
        for _ in families.iter().zip(before).filter(|(new, old)| new != old) {
            errors.push(FieldError::invalid(&at, families, CHANGED));
        }
        return;
    }
    if families.len() < before.len() && new.cluster_ips.is_empty() {
        errors.push(FieldError::invalid(&at, list(families), "primary ipFamily can not be unset"));
    }
    if let (Some(first), Some(old)) = (families.first(), before.first())
        && first != old
    {
        // Upstream shows the addresses.
        errors.push(FieldError::invalid(&at, list(&new.cluster_ips), CHANGED));
    }
    if families.len() < before.len() && families.len() == 1 {
        released(errors, path, new, "ipFamily");
    }
}

fn of_type(errors: &mut ErrorList, path: &Path, spec: &ServiceSpec) {
    match spec.type_.as_str() {
        "LoadBalancer" | "NodePort" if headless(spec) => {
            let why = format!("may not be set to 'None' for {} services", spec.type_);
            errors.push(FieldError::invalid(&path.child("clusterIPs").index(0), "None", why));
        }
        "ExternalName" => {
            let why = "may not be set for ExternalName services";
            for (name, given) in [
                ("clusterIPs", !spec.cluster_ips.is_empty()),
                ("ipFamilies", !spec.ip_families.is_empty()),
                ("ipFamilyPolicy", spec.ip_family_policy.is_some()),
            ] {
                if given {
                    errors.push(FieldError::forbidden(&path.child(name), why));
                }
            }
            let name = spec.external_name.strip_suffix('.').unwrap_or(&spec.external_name);
            let at = path.child("externalName");
            if required(errors, &at, name) {
                each(errors, &at, name, names::is_dns1123_subdomain(name));
            }
        }
        _ => {}
    }
}

fn port<'a>(
    errors: &mut ErrorList,
    path: &Path,
    port: &'a ServicePort,
    several: bool,
    known: &mut BTreeSet<&'a str>,
) {
    let name = path.child("name");
    if several && port.name.is_empty() {
        errors.push(FieldError::required(&name, ""));
    } else if !port.name.is_empty() {
        each(errors, &name, &port.name, names::is_dns1123_label(&port.name));
        if !known.insert(&port.name) {
            errors.push(FieldError::duplicate(&name, &port.name));
        }
    }
    for message in names::is_valid_port_num(port.port.into()) {
        errors.push(FieldError::invalid(&path.child("port"), port.port, message));
    }
    one_of(errors, &path.child("protocol"), &port.protocol, &["SCTP", "TCP", "UDP"]);
    probe::port(errors, &path.child("targetPort"), &port.target_port);
    if let Some(protocol) = &port.app_protocol {
        qualified_name(errors, &path.child("appProtocol"), protocol);
    }
}

fn affinity(errors: &mut ErrorList, path: &Path, spec: &ServiceSpec) {
    one_of(errors, &path.child("sessionAffinity"), &spec.session_affinity, &["ClientIP", "None"]);
    let at = path.child("sessionAffinityConfig");
    let client = spec.session_affinity_config.as_ref().and_then(|config| config.client_ip.as_ref());
    match (spec.session_affinity.as_str(), &spec.session_affinity_config) {
        ("None", Some(_)) => {
            errors.push(FieldError::forbidden(&at, "must not be set when session affinity is None"));
        }
        ("ClientIP", None) => {
            errors.push(FieldError::required(&at, "when session affinity type is ClientIP"));
        }
        ("ClientIP", Some(_)) => {
            let at = at.child("clientIP").child("timeoutSeconds");
            match client.and_then(|client| client.timeout_seconds) {
                None => errors.push(FieldError::required(&at, "when session affinity type is ClientIP")),
                Some(seconds) if !(1..=86_400).contains(&seconds) => {
                    let why = "must be greater than 0 and less than 86400";
                    errors.push(FieldError::invalid(&at, seconds, why));
                }
                Some(_) => {}
            }
        }
        _ => {}
    }
}

fn addresses(errors: &mut ErrorList, path: &Path, spec: &ServiceSpec, old: Option<&ServiceSpec>) {
    if spec.type_ == "ExternalName" {
        return;
    }
    let (at, families) = (path.child("clusterIPs"), path.child("ipFamilies"));
    let ips = &spec.cluster_ips;
    match (spec.cluster_ip.is_empty(), ips.first()) {
        (false, None) => errors.push(FieldError::required(&at, "")),
        (false, Some(first)) if *first != spec.cluster_ip => {
            errors.push(FieldError::invalid(&at, ips, "first value must match `clusterIP`"));
        }
        (true, Some(_)) => {
            errors.push(FieldError::invalid(&at, ips, "must be empty when `clusterIP` is not specified"));
        }
        _ => {}
    }
    for (index, family) in spec.ip_families.iter().enumerate() {
        supported(errors, &families.index(index), family, &["IPv4", "IPv6"]);
        if spec.ip_families[..index].contains(family) {
            errors.push(FieldError::duplicate(&families.index(index), family));
        }
    }
    if let Some(policy) = &spec.ip_family_policy {
        let known = ["PreferDualStack", "RequireDualStack", "SingleStack"];
        supported(errors, &path.child("ipFamilyPolicy"), policy, &known);
    }
    let known: Vec<&str> = old.iter().flat_map(|old| &old.cluster_ips).map(String::as_str).collect();
    let mut invalid = false;
    for (index, text) in ips.iter().enumerate() {
        if index == 0 && text == "None" {
            if ips.len() > 1 {
                invalid = true;
                errors.push(FieldError::invalid(&at, ips, "'None' must be the first and only value"));
            }
            continue;
        }
        let faults = names::is_valid_ip_for_legacy_field(&at.index(index), text, true, &known);
        invalid |= !faults.is_empty();
        errors.extend(faults);
    }
    if ips.len() > 2 {
        errors.push(FieldError::invalid(&at, ips, "may only hold up to 2 values"));
    }
    if invalid || headless(spec) {
        return;
    }
    if ips.len() > 1 && !dual_stack(ips) {
        errors.push(FieldError::invalid(&at, ips, "may specify no more than one IP for each IP family"));
    }
    for (index, (text, family)) in ips.iter().zip(&spec.ip_families).enumerate() {
        if matches!(family.as_str(), "IPv4" | "IPv6") && (family == "IPv6") != text.contains(':') {
            let why = format!("expected an {family} value as indicated by `ipFamilies[{index}]`");
            errors.push(FieldError::invalid(&at.index(index), text, why));
        }
    }
}

/// Whether there are addresses of both families.
fn dual_stack(ips: &[String]) -> bool {
    ips.iter().any(|text| text.contains(':')) && ips.iter().any(|text| !text.contains(':'))
}

fn unique_ports(errors: &mut ErrorList, path: &Path, spec: &ServiceSpec) {
    for (index, port) in spec.ports.iter().enumerate().filter(|(_, port)| port.node_port != 0) {
        let at = path.index(index).child("nodePort");
        if spec.type_ == "ClusterIP" {
            errors.push(FieldError::forbidden(&at, "may not be used when `type` is 'ClusterIP'"));
        }
        let same =
            |other: &ServicePort| (other.node_port, &other.protocol) == (port.node_port, &port.protocol);
        if spec.ports[..index].iter().any(same) {
            errors.push(FieldError::duplicate(&at, port.node_port));
        }
    }
    for (index, port) in spec.ports.iter().enumerate() {
        let same = |other: &ServicePort| (other.port, &other.protocol) == (port.port, &port.protocol);
        if spec.ports[..index].iter().any(same) {
            let key =
                ServicePort { port: port.port, protocol: port.protocol.clone(), ..ServicePort::default() };
            errors.push(FieldError::duplicate(&path.index(index), shown(&key)));
        }
    }
}

fn balancer(errors: &mut ErrorList, path: &Path, spec: &ServiceSpec, old: Option<&ServiceSpec>) {
    let balanced = spec.type_ == "LoadBalancer";
    if !spec.load_balancer_source_ranges.is_empty() {
        let at = path.child("LoadBalancerSourceRanges");
        if !balanced {
            errors.push(FieldError::forbidden(&at, ONLY_BALANCED));
        }
        let known: Vec<&str> =
            old.iter().flat_map(|old| &old.load_balancer_source_ranges).map(|range| range.trim()).collect();
        for (index, range) in spec.load_balancer_source_ranges.iter().enumerate() {
            errors.extend(names::is_valid_cidr_for_legacy_field(
                &at.index(index),
                range.trim(),
                true,
                &known,
            ));
        }
    }
    if spec.allocate_load_balancer_node_ports.is_some() && !balanced {
        errors.push(FieldError::forbidden(&path.child("allocateLoadBalancerNodePorts"), ONLY_BALANCED));
    }
    if let Some(class) = &spec.load_balancer_class {
        let at = path.child("loadBalancerClass");
        if balanced {
            qualified_name(errors, &at, class);
        } else {
            errors.push(FieldError::forbidden(&at, ONLY_BALANCED));
        }
    }
}

fn traffic(errors: &mut ErrorList, path: &Path, spec: &ServiceSpec) {
    let at = path.child("externalTrafficPolicy");
    if externally_accessible(spec) {
        one_of(errors, &at, &spec.external_traffic_policy, &["Cluster", "Local"]);
    } else if !spec.external_traffic_policy.is_empty() {
        let why = "may only be set for externally-accessible services";
        errors.push(FieldError::invalid(&at, &spec.external_traffic_policy, why));
    }
    let at = path.child("healthCheckNodePort");
    let port = spec.health_check_node_port;
    match (needs_health_check(spec), port) {
        (false, 0) => {}
        (false, _) => {
            let why = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'";
            errors.push(FieldError::invalid(&at, port, why));
        }
        (true, 0) => errors.push(FieldError::required(&at, "")),
        (true, _) => {
            for message in names::is_valid_port_num(port.into()) {
                errors.push(FieldError::invalid(&at, port, message));
            }
        }
    }
    let at = path.child("internalTrafficPolicy");
    match &spec.internal_traffic_policy {
        Some(policy) => supported(errors, &at, policy, &["Cluster", "Local"]),
        None if matches!(spec.type_.as_str(), "ClusterIP" | "LoadBalancer" | "NodePort") => {
            errors.push(FieldError::required(&at, ""));
        }
        None => {}
    }
    if let Some(policy) = &spec.traffic_distribution {
        let known = ["PreferClose", "PreferSameZone", "PreferSameNode"];
        supported(errors, &path.child("trafficDistribution"), policy, &known);
    }
}
