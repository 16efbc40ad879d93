//! Views: a scope's objects in memory, following the server.
//!
//! One [`Publisher`] writes, any number of [`RawView`]s read. A [`Snapshot`] is an immutable map that costs nothing to take.

mod follow;

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use api_meta::owners;
use api_record::{Record, Typed};
use api_types::object_meta;
use arc_swap::ArcSwap;
use rpds::RedBlackTreeMapSync;
use tokio::sync::{Notify, watch};

use crate::Revision;

pub use follow::{Change, Follower};

/// How many changes a view remembers for its followers; one that is further behind compares whole snapshots.
const LOGGED_CHANGES: usize = 1024;

/// An object's place in a scope: its namespace, empty for none, and its name.
pub type Key = (Arc<str>, Arc<str>);

/// The objects of a scope at one moment.
#[derive(Clone)]
pub struct Snapshot {
    objects: RedBlackTreeMapSync<Key, Arc<dyn Record>>,
    owned: RedBlackTreeMapSync<(Arc<str>, Key), ()>,
    revision: Revision,
    synced: bool,
    relisted: u64,
}

impl Default for Snapshot {
    fn default() -> Self {
        Snapshot {
            objects: RedBlackTreeMapSync::new_sync(),
            owned: RedBlackTreeMapSync::new_sync(),
            revision: Revision::default(),
            synced: false,
            relisted: 0,
        }
    }
}

impl Snapshot {
    /// The revision that it shows.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// Whether it shows the whole scope, which it does not before the first list has come.
    pub fn is_synced(&self) -> bool {
        self.synced
    }

    /// How many of the requests for a new list ([`RawView::relist`]) had been made when the list was begun that this rests on.
    pub fn relisted(&self) -> u64 {
        self.relisted
    }

    /// The number of objects.
    pub fn len(&self) -> usize {
        self.objects.size()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// An object.
    pub fn get(&self, namespace: &str, name: &str) -> Option<&Arc<dyn Record>> {
        self.objects.get(&(Arc::from(namespace), Arc::from(name)))
    }

    /// All objects in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<dyn Record>> {
        self.objects.values()
    }

    /// The objects of a namespace in the order of their names.
    pub fn in_namespace(&self, namespace: &str) -> impl Iterator<Item = &Arc<dyn Record>> {
        let start: Key = (Arc::from(namespace), Arc::from(""));
        let namespace = Arc::clone(&start.0);
        self.objects.range(start..).take_while(move |(key, _)| key.0 == namespace).map(|(_, object)| object)
    }

    /// A snapshot of these objects, as a view that has synced would show them at `revision`.
    pub fn of(objects: impl IntoIterator<Item = Arc<dyn Record>>, revision: Revision) -> Snapshot {
        let mut snapshot = Snapshot { revision, synced: true, ..Snapshot::default() };
        for object in objects {
            snapshot.insert(object);
        }
        snapshot
    }

    /// The objects that name an owner of this uid, in the order of their keys.
    pub fn dependents_of(&self, uid: &str) -> impl Iterator<Item = &Arc<dyn Record>> + use<'_> {
        let uid: Arc<str> = Arc::from(uid);
        let start = (Arc::clone(&uid), (Arc::from(""), Arc::from("")));
        self.owned
            .range(start..)
            .take_while(move |((owner, _), ())| *owner == uid)
            .filter_map(|((_, key), ())| self.objects.get(key))
    }

    /// The objects whose controller has this uid, in the order of their keys.
    pub fn owned_by(&self, uid: &str) -> impl Iterator<Item = &Arc<dyn Record>> {
        let uid: Arc<str> = Arc::from(uid);
        self.dependents_of(&uid).filter(move |object| {
            let controller = object_meta(&***object).and_then(owners::controller_of);
            controller.is_some_and(|reference| reference.uid == *uid)
        })
    }

    /// The objects of a namespace that no owner controls, in the order of their names.
    pub fn orphans(&self, namespace: &str) -> impl Iterator<Item = &Arc<dyn Record>> {
        let start = (Arc::from(NOBODY), (Arc::from(namespace), Arc::from("")));
        let place: (Arc<str>, Arc<str>) = (Arc::clone(&start.0), Arc::clone(&start.1.0));
        self.owned
            .range(start..)
            .take_while(move |((owner, key), ())| *owner == place.0 && key.0 == place.1)
            .filter_map(|((_, key), ())| self.objects.get(key))
    }

    fn insert(&mut self, object: Arc<dyn Record>) {
        let Some(key) = key_of(&*object) else { return };
        self.disown(&key);
        for uid in owner_uids(&*object) {
            self.owned.insert_mut((uid, key.clone()), ());
        }
        self.objects.insert_mut(key, object);
    }

    /// The object of the same key.
    fn same(&self, object: &dyn Record) -> Option<Arc<dyn Record>> {
        self.objects.get(&key_of(object)?).cloned()
    }

    fn remove(&mut self, object: &dyn Record) {
        let Some(key) = key_of(object) else { return };
        self.disown(&key);
        self.objects.remove_mut(&key);
    }

    fn disown(&mut self, key: &Key) {
        let owners: Vec<Arc<str>> = self.objects.get(key).map(|old| owner_uids(&**old)).unwrap_or_default();
        for uid in owners {
            self.owned.remove_mut(&(uid, key.clone()));
        }
    }
}

fn key_of(object: &dyn Record) -> Option<Key> {
    let meta = object_meta(object)?;
    Some((Arc::from(meta.namespace.as_str()), Arc::from(meta.name.as_str())))
}

/// Stands for the owner of what nobody controls.
const NOBODY: &str = "";

fn owner_uids(object: &dyn Record) -> Vec<Arc<str>> {
    let Some(meta) = object_meta(object) else { return Vec::new() };
    let references = meta.owner_references.iter();
    let mut uids: Vec<Arc<str>> = references.map(|reference| Arc::from(reference.uid.as_str())).collect();
    if owners::controller_of(meta).is_none() {
        uids.push(Arc::from(NOBODY));
    }
    uids
}

struct Shared {
    current: ArcSwap<Snapshot>,
    changes: watch::Sender<u64>,
    log: Mutex<Log>,
    relist: Notify,
    /// How many new lists have been asked for.
    asked: AtomicU64,
}

/// The latest changes, numbered from the view's beginning.
#[derive(Default)]
struct Log {
    first: u64,
    changes: VecDeque<Change>,
}

impl Log {
    fn end(&self) -> u64 {
        self.first + self.changes.len() as u64
    }

    /// Everybody has to compare snapshots: changes up to here are not told one by one.
    fn skip(&mut self) {
        self.first = self.end() + 1;
        self.changes.clear();
    }

    fn extend(&mut self, changes: &mut Vec<Change>) {
        self.changes.extend(changes.drain(..));
        while self.changes.len() > LOGGED_CHANGES {
            self.changes.pop_front();
            self.first += 1;
        }
    }
}

/// The writing end of a view.
pub struct Publisher {
    shared: Arc<Shared>,
    next: Snapshot,
    pending: Vec<Change>,
    /// How many new lists had been asked for when the one under way was begun.
    begun: u64,
}

/// The reading end of a view.
#[derive(Clone)]
pub struct RawView {
    shared: Arc<Shared>,
}

/// A connected pair, empty and not synced.
pub fn channel() -> (Publisher, RawView) {
    let current = ArcSwap::from_pointee(Snapshot::default());
    let shared = Arc::new(Shared {
        current,
        changes: watch::Sender::new(0),
        log: Mutex::default(),
        relist: Notify::new(),
        asked: AtomicU64::new(0),
    });
    let publisher =
        Publisher { shared: Arc::clone(&shared), next: Snapshot::default(), pending: Vec::new(), begun: 0 };
    (publisher, RawView { shared })
}

impl Publisher {
    /// A list is begun: what it will show is no older than now.
    pub fn begin_list(&mut self) {
        self.begun = self.shared.asked.load(Ordering::Acquire);
    }

    /// Shows these objects and no others; the view is synced from now on.
    pub fn replace(&mut self, objects: impl IntoIterator<Item = Arc<dyn Record>>, revision: Revision) {
        self.next = Snapshot { relisted: self.begun, ..Snapshot::of(objects, revision) };
        self.pending.clear();
        self.publish(true);
    }

    /// Adds or replaces an object; shown with the next [`Publisher::advance`].
    pub fn put(&mut self, object: Arc<dyn Record>) {
        self.pending.push(Change { old: self.next.same(&*object), new: Some(Arc::clone(&object)) });
        self.next.insert(object);
    }

    /// Takes an object away; shown with the next [`Publisher::advance`].
    pub fn delete(&mut self, object: &dyn Record) {
        if let Some(old) = self.next.same(object) {
            self.pending.push(Change { old: Some(old), new: None });
        }
        self.next.remove(object);
    }

    /// Shows what has been put and deleted.
    pub fn advance(&mut self, revision: Revision) {
        self.next.revision = self.next.revision.max(revision);
        self.publish(false);
    }

    fn publish(&mut self, anew: bool) {
        {
            let mut log = self.shared.log.lock().unwrap_or_else(PoisonError::into_inner);
            if anew {
                log.skip();
            }
            log.extend(&mut self.pending);
            self.shared.current.store(Arc::new(self.next.clone()));
        }
        self.shared.changes.send_modify(|count| *count += 1);
    }

    /// Completes when a reader has asked for a new list.
    pub async fn relist_asked(&self) {
        self.shared.relist.notified().await;
    }

    /// Whether nobody reads any more.
    pub fn is_abandoned(&self) -> bool {
        Arc::strong_count(&self.shared) == 1
    }
}

impl RawView {
    /// What it shows now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.current.load_full()
    }

    /// Asks whoever fills the view to list anew: it has not shown what it should have long ago, or nobody knows what it
    /// should show. Answers the request's number, which [`Snapshot::relisted`] comes to.
    pub fn relist(&self) -> u64 {
        let number = self.shared.asked.fetch_add(1, Ordering::AcqRel) + 1;
        self.shared.relist.notify_one();
        number
    }

    /// A receiver that wakes whenever the view changes; what it carries counts the changes.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.shared.changes.subscribe()
    }

    /// Wakes `waiting` whenever the view changes, from this call on: also before the future, which is to be spawned, is first
    /// polled. It completes when the view ends.
    pub fn wake(&self, waiting: Arc<Notify>) -> impl Future<Output = ()> + Send + use<> {
        let mut changes = self.changed();
        async move {
            while changes.changed().await.is_ok() {
                waiting.notify_one();
            }
        }
    }

    /// Completes when the view shows the whole scope at `revision` or later; at once if it does.
    pub async fn reached(&self, revision: Revision) {
        let mut changes = self.changed();
        loop {
            let snapshot = self.snapshot();
            if snapshot.synced && snapshot.revision >= revision {
                return;
            }
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}

/// A view whose objects are known to be of a type.
pub struct View<T> {
    raw: RawView,
    objects: PhantomData<fn() -> T>,
}

impl<T: Typed> View<T> {
    /// The typed form of a view whose scope holds objects of `T`; others are passed over.
    pub fn new(raw: RawView) -> View<T> {
        View { raw, objects: PhantomData }
    }

    /// The view itself.
    pub fn raw(&self) -> &RawView {
        &self.raw
    }

    /// What it shows now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.raw.snapshot()
    }
}

impl<T> Clone for View<T> {
    fn clone(&self) -> Self {
        View { raw: self.raw.clone(), objects: PhantomData }
    }
}

/// The objects of an iteration as what they are known to be.
pub fn typed<'a, T: Typed>(
    objects: impl Iterator<Item = &'a Arc<dyn Record>>,
) -> impl Iterator<Item = &'a T> {
    objects.filter_map(|object| object.downcast_ref())
}

#[cfg(test)]
mod tests {
    use api_types::core::v1::Pod;
    use api_types::meta::v1::OwnerReference;

    use super::*;

    fn pod(namespace: &str, name: &str, owner: &str) -> Arc<dyn Record> {
        let mut pod = Pod::default();
        pod.metadata.namespace = namespace.into();
        pod.metadata.name = name.into();
        if !owner.is_empty() {
            let reference =
                OwnerReference { uid: owner.into(), controller: Some(true), ..OwnerReference::default() };
            pod.metadata.owner_references.push(reference);
        }
        Arc::new(pod)
    }

    fn names<'a>(objects: impl Iterator<Item = &'a Arc<dyn Record>>) -> Vec<&'a str> {
        typed::<Pod>(objects).map(|pod| pod.metadata.name.as_str()).collect()
    }

    #[test]
    fn a_view_shows_what_was_published() {
        let (mut publisher, view) = channel();
        assert!(!view.snapshot().is_synced());
        publisher.replace([pod("a", "x", "1"), pod("b", "y", "1"), pod("b", "z", "")], Revision(5));
        let snapshot = view.snapshot();
        assert_eq!(names(snapshot.in_namespace("b")), ["y", "z"]);
        assert_eq!(names(snapshot.owned_by("1")), ["x", "y"]);
        publisher.put(pod("a", "x", "2"));
        publisher.delete(&*pod("b", "y", ""));
        assert_eq!(view.snapshot().len(), 3, "nothing is shown before it is published");
        publisher.advance(Revision(7));
        let snapshot = view.snapshot();
        assert_eq!(snapshot.revision(), Revision(7));
        assert_eq!(names(snapshot.owned_by("1")), Vec::<&str>::new());
        assert_eq!(names(snapshot.owned_by("2")), ["x"]);
        assert!(snapshot.get("b", "y").is_none());
        assert_eq!(names(snapshot.orphans("b")), ["z"]);
        assert_eq!(names(snapshot.orphans("a")), Vec::<&str>::new());
    }
}
