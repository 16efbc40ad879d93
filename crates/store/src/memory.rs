//! The store that forgets: the history in memory, for the simulator and for tests.
//!
//! Every future is ready when first polled, and so is every feed that is owed something: no thread, clock or runtime
//! takes part. The `_now` methods are the same calls without a future.

use crate::feed::fanout::Fanout;
use crate::feed::follow::{Follow, History, Replayed};
use crate::history::Ledger;
use crate::{
    CommitError, Committed, CompactError, Entry, Fault, Feed, KeyRange, Page, Range, ReadError, Revision,
    Store, Txn, WatchError,
};
use base::time::Time;
use bytes::Bytes;
use futures_util::future::{BoxFuture, ready};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

/// A store whose life ends with the process.
pub struct MemoryStore {
    past: Arc<Past>,
    fanout: Arc<Fanout>,
}

struct Past(Mutex<Ledger>);

impl Past {
    /// Locks also after a panic elsewhere: the ledger decides before it changes anything.
    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for MemoryStore {
    fn default() -> MemoryStore {
        MemoryStore::new()
    }
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> MemoryStore {
        let fanout = Arc::new(Fanout::new(Revision::EMPTY));
        MemoryStore { past: Arc::new(Past(Mutex::new(Ledger::new()))), fanout }
    }

    /// [`Store::commit`], done on return.
    ///
    /// # Errors
    /// When a condition does not hold or the transaction is malformed.
    pub fn commit_now(&self, txn: Txn) -> Result<Committed, CommitError> {
        self.change(|ledger, wakers| self.commit_to(ledger, txn, wakers))
    }

    /// Makes changes under the ledger's lock, so that they are published in their order, and wakes after it.
    fn change<T>(&self, act: impl FnOnce(&mut Ledger, &mut Vec<Waker>) -> T) -> T {
        let mut wakers = Vec::new();
        let outcome = act(&mut self.past.lock(), &mut wakers);
        wakers.into_iter().for_each(Waker::wake);
        outcome
    }

    fn commit_to(
        &self,
        ledger: &mut Ledger,
        txn: Txn,
        wakers: &mut Vec<Waker>,
    ) -> Result<Committed, CommitError> {
        let events = ledger.commit(txn)?.to_vec();
        let revision = ledger.span().current;
        wakers.extend(self.fanout.publish(&events, revision));
        Ok(Committed { revision })
    }

    /// [`Store::get`], done on return.
    pub fn get_now(&self, key: &[u8]) -> Option<Entry> {
        self.past.lock().get(key).cloned()
    }

    /// [`Store::range`], done on return.
    ///
    /// # Errors
    /// When the revision asked for is compacted, or in the future.
    pub fn range_now(&self, range: &Range) -> Result<Page, ReadError> {
        self.past.lock().range(range)
    }

    /// [`Store::expire`], done on return.
    pub fn expire_now(&self, now: Time) -> u64 {
        self.change(|ledger, wakers| {
            let due: Vec<Bytes> = ledger.due(now).cloned().collect();
            let deleted =
                due.into_iter().map(|key| self.commit_to(ledger, Txn::default().delete(key), wakers));
            deleted.filter(Result::is_ok).count() as u64
        })
    }

    /// [`Store::compact`], done on return.
    ///
    /// # Errors
    /// When it is no further than the last compaction, or in the future.
    pub fn compact_now(&self, at: Revision) -> Result<(), CompactError> {
        self.past.lock().compact(at)
    }
}

impl Store for MemoryStore {
    fn commit(&self, txn: Txn) -> BoxFuture<'_, Result<Committed, CommitError>> {
        Box::pin(async { self.commit_now(txn) })
    }

    fn get(&self, key: Bytes) -> BoxFuture<'_, Result<Option<Entry>, ReadError>> {
        Box::pin(async move { Ok(self.get_now(&key)) })
    }

    fn peek(&self, key: &[u8]) -> Option<Entry> {
        self.get_now(key)
    }

    fn range(&self, range: Range) -> BoxFuture<'_, Result<Page, ReadError>> {
        Box::pin(async move { self.range_now(&range) })
    }

    fn watch(&self, keys: KeyRange, from: Revision) -> Feed {
        Feed::new(Follow::new(self.fanout.clone(), self.past.clone(), keys, from))
    }

    fn expire(&self, now: Time) -> BoxFuture<'_, Result<u64, Fault>> {
        Box::pin(async move { Ok(self.expire_now(now)) })
    }

    fn compact(&self, at: Revision) -> BoxFuture<'_, Result<(), CompactError>> {
        Box::pin(async move { self.compact_now(at) })
    }

    fn current_revision(&self) -> Revision {
        self.fanout.published()
    }
}

impl Drop for MemoryStore {
    fn drop(&mut self) {
        self.fanout.close();
    }
}

impl History for Past {
    fn replay(
        &self,
        keys: KeyRange,
        from: Revision,
        through: Revision,
    ) -> BoxFuture<'static, Result<Replayed, WatchError>> {
        let events = self.lock().replay(&keys, from, through);
        Box::pin(ready(events.map(|events| Replayed { events, through })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::{Context, Wake};

    struct Reads(MemoryStore, Mutex<Vec<Option<Entry>>>);

    impl Wake for Reads {
        fn wake(self: Arc<Self>) {
            let found = self.0.get_now(b"a");
            self.1.lock().unwrap().push(found);
        }
    }

    #[test]
    fn a_waker_may_call_the_store() {
        let reads = Arc::new(Reads(MemoryStore::new(), Mutex::default()));
        let mut feed = reads.0.watch(KeyRange::all(), Revision::NONE);
        assert!(feed.poll_next(&mut Context::from_waker(&Waker::from(reads.clone()))).is_pending());
        reads.0.commit_now(Txn::create("a", "1")).unwrap();
        assert!(matches!(&reads.1.lock().unwrap()[..], [Some(entry)] if entry.value == "1"));
        assert_eq!(feed.try_next().unwrap().unwrap().events.len(), 1);
    }
}
