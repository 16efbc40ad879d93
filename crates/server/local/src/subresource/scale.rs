//! `scale`: the replicas of a workload, in one form for all kinds.

use std::sync::Arc;

use api_codec::json;
use api_codec::limits::Limits;
use api_meta::Status;
use api_meta::labels::Selector;
use api_patch::apply::{Config, scale as owners};
use api_record::{Bytes, Record, Slot, Value};
use api_types::autoscaling::v1::Scale;
use api_types::{GroupVersionKind, object_meta, object_meta_mut};
use client::{Answer, Body, Caller, PatchKind, Precondition, Request, Verb, WriteOptions};
use server_registry::{Owners, Registry, Served, Write};

use crate::direct::{Direct, missing, object_answer};

/// Reads or changes the number of replicas.
pub(crate) async fn answer(
    direct: &Direct,
    who: &Caller,
    served: &Arc<Served>,
    request: Request,
) -> Result<Answer, Status> {
    let Request { verb, target, body, write, .. } = request;
    let registry = direct.registry();
    let (namespace, name) = (&target.namespace, &target.name);
    if verb == Verb::Get {
        let object = registry.get(served, namespace, name).await?;
        let scale = scale_of(served, &*object)?;
        if let (UNSET, Some(paths)) = (scale.spec.replicas, served.scale()) {
            let path = &paths.spec_replicas_path;
            return Err(Status::internal_error(format!("the spec replicas field {path:?} does not exist")));
        }
        return Ok(object_answer(Arc::new(scale)));
    }
    let body = Wanted::of(body)?;
    let known = |version: &str| registry.replicas(served, version);
    let change = |current: Option<&dyn Record>| -> Result<Box<dyn Record>, Status> {
        let current = current.ok_or_else(|| Status::not_found(served.group_resource(), name))?;
        let owned = |error| Status::failure(500, "", format!("{error}"), None);
        let workload = object_meta(current).map(|meta| &meta.managed_fields[..]).unwrap_or_default();
        let mut old = scale_of(served, current)?;
        old.metadata.managed_fields = owners::to_scale(workload, &known).map_err(owned)?;
        let new = body.scale(registry, who, &write, &old)?;
        if let (UNSET, Some(paths)) = (new.spec.replicas, served.scale()) {
            let path = &paths.spec_replicas_path;
            return Err(Status::bad_request(format!("the spec replicas field {path:?} cannot be empty")));
        }
        let mut object = current.boxed_clone();
        set_replicas(served, &mut *object, new.spec.replicas)?;
        let version = served.gvk().api_version();
        let managers =
            owners::from_scale(workload, &new.metadata.managed_fields, &version, &known).map_err(owned)?;
        if let Some(meta) = object_meta_mut(&mut *object) {
            meta.resource_version.clone_from(&new.metadata.resource_version);
            meta.managed_fields = managers;
        }
        Ok(object)
    };
    let write = Write {
        caller: who,
        namespace,
        name,
        subresource: "scale",
        precondition: &Precondition::default(),
        options: &write,
        owners: Owners::Said,
        creates: false,
    };
    let written = registry.write(served, &write, &change).await?;
    Ok(object_answer(Arc::new(scale_of(served, &*written.object)?)))
}

/// The replicas of a custom resource that does not say how many it wants.
const UNSET: i32 = i32::MIN;

/// The Scale that the request asks for.
enum Wanted {
    Whole(Box<Scale>),
    Patched(PatchKind, Bytes),
    Applied(Config),
}

impl Wanted {
    fn of(body: Body) -> Result<Wanted, Status> {
        match body {
            Body::Object(object) => {
                let scale: Option<&Scale> = object.downcast_ref();
                let scale = scale.cloned().map(|scale| Wanted::Whole(Box::new(scale)));
                scale.ok_or_else(|| Status::bad_request("not a Scale object"))
            }
            Body::Patch(PatchKind::Apply, bytes) => Config::parse(&bytes).map(Wanted::Applied),
            Body::Patch(kind, bytes) => Ok(Wanted::Patched(kind, bytes)),
            Body::Empty => Err(Status::bad_request("the request has no body")),
        }
    }

    /// What the Scale is to be, with its owners.
    fn scale(
        &self,
        registry: &Registry,
        who: &Caller,
        options: &WriteOptions,
        old: &Scale,
    ) -> Result<Scale, Status> {
        let mut new = match self {
            Wanted::Applied(config) => return registry.apply_scale(who, options, old, config),
            Wanted::Whole(scale) => (**scale).clone(),
            Wanted::Patched(kind, bytes) => patched(old, *kind, bytes)?,
        };
        registry.track_scale(who, options, &mut new, old);
        Ok(new)
    }
}

fn patched(old: &Scale, kind: PatchKind, patch: &[u8]) -> Result<Scale, Status> {
    let mut text = Vec::new();
    let gvk = GroupVersionKind { group: "autoscaling", version: "v1", kind: "Scale" };
    json::encode(old, Some(&gvk), &mut text);
    let tree = serde_json::from_slice(&text).map_err(Status::internal_error)?;
    let schema = <Scale as api_record::Typed>::SCHEMA;
    let patched = api_patch::patch(kind, tree, patch, schema).map_err(|error| error.status())?;
    let mut scale = Scale::default();
    json::decode(patched.tree.to_string().as_bytes(), &mut scale, None, Limits::RESPONSE)
        .map_err(|error| Status::bad_request(error.to_string()))?;
    Ok(scale)
}

/// The Scale of a workload: any kind whose spec has `replicas` and `selector`, and whose status has `replicas`, or whose definition
/// says where they are.
fn scale_of(served: &Served, object: &dyn Record) -> Result<Scale, Status> {
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

fn set_replicas(served: &Served, object: &mut dyn Record, replicas: i32) -> Result<(), Status> {
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
