//! What is wrong with what containers ask for.

use std::collections::BTreeSet;

use api_kind::checks::{each, required};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_meta::pod_resources::{aggregated, is_pod_level};
use api_meta::resources::{ResourceList, is_extended, is_native};
use api_record::scalar::Quantity;
use api_types::core::v1::{PodSpec, ResourceClaim, ResourceRequirements};

const STANDARD: &[&str] = &["cpu", "memory", "ephemeral-storage", "storage"];
const QUOTAS: &[&str] = &[
    "pods",
    "resourcequotas",
    "services",
    "replicationcontrollers",
    "secrets",
    "configmaps",
    "persistentvolumeclaims",
    "requests.cpu",
    "requests.memory",
    "requests.storage",
    "requests.ephemeral-storage",
    "limits.cpu",
    "limits.memory",
    "limits.ephemeral-storage",
    "services.nodeports",
    "services.loadbalancers",
];

/// Whether a name without a domain is one that Kubernetes gives.
pub fn is_standard(name: &str) -> bool {
    STANDARD.contains(&name)
        || QUOTAS.contains(&name)
        || name.starts_with("hugepages-")
        || name.starts_with("requests.hugepages-")
}

/// A resource that a quota can count.
pub fn quota_name(errors: &mut ErrorList, path: &Path, text: &str) {
    name(errors, path, text);
    if !text.contains('/') && (text == "storage" || !is_standard(text)) {
        errors.push(FieldError::invalid(path, text, "must be a standard resource for quota"));
    }
}

/// A resource of any kind; answers whether its name is good.
pub fn name(errors: &mut ErrorList, path: &Path, name: &str) -> bool {
    let faults = names::is_label_key(name);
    if !faults.is_empty() {
        errors.extend(ErrorList::invalid(path, name, faults));
        return false;
    }
    if !name.contains('/') && !is_standard(name) {
        let why = "must be a standard resource type or fully qualified";
        errors.push(FieldError::invalid(path, name, why));
        return false;
    }
    true
}

/// A resource that a container can ask for.
pub fn container_name(errors: &mut ErrorList, path: &Path, text: &str) {
    if !name(errors, path, text) && !text.contains('/') {
        errors.push(FieldError::invalid(path, text, "must be a standard resource for containers"));
    } else if !text.contains('/') {
        if !matches!(text, "cpu" | "memory" | "ephemeral-storage") && !text.starts_with("hugepages-") {
            errors.push(FieldError::invalid(path, text, "must be a standard resource for containers"));
        }
    } else if !is_native(text) && !is_extended(text) {
        let why = "doesn't follow extended resource name standard";
        errors.push(FieldError::invalid(path, text, why));
    }
}

/// Whether more of it may be promised than there is.
pub fn may_overcommit(name: &str) -> bool {
    is_native(name) && !name.starts_with("hugepages-")
}

/// A quantity that a resource can have.
pub fn quantity(errors: &mut ErrorList, path: &Path, name: &str, value: &Quantity) {
    if value.sign() < 0 {
        errors.push(FieldError::invalid(path, value, "must be greater than or equal to 0"));
    }
    let whole = QUOTAS[..7].contains(&name)
        || matches!(name, "services.nodeports" | "services.loadbalancers")
        || is_extended(name);
    // Beyond what thousandths of 64 bits can say, nothing is said.
    let thousandths = value.millis();
    if whole && thousandths % 1000 != 0 && thousandths != i64::MAX {
        errors.push(FieldError::invalid(path, value, "must be an integer"));
    }
}

/// What a runtime adds: limits of a container that claims nothing.
pub fn of_overhead(errors: &mut ErrorList, path: &Path, list: &ResourceList) {
    let limits = ResourceRequirements { limits: list.clone(), ..ResourceRequirements::default() };
    requirements(errors, path, &limits, &PodSpec::default(), container_name);
}

/// Whole pages, of a size that is one.
fn whole_pages(errors: &mut ErrorList, path: &Path, name: &str, value: &Quantity) {
    let Some(size) = name.strip_prefix("hugepages-") else { return };
    let size = size.parse::<Quantity>().ok().filter(|size| size.sign() > 0 && size.millis() % 1000 == 0);
    if size.is_none_or(|size| value.units() % size.units() != 0) {
        let why = format!("{value} is not positive integer multiple of {name}");
        errors.push(FieldError::invalid(path, value.to_string(), why));
    }
}

/// What a pod as a whole asks for where its author said only a part: as much as its containers, or as much as its limits.
pub fn default_for_pod(spec: &mut PodSpec) {
    let (requests, limits) =
        (aggregated(spec, |own| &own.resources.requests), aggregated(spec, |own| &own.resources.limits));
    let everywhere = |name: &str| {
        let own = spec.containers.iter().chain(&spec.init_containers).map(|container| &container.resources);
        // Those that debug may not name any, so that with one of them nothing is limited everywhere.
        let ephemeral = spec.ephemeral_containers.iter().map(|own| &own.ephemeral_container_common.resources);
        own.chain(ephemeral).all(|resources| resources.limits.contains_key(name))
    };
    let limited: Vec<String> = limits.keys().filter(|name| everywhere(name)).cloned().collect();
    let Some(own) = spec.resources.as_mut() else { return };
    if own.requests.is_empty() && own.limits.is_empty() {
        return;
    }
    for (name, value) in limits.iter().filter(|(name, _)| name.starts_with("hugepages-")) {
        if !own.requests.contains_key(name) {
            own.limits.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    for (name, value) in requests.iter().filter(|(name, _)| matches!(name.as_str(), "cpu" | "memory")) {
        own.requests.entry(name.clone()).or_insert_with(|| value.clone());
    }
    for (name, value) in own.limits.iter().filter(|(name, _)| is_pod_level(name)) {
        own.requests.entry(name.clone()).or_insert_with(|| value.clone());
    }
    for name in limited {
        if let (true, Some(request)) = (is_pod_level(&name), own.requests.get(&name)) {
            let most = request.clone().max(limits[&name].clone());
            own.limits.entry(name).or_insert(most);
        }
    }
}

/// What a pod as a whole asks for.
pub fn of_pod(errors: &mut ErrorList, path: &Path, resources: &ResourceRequirements, spec: &PodSpec) {
    if spec.os.as_ref().is_some_and(|os| os.name == "windows") {
        return errors.push(FieldError::forbidden(path, "may not be set for a windows pod"));
    }
    if !resources.claims.is_empty() {
        let why = "claims may not be set for Resources at pod-level";
        errors.push(FieldError::forbidden(&path.child("claims"), why));
    }
    requirements(errors, path, resources, spec, |errors, path, text| {
        if name(errors, path, text) && !is_pod_level(text) {
            errors.push(FieldError::not_supported(path, text, &["cpu", "hugepages-", "memory"]));
        }
    });
    for (name, total) in aggregated(spec, |own| &own.resources.requests) {
        if let Some(own) = resources.requests.get(&name).filter(|own| total > **own) {
            let why = format!("must be greater than or equal to aggregate container requests of {total}");
            errors.push(FieldError::invalid(&path.child("requests").key(name), own.to_string(), why));
        }
    }
    for (name, total) in aggregated(spec, |own| &own.resources.limits) {
        let own = resources.limits.get(&name).filter(|own| name.starts_with("hugepages-") && total > **own);
        if let Some(own) = own {
            let why = format!("must be greater than or equal to aggregate container limits of {total}");
            errors.push(FieldError::invalid(&path.child("limits").key(name), own.to_string(), why));
        }
    }
    for (index, container) in spec.containers.iter().enumerate() {
        for (name, limit) in &container.resources.limits {
            if let Some(most) = resources.limits.get(name).filter(|most| limit > *most) {
                let at = path.child("containers").index(index).key(name).child("limits");
                let why = format!("must be less than or equal to pod limits of {most}");
                errors.push(FieldError::invalid(&at, limit.to_string(), why));
            }
        }
    }
}

/// What a container asks for.
pub fn of_container(errors: &mut ErrorList, path: &Path, resources: &ResourceRequirements, spec: &PodSpec) {
    requirements(errors, path, resources, spec, container_name);
}

fn requirements(
    errors: &mut ErrorList,
    path: &Path,
    resources: &ResourceRequirements,
    spec: &PodSpec,
    check_name: impl Fn(&mut ErrorList, &Path, &str),
) {
    let (limits, requests) = (path.child("limits"), path.child("requests"));
    for (name, value) in &resources.limits {
        let at = limits.key(name);
        check_name(errors, &at, name);
        quantity(errors, &at, name, value);
        whole_pages(errors, &at, name, value);
    }
    for (name, value) in &resources.requests {
        let at = requests.key(name);
        check_name(errors, &at, name);
        quantity(errors, &at, name, value);
        whole_pages(errors, &at, name, value);
        match resources.limits.get(name) {
            Some(limit) if !may_overcommit(name) && value != limit => {
                let why = format!("must be equal to {name} limit of {limit}");
                errors.push(FieldError::invalid(&requests, value.to_string(), why));
            }
            Some(limit) if value > limit => {
                let why = format!("must be less than or equal to {name} limit of {limit}");
                errors.push(FieldError::invalid(&requests, value.to_string(), why));
            }
            None if !may_overcommit(name) => {
                let why = "Limit must be set for non overcommitable resources";
                errors.push(FieldError::required(&limits, why));
            }
            _ => {}
        }
    }
    let named = || resources.limits.keys().chain(resources.requests.keys());
    let huge = named().any(|name| name.starts_with("hugepages-"));
    if huge && !named().any(|name| matches!(name.as_str(), "cpu" | "memory")) {
        errors.push(FieldError::forbidden(path, "HugePages require cpu or memory"));
    }
    claims(errors, &path.child("claims"), &resources.claims, spec);
}

/// The pod's claims that a container uses, each as a whole or request by request.
fn claims(errors: &mut ErrorList, path: &Path, claims: &[ResourceClaim], spec: &PodSpec) {
    let mut used = BTreeSet::new();
    for (index, claim) in claims.iter().enumerate() {
        let at = path.index(index);
        let ResourceClaim { name, request } = claim;
        if !required(errors, &at, name) {
            continue;
        }
        if used.contains(name) {
            errors.push(FieldError::duplicate(&at, name));
        } else {
            let key = if request.is_empty() { name.clone() } else { format!("{name}/{request}") };
            if !request.is_empty() {
                each(errors, &at.child("request"), request, names::is_dns1123_label(request));
            }
            let in_parts = |used: &String| used.split_once('/').is_some_and(|(whole, _)| whole == name);
            if used.contains(&key) {
                errors.push(FieldError::duplicate(&at, &key));
            } else if request.is_empty() && used.iter().any(in_parts) {
                errors.push(FieldError::duplicate(&at, name));
            }
            used.insert(key);
        }
        let known: BTreeSet<&str> = spec.resource_claims.iter().map(|claim| claim.name.as_str()).collect();
        if known.contains(name.as_str()) {
            continue;
        }
        let known: Vec<&str> = known.into_iter().filter(|name| !name.is_empty()).collect();
        let mut error = FieldError::not_found(&at, name);
        error.detail = "must be one of the names in pod.spec.resourceClaims".to_owned();
        error.detail +=
            &if known.is_empty() { " which is empty".to_owned() } else { format!(": {}", known.join(", ")) };
        errors.push(error);
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;
    use api_types::core::v1::{Container, EphemeralContainer};

    use super::*;
    use crate::pod::KIND;

    fn errors(spec: &str) -> Vec<String> {
        create(&KIND, &format!("spec: {{{spec}}}")).errors
    }

    #[test]
    fn a_container_for_debugging_keeps_the_pod_from_being_limited() {
        let limits = |list: &[(&str, &str)]| ResourceRequirements {
            limits: list
                .iter()
                .map(|(name, text)| ((*name).into(), text.parse().expect("a quantity")))
                .collect(),
            ..ResourceRequirements::default()
        };
        let mut own = limits(&[("memory", "1Gi")]);
        own.requests = own.limits.clone();
        let container = Container { resources: own, ..Container::default() };
        let mut spec = PodSpec { containers: vec![container].into(), ..PodSpec::default() };
        spec.resources = Some(Box::new(limits(&[("cpu", "1")])));
        let mut debugged = spec.clone();
        debugged.ephemeral_containers = vec![EphemeralContainer::default()];
        for (mut spec, limited) in [(spec, true), (debugged, false)] {
            default_for_pod(&mut spec);
            let own = spec.resources.expect("it is there");
            assert!(own.requests.contains_key("memory"));
            assert_eq!(own.limits.contains_key("memory"), limited);
        }
    }

    #[test]
    fn pages_are_whole_and_of_a_size() {
        for (name, value, multiple) in [
            ("hugepages-2Mi", "4Mi", true),
            ("hugepages-2Mi", "3Mi", false),
            ("hugepages-0", "0", false),
            ("hugepages-1500m", "3", false),
            ("hugepages-", "0", false),
            ("hugepages-x", "0", false),
        ] {
            let found = errors(&format!(
                "overhead: {{cpu: 1, {name}: {value}}}, containers: [{{name: c, image: i}}]"
            ));
            let said = found.iter().any(|error| {
                *error
                    == format!(
                        "spec.overhead.limits[{name}]: Invalid value: \"{value}\": {value} is not positive integer multiple of {name}"
                    )
            });
            assert_eq!(said, !multiple, "{name}: {value}: {found:?}");
        }
        assert_eq!(
            errors("overhead: {hugepages-2Mi: 2Mi}, containers: [{name: c, image: i}]"),
            ["spec.overhead: Forbidden: HugePages require cpu or memory"]
        );
    }

    #[test]
    fn a_claim_is_used_once_as_a_whole_or_in_parts() {
        let with = |claims: &str| {
            errors(&format!(
                "resourceClaims: [{{name: a, resourceClaimName: a}}], containers: [{{name: c, image: i, resources: {{claims: [{claims}]}}}}]"
            ))
        };
        let at = "spec.containers[0].resources.claims";
        assert_eq!(with("{name: a, request: r}, {name: a, request: s}"), [""; 0]);
        for (claims, error) in [
            ("{name: a}, {name: a}", "[1]: Duplicate value: \"a\""),
            ("{name: a}, {name: a, request: r}", "[1]: Duplicate value: \"a\""),
            ("{name: a, request: r}, {name: a, request: r}", "[1]: Duplicate value: \"a/r\""),
            ("{name: a, request: r}, {name: a}", "[1]: Duplicate value: \"a\""),
            ("{name: b}", "[0]: Not found: \"b\": must be one of the names in pod.spec.resourceClaims: a"),
        ] {
            assert_eq!(with(claims), [format!("{at}{error}")], "{claims}");
        }
    }

    #[test]
    fn a_pod_for_windows_asks_for_nothing_as_a_whole() {
        assert_eq!(
            errors("os: {name: windows}, resources: {requests: {cpu: 1}}, containers: [{name: c, image: i}]"),
            ["spec.resources: Forbidden: may not be set for a windows pod"]
        );
    }
}
