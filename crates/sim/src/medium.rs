//! The store as a server has it: the real one in memory, that takes its time, fills up and fails. Every commit shows in the
//! history before anybody is answered.

use std::sync::Arc;

use base::time::Time;
use bytes::Bytes;
use futures_util::future::BoxFuture;
use store::{
    CommitError, Committed, CompactError, Compare, Entry, Fault, Feed, KeyRange, Page, Range, ReadError,
    Revision, Store, Txn,
};

use tokio::task::yield_now;

use crate::dice::Dice;
use crate::profile::Defect;
use crate::world::World;

/// A store that can fail.
pub struct Medium {
    world: Arc<World>,
    dice: Dice,
}

impl Medium {
    /// The world's store.
    pub fn new(world: &Arc<World>) -> Medium {
        Medium { world: Arc::clone(world), dice: world.dice.fork("medium") }
    }

    /// Lets others go first, sometimes for a while.
    async fn pause(&self) {
        yield_now().await;
        if self.dice.chance(300) {
            let wait = self.dice.millis(0, self.world.profile.way_millis / 4);
            self.world.executor.sleep(wait).await;
        }
    }

    fn strikes(&self, per_mille: usize) -> bool {
        self.world.is_faulty() && self.dice.chance(per_mille)
    }
}

fn broken() -> Fault {
    let why = std::io::Error::other("input/output error");
    Fault::Io { path: "world".into(), source: Arc::new(why) }
}

/// The defect of a store that does not check what it is told to, in its simplest form.
fn careless(mut txn: Txn) -> Txn {
    let is_address = |key: &Bytes| key.starts_with(b"/registry/ipaddresses/");
    txn.compares.retain(|compare| !matches!(compare, Compare::Absent(key) if is_address(key)));
    txn
}

impl Store for Medium {
    fn commit(&self, txn: Txn) -> BoxFuture<'_, Result<Committed, CommitError>> {
        Box::pin(async move {
            self.pause().await;
            let profile = &self.world.profile;
            if self.strikes(profile.full) {
                return Err(CommitError::Fault(Fault::Full { path: "world".into() }));
            }
            let torn = self.strikes(profile.torn);
            if torn && self.dice.chance(500) {
                return Err(CommitError::Fault(broken()));
            }
            let txn =
                if self.world.defect == Some(Defect::ServiceAddressTwice) { careless(txn) } else { txn };
            let done = self.world.store.commit_now(txn);
            self.world.catch_up();
            self.pause().await;
            if torn { Err(CommitError::Fault(broken())) } else { done }
        })
    }

    fn get(&self, key: Bytes) -> BoxFuture<'_, Result<Option<Entry>, ReadError>> {
        Box::pin(async move {
            self.pause().await;
            Ok(self.world.store.get_now(&key))
        })
    }

    fn range(&self, range: Range) -> BoxFuture<'_, Result<Page, ReadError>> {
        Box::pin(async move {
            self.pause().await;
            self.world.store.range_now(&range)
        })
    }

    fn watch(&self, keys: KeyRange, from: Revision) -> Feed {
        self.world.store.watch(keys, from)
    }

    fn expire(&self, now: Time) -> BoxFuture<'_, Result<u64, Fault>> {
        self.world.store.expire(now)
    }

    fn compact(&self, at: Revision) -> BoxFuture<'_, Result<(), CompactError>> {
        self.world.store.compact(at)
    }

    fn current_revision(&self) -> Revision {
        self.world.store.current_revision()
    }
}
