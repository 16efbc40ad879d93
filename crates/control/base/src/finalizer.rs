//! Finalizers that hold an object while somebody needs it.

use api_record::Typed;
use api_types::{object_meta, object_meta_mut};
use client::reconcile::{Guard, World, Write, resource_of};
use client::{Revision, Snapshot, Target};

/// What gives an object its finalizer, or takes it away; `None` if it is as it should be. One that is to go keeps it while it is used.
pub fn finalized<T: Typed + Clone>(
    object: &T,
    finalizer: &str,
    is_used: impl FnOnce() -> bool,
) -> Option<Write> {
    let meta = object_meta(object)?;
    let has = meta.finalizers.iter().any(|own| own == finalizer);
    let wanted = meta.deletion_timestamp.is_none() || (has && is_used());
    if has == wanted {
        return None;
    }
    let mut changed = object.clone();
    let finalizers = &mut object_meta_mut(&mut changed)?.finalizers;
    if wanted {
        finalizers.push(finalizer.to_owned());
    } else {
        finalizers.retain(|own| own != finalizer);
    }
    Some(Write::update(changed))
}

/// What asks whether the view of a type shows all its objects in a namespace, for a finalizer that comes off because it shows none that
/// matters.
pub fn none_missed<T: Typed>(world: &World, namespace: &str) -> Guard {
    let resource = resource_of::<T>().clone();
    let snapshot = world.snapshot(&resource);
    let revision = snapshot.map_or(Revision(0), Snapshot::revision);
    let count = snapshot.map_or(0, |snapshot| snapshot.count_in(namespace));
    let target =
        Target { resource, namespace: namespace.to_owned(), name: String::new(), subresource: String::new() };
    Guard::Current(target, revision, count)
}
