//! The garbage collector: what is owned goes with its owners; orphans stay, foreground deletion waits.
//!
//! Upstream: `pkg/controller/garbagecollector`. Its graph is the views' index of owners. An owner that the views do not show
//! counts as absent only after a consistent read.

mod decide;
mod patch;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use api_meta::object_meta::{FINALIZER_FOREGROUND, FINALIZER_ORPHAN};
use api_meta::owners;
use api_record::Record;
use api_types::meta::v1::{ObjectMeta, OwnerReference};
use api_types::object_meta;
use base::time::Time;
use client::reconcile::{Controller, Plan, Wires, World};
use client::{Resource, Scope};

use control_base::resources::Served;

/// An object, of whatever resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id {
    /// The resource.
    pub resource: Resource,
    /// The namespace, empty for none.
    pub namespace: String,
    /// The name.
    pub name: String,
}

/// The garbage collector.
pub struct Garbage {
    watched: Vec<Served>,
    kinds: Kinds,
}

/// Resources by group and kind.
type Kinds = BTreeMap<(String, String), Served>;

impl Garbage {
    /// Collects the objects of these resources.
    pub fn new(served: &[Served]) -> Garbage {
        let collected = |row: &&Served| row.verbs.watch && row.verbs.delete && !row.is_events();
        let watched: Vec<Served> = served.iter().filter(collected).cloned().collect();
        let key = |row: &Served| (row.resource.group.to_string(), row.kind.clone());
        let kinds = served.iter().filter(|row| row.verbs.watch).map(|row| (key(row), row.clone())).collect();
        Garbage { watched, kinds }
    }
}

impl Controller for Garbage {
    const NAME: &'static str = "generic-garbage-collector";
    type Key = Id;

    fn wire(&self, wires: &mut Wires<Id>) {
        for row in &self.watched {
            let (resource, kinds) = (row.resource.clone(), self.kinds.clone());
            wires.scoped(Scope::all(resource.clone()), move |object: &dyn Record, world| {
                object_meta(object).map(|meta| concerned(&resource, meta, &kinds, world)).unwrap_or_default()
            });
        }
    }

    fn plan(&self, key: &Id, world: &World, _: Time) -> Plan {
        let found =
            world.snapshot(&key.resource).and_then(|snapshot| snapshot.get(&key.namespace, &key.name));
        let Some(meta) = found.and_then(|object| object_meta(&**object)) else { return Plan::default() };
        let mut plan = Plan::default();
        if meta.deletion_timestamp.is_some() {
            if has(meta, FINALIZER_ORPHAN) {
                decide::orphan(&mut plan, &key.resource, meta, world);
            } else if has(meta, FINALIZER_FOREGROUND) {
                decide::foreground(&mut plan, &key.resource, meta, world);
            }
        } else if !meta.owner_references.is_empty() {
            decide::collect(&mut plan, &key.resource, meta, world, &self.kinds);
        }
        plan
    }
}

/// Which keys a change of an object is about: itself, and who waits for it.
fn concerned(resource: &Resource, meta: &ObjectMeta, kinds: &Kinds, world: &World) -> Vec<Id> {
    let mut keys = Vec::new();
    if meta.deletion_timestamp.is_some() || !meta.owner_references.is_empty() {
        keys.push(id(resource, meta));
    }
    let now = world.snapshot(resource).and_then(|snapshot| snapshot.get(&meta.namespace, &meta.name));
    let now = now.and_then(|object| object_meta(&**object)).filter(|now| now.uid == meta.uid);
    let gone = now.is_none();
    if gone || now.is_some_and(|now| now.deletion_timestamp.is_some()) {
        let dependents = world.dependents_of(&meta.uid);
        keys.extend(dependents.iter().filter_map(|(resource, it)| Some(id(resource, object_meta(&***it)?))));
    }
    for reference in &meta.owner_references {
        let Some((resource, owner)) = find(reference, meta, kinds, world).ok().flatten() else { continue };
        if owner.deletion_timestamp.is_some() {
            keys.push(id(resource, owner));
        }
    }
    keys
}

fn id(resource: &Resource, meta: &ObjectMeta) -> Id {
    Id { resource: resource.clone(), namespace: meta.namespace.clone(), name: meta.name.clone() }
}

fn has(meta: &ObjectMeta, finalizer: &str) -> bool {
    meta.finalizers.iter().any(|own| own == finalizer)
}

/// Why nothing can be said of an owner.
struct Unknown;

/// The owner's resource and where its objects are looked for; unknown if that kind is not served, or cannot own the object.
fn resolve<'a>(
    reference: &OwnerReference,
    owned: &'a ObjectMeta,
    kinds: &'a Kinds,
) -> Result<(&'a Resource, &'a str), Unknown> {
    let kind = owners::kind_of(reference).ok_or(Unknown)?;
    let served = kinds.get(&(kind.group.to_owned(), kind.kind.to_owned())).ok_or(Unknown)?;
    match (served.namespaced, owned.namespace.is_empty()) {
        (true, true) => Err(Unknown),
        (true, false) => Ok((&served.resource, &owned.namespace)),
        (false, _) => Ok((&served.resource, "")),
    }
}

fn find<'a>(
    reference: &OwnerReference,
    owned: &'a ObjectMeta,
    kinds: &'a Kinds,
    world: &'a World,
) -> Result<Option<(&'a Resource, &'a ObjectMeta)>, Unknown> {
    let (resource, namespace) = resolve(reference, owned, kinds)?;
    let snapshot = world.snapshot(resource).ok_or(Unknown)?;
    let found = snapshot.get(namespace, &reference.name).and_then(|object| object_meta(&**object));
    Ok(found.filter(|owner| owner.uid == reference.uid).map(|owner| (resource, owner)))
}
