//! Handing fresh events to the watchers that are owed them.
//!
//! A backend publishes each group of commits once, after they are durable and in the order of their
//! revisions. A watcher's queue is bounded: one that is full takes nothing more and notes from where on it
//! lags; its reader goes back to the history. Nobody waits for a watcher.

use super::index::Index;
use crate::{Event, KeyRange, Revision, limits};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// All watchers of a store.
pub(crate) struct Fanout {
    state: Mutex<State>,
    published: AtomicU64,
}

struct State {
    watchers: Index<Arc<Subscription>>,
    closed: bool,
}

/// One watcher's place.
pub(crate) struct Subscription {
    keys: KeyRange,
    from: Revision,
    queue: Mutex<Queue>,
}

#[derive(Default)]
struct Queue {
    events: Vec<Event>,
    size_bytes: usize,
    /// The first revision that had no room.
    lagging: Option<Revision>,
    closed: bool,
    waker: Option<Waker>,
}

/// What a watcher finds in its place.
#[derive(Debug)]
pub(crate) enum Taken {
    /// Events, whole revisions of them.
    Events(Vec<Event>),
    /// Nothing, and what comes from this revision on has to be read from the history.
    Lagging(Revision),
    /// Nothing: it has had everything. Its waker is called when that changes.
    Nothing,
    /// Nothing, for ever.
    Closed,
}

impl Fanout {
    /// For a store that is at `published`.
    pub(crate) fn new(published: Revision) -> Fanout {
        let state = State { watchers: Index::new(), closed: false };
        Fanout { state: Mutex::new(state), published: AtomicU64::new(published.0) }
    }

    /// The revision up to which every watcher has been given its events.
    pub(crate) fn published(&self) -> Revision {
        Revision(self.published.load(Ordering::Acquire))
    }

    /// Opens a place for events of `keys`, `from` or later, and says up to which revision they have to be
    /// read from the history.
    pub(crate) fn subscribe(&self, keys: KeyRange, from: Revision) -> (Arc<Subscription>, Revision) {
        let mut state = lock(&self.state);
        let queue = Queue { closed: state.closed, ..Queue::default() };
        let place = Arc::new(Subscription { keys, from, queue: Mutex::new(queue) });
        state.watchers.insert(&place.keys, place.clone());
        (place, self.published())
    }

    /// Ends a place.
    pub(crate) fn unsubscribe(&self, place: &Arc<Subscription>) {
        lock(&self.state).watchers.remove(&place.keys, |other| Arc::ptr_eq(other, place));
    }

    /// Lets a place that lagged take events again, and says up to which revision the history has to be read before.
    pub(crate) fn resume(&self, place: &Subscription) -> Revision {
        let _state = lock(&self.state);
        lock(&place.queue).lagging = None;
        self.published()
    }

    /// Hands out the events of all revisions after the last published one, up to `through`. Returns whom to
    /// wake: a waker may call the store again, so the caller does it once it holds no lock.
    #[must_use]
    pub(crate) fn publish(&self, events: &[Event], through: Revision) -> Vec<Waker> {
        let state = lock(&self.state);
        let mut owed: BTreeMap<usize, Vec<&Event>> = BTreeMap::new();
        for event in events {
            for slot in state.watchers.find(event.key()) {
                owed.entry(slot).or_default().push(event);
            }
        }
        let mut wakers = Vec::new();
        for (slot, events) in owed {
            for place in state.watchers.watchers(slot) {
                wakers.extend(place.push(&events));
            }
        }
        self.published.store(through.0, Ordering::Release);
        wakers
    }

    /// Ends every watch.
    pub(crate) fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        let close = |place: &Arc<Subscription>| {
            let mut queue = lock(&place.queue);
            queue.closed = true;
            queue.waker.take()
        };
        let wakers: Vec<Waker> = state.watchers.iter().filter_map(close).collect();
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Subscription {
    /// Takes what there is, or leaves `waker` to be called once there is something.
    pub(crate) fn take(&self, waker: &Waker) -> Taken {
        let mut queue = lock(&self.queue);
        if !queue.events.is_empty() {
            queue.size_bytes = 0;
            return Taken::Events(std::mem::take(&mut queue.events));
        }
        if queue.closed {
            return Taken::Closed;
        }
        if let Some(revision) = queue.lagging {
            return Taken::Lagging(revision);
        }
        queue.waker = Some(waker.clone());
        Taken::Nothing
    }

    /// Whether the watcher has taken everything there was for it.
    pub(crate) fn is_drained(&self) -> bool {
        let queue = lock(&self.queue);
        queue.events.is_empty() && queue.lagging.is_none()
    }

    /// All events of one publication at once, so that a revision is never taken in parts.
    fn push(&self, events: &[&Event]) -> Option<Waker> {
        let events = &events[events.partition_point(|event| event.revision() < self.from)..];
        let first = events.first()?;
        let mut queue = lock(&self.queue);
        if queue.lagging.is_some() {
            return None;
        }
        let size_bytes = events.iter().map(|event| event.size_bytes()).sum::<usize>();
        let full = queue.events.len() + events.len() > limits::FEED_EVENTS
            || queue.size_bytes + size_bytes > limits::FEED_BYTES;
        if full {
            queue.lagging = Some(first.revision());
        } else {
            queue.events.extend(events.iter().map(|event| (*event).clone()));
            queue.size_bytes += size_bytes;
        }
        queue.waker.take()
    }
}

/// Locks also after a panic elsewhere: every critical section here leaves the state whole at each step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
