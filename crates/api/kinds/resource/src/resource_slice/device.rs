//! One device: its attributes, what it can hold, what it takes from counters, and where it is.

use std::collections::BTreeMap;

use api_kinds_core::pod::scheduling::node_selector;
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_types::resource::v1::{
    Device, DeviceAttribute, DeviceCapacity, NodeAllocatableMapping, NodeAllocatableResource,
};

use super::{capacity, flag, node_name};
use crate::limits::{ATTRIBUTE_VALUES, ATTRIBUTES, COUNTERS, QUALIFIED_BYTES, TAINTS, VALUE_BYTES};
use crate::{names, parts, taint};

const ONE_OF: &str = "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec";

/// Whether an attribute of it is a list.
pub fn has_lists(device: &Device) -> bool {
    device.attributes.values().any(|attribute| elements(attribute) > 0)
}

fn elements(attribute: &DeviceAttribute) -> usize {
    attribute.int_values.len()
        + attribute.bool_values.len()
        + attribute.string_values.len()
        + attribute.version_values.len()
}

/// Checks a device; of what it was before, capacities and taints that have not changed are left alone. `apart` says that devices of the
/// slice are each where they are.
pub fn check(errors: &mut ErrorList, path: &Path, own: &Device, old: Option<&Device>, apart: bool) {
    names::label(errors, &path.child("name"), &own.name);
    attributes(errors, path, own);
    if old.is_none_or(|old| old.capacity != own.capacity) {
        let (at, shared) = (path.child("capacity"), own.allow_multiple_allocations == Some(true));
        for (key, one) in &own.capacity {
            names::qualified(errors, &at, key);
            capacity::check(errors, &at.key(names::shortened(key, QUALIFIED_BYTES)), one, shared);
        }
    }
    if old.is_none_or(|old| old.taints != own.taints) {
        let at = path.child("taints");
        if own.taints.len() > TAINTS {
            errors.push(FieldError::too_many(&at, own.taints.len(), TAINTS));
        } else {
            for (index, one) in own.taints.iter().enumerate() {
                taint::taint(errors, &at.index(index), one);
            }
        }
    }
    consumption(errors, &path.child("consumesCounters"), own);
    place(errors, path, own, apart);
    parts::binding(errors, path, &own.binding_conditions, &own.binding_failure_conditions);
    for (name, resource) in &own.node_allocatable_resources {
        let at = path.child("nodeAllocatableResources").key(name);
        allocatable(errors, &at, name, resource, &own.capacity);
    }
}

fn attributes(errors: &mut ErrorList, path: &Path, own: &Device) {
    let count = own.attributes.len() + own.capacity.len();
    if count > ATTRIBUTES {
        let why = format!("the total number of attributes and capacities must not exceed {ATTRIBUTES}");
        errors.push(FieldError::invalid(path, shown_count(count), why));
    }
    let values: usize = own.attributes.values().map(|attribute| elements(attribute).max(1)).sum();
    if values > ATTRIBUTE_VALUES {
        let why = format!("the total number of attribute values must not exceed {ATTRIBUTE_VALUES}");
        errors.push(FieldError::invalid(path, shown_count(values), why));
    }
    let at = path.child("attributes");
    for (key, one) in &own.attributes {
        names::qualified(errors, &at, key);
        attribute(errors, &at.key(names::shortened(key, QUALIFIED_BYTES)), one);
    }
}

fn shown_count(count: usize) -> BadValue {
    BadValue::from(count)
}

fn attribute(errors: &mut ErrorList, path: &Path, own: &DeviceAttribute) {
    let values = [
        ("int", own.int_value.is_some()),
        ("bool", own.bool_value.is_some()),
        ("string", own.string_value.is_some()),
        ("version", own.version_value.is_some()),
        ("ints", !own.int_values.is_empty()),
        ("bools", !own.bool_values.is_empty()),
        ("strings", !own.string_values.is_empty()),
        ("versions", !own.version_values.is_empty()),
    ];
    let (at, list) = (path.child("string"), path.child("strings"));
    own.string_value.iter().for_each(|text| short(errors, &at, text));
    own.string_values.iter().enumerate().for_each(|(index, text)| short(errors, &list.index(index), text));
    let (at, list) = (path.child("version"), path.child("versions"));
    own.version_value.iter().for_each(|text| version(errors, &at, text));
    own.version_values.iter().enumerate().for_each(|(index, text)| version(errors, &list.index(index), text));
    let known = values.map(|(name, _)| format!("`{name}`")).join(", ");
    let given: Vec<&str> = values.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect();
    match given.len() {
        0 => errors.push(FieldError::invalid(path, "", format!("must specify one of: {known}"))),
        1 => {}
        _ => {
            let why = format!("must specify exactly one of: {known}");
            errors.push(FieldError::invalid(path, format!("{{{}}}", given.join(", ")), why));
        }
    }
}

fn short(errors: &mut ErrorList, path: &Path, text: &str) {
    if text.len() > VALUE_BYTES {
        errors.push(FieldError::too_long(path, VALUE_BYTES));
    }
}

fn version(errors: &mut ErrorList, path: &Path, text: &str) {
    if !is_semantic_version(text) {
        let why = "must be a string compatible with semver.org spec 2.0.0";
        errors.push(FieldError::invalid(path, text, why));
    }
    short(errors, path, text);
}

/// `1.2.3-alpha.1+build.5`: numbers without leading zeros, then perhaps what comes before a release, and what built it.
fn is_semantic_version(text: &str) -> bool {
    let (rest, build) = text.split_once('+').map_or((text, None), |(rest, build)| (rest, Some(build)));
    let (core, early) = rest.split_once('-').map_or((rest, None), |(core, early)| (core, Some(early)));
    let number = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    let word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let before = |part: &str| word(part) && (number(part) || part.bytes().any(|b| !b.is_ascii_digit()));
    core.split('.').count() == 3
        && core.split('.').all(number)
        && early.is_none_or(|early| early.split('.').all(before))
        && build.is_none_or(|build| build.split('.').all(word))
}

fn consumption(errors: &mut ErrorList, path: &Path, own: &Device) {
    for (index, one) in own.consumes_counters.iter().enumerate() {
        let at = path.index(index).child("counters");
        if one.counters.len() > COUNTERS {
            errors.push(FieldError::too_many(&at, one.counters.len(), COUNTERS));
        } else {
            one.counters.keys().for_each(|name| names::label(errors, &at, name));
        }
    }
    parts::unique_records(errors, path, &own.consumes_counters, |one| &one.counter_set);
}

fn place(errors: &mut ErrorList, path: &Path, own: &Device, apart: bool) {
    if !apart {
        if own.node_name.is_some() || own.node_selector.is_some() || own.all_nodes.is_some() {
            let why = "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec";
            errors.push(FieldError::invalid(path, BadValue::null(), why));
        }
        return;
    }
    let mut given = Vec::new();
    if let Some(name) = &own.node_name {
        node_name(errors, &path.child("nodeName"), name, "must not be empty", &mut given);
    }
    if let Some(selector) = &own.node_selector {
        given.push("`nodeSelector`");
        node_selector(errors, &path.child("nodeSelector"), selector);
    }
    flag(errors, &path.child("allNodes"), own.all_nodes, "`allNodes`", &mut given);
    match given.len() {
        0 => errors.push(FieldError::required(path, ONE_OF)),
        1 => {}
        _ => errors.push(FieldError::invalid(path, format!("{{{}}}", given.join(", ")), ONE_OF)),
    }
}

/// What a device takes of what the node itself has to give.
fn allocatable(
    errors: &mut ErrorList,
    path: &Path,
    name: &str,
    own: &NodeAllocatableResource,
    capacities: &BTreeMap<String, DeviceCapacity>,
) {
    let known = matches!(name, "cpu" | "memory" | "ephemeral-storage") || name.starts_with("hugepages-");
    if !known {
        errors.push(FieldError::invalid(path, name, "must be a node allocatable resource name"));
    }
    if own.mapping.is_none() && own.overhead.is_none() {
        errors.push(FieldError::required(path, "at least one of mapping or overhead must be set"));
    }
    if let Some(own) = &own.mapping {
        mapping(errors, &path.child("mapping"), own, capacities);
    }
    let Some(overhead) = &own.overhead else { return };
    let path = path.child("overhead");
    if overhead.per_pod.is_none() && overhead.per_container.is_none() {
        let why = "at least one of perPod or perContainer must be set";
        errors.push(FieldError::invalid(&path, "", why));
    }
    for (field, amount) in [("perPod", &overhead.per_pod), ("perContainer", &overhead.per_container)] {
        if let Some(amount) = amount.as_ref().filter(|amount| amount.sign() < 0) {
            let at = path.child(field);
            errors.push(FieldError::invalid(&at, amount.to_string(), "must be non-negative"));
        }
    }
}

fn mapping(
    errors: &mut ErrorList,
    path: &Path,
    own: &NodeAllocatableMapping,
    capacities: &BTreeMap<String, DeviceCapacity>,
) {
    let (key, times) = (path.child("capacityKey"), path.child("capacityMultiplier"));
    match (own.capacity_key.as_deref(), &own.capacity_multiplier) {
        (None, Some(_)) => {
            let why = "capacityKey is required when capacityMultiplier is set";
            errors.push(FieldError::required(&key, why));
        }
        (Some(_), None) => {
            let why = "capacityMultiplier is required when capacityKey is set";
            errors.push(FieldError::required(&times, why));
        }
        _ => {}
    }
    match own.capacity_key.as_deref() {
        None => {}
        Some("") => errors.push(FieldError::invalid(&key, "", "capacityKey must not be an empty string")),
        Some(name) if !capacities.contains_key(name) => errors.push(FieldError::not_found(&key, name)),
        Some(_) => {}
    }
    let counted = own.capacity_multiplier.as_ref().filter(|_| own.capacity_key.is_some());
    let of_device = own.device_multiplier.as_ref();
    for (at, amount) in [(times, counted), (path.child("deviceMultiplier"), of_device)] {
        if let Some(amount) = amount.filter(|amount| amount.sign() <= 0) {
            errors.push(FieldError::invalid(&at, amount.to_string(), "must be positive"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_semantic() {
        for (text, fits) in [
            ("1.2.3", true),
            ("1.2.3-alpha.1+build.05", true),
            ("1.2.3-a-b", true),
            ("1.2.3-01", false),
            ("1.2.3-0a", true),
            ("1.2", false),
            ("01.2.3", false),
            ("1.2.3-", false),
            ("1.2.3+", false),
            ("v1.2.3", false),
        ] {
            assert_eq!(is_semantic_version(text), fits, "{text}");
        }
    }
}
