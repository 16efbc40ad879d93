//! What drivers for the container storage interface have registered of a node.

use std::collections::BTreeSet;

use api_kind::checks::{non_negative, qualified_name, required, shown, supported};
use api_kind::{Column, Ctx, Kind};
use api_kinds_core::pod::volume::csi_driver;
use api_meta::conditions::reason_fault;
use api_meta::field::{ErrorList, FieldError, Path};
use api_types::storage::v1::{CSINode, CSINodeDriver, StorageHealth, StorageHealthCondition};

const NODE_ID_BYTES: usize = 256;
const HEALTH_CONDITIONS: usize = 16;
const REASON_BYTES: usize = 256;
const MESSAGE_BYTES: usize = 1024;

/// The row.
pub const KIND: Kind<CSINode> = Kind::<CSINode>::of("storage.k8s.io", "v1", "csinodes")
    .conditional_update()
    .frozen_metadata()
    .validate(validate)
    .columns(&[
        Column::<CSINode>::name(),
        Column::<CSINode>::number(
            "Drivers",
            "Drivers indicates the number of CSI drivers registered on the node",
            |own, _| i64::try_from(own.spec.drivers.len()).unwrap_or(i64::MAX).into(),
        ),
        Column::<CSINode>::age(),
    ]);

fn validate(ctx: &Ctx<'_>, node: &CSINode, old: Option<&CSINode>, errors: &mut ErrorList) {
    if ctx.subresource == "status" {
        health(errors, &Path::new("status").child("storageHealth"), &node.status.storage_health);
        return;
    }
    let path = Path::new("spec").child("drivers");
    let mut names = BTreeSet::new();
    for (index, one) in node.spec.drivers.iter().enumerate() {
        let at = path.index(index);
        driver(errors, &at, one);
        if !names.insert(&one.name) {
            errors.push(FieldError::duplicate(&at.child("name"), &one.name));
        }
    }
    let mutable = ctx.gates.is_on("MutableCSINodeAllocatableCount");
    let seen = |driver: &CSINodeDriver| {
        let mut driver = driver.clone();
        if mutable {
            driver.allocatable = None;
        }
        driver
    };
    for before in old.iter().flat_map(|old| old.spec.drivers.iter()) {
        for now in node.spec.drivers.iter().filter(|now| now.name == before.name) {
            let now = seen(now);
            if now != seen(before) {
                errors.push(FieldError::invalid(&path, shown(&now), "field is immutable"));
            }
        }
    }
}

fn driver(errors: &mut ErrorList, path: &Path, driver: &CSINodeDriver) {
    csi_driver(errors, &path.child("name"), &driver.name);
    let at = path.child("nodeID");
    required(errors, &at, &driver.node_id);
    if driver.node_id.len() > NODE_ID_BYTES {
        let why = format!("must be {NODE_ID_BYTES} characters or less");
        errors.push(FieldError::invalid(&at, &driver.node_id, why));
    }
    if let Some(count) = driver.allocatable.as_ref().and_then(|allocatable| allocatable.count) {
        non_negative(errors, &path.child("allocatable").child("count"), count.into());
    }
    let mut keys = BTreeSet::new();
    for key in driver.topology_keys.iter() {
        required(errors, path, key);
        if !keys.insert(key) {
            errors.push(FieldError::duplicate(path, key));
        }
        qualified_name(errors, path, key);
    }
}

fn health(errors: &mut ErrorList, path: &Path, list: &[StorageHealth]) {
    let mut names = BTreeSet::new();
    for (index, one) in list.iter().enumerate() {
        let at = path.index(index);
        if !names.insert(&one.name) {
            errors.push(FieldError::duplicate(&at, &one.name));
        }
        csi_driver(errors, &at.child("name"), &one.name);
        let at = at.child("healthConditions");
        if one.health_conditions.len() > HEALTH_CONDITIONS {
            errors.push(FieldError::too_many(&at, one.health_conditions.len(), HEALTH_CONDITIONS));
            continue;
        }
        for (index, one) in one.health_conditions.iter().enumerate() {
            condition(errors, &at.index(index), one);
        }
    }
}

fn condition(errors: &mut ErrorList, path: &Path, own: &StorageHealthCondition) {
    supported(errors, &path.child("status"), &own.status, &["StorageDegraded", "StorageUnreachable"]);
    let at = path.child("reason");
    if required(errors, &at, &own.reason) {
        errors.extend(reason_fault(&own.reason).map(|why| FieldError::invalid(&at, &own.reason, why)));
        if own.reason.len() > REASON_BYTES {
            errors.push(FieldError::too_long(&at, REASON_BYTES));
        }
    }
    if own.message.len() > MESSAGE_BYTES {
        errors.push(FieldError::too_long(&path.child("message"), MESSAGE_BYTES));
    }
    if let Some(mode) = &own.access_mode {
        let known = ["ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"];
        supported(errors, &path.child("accessMode"), mode, &known);
    }
    if let Some(mode) = &own.volume_mode {
        supported(errors, &path.child("volumeMode"), mode, &["Filesystem", "Block"]);
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    const NODE: &str =
        "spec: {drivers: [{name: a.b, nodeID: one, topologyKeys: [k], allocatable: {count: 1}}]}";

    #[test]
    fn only_the_count_of_a_driver_changes() {
        assert_eq!(create(&KIND, NODE).cells(&KIND), "x|1|<unknown>");
        assert_eq!(update(&KIND, "", NODE, &NODE.replace("count: 1", "count: 2")).errors, [""; 0]);
        assert_eq!(update(&KIND, "", NODE, "spec: {drivers: []}").errors, [""; 0]);
        let moved = update(&KIND, "", NODE, &NODE.replace("nodeID: one", "nodeID: two"));
        assert_eq!(moved.errors.len(), 1);
        assert!(moved.errors[0].starts_with("spec.drivers: Invalid value: {"), "{:?}", moved.errors);
        assert!(moved.errors[0].ends_with("field is immutable"));
    }
}
