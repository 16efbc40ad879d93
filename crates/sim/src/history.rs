//! The whole history of a world's store, as those see it who check the world: every change of every object, decoded.
//!
//! It is read from a watch of the store itself, which nothing disturbs, at each commit; checkers hear of every change at once.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use api_codec::limits::Limits;
use api_codec::proto;
use api_meta::fields;
use api_record::{Record, Typed};
use api_types::core::v1::Pod;
use api_types::meta::v1::ObjectMeta;
use api_types::{object_meta, object_meta_mut};
use base::time::Time;
use client::reconcile::resource_of;
use client::{Resource, Scope};
use server_registry::{Catalog, Served};
use store::{Entry, Feed};

/// One change of one object.
#[derive(Clone)]
pub struct Change {
    /// When it happened.
    pub at: Time,
    /// The revision.
    pub revision: u64,
    /// What it was before; `None` for a new object.
    pub before: Option<Arc<dyn Record>>,
    /// What it is since; `None` for one that is gone.
    pub after: Option<Arc<dyn Record>>,
    /// Where it is among its resource's objects.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

impl Change {
    /// The object before, if it is a `T`.
    pub fn before<T: Record>(&self) -> Option<&T> {
        self.before.as_deref()?.downcast_ref()
    }

    /// The object since, if it is a `T`.
    pub fn after<T: Record>(&self) -> Option<&T> {
        self.after.as_deref()?.downcast_ref()
    }

    /// The metadata before.
    pub fn meta_before(&self) -> Option<&ObjectMeta> {
        object_meta(&**self.before.as_ref()?)
    }

    /// The metadata since.
    pub fn meta_after(&self) -> Option<&ObjectMeta> {
        object_meta(&**self.after.as_ref()?)
    }
}

/// The kinds of things that can happen to an object in a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// It came into the scope.
    Added,
    /// It changed.
    Modified,
    /// It left.
    Deleted,
}

/// An object's place: namespace and name.
pub type Place = (String, String);

/// All that has happened.
pub struct History {
    feed: Feed,
    changes: BTreeMap<&'static str, Vec<Change>>,
    now: BTreeMap<&'static str, BTreeMap<Place, Arc<dyn Record>>>,
    /// The latest revision.
    pub revision: u64,
    /// How many changes there were.
    pub count: usize,
    /// A digest of everything, to compare runs by.
    pub digest: u64,
}

/// Events are not followed: nothing rests on them.
const PASSED_OVER: &str = "/registry/events/";

fn catalog() -> &'static Catalog {
    static CATALOG: OnceLock<Catalog> = OnceLock::new();
    CATALOG.get_or_init(Catalog::new)
}

/// The row of a resource.
pub fn served(resource: &Resource) -> &'static Arc<Served> {
    let found = catalog().find(&resource.group, &resource.version, &resource.plural);
    found.unwrap_or_else(|| panic!("{resource} is not served"))
}

fn row_of(key: &str) -> Option<&'static Arc<Served>> {
    static ROWS: OnceLock<BTreeMap<&'static str, &'static Arc<Served>>> = OnceLock::new();
    let rows = ROWS.get_or_init(|| {
        let hubs = catalog().iter().filter(|served| served.version.is_none());
        hubs.map(|served| (served.prefix.as_str(), served)).collect()
    });
    let (prefix, row) = rows.range(..=key).next_back()?;
    if key.starts_with(prefix) {
        return Some(row);
    }
    rows.iter().find(|(prefix, _)| key.starts_with(**prefix)).map(|(_, row)| *row)
}

impl History {
    /// The history that a feed of all keys tells.
    pub fn new(feed: Feed) -> History {
        History { feed, changes: BTreeMap::new(), now: BTreeMap::new(), revision: 1, count: 0, digest: 0 }
    }

    /// Takes in what has happened since; answers it.
    pub fn catch_up(&mut self, at: Time) -> Vec<Change> {
        let mut news = Vec::new();
        while let Ok(Some(batch)) = self.feed.try_next() {
            for event in batch.events {
                self.revision = self.revision.max(event.revision().0);
                let key = String::from_utf8_lossy(event.key()).into_owned();
                self.count += 1;
                for byte in key.bytes().chain(event.revision().0.to_le_bytes()) {
                    self.digest = (self.digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
                }
                let Some(row) = row_of(&key).filter(|_| !key.starts_with(PASSED_OVER)) else { continue };
                let rest = &key[row.prefix.len()..];
                let (namespace, name) = rest.split_once('/').unwrap_or(("", rest));
                let place = (namespace.to_owned(), name.to_owned());
                let objects = self.now.entry(&row.prefix).or_default();
                let before = objects.get(&place).cloned();
                let after = event.entry().map(|entry| decode(row, entry));
                match &after {
                    Some(object) => objects.insert(place.clone(), Arc::clone(object)),
                    None => objects.remove(&place),
                };
                let (namespace, name) = place;
                let change = Change { at, revision: event.revision().0, before, after, namespace, name };
                self.changes.entry(&row.prefix).or_default().push(change.clone());
                news.push(change);
            }
        }
        news
    }

    /// Everything that has happened to a resource's objects.
    pub fn of(&self, resource: &Resource) -> &[Change] {
        self.changes.get(served(resource).prefix.as_str()).map_or(&[], Vec::as_slice)
    }

    /// The objects of a type as they are.
    pub fn all<T: Typed>(&self) -> impl Iterator<Item = &T> {
        let objects =
            self.now.get(served(resource_of::<T>()).prefix.as_str()).into_iter().flat_map(BTreeMap::values);
        objects.filter_map(|object| object.downcast_ref())
    }

    /// An object as it is.
    pub fn get<T: Typed>(&self, namespace: &str, name: &str) -> Option<&T> {
        let objects = self.now.get(served(resource_of::<T>()).prefix.as_str())?;
        objects.get(&(namespace.to_owned(), name.to_owned()))?.downcast_ref()
    }

    /// The metadata of every object that there is.
    pub fn metas(&self) -> impl Iterator<Item = &ObjectMeta> {
        self.now.values().flat_map(BTreeMap::values).filter_map(|object| object_meta(&**object))
    }

    /// What a scope holds at a revision.
    pub fn projection(&self, scope: &Scope, revision: u64) -> BTreeMap<Place, Arc<dyn Record>> {
        let mut held = BTreeMap::new();
        for change in self.of(&scope.resource).iter().take_while(|change| change.revision <= revision) {
            let place = (change.namespace.clone(), change.name.clone());
            match change.after.as_ref().filter(|object| is_in(scope, change, &***object)) {
                Some(object) => held.insert(place, Arc::clone(object)),
                None => held.remove(&place),
            };
        }
        held
    }
}

/// What a change is to a watcher of a scope; nothing if it does not see it.
pub fn seen(scope: &Scope, change: &Change) -> Option<Seen> {
    let within = |object: &Option<Arc<dyn Record>>| {
        object.as_deref().is_some_and(|object| is_in(scope, change, object))
    };
    match (within(&change.before), within(&change.after)) {
        (false, false) => None,
        (false, true) => Some(Seen::Added),
        (true, true) => Some(Seen::Modified),
        (true, false) => Some(Seen::Deleted),
    }
}

fn is_in(scope: &Scope, change: &Change, object: &dyn Record) -> bool {
    (scope.namespace.is_empty() || scope.namespace == change.namespace)
        && picks(&scope.fields, object)
        && object_meta(object).is_some_and(|meta| scope.labels.matches(&meta.labels))
}

/// Only what the components of the simulator ask for is known here: written anew, so that it is a check.
fn picks(fields: &fields::Selector, object: &dyn Record) -> bool {
    fields.matches(|field| match field {
        "spec.nodeName" => object.downcast_ref::<Pod>().map(|pod| pod.spec.node_name.as_str()),
        "metadata.name" => object_meta(object).map(|meta| meta.name.as_str()),
        _ => None,
    })
}

/// An object's resource version.
pub fn version(object: &dyn Record) -> String {
    object_meta(object).map(|meta| meta.resource_version.clone()).unwrap_or_default()
}

fn decode(row: &Served, entry: &Entry) -> Arc<dyn Record> {
    let envelope = proto::open(&entry.value, Limits::RESPONSE).expect("the store holds what was encoded");
    let mut object = (row.hub.new)();
    proto::decode(envelope.raw, &mut *object).expect("the store holds what was encoded");
    if let Some(meta) = object_meta_mut(&mut *object) {
        meta.resource_version = entry.modified.to_string();
    }
    Arc::from(object)
}
