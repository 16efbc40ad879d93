//! What every backend offers.

use crate::{
    CommitError, Committed, CompactError, Entry, Fault, Feed, KeyRange, Page, Range, ReadError, Revision, Txn,
};
use base::time::Time;
use bytes::Bytes;
use futures_util::future::BoxFuture;

/// A revisioned key-value store with etcd's semantics.
///
/// The futures run on any executor. One that is dropped before it completes leaves open whether it took effect.
pub trait Store: Send + Sync {
    /// Carries out a transaction if its conditions hold. Answers once the changes cannot be lost any more, and once
    /// every [`Feed`] that is owed them has them.
    fn commit(&self, txn: Txn) -> BoxFuture<'_, Result<Committed, CommitError>>;

    /// What `key` holds at the latest revision.
    fn get(&self, key: Bytes) -> BoxFuture<'_, Result<Option<Entry>, ReadError>>;

    /// What `key` holds at the latest revision, if that is known without asking anybody else; `None` says nothing.
    fn peek(&self, key: &[u8]) -> Option<Entry> {
        let _ = key;
        None
    }

    /// The entries of a range of keys. Sees every transaction that was answered before the call.
    fn range(&self, range: Range) -> BoxFuture<'_, Result<Page, ReadError>>;

    /// The events of `keys` whose revision is `from` or later, those to come included.
    ///
    /// [`Revision::NONE`] asks for those to come only. One that lies in the future waits for it, as in etcd.
    /// One that is compacted away ends the feed with [`crate::WatchError::Compacted`].
    fn watch(&self, keys: KeyRange, from: Revision) -> Feed;

    /// Deletes every key that is due at `now`, each with a revision of its own, and says how many.
    fn expire(&self, now: Time) -> BoxFuture<'_, Result<u64, Fault>>;

    /// Forgets what `at` and later do not need: ranges as of `at` or later, and watches from `at` or later, go on
    /// working. The room is freed in the background.
    fn compact(&self, at: Revision) -> BoxFuture<'_, Result<(), CompactError>>;

    /// The revision of the latest change that feeds have been told of, and so of every change answered so far.
    fn current_revision(&self) -> Revision;
}
