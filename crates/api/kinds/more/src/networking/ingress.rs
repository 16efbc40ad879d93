//! Ingresses.

use std::collections::BTreeSet;

use api_kind::checks::{each, required, supported};
use api_kind::{Column, Ctx, Kind};
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_meta::names;
use api_types::core::v1::TypedLocalObjectReference;
use api_types::networking::v1::{HTTPIngressPath, Ingress, IngressBackend};

/// The row.
pub const KIND: Kind<Ingress> =
    Kind::<Ingress>::of("networking.k8s.io", "v1", "ingresses").generation().validate(validate).columns(&[
        Column::<Ingress>::name(),
        Column::<Ingress>::text(
            "Class",
            "The name of the IngressClass resource that should be used for additional configuration",
            |own, _| own.spec.ingress_class_name.as_deref().unwrap_or("<none>").into(),
        ),
        Column::<Ingress>::text(
            "Hosts",
            "Hosts that incoming requests are matched against before the ingress rule",
            |own, _| hosts(own).into(),
        ),
        Column::<Ingress>::text(
            "Address",
            "Address is a list containing ingress points for the load-balancer",
            |own, _| {
                let points = own.status.load_balancer.ingress.iter();
                let names: BTreeSet<&str> = points
                    .map(|point| if point.ip.is_empty() { point.hostname.as_str() } else { &point.ip })
                    .filter(|name| !name.is_empty())
                    .collect();
                names.into_iter().collect::<Vec<_>>().join(",").into()
            },
        ),
        Column::<Ingress>::text("Ports", "Ports of TLS configurations that open", |own, _| {
            if own.spec.tls.is_empty() { "80".into() } else { "80, 443".into() }
        }),
        Column::<Ingress>::age(),
    ]);

fn hosts(own: &Ingress) -> String {
    let all: Vec<&str> =
        own.spec.rules.iter().map(|rule| rule.host.as_str()).filter(|host| !host.is_empty()).collect();
    match all.len() {
        0 => "*".to_owned(),
        count if count > 3 => format!("{} + {} more...", all[..3].join(","), count - 3),
        _ => all.join(","),
    }
}

fn validate(ctx: &Ctx<'_>, own: &Ingress, _: Option<&Ingress>, errors: &mut ErrorList) {
    if ctx.subresource == "status" {
        return;
    }
    let (path, spec) = (Path::new("spec"), &own.spec);
    if spec.rules.is_empty() && spec.default_backend.is_none() {
        let why = "either `defaultBackend` or `rules` must be specified";
        // The rules that there are none of, as upstream shows them.
        errors.push(FieldError::invalid(&path, BadValue::json("null".to_owned()), why));
    }
    for (index, tls) in spec.tls.iter().enumerate() {
        for (place, name) in tls.hosts.iter().enumerate() {
            host(errors, &path.child("tls").index(index).child("hosts").index(place), name);
        }
    }
    for (index, rule) in spec.rules.iter().enumerate() {
        let at = path.child("rules").index(index);
        if !rule.host.is_empty() {
            if names::parse_ip_sloppy(&rule.host).is_some() {
                errors.push(FieldError::invalid(
                    &at.child("host"),
                    &rule.host,
                    "must be a DNS name, not an IP address",
                ));
            }
            host(errors, &at.child("host"), &rule.host);
        }
        let Some(http) = &rule.ingress_rule_value.http else { continue };
        let at = at.child("http").child("paths");
        if http.paths.is_empty() {
            errors.push(FieldError::required(&at, ""));
        }
        for (place, one) in http.paths.iter().enumerate() {
            http_path(errors, &at.index(place), one);
        }
    }
    if let Some(default) = &spec.default_backend {
        backend(errors, &path.child("defaultBackend"), default);
    }
    if let Some(class) = &spec.ingress_class_name {
        each(errors, &path.child("ingressClassName"), class, names::name_is_dns_subdomain(class, false));
    }
}

fn host(errors: &mut ErrorList, path: &Path, host: &str) {
    let check =
        if host.contains('*') { names::is_wildcard_dns1123_subdomain } else { names::is_dns1123_subdomain };
    each(errors, path, host, check(host));
}

fn http_path(errors: &mut ErrorList, path: &Path, one: &HTTPIngressPath) {
    let at = path.child("pathType");
    let Some(type_) = &one.path_type else {
        errors.push(FieldError::required(&at, "pathType must be specified"));
        return;
    };
    supported(errors, &at, type_, &["Exact", "ImplementationSpecific", "Prefix"]);
    let at = path.child("path");
    let strict = matches!(type_.as_str(), "Exact" | "Prefix");
    let lenient = type_ == "ImplementationSpecific" && !one.path.is_empty();
    if (strict || lenient) && !one.path.starts_with('/') {
        errors.push(FieldError::invalid(&at, &one.path, "must be an absolute path"));
    }
    if strict {
        for sequence in ["//", "/./", "/../", "%2f", "%2F"] {
            if one.path.contains(sequence) {
                errors.push(FieldError::invalid(&at, &one.path, format!("must not contain '{sequence}'")));
            }
        }
        for suffix in ["/..", "/."] {
            if one.path.ends_with(suffix) {
                errors.push(FieldError::invalid(&at, &one.path, format!("cannot end with '{suffix}'")));
            }
        }
    }
    backend(errors, &path.child("backend"), &one.backend);
}

fn reference(errors: &mut ErrorList, path: &Path, own: &TypedLocalObjectReference) {
    if let Some(group) = &own.api_group {
        each(errors, &path.child("apiGroup"), group, names::is_dns1123_subdomain(group));
    }
    for (field, text) in [("kind", &own.kind), ("name", &own.name)] {
        if required(errors, &path.child(field), text) {
            each(errors, &path.child(field), text, names::is_path_segment_name(text));
        }
    }
}

fn backend(errors: &mut ErrorList, path: &Path, backend: &IngressBackend) {
    match (&backend.service, &backend.resource) {
        (Some(_), Some(_)) => {
            errors.push(FieldError::invalid(path, "", "cannot set both resource and service backends"));
        }
        (None, None) => {
            errors.push(FieldError::invalid(path, "", "resource or service backend is required"));
        }
        (None, Some(resource)) => reference(errors, &path.child("resource"), resource),
        (Some(service), None) => {
            let at = path.child("service");
            if required(errors, &at.child("name"), &service.name) {
                each(
                    errors,
                    &at.child("name"),
                    &service.name,
                    names::name_is_dns_label(&service.name, false),
                );
            }
            match (service.port.number, service.port.name.as_str()) {
                (0, "") => errors.push(FieldError::required(path, "port name or number is required")),
                (0, name) => {
                    each(errors, &at.child("port").child("name"), name, names::is_valid_port_name(name))
                }
                (number, "") => {
                    for message in names::is_valid_port_num(number.into()) {
                        errors.push(FieldError::invalid(&at.child("port").child("number"), number, message));
                    }
                }
                _ => errors.push(FieldError::invalid(path, "", "cannot set both port name & port number")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use super::*;

    #[test]
    fn an_ingress_is_shown_and_checked() {
        let made = create(
            &KIND,
            "spec: {rules: [{host: a.b, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: s, port: {number: 80}}}}]}}]}",
        );
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|<none>|a.b||80|<unknown>");
        let bad =
            create(&KIND, "spec: {rules: [{http: {paths: [{path: a, pathType: Prefix, backend: {}}]}}]}");
        assert_eq!(
            bad.errors,
            [
                "spec.rules[0].http.paths[0].path: Invalid value: \"a\": must be an absolute path",
                "spec.rules[0].http.paths[0].backend: Invalid value: \"\": resource or service backend is required"
            ]
        );
    }
}
