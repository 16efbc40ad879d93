//! What clients leave out of objects of the kinds that have no row of their own yet: upstream's defaulting functions for their types.
//!
//! A taint of a device is not given the time at which it was added: rows know no clock.

use api_kind::each;
use api_record::Record;
use api_types::{apiregistration, core, flowcontrol, resource, storage};

/// Fills in an object.
type Defaults = fn(&mut dyn Record);

/// What fills in the objects of a resource.
pub fn defaults(group: &str, plural: &str) -> Defaults {
    match (group, plural) {
        ("apiregistration.k8s.io", _) => |object| {
            each::<apiregistration::v1::ServiceReference>(object, &|service| {
                service.port.get_or_insert(443);
            });
        },
        ("flowcontrol.apiserver.k8s.io", _) => flow_control,
        ("resource.k8s.io", _) => devices,
        ("storage.k8s.io", "csidrivers") => driver,
        ("storage.k8s.io", "volumeattachments") => |object| {
            each::<core::v1::PersistentVolumeSpec>(object, &api_kinds_core::persistent_volume::description);
        },
        _ => |_| {},
    }
}

fn flow_control(object: &mut dyn Record) {
    use flowcontrol::v1::{
        ExemptPriorityLevelConfiguration, FlowSchemaSpec, LimitedPriorityLevelConfiguration,
        QueuingConfiguration,
    };
    each::<FlowSchemaSpec>(object, &|spec| {
        number(&mut spec.matching_precedence, 1000);
    });
    each::<ExemptPriorityLevelConfiguration>(object, &|level| {
        level.nominal_concurrency_shares.get_or_insert(0);
        level.lendable_percent.get_or_insert(0);
    });
    each::<LimitedPriorityLevelConfiguration>(object, &|level| {
        level.nominal_concurrency_shares.get_or_insert(30);
        level.lendable_percent.get_or_insert(0);
    });
    each::<QueuingConfiguration>(object, &|queuing| {
        number(&mut queuing.hand_size, 8);
        number(&mut queuing.queues, 64);
        number(&mut queuing.queue_length_limit, 50);
    });
}

fn number(field: &mut i32, default: i32) {
    if *field == 0 {
        *field = default;
    }
}

fn devices(object: &mut dyn Record) {
    each::<resource::v1::ExactDeviceRequest>(object, &|request| {
        allocation(&mut request.allocation_mode, &mut request.count);
    });
    each::<resource::v1::DeviceSubRequest>(object, &|request| {
        allocation(&mut request.allocation_mode, &mut request.count);
    });
}

/// One device, unless something else is said.
fn allocation(mode: &mut String, count: &mut i64) {
    if mode.is_empty() {
        "ExactCount".clone_into(mode);
    }
    if mode == "ExactCount" && *count == 0 {
        *count = 1;
    }
}

fn driver(object: &mut dyn Record) {
    each::<storage::v1::CSIDriver>(object, &|driver| {
        let spec = &mut driver.spec;
        spec.attach_required.get_or_insert(true);
        spec.pod_info_on_mount.get_or_insert(false);
        spec.storage_capacity.get_or_insert(false);
        spec.fs_group_policy.get_or_insert_with(|| "ReadWriteOnceWithFSType".into());
        if spec.volume_lifecycle_modes.is_empty() {
            spec.volume_lifecycle_modes.push("Persistent".into());
        }
        spec.requires_republish.get_or_insert(false);
        spec.se_linux_mount.get_or_insert(false);
        spec.prevent_pod_scheduling_if_missing.get_or_insert(false);
    });
}
