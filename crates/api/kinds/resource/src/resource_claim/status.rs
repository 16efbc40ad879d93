//! The status of a claim: what the scheduler allocated, who uses it, and what drivers say of each device.

use std::collections::BTreeSet;

use api_kind::checks::required;
use api_kinds_core::pod::scheduling::node_selector;
use api_meta::conditions;
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names::is_interface_address;
use api_types::resource::v1::{
    AllocatedDeviceStatus, AllocationResult, DeviceRequestAllocationResult, ResourceClaim,
    ResourceClaimStatus,
};

use crate::claim::{Requests, references};
use crate::limits::CONDITIONS;
use crate::{names, parts, taint};

/// What tells devices apart, and shares of one.
type Id<'a> = (&'a str, &'a str, &'a str, Option<&'a str>);

fn of_result(result: &DeviceRequestAllocationResult) -> Id<'_> {
    (&result.driver, &result.pool, &result.device, result.share_id.as_deref())
}

fn of_status(status: &AllocatedDeviceStatus) -> Id<'_> {
    (&status.driver, &status.pool, &status.device, status.share_id.as_deref())
}

fn allocated(status: &ResourceClaimStatus) -> BTreeSet<Id<'_>> {
    status.allocation.iter().flat_map(|allocation| &allocation.devices.results).map(of_result).collect()
}

/// Drops what drivers said of devices that were allocated and no longer are.
pub fn forget_deallocated(status: &mut ResourceClaimStatus, old: &ResourceClaimStatus) {
    let (before, mut devices) = (allocated(old), std::mem::take(&mut status.devices));
    let now = allocated(status);
    devices.retain(|device| !before.contains(&of_status(device)) || now.contains(&of_status(device)));
    drop(now);
    status.devices = devices;
}

/// Checks a status that replaces another.
pub fn check(errors: &mut ErrorList, claim: &ResourceClaim, old: &ResourceClaim) {
    let (path, status) = (Path::new("status"), &claim.status);
    reservations(errors, &path.child("reservedFor"), claim, old);
    let (at, known) = (path.child("devices"), allocated(status));
    let mut seen = BTreeSet::new();
    for (index, one) in status.devices.iter().enumerate() {
        let at = at.index(index);
        device(errors, &at, one);
        let id = of_status(one);
        if !known.contains(&id) {
            errors.push(FieldError::invalid(&at, shown(id), "must be an allocated device in the claim"));
        }
        if !seen.insert(id) {
            errors.push(FieldError::duplicate(&at, shown(id)));
        }
    }
    let at = path.child("allocation");
    match (&status.allocation, &old.status.allocation) {
        (Some(new), Some(old)) if new != old => {
            errors.push(FieldError::invalid(&at, api_kind::checks::shown(&**new), "field is immutable"));
        }
        (Some(new), None) => allocation(errors, &at, new, &Requests::of(&claim.spec.devices)),
        _ => {}
    }
}

fn shown((driver, pool, device, share): Id<'_>) -> String {
    let share = share.map_or_else(String::new, |share| format!("/{share}"));
    format!("{driver}/{pool}/{device}{share}")
}

fn reservations(errors: &mut ErrorList, path: &Path, claim: &ResourceClaim, old: &ResourceClaim) {
    let list = &claim.status.reserved_for;
    for (index, user) in list.iter().enumerate() {
        let at = path.index(index);
        required(errors, &at.child("resource"), &user.resource);
        required(errors, &at.child("name"), &user.name);
        required(errors, &at.child("uid"), &user.uid);
    }
    parts::unique(errors, path, list.iter().map(|user| &user.uid));
    if list.is_empty() {
        return;
    }
    if claim.status.allocation.is_none() {
        let why = "may not be specified when `allocated` is not set";
        errors.push(FieldError::forbidden(path, why));
    } else if claim.metadata.deletion_timestamp.is_some()
        && list.iter().any(|user| !old.status.reserved_for.contains(user))
    {
        let why = "new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set";
        errors.push(FieldError::forbidden(path, why));
    }
}

fn device(errors: &mut ErrorList, path: &Path, own: &AllocatedDeviceStatus) {
    names::driver(errors, &path.child("driver"), &own.driver);
    names::pool(errors, &path.child("pool"), &own.pool);
    names::label(errors, &path.child("device"), &own.device);
    own.share_id.iter().for_each(|id| names::uid(errors, &path.child("shareID"), id));
    let at = path.child("conditions");
    if own.conditions.len() > CONDITIONS {
        errors.push(FieldError::too_many(&at, own.conditions.len(), CONDITIONS));
    }
    errors.extend(conditions::validate(&own.conditions, &at));
    if let Some(raw) = own.data.as_ref().and_then(|data| data.0.as_ref()).filter(|raw| !raw.is_empty()) {
        parts::json(errors, &path.child("data"), raw, false);
    }
    if let Some(network) = &own.network_data {
        let at = path.child("networkData").child("ips");
        for (index, address) in network.ips.iter().enumerate() {
            errors.extend(is_interface_address(&at.index(index), address));
        }
        parts::unique(errors, &at, network.ips.iter());
    }
}

fn allocation(errors: &mut ErrorList, path: &Path, own: &AllocationResult, known: &Requests<'_>) {
    let at = path.child("devices");
    for (index, one) in own.devices.results.iter().enumerate() {
        result(errors, &at.child("results").index(index), one, known);
    }
    for (index, config) in own.devices.config.iter().enumerate() {
        let at = at.child("config").index(index);
        references(errors, &at.child("requests"), &config.requests, known);
        parts::configuration(errors, &at, &config.device_configuration, false);
    }
    if let Some(selector) = &own.node_selector {
        node_selector(errors, &path.child("nodeSelector"), selector);
    }
}

fn result(errors: &mut ErrorList, path: &Path, own: &DeviceRequestAllocationResult, known: &Requests<'_>) {
    parts::reference(errors, &path.child("request"), &own.request, |name| known.has(name));
    names::pool(errors, &path.child("pool"), &own.pool);
    names::label(errors, &path.child("device"), &own.device);
    parts::binding(errors, path, &own.binding_conditions, &own.binding_failure_conditions);
    taint::tolerations(errors, &path.child("tolerations"), &own.tolerations);
    own.share_id.iter().for_each(|id| names::uid(errors, &path.child("shareID"), id));
    parts::skipped(errors, &path.child("skipNodeOperations"), &own.skip_node_operations);
}
