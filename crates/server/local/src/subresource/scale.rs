//! `scale`: the replicas of a workload, in one form for all kinds.

use std::sync::Arc;

use api_codec::json;
use api_codec::limits::Limits;
use api_meta::Status;
use api_patch::apply::{Config, scale as owners};
use api_record::{Bytes, Record};
use api_types::autoscaling::v1::Scale;
use api_types::{GroupVersionKind, object_meta, object_meta_mut};
use client::{Answer, Body, Caller, PatchKind, Precondition, Request, Verb, WriteOptions};
use server_registry::scale::{UNSET, scale_of, set_replicas};
use server_registry::{Owners, Registry, Served, Write};

use crate::direct::{Direct, object_answer};

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
            // Whoever names no version means the object as it is now, custom resources too, which are never written without one.
            if !new.metadata.resource_version.is_empty() {
                meta.resource_version.clone_from(&new.metadata.resource_version);
            }
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
