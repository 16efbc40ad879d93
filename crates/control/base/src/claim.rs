//! Which objects an owner controls: adopting orphans that its selector picks, releasing what it picks no more.
//!
//! Upstream: `controller_ref_manager.go`. Before the first adoption comes a consistent read of the owner, as upstream's
//! `RecheckDeletionTimestamp`, or a deleted owner could adopt what was just orphaned.

use api_meta::gvk::GroupVersionKind;
use api_meta::labels::Selector;
use api_meta::owners;
use api_record::Typed;
use api_types::meta::v1::ObjectMeta;
use api_types::object_meta;
use client::Target;
use client::reconcile::{Guard, Write, resource_of};

/// What an owner controls, and what must be written to make it so.
pub struct Claimed<'a, T> {
    /// What it controls, what it is about to adopt included.
    pub objects: Vec<&'a T>,
    /// Adoptions and releases.
    pub writes: Vec<Write>,
}

/// That an owner is there and not being deleted, by a consistent read: what is made for one that is gone would be collected and made again.
pub fn alive<O: Typed>(owner: &ObjectMeta) -> Guard {
    let target = Target {
        resource: resource_of::<O>().clone(),
        namespace: owner.namespace.clone(),
        name: owner.name.clone(),
        subresource: String::new(),
    };
    Guard::Alive(target, owner.uid.clone())
}

/// Claims candidates: objects that the owner controls, or that nobody does.
pub fn claim<'a, O: Typed, T: Typed>(
    owner: &O,
    kind: GroupVersionKind<'_>,
    selector: &Selector,
    candidates: impl Iterator<Item = &'a T>,
) -> Claimed<'a, T> {
    claim_picked(owner, kind, |_, meta| selector.matches(&meta.labels), &[], candidates)
}

/// The same for an owner that picks by more than labels, or whose objects get finalizers with their owner and lose them with it.
pub fn claim_picked<'a, O: Typed, T: Typed>(
    owner: &O,
    kind: GroupVersionKind<'_>,
    picks: impl Fn(&T, &ObjectMeta) -> bool,
    finalizers: &[&str],
    candidates: impl Iterator<Item = &'a T>,
) -> Claimed<'a, T> {
    let mut claimed = Claimed { objects: Vec::new(), writes: Vec::new() };
    let Some(own) = object_meta(owner) else { return claimed };
    let going = own.deletion_timestamp.is_some();
    let alive = alive::<O>(own);
    for object in candidates {
        let Some(meta) = object_meta(object) else { continue };
        let matches = picks(object, meta);
        match owners::controller_of(meta) {
            Some(reference) if reference.uid != own.uid => {}
            Some(_) if matches => claimed.objects.push(object),
            Some(_) if going => {}
            Some(_) => claimed.writes.push(Write::patch(object, "", release(&own.uid, finalizers))),
            None if going
                || !matches
                || meta.deletion_timestamp.is_some()
                || meta.namespace != own.namespace => {}
            None => {
                let reference = owners::controller_reference(own, kind);
                let mut patch = serde_json::json!({"metadata": {"ownerReferences": [{
                    "apiVersion": reference.api_version,
                    "kind": reference.kind,
                    "name": reference.name,
                    "uid": reference.uid,
                    "controller": true,
                    "blockOwnerDeletion": true,
                }]}});
                if !finalizers.is_empty() {
                    patch["metadata"]["finalizers"] = finalizers.into();
                }
                claimed.writes.push(Write::patch(object, "", patch).guarded(alive.clone()));
                claimed.objects.push(object);
            }
        }
    }
    claimed
}

fn release(uid: &str, finalizers: &[&str]) -> serde_json::Value {
    let mut patch = serde_json::json!({"metadata": {"ownerReferences": [{"$patch": "delete", "uid": uid}]}});
    if !finalizers.is_empty() {
        patch["metadata"]["$deleteFromPrimitiveList/finalizers"] = finalizers.into();
    }
    patch
}
