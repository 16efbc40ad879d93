//! What clients leave out of objects of the kinds that have no row of their own yet: upstream's defaulting functions for their types.
//!
//! A taint of a device is not given the time at which it was added: rows know no clock.

use api_kind::each;
use api_record::Record;
use api_types::resource;

/// Fills in an object.
type Defaults = fn(&mut dyn Record);

/// What fills in the objects of a resource.
pub fn defaults(group: &str, plural: &str) -> Defaults {
    match (group, plural) {
        ("resource.k8s.io", _) => devices,
        _ => |_| {},
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
