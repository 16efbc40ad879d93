//! The patches of the garbage collector: JSON merge patches of whole lists, which custom resources know too, bound to the
//! version that the lists were read at.

use api_types::meta::v1::{ObjectMeta, OwnerReference};
use client::reconcile::{Op, Write};
use client::{PatchKind, Resource};
use serde_json::{Value, json};

fn merge(resource: &Resource, meta: &ObjectMeta, field: &str, list: Vec<Value>) -> Write {
    let mut patch = json!({"metadata": {"resourceVersion": meta.resource_version}});
    patch["metadata"][field] = list.into();
    Write::of(resource, meta, "", Op::Patch(PatchKind::Merge, patch))
}

fn written(reference: &OwnerReference, blocking: Option<bool>) -> Value {
    let mut value = json!({
        "apiVersion": reference.api_version,
        "kind": reference.kind,
        "name": reference.name,
        "uid": reference.uid,
    });
    if let Some(controller) = reference.controller {
        value["controller"] = controller.into();
    }
    if let Some(blocking) = blocking {
        value["blockOwnerDeletion"] = blocking.into();
    }
    value
}

/// Takes owners off an object.
pub(super) fn without_owners(resource: &Resource, meta: &ObjectMeta, uids: &[&str]) -> Write {
    let kept = meta.owner_references.iter().filter(|reference| !uids.contains(&reference.uid.as_str()));
    let kept = kept.map(|reference| written(reference, reference.block_owner_deletion)).collect();
    merge(resource, meta, "ownerReferences", kept)
}

/// Makes an object block no owner's deletion.
pub(super) fn unblocking(resource: &Resource, meta: &ObjectMeta) -> Write {
    let all = meta.owner_references.iter();
    let blocking = |reference: &OwnerReference| reference.block_owner_deletion.map(|_| false);
    merge(resource, meta, "ownerReferences", all.map(|it| written(it, blocking(it))).collect())
}

/// Takes a finalizer off an object.
pub(super) fn without_finalizer(resource: &Resource, meta: &ObjectMeta, finalizer: &str) -> Write {
    let kept = meta.finalizers.iter().filter(|own| *own != finalizer);
    merge(resource, meta, "finalizers", kept.map(|own| own.as_str().into()).collect())
}
