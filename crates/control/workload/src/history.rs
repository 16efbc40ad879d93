//! What a controller's template has been: ControllerRevisions, shared by the controllers that keep them.
//!
//! A revision holds a strategic merge patch that puts a template back, in the bytes that upstream's controllers write: clients undo
//! rollouts with it, and a revision is recognised by its bytes. Owners are of any kind with `spec.template`.
//!
//! Upstream: `pkg/controller/history`; `getPatch` and `ApplyRevision` of `pkg/controller/{statefulset,daemon}`.

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::BTreeMap;

use api_codec::json;
use api_codec::limits::Limits;
use api_meta::gvk::GroupVersionKind;
use api_meta::{Status, names, owners};
use api_record::Typed;
use api_record::scalar::RawJson;
use api_types::apps::v1::ControllerRevision;
use api_types::meta::v1::ObjectMeta;
use client::reconcile::{World, Write};
use control_base::claim::alive;
use serde_json::Value;

/// The label that carries the hash of a revision's data.
const HASH_LABEL: &str = "controller.kubernetes.io/hash";

/// How much of its owner's name a revision's name has, in bytes.
const PREFIX_BYTES: usize = 223;

/// The patch that puts the owner's template back: upstream's bytes, so with sorted names and numbers that went through a float.
pub(super) fn patch<T: Typed>(owner: &T) -> RawJson {
    let mut template = tree(owner)["spec"]["template"].take();
    template["$patch"] = "replace".into();
    let mut text = Vec::new();
    json::write_tree(&through_go(serde_json::json!({"spec": {"template": template}})), &mut text);
    RawJson(Some(text.into()))
}

/// The owner as a revision would have it; upstream takes over only its spec.
///
/// # Errors
/// If the revision's data is no patch of such an owner.
pub(super) fn restored<T: Typed>(owner: &T, revision: &ControllerRevision) -> Result<T, Status> {
    let failed = |why: String| {
        Status::internal_error(format!("revision {} cannot be applied: {why}", revision.metadata.name))
    };
    let patched = api_patch::strategic_merge_patch(tree(owner), revision.data.text(), T::SCHEMA)
        .map_err(|error| failed(error.to_string()))?;
    let mut restored = T::default();
    json::decode(patched.tree.to_string().as_bytes(), &mut restored, None, Limits::RESPONSE)
        .map_err(|error| failed(error.to_string()))?;
    Ok(restored)
}

/// An object as JSON, without its kind.
fn tree<T: Typed>(object: &T) -> Value {
    let mut text = Vec::new();
    json::encode(object, None, &mut text);
    serde_json::from_slice(&text).unwrap_or_default()
}

/// What is left of JSON that Go has read into maps.
fn through_go(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let sorted: BTreeMap<String, Value> =
                fields.into_iter().map(|(name, value)| (name, through_go(value))).collect();
            Value::Object(sorted.into_iter().collect())
        }
        Value::Array(items) => items.into_iter().map(through_go).collect(),
        Value::Number(number) => number.as_f64().into(),
        scalar => scalar,
    }
}

/// A revision that holds this data, named after its hash; it is not yet known whether the name is free.
pub(super) fn revision(
    owner: &ObjectMeta,
    kind: GroupVersionKind<'_>,
    template_labels: &BTreeMap<String, String>,
    data: RawJson,
    number: i64,
    collisions: i32,
) -> ControllerRevision {
    let hash = hash(&data, collisions);
    let mut labels = template_labels.clone();
    labels.insert(HASH_LABEL.to_owned(), hash.clone());
    ControllerRevision {
        metadata: ObjectMeta {
            name: name(&owner.name, &hash),
            namespace: owner.namespace.clone(),
            labels,
            owner_references: vec![owners::controller_reference(owner, kind)],
            ..ObjectMeta::default()
        },
        data,
        revision: number,
    }
}

/// Gives a new revision a name that is free, counting the collisions on the way; as upstream's, its label keeps the first hash. A revision
/// of that name and the same data is as well, whoever made it.
pub(super) fn named<T: Typed>(
    mut new: ControllerRevision,
    owner: &ObjectMeta,
    collisions: &mut i32,
    world: &World,
) -> (ControllerRevision, Option<Write>) {
    loop {
        new.metadata.name = name(&owner.name, &hash(&new.data, *collisions));
        match world.get::<ControllerRevision>(&owner.namespace, &new.metadata.name) {
            Some(taken) if taken.data == new.data => return (taken.clone(), None),
            Some(_) => *collisions += 1,
            None => return (new.clone(), Some(creation::<T>(new, owner))),
        }
    }
}

/// Makes a revision of an owner, while that is there: what is made for one that is gone is collected, and would be made again.
pub(super) fn creation<T: Typed>(new: ControllerRevision, owner: &ObjectMeta) -> Write {
    Write::create(new).guarded(alive::<T>(owner))
}

/// The hash of a revision's data: FNV-1 in decimal digits, in an alphabet that makes no words.
pub(super) fn hash(data: &RawJson, collisions: i32) -> String {
    let text = data.0.as_deref().unwrap_or_default();
    let counted = collisions.to_string();
    let bytes = text.iter().chain(counted.as_bytes());
    let hash = bytes.fold(0x811c_9dc5u32, |hash, byte| hash.wrapping_mul(0x0100_0193) ^ u32::from(*byte));
    names::safe_encode(&hash.to_string())
}

fn name(owner: &str, hash: &str) -> String {
    format!("{}-{hash}", &owner[..owner.floor_char_boundary(PREFIX_BYTES)])
}

/// The oldest first: by number, then age, then name.
pub(super) fn by_revision(a: &ControllerRevision, b: &ControllerRevision) -> Ordering {
    let age = |revision: &ControllerRevision| revision.metadata.creation_timestamp;
    let order = a.revision.cmp(&b.revision).then_with(|| age(a).cmp(&age(b)));
    order.then_with(|| a.metadata.name.cmp(&b.metadata.name))
}

/// The number of the next revision after these, which are sorted.
pub(super) fn next(sorted: &[&ControllerRevision]) -> i64 {
    sorted.last().map_or(1, |last| last.revision + 1)
}

/// Gives an earlier revision another number, as a rollback to it does.
pub(super) fn renumbered(earlier: &ControllerRevision, number: i64) -> (ControllerRevision, Write) {
    let mut renumbered = earlier.clone();
    renumbered.revision = number;
    (renumbered.clone(), Write::update(renumbered))
}

/// Deletes the oldest of those that are not live, which are sorted, down to the limit; a negative one is none.
pub(super) fn truncated<'a>(
    sorted: &'a [&ControllerRevision],
    limit: i32,
    is_live: impl Fn(&ControllerRevision) -> bool,
) -> impl Iterator<Item = Write> + 'a {
    let dead: Vec<&ControllerRevision> =
        sorted.iter().copied().filter(|revision| !is_live(revision)).collect();
    let surplus = usize::try_from(limit).map_or(0, |limit| dead.len().saturating_sub(limit));
    dead.into_iter().take(surplus).map(Write::delete)
}
