//! What is wrong with what containers ask for.

use api_kind::checks::required;
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_record::scalar::Quantity;
use api_types::core::v1::{PodSpec, ResourceRequirements};

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

fn container_name(errors: &mut ErrorList, path: &Path, text: &str) {
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

fn is_native(name: &str) -> bool {
    !name.contains('/') || name.contains("kubernetes.io/")
}

/// Whether a resource is one that a node's devices offer.
pub fn is_extended(name: &str) -> bool {
    !is_native(name)
        && !name.starts_with("requests.")
        && names::is_label_key(&format!("requests.{name}")).is_empty()
}

/// Whether more of it may be promised than there is.
fn may_overcommit(name: &str) -> bool {
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
    if whole && value.millis() % 1000 != 0 {
        errors.push(FieldError::invalid(path, value, "must be an integer"));
    }
}

/// What a container asks for.
pub fn of_container(errors: &mut ErrorList, path: &Path, resources: &ResourceRequirements, spec: &PodSpec) {
    let (limits, requests) = (path.child("limits"), path.child("requests"));
    for (name, value) in &resources.limits {
        let at = limits.key(name);
        container_name(errors, &at, name);
        quantity(errors, &at, name, value);
    }
    for (name, value) in &resources.requests {
        let at = requests.key(name);
        container_name(errors, &at, name);
        quantity(errors, &at, name, value);
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
    for (index, claim) in resources.claims.iter().enumerate() {
        let at = path.child("claims").index(index);
        if !required(errors, &at, &claim.name) {
            continue;
        }
        let twice =
            resources.claims[..index].iter().any(|c| (&c.name, &c.request) == (&claim.name, &claim.request));
        if twice {
            errors.push(FieldError::duplicate(&at, &claim.name));
        } else if !spec.resource_claims.iter().any(|known| known.name == claim.name) {
            errors.push(FieldError::not_found(&at.child("name"), &claim.name));
        }
    }
}
