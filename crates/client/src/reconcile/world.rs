//! What a controller sees when it plans.

use std::collections::BTreeMap;
use std::sync::Arc;

use api_meta::labels::Selector;
use api_record::{Record, Typed};

use super::Failure;
use super::kinds::resource_of;
use crate::view::{Glance, typed};
use crate::{Resource, Revision, Snapshot};

/// The snapshots of the views that a controller has wired, and how its last attempt at the key went.
#[derive(Clone, Default)]
pub struct World {
    snapshots: BTreeMap<Resource, Arc<Snapshot>>,
    failure: Option<Failure>,
}

impl World {
    /// A world of these snapshots.
    pub fn new(snapshots: BTreeMap<Resource, Arc<Snapshot>>) -> World {
        World { snapshots, failure: None }
    }

    /// Shows another snapshot of a resource.
    pub fn show(&mut self, resource: Resource, snapshot: Arc<Snapshot>) {
        self.snapshots.insert(resource, snapshot);
    }

    /// Shows these objects, at a revision.
    #[must_use]
    pub fn with<T: Typed>(mut self, objects: impl IntoIterator<Item = T>, revision: Revision) -> World {
        let objects = objects.into_iter().map(|object| Arc::new(object) as Arc<dyn Record>);
        let snapshot = Arc::new(Snapshot::of(objects, revision));
        self.snapshots.insert(resource_of::<T>().clone(), snapshot);
        self
    }

    /// The same world after a failed attempt.
    #[must_use]
    pub fn after(mut self, failure: Option<Failure>) -> World {
        self.failure = failure;
        self
    }

    /// What stopped the last plan of the key from being carried out.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// What the view of a resource shows; `None` if it is not wired.
    pub fn snapshot(&self, resource: &Resource) -> Option<&Snapshot> {
        self.snapshots.get(resource).map(|snapshot| &**snapshot)
    }

    /// The wired resources.
    pub fn resources(&self) -> impl Iterator<Item = (&Resource, &Snapshot)> {
        self.snapshots.iter().map(|(resource, snapshot)| (resource, &**snapshot))
    }

    /// An object.
    pub fn get<T: Typed>(&self, namespace: &str, name: &str) -> Option<&T> {
        self.snapshot(resource_of::<T>())?.get(namespace, name)?.downcast_ref()
    }

    /// All objects of a type in the order of their keys.
    pub fn all<T: Typed>(&self) -> impl Iterator<Item = &T> {
        typed(self.snapshot(resource_of::<T>()).into_iter().flat_map(Snapshot::iter))
    }

    /// The objects of a namespace in the order of their names.
    pub fn in_namespace<T: Typed>(&self, namespace: &str) -> impl Iterator<Item = &T> {
        let snapshot = self.snapshot(resource_of::<T>());
        typed(snapshot.into_iter().flat_map(move |snapshot| snapshot.in_namespace(namespace)))
    }

    /// The objects of a namespace whose labels a selector picks, in the order of their names.
    pub fn picked<T: Typed>(&self, namespace: &str, selector: &Selector) -> impl Iterator<Item = &T> {
        let snapshot = self.snapshot(resource_of::<T>()).into_iter();
        let all = snapshot.flat_map(move |snapshot| snapshot.glances_in(namespace));
        typed(all.filter(move |glance| glance.is_picked_by(selector)).map(Glance::object))
    }

    /// The objects of a type whose text at a path of JSON names is one that is wanted, in the order of their keys.
    pub fn with_text<T: Typed>(
        &self,
        path: &[&str],
        wanted: impl Fn(&str) -> bool,
    ) -> impl Iterator<Item = &T> {
        let all = self.snapshot(resource_of::<T>()).into_iter().flat_map(Snapshot::glances);
        typed(all.filter(move |glance| wanted(glance.text(path))).map(Glance::object))
    }

    /// The objects of a type in a namespace that no owner controls and whose labels a selector picks.
    pub fn orphans<T: Typed>(&self, namespace: &str, selector: &Selector) -> impl Iterator<Item = &T> {
        let snapshot = self.snapshot(resource_of::<T>()).into_iter();
        let all = snapshot.flat_map(move |snapshot| snapshot.orphans(namespace));
        typed(all.filter(move |glance| glance.is_picked_by(selector)).map(Glance::object))
    }

    /// The objects of all wired resources that name an owner of this uid.
    pub fn dependents_of<'a>(&'a self, uid: &str) -> Vec<(&'a Resource, &'a Arc<dyn Record>)> {
        let mut found = Vec::new();
        for (resource, snapshot) in &self.snapshots {
            found.extend(snapshot.dependents_of(uid).map(|object| (resource, object)));
        }
        found
    }

    /// Shows these objects of whatever resource, at a revision.
    #[must_use]
    pub fn with_any(
        mut self,
        resource: Resource,
        objects: impl IntoIterator<Item = Arc<dyn Record>>,
        revision: Revision,
    ) -> World {
        self.snapshots.insert(resource, Arc::new(Snapshot::of(objects, revision)));
        self
    }

    /// The objects of a type whose controller has this uid.
    pub fn owned_by<T: Typed>(&self, uid: &str) -> impl Iterator<Item = &T> {
        let snapshot = self.snapshot(resource_of::<T>());
        typed(snapshot.into_iter().flat_map(move |snapshot| snapshot.owned_by(uid)))
    }
}
