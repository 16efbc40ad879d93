//! The subresource `scale`: the replicas of a workload, in one form for all kinds. Admission sees this form, and may change the replicas in it.

use api_meta::Status;
use api_meta::labels::Selector;
use api_record::{Record, Slot, Value};
use api_types::autoscaling::v1::Scale;
use api_types::object_meta;

use crate::Served;

/// The replicas of a custom resource that does not say how many it wants.
pub const UNSET: i32 = i32::MIN;

fn missing() -> Status {
    Status::internal_error("an object has no replicas where its kind has them")
}

/// The Scale of a workload: any kind whose spec has `replicas` and `selector`, and whose status has `replicas`, or whose definition
/// says where they are.
///
/// # Errors
/// When there are no replicas where they should be.
pub fn scale_of(served: &Served, object: &dyn Record) -> Result<Scale, Status> {
    let meta = object_meta(object).ok_or_else(missing)?;
    let mut scale = Scale::default();
    scale.metadata.name.clone_from(&meta.name);
    scale.metadata.namespace.clone_from(&meta.namespace);
    scale.metadata.uid.clone_from(&meta.uid);
    scale.metadata.resource_version.clone_from(&meta.resource_version);
    scale.metadata.creation_timestamp = meta.creation_timestamp;
    let number = |part: &str, field: &str| match object.field(part) {
        Value::Record(part) => match part.field(field) {
            Value::Int(number) => i32::try_from(number).unwrap_or(i32::MAX),
            _ => 0,
        },
        _ => 0,
    };
    if let (Some(paths), Some(fields)) = (served.scale(), object.rest()) {
        let own = api_custom::read_scale(fields, paths).map_err(Status::internal_error)?;
        (scale.spec.replicas, scale.status.replicas) = (own.wanted.unwrap_or(UNSET), own.found);
        scale.status.selector = own.selector;
        return Ok(scale);
    }
    scale.spec.replicas = number("spec", "replicas");
    scale.status.replicas = number("status", "replicas");
    scale.status.selector = selector(object);
    Ok(scale)
}

fn selector(object: &dyn Record) -> String {
    let Value::Record(spec) = object.field("spec") else { return String::new() };
    match spec.field("selector") {
        Value::Record(selector) => {
            let selector: Option<&api_types::meta::v1::LabelSelector> = selector.downcast_ref();
            Selector::from_api(selector).map(|selector| selector.to_string()).unwrap_or_default()
        }
        Value::Map(labels) => {
            let terms = labels.entries().filter_map(|(key, value)| match value {
                Value::Str(value) => Some(format!("{key}={value}")),
                _ => None,
            });
            terms.collect::<Vec<_>>().join(",")
        }
        _ => String::new(),
    }
}

/// Puts a number of replicas where a workload has it.
///
/// # Errors
/// When there is no place for it.
pub fn set_replicas(served: &Served, object: &mut dyn Record, replicas: i32) -> Result<(), Status> {
    if let (Some(paths), Some(fields)) = (served.scale(), object.rest_mut()) {
        return api_custom::write_replicas(fields, paths, replicas).map_err(Status::internal_error);
    }
    let spec = object.schema().index_of("spec").ok_or_else(missing)?;
    let Slot::Record(spec) = object.slot(spec) else { return Err(missing()) };
    let index = spec.schema().index_of("replicas").ok_or_else(missing)?;
    match spec.slot(index).filled() {
        Slot::Int32(slot) => *slot = replicas,
        _ => return Err(missing()),
    }
    Ok(())
}
