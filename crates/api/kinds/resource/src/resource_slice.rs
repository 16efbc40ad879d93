//! What a driver offers of a pool of devices, and to which nodes.

mod capacity;
mod device;

use api_kind::checks::immutable;
use api_kind::{Column, Ctx, Kind, structural};
use api_kinds_core::pod::scheduling::node_selector;
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_meta::names::name_is_dns_subdomain;
use api_types::core::v1::NodeSelector;
use api_types::resource::v1::{CounterSet, ResourceSlice, ResourceSliceSpec};
use api_types::resource::v1beta2;

use crate::limits::{ADVANCED_DEVICES, COUNTERS, DEVICES};
use crate::{names, parts};

const ONE_OF: &str =
    "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required";

/// The row.
pub const KIND: Kind<ResourceSlice> = Kind::<ResourceSlice>::of("resource.k8s.io", "v1", "resourceslices")
    .versions(&[structural::<v1beta2::ResourceSlice, ResourceSlice>("resource.k8s.io", "v1beta2")])
    .generation()
    .validate(validate)
    .warnings(warnings)
    .columns(&[
        Column::<ResourceSlice>::name(),
        Column::<ResourceSlice>::text(
            "Node",
            "NodeName identifies the node which provides the resources in this pool.",
            |own, _| own.spec.node_name.as_deref().unwrap_or("").into(),
        ),
        Column::<ResourceSlice>::text(
            "Driver",
            "Driver identifies the DRA driver providing the capacity information.",
            |own, _| own.spec.driver.as_str().into(),
        ),
        Column::<ResourceSlice>::text("Pool", "Name is used to identify the pool.", |own, _| {
            own.spec.pool.name.as_str().into()
        }),
        Column::<ResourceSlice>::age(),
    ])
    .selectable(&[
        ("spec.nodeName", |own| own.spec.node_name.as_deref().unwrap_or("").into()),
        ("spec.driver", |own| own.spec.driver.as_str().into()),
        ("spec.pool.name", |own| own.spec.pool.name.as_str().into()),
    ]);

fn warnings(_: &Ctx<'_>, own: &ResourceSlice, _: Option<&ResourceSlice>) -> Vec<String> {
    let driver = &own.spec.driver;
    if driver.to_lowercase() == *driver {
        return Vec::new();
    }
    let driver = api_meta::quote::go(driver);
    vec![format!("spec.driver: driver names should be lowercase; {driver} contains uppercase characters")]
}

fn validate(_: &Ctx<'_>, own: &ResourceSlice, old: Option<&ResourceSlice>, errors: &mut ErrorList) {
    let (path, spec, old) = (Path::new("spec"), &own.spec, old.map(|old| &old.spec));
    names::driver(errors, &path.child("driver"), &spec.driver);
    pool(errors, &path.child("pool"), spec);
    if let Some(old) = old {
        let (name, at) = (&spec.pool.name, path.child("pool").child("name"));
        immutable(errors, &at, *name == old.pool.name, name);
        immutable(errors, &path.child("driver"), spec.driver == old.driver, &spec.driver);
        let node = spec.node_name.as_deref();
        immutable(errors, &path.child("nodeName"), spec.node_name == old.node_name, node);
    }
    nodes(errors, &path, spec);
    if !spec.shared_counters.is_empty() && !spec.devices.is_empty() {
        let why = "only one of `sharedCounters` or `devices` is allowed";
        errors.push(FieldError::invalid(&path, "", why));
    }
    devices(errors, &path.child("devices"), spec, old);
    let at = path.child("sharedCounters");
    for (index, set) in spec.shared_counters.iter().enumerate() {
        counters(errors, &at.index(index), set);
    }
    parts::unique_records(errors, &at, &spec.shared_counters, |set| &set.name);
    partitions(errors, &path, spec);
    parts::skipped(errors, &path.child("skipNodeOperations"), &spec.skip_node_operations);
}

fn pool(errors: &mut ErrorList, path: &Path, spec: &ResourceSliceSpec) {
    names::pool(errors, &path.child("name"), &spec.pool.name);
    let count = spec.pool.resource_slice_count;
    if count <= 0 {
        let at = path.child("resourceSliceCount");
        errors.push(FieldError::invalid(&at, count, "must be greater than zero"));
    }
    let generation = spec.pool.generation;
    if generation < 0 {
        let why = "must be greater than or equal to zero";
        errors.push(FieldError::invalid(&path.child("generation"), generation, why));
    }
}

fn nodes(errors: &mut ErrorList, path: &Path, spec: &ResourceSliceSpec) {
    let mut given = Vec::new();
    if let Some(name) = &spec.node_name {
        let why = "must be either unset or set to a non-empty string";
        node_name(errors, &path.child("nodeName"), name, why, &mut given);
    }
    if let Some(selector) = &spec.node_selector {
        given.push("`nodeSelector`");
        let at = path.child("nodeSelector");
        node_selector(errors, &at, selector);
        if selector.node_selector_terms.len() != 1 {
            let why = "must have exactly one node selector term";
            errors.push(FieldError::invalid(&at.child("nodeSelectorTerms"), terms(selector), why));
        }
    }
    flag(errors, &path.child("allNodes"), spec.all_nodes, "`allNodes`", &mut given);
    let at = path.child("perDeviceNodeSelection");
    flag(errors, &at, spec.per_device_node_selection, "`perDeviceNodeSelection`", &mut given);
    match given.len() {
        0 => errors.push(FieldError::required(path, ONE_OF)),
        1 => {}
        _ => {
            let why = format!("{ONE_OF}, but multiple fields are set");
            errors.push(FieldError::invalid(path, format!("{{{}}}", given.join(", ")), why));
        }
    }
}

/// A node's name that may not be empty if it is given, which then counts.
fn node_name(errors: &mut ErrorList, at: &Path, name: &str, empty: &str, given: &mut Vec<&'static str>) {
    if name.is_empty() {
        errors.push(FieldError::invalid(at, name, empty));
    } else {
        given.push("`nodeName`");
        errors.extend(ErrorList::invalid(at, name, name_is_dns_subdomain(name, false)));
    }
}

/// A flag that is set or absent.
fn flag(
    errors: &mut ErrorList,
    at: &Path,
    value: Option<bool>,
    name: &'static str,
    given: &mut Vec<&'static str>,
) {
    match value {
        None => {}
        Some(true) => given.push(name),
        Some(false) => errors.push(FieldError::invalid(at, false, "must be either unset or set to true")),
    }
}

fn terms(selector: &NodeSelector) -> BadValue {
    let terms = selector.node_selector_terms.iter().map(|term| {
        let shown = api_kind::checks::shown(term);
        shown.shown().unwrap_or_default().to_owned()
    });
    if selector.node_selector_terms.is_nil() {
        return BadValue::null();
    }
    BadValue::json(format!("[{}]", terms.collect::<Vec<_>>().join(",")))
}

fn devices(errors: &mut ErrorList, path: &Path, spec: &ResourceSliceSpec, old: Option<&ResourceSliceSpec>) {
    let advanced = spec.devices.iter().any(|device| {
        !device.taints.is_empty() || !device.consumes_counters.is_empty() || device::has_lists(device)
    });
    let most = if advanced { ADVANCED_DEVICES } else { DEVICES };
    if spec.devices.len() > most {
        errors.push(FieldError::too_many(path, spec.devices.len(), most));
        return;
    }
    let apart = spec.per_device_node_selection == Some(true);
    for (index, own) in spec.devices.iter().enumerate() {
        let before = old.and_then(|old| old.devices.iter().find(|before| before.name == own.name));
        device::check(errors, &path.index(index), own, before, apart);
    }
    parts::unique(errors, path, spec.devices.iter().map(|device| &device.name));
}

fn counters(errors: &mut ErrorList, path: &Path, set: &CounterSet) {
    let at = path.child("counters");
    if set.counters.len() > COUNTERS {
        errors.push(FieldError::too_many(&at, set.counters.len(), COUNTERS));
        return;
    }
    set.counters.keys().for_each(|name| names::label(errors, &at, name));
}

/// The attribute that tells partitions apart is a text of each device that takes from counters.
fn partitions(errors: &mut ErrorList, path: &Path, spec: &ResourceSliceSpec) {
    let Some(name) = &spec.partition_type_attribute else { return };
    let at = path.child("partitionTypeAttribute");
    if spec.devices.iter().all(|device| device.consumes_counters.is_empty()) {
        let why = "may only be set on a slice which declares devices that consume counters";
        errors.push(FieldError::invalid(&at, name, why));
        return;
    }
    let mut malformed = ErrorList::new();
    names::fully_qualified(&mut malformed, &at, name);
    if !malformed.is_empty() {
        errors.extend(malformed);
        return;
    }
    let bare = name.strip_prefix(&format!("{}/", spec.driver)).unwrap_or(name);
    for (index, device) in spec.devices.iter().enumerate() {
        if device.consumes_counters.is_empty() {
            continue;
        }
        let at = path.child("devices").index(index).child("attributes").key(name);
        match device.attributes.get(name).or_else(|| device.attributes.get(bare)) {
            None => {
                let why = "device consumes counters and `partitionTypeAttribute` names this attribute, so it must be set";
                errors.push(FieldError::required(&at, why));
            }
            Some(attribute) if attribute.string_value.is_none() => {
                let why = "must be a string value because `partitionTypeAttribute` names this attribute";
                errors.push(FieldError::invalid(&at, api_kind::checks::shown(attribute), why));
            }
            Some(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    const SLICE: &str = "spec: {driver: d.e, nodeName: one, pool: {name: p, resourceSliceCount: 1}, devices: [{name: a, attributes: {model: {string: x}}, capacity: {memory: {value: 1Gi}}}]}";

    #[test]
    fn a_slice_is_of_one_pool_of_one_node() {
        let made = create(&KIND, SLICE);
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|one|d.e|p|<unknown>");
        assert_eq!(
            create(&KIND, &SLICE.replace("nodeName: one", "nodeName: one, allNodes: true")).errors,
            [format!(
                "spec: Invalid value: \"{{`nodeName`, `allNodes`}}\": {ONE_OF}, but multiple fields are set"
            )]
        );
        assert_eq!(
            update(
                &KIND,
                "",
                SLICE,
                &SLICE.replace("driver: d.e", "driver: D.f").replace("name: p", "name: q")
            )
            .errors,
            [
                "spec.pool.name: Invalid value: \"q\": field is immutable",
                "spec.driver: Invalid value: \"D.f\": field is immutable"
            ]
        );
    }

    #[test]
    fn what_requests_may_take_of_a_capacity_fits_it() {
        let shared = |policy: &str| {
            let capacity = format!("value: 1Gi, requestPolicy: {{{policy}}}");
            create(
                &KIND,
                &SLICE
                    .replace("name: a,", "name: a, allowMultipleAllocations: true,")
                    .replace("value: 1Gi", &capacity),
            )
            .errors
        };
        assert_eq!(shared("default: 1Mi, validRange: {min: 1Mi, step: 1Mi}"), [""; 0]);
        assert_eq!(shared("default: 1Mi, validValues: [1Mi, 2Mi]"), [""; 0]);
        let at = "spec.devices[0].capacity[memory].requestPolicy";
        assert_eq!(
            shared("default: 1Mi, validRange: {min: 1Mi, max: 3Gi, step: 3Mi}"),
            [
                format!(
                    "{at}.validRange.max: Invalid value: \"3Gi\": max is larger than capacity value: 1Gi"
                ),
                format!(
                    "{at}.validRange.step: Invalid value: \"3Gi\": value is not a multiple of a given step (3Mi) from (1Mi)"
                ),
            ]
        );
        assert_eq!(
            shared("default: 3Mi, validValues: [2Mi, 1Mi]"),
            [
                format!(
                    "{at}.validValues[1]: Invalid value: \"1Mi\": values must be sorted in ascending order"
                ),
                format!(
                    "{at}.validValues: Invalid value: \"3Mi\": default value is not valid according to the requestPolicy"
                ),
            ]
        );
    }
}
