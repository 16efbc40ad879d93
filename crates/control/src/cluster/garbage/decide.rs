//! What becomes of an object: upstream's `attemptToDeleteItem`, `attemptToOrphanWorker` and
//! `processDeletingDependentsItem`.

use api_meta::object_meta::{FINALIZER_FOREGROUND, FINALIZER_ORPHAN};
use api_types::meta::v1::{ObjectMeta, OwnerReference};
use api_types::object_meta;
use client::reconcile::{Guard, Op, Plan, World, Write};
use client::{Propagation, Resource, Target};

use super::{Kinds, find, has, patch, resolve};

fn dependents<'a>(world: &'a World, uid: &str) -> Vec<(&'a Resource, &'a ObjectMeta)> {
    let all = world.dependents_of(uid).into_iter();
    all.filter_map(|(resource, object)| Some((resource, object_meta(&**object)?))).collect()
}

/// Takes the owner off all that it owns, then lets it go.
pub(super) fn orphan(plan: &mut Plan, resource: &Resource, meta: &ObjectMeta, world: &World) {
    let dependents = dependents(world, &meta.uid);
    plan.stage(dependents.iter().map(|(resource, it)| patch::without_owners(resource, it, &[&meta.uid])));
    plan.stage([patch::without_finalizer(resource, meta, FINALIZER_ORPHAN)]);
}

/// Lets the owner go once nothing that blocks it is left. The dependents are keys of their own, and are deleted as such.
pub(super) fn foreground(plan: &mut Plan, resource: &Resource, meta: &ObjectMeta, world: &World) {
    let blocks = |it: &ObjectMeta| {
        it.owner_references.iter().any(|own| own.uid == meta.uid && own.block_owner_deletion == Some(true))
    };
    if !dependents(world, &meta.uid).iter().any(|(_, it)| blocks(it)) {
        plan.stage([patch::without_finalizer(resource, meta, FINALIZER_FOREGROUND)]);
    }
}

#[derive(Default)]
struct Owners<'a> {
    solid: usize,
    dangling: Vec<&'a OwnerReference>,
    waiting: Vec<&'a OwnerReference>,
}

/// Deletes an object that no owner keeps; takes off owners that no longer do.
pub(super) fn collect(plan: &mut Plan, resource: &Resource, meta: &ObjectMeta, world: &World, kinds: &Kinds) {
    let mut owners = Owners::default();
    for reference in &meta.owner_references {
        match find(reference, meta, kinds, world) {
            Err(_) => owners.solid += 1,
            Ok(None) => owners.dangling.push(reference),
            Ok(Some((_, owner)))
                if owner.deletion_timestamp.is_some() && has(owner, FINALIZER_FOREGROUND) =>
            {
                owners.waiting.push(reference);
            }
            Ok(Some(_)) => owners.solid += 1,
        }
    }
    let absent = |write: Write| {
        owners.dangling.iter().fold(write, |write, reference| match absence(reference, meta, kinds) {
            Some(guard) => write.guarded(guard),
            None => write,
        })
    };
    let leaving: Vec<&str> =
        owners.dangling.iter().chain(&owners.waiting).map(|reference| reference.uid.as_str()).collect();
    if owners.solid > 0 {
        if !leaving.is_empty() {
            plan.stage([absent(patch::without_owners(resource, meta, &leaving))]);
        }
        return;
    }
    let own = dependents(world, &meta.uid);
    let foreground = !owners.waiting.is_empty() && !own.is_empty();
    if foreground {
        // A circle of foreground deletions would wait for itself: what is going already does not block.
        let circle =
            own.iter().any(|(_, it)| it.deletion_timestamp.is_some() && has(it, FINALIZER_FOREGROUND));
        if circle {
            plan.stage([patch::unblocking(resource, meta)]);
        }
    }
    let propagation = match () {
        () if foreground => Propagation::Foreground,
        () if has(meta, FINALIZER_ORPHAN) => Propagation::Orphan,
        () if has(meta, FINALIZER_FOREGROUND) => Propagation::Foreground,
        () => Propagation::Background,
    };
    // The decision rests on the owners: if anything has changed since, it is made anew.
    let version = Some(meta.resource_version.clone()).filter(|_| plan.stages.is_empty());
    let op = Op::Delete { propagation: Some(propagation), version, grace_seconds: None };
    plan.stage([absent(Write::of(resource, meta, "", op))]);
}

fn absence(reference: &OwnerReference, meta: &ObjectMeta, kinds: &Kinds) -> Option<Guard> {
    let (resource, namespace) = resolve(reference, meta, kinds).ok()?;
    let target = Target {
        resource: resource.clone(),
        namespace: namespace.to_owned(),
        name: reference.name.clone(),
        subresource: String::new(),
    };
    Some(Guard::Absent(target, reference.uid.clone()))
}
