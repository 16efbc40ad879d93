//! Views: a scope's objects in memory, following the server.
//!
//! One [`Publisher`] writes, any number of [`RawView`]s read. A [`Snapshot`] is an immutable map that costs nothing to take.
//! Objects that nobody reads are kept as their messages, and decoded when somebody does: a view of very many costs little more than what
//! the store keeps of them.

mod follow;
mod held;
pub mod limits;
mod snapshot;
mod warm;

use std::collections::VecDeque;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use api_record::{Record, Typed};
use arc_swap::ArcSwap;
use bytes::Bytes;
use tokio::sync::{Notify, watch};

use crate::Revision;

pub use follow::{Change, Follower};
pub use held::Glance;
use limits::{LOGGED_CHANGES, LOOKED_AT_A_CHANGE};
pub use snapshot::Snapshot;
use warm::Warm;

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
    /// How many of them each follower has heard of.
    heard: Vec<Weak<AtomicU64>>,
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

    /// The changes behind the first so many; `None` if they are not all remembered.
    fn since(&self, seen: u64) -> Option<Vec<Change>> {
        let skip = usize::try_from(seen.checked_sub(self.first)?).unwrap_or(usize::MAX);
        Some(self.changes.iter().skip(skip).cloned().collect())
    }

    fn heard_by(&mut self, follower: &Arc<AtomicU64>) {
        self.heard.push(Arc::downgrade(follower));
    }

    /// Forgets what all followers have heard of.
    fn forget_heard(&mut self) {
        self.heard.retain(|follower| follower.strong_count() > 0);
        let heard = self.heard.iter().filter_map(Weak::upgrade).map(|it| it.load(Ordering::Relaxed));
        let Some(all) = heard.min() else { return };
        while self.first < all && self.changes.pop_front().is_some() {
            self.first += 1;
        }
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
    /// What has come of that list.
    listed: Snapshot,
}

/// The reading end of a view.
#[derive(Clone)]
pub struct RawView {
    shared: Arc<Shared>,
}

/// The messages of a scope's objects where they are kept anyway, so that a view need not have its own.
pub trait Messages: Send + Sync {
    /// The object's message without its resource version; `None` if it is not kept just as this object is.
    fn message(&self, object: &dyn Record) -> Option<Bytes>;
}

/// A connected pair, empty and not synced.
pub fn channel() -> (Publisher, RawView) {
    channel_beside(None)
}

/// The same in the process that keeps the objects.
pub fn channel_beside(messages: Option<Arc<dyn Messages>>) -> (Publisher, RawView) {
    let next = Snapshot::empty(Warm::beside(messages));
    let current = ArcSwap::from_pointee(next.clone());
    let shared = Arc::new(Shared {
        current,
        changes: watch::Sender::new(0),
        log: Mutex::default(),
        relist: Notify::new(),
        asked: AtomicU64::new(0),
    });
    let publisher = Publisher {
        shared: Arc::clone(&shared),
        listed: next.emptied(),
        next,
        pending: Vec::new(),
        begun: 0,
    };
    (publisher, RawView { shared })
}

impl Publisher {
    /// A list is begun: what it will show is no older than now.
    pub fn begin_list(&mut self) {
        self.begun = self.shared.asked.load(Ordering::Acquire);
        self.listed = self.next.emptied();
    }

    /// Takes in a part of the list, to be shown with its end.
    pub fn list(&mut self, objects: impl IntoIterator<Item = Arc<dyn Record>>) {
        for object in objects {
            self.listed.take_over(object, &self.next);
        }
    }

    /// Shows what has been listed and nothing else; the view is synced from now on.
    pub fn end_list(&mut self, revision: Revision) {
        let listed = std::mem::replace(&mut self.listed, self.next.emptied());
        self.next = listed.ended(revision, self.begun);
        self.pending.clear();
        self.publish(true);
    }

    /// Shows these objects and no others, as a list of one part.
    pub fn replace(&mut self, objects: impl IntoIterator<Item = Arc<dyn Record>>, revision: Revision) {
        self.listed = self.next.emptied();
        self.list(objects);
        self.end_list(revision);
    }

    /// Adds or replaces an object; shown with the next [`Publisher::advance`].
    pub fn put(&mut self, object: Arc<dyn Record>) {
        self.pending.extend(self.next.insert(object).map(|(old, new)| Change { old, new: Some(new) }));
    }

    /// Takes an object away; shown with the next [`Publisher::advance`].
    pub fn delete(&mut self, object: &dyn Record) {
        self.pending.extend(self.next.remove(object).map(|old| Change { old: Some(old), new: None }));
    }

    /// Shows what has been put and deleted. Decoded objects that nobody reads are let go meanwhile: a few with each change, all when
    /// nothing has changed.
    pub fn advance(&mut self, revision: Revision) {
        self.next.revision = self.next.revision.max(revision);
        let changes = self.pending.len();
        self.let_go(if changes == 0 { usize::MAX } else { changes * LOOKED_AT_A_CHANGE });
        self.publish(false);
    }

    /// Completes when more objects have been decoded by those who read the view than should stay so: then [`Publisher::advance`]
    /// lets them go.
    pub fn crowded(&self) -> impl Future<Output = ()> + use<> {
        let warm = Arc::clone(&self.next.warm);
        async move { warm.crowded().await }
    }

    fn let_go(&mut self, look_at: usize) {
        for held in self.next.warm.unused(look_at) {
            self.next.pack(&held);
        }
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
            if snapshot.is_synced() && snapshot.revision >= revision {
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
        assert_eq!(names(snapshot.orphans("b").map(Glance::object)), ["z"]);
        assert_eq!(names(snapshot.orphans("a").map(Glance::object)), Vec::<&str>::new());
    }
}
