//! What a transaction changes.

use crate::{CommitError, Entry, Event, Fault, Op, Revision, Txn, limits};
use bytes::Bytes;
use std::collections::BTreeSet;

/// The changes that `txn` makes if it becomes `revision`, in the order of its operations. None at all means that it
/// succeeds without using up a revision, as deleting what does not exist does in etcd.
///
/// `current` looks up what a key holds now; it is asked at most once about each.
///
/// # Errors
/// When a condition does not hold, the transaction is malformed, or the lookup fails.
pub fn decide(
    txn: Txn,
    revision: Revision,
    current: impl FnMut(&Bytes) -> Result<Option<Entry>, Fault>,
) -> Result<Vec<Event>, CommitError> {
    check(&txn)?;
    let mut known = Known { entries: Vec::with_capacity(txn.ops.len()), lookup: current };
    for (compare, condition) in txn.compares.iter().enumerate() {
        let current = known.peek(condition.key())?;
        if !condition.holds(current) {
            return Err(CommitError::Conflict { compare, current: current.cloned() });
        }
    }
    let mut events = Vec::with_capacity(txn.ops.len());
    for op in txn.ops {
        let previous = known.take(op.key())?;
        match op {
            Op::Put { key, value, expires } => {
                let (created, version) =
                    previous.as_ref().map_or((revision, 1), |entry| (entry.created, entry.version + 1));
                let entry = Entry { key, value, created, modified: revision, version, expires };
                events.push(Event::Put { entry, previous });
            }
            Op::Delete { .. } if previous.is_none() => {}
            Op::Delete { key } => events.push(Event::Delete { key, previous, revision }),
        }
    }
    Ok(events)
}

fn check(txn: &Txn) -> Result<(), CommitError> {
    let count = txn.ops.len().max(txn.compares.len());
    if count > limits::TXN_OPS {
        return Err(CommitError::TooManyOps { count });
    }
    let size_bytes = txn.size_bytes();
    if size_bytes > limits::TXN_BYTES {
        return Err(CommitError::TooLarge { size_bytes });
    }
    if txn.ops.len() > 1 {
        let mut seen = BTreeSet::new();
        if let Some(twice) = txn.ops.iter().find(|op| !seen.insert(op.key())) {
            return Err(CommitError::DuplicateKey { key: twice.key().clone() });
        }
    }
    Ok(())
}

/// What has been looked up so far.
struct Known<L> {
    entries: Vec<(Bytes, Option<Entry>)>,
    lookup: L,
}

impl<L: FnMut(&Bytes) -> Result<Option<Entry>, Fault>> Known<L> {
    fn find(&mut self, key: &Bytes) -> Result<&mut Option<Entry>, CommitError> {
        let place = match self.entries.iter().position(|(known, _)| known == key) {
            Some(place) => place,
            None => {
                let entry = (self.lookup)(key).map_err(CommitError::Fault)?;
                self.entries.push((key.clone(), entry));
                self.entries.len() - 1
            }
        };
        Ok(&mut self.entries[place].1)
    }

    fn peek(&mut self, key: &Bytes) -> Result<Option<&Entry>, CommitError> {
        self.find(key).map(|entry| entry.as_ref())
    }

    /// No key is operated on twice, so its entry can move into the event.
    fn take(&mut self, key: &Bytes) -> Result<Option<Entry>, CommitError> {
        self.find(key).map(Option::take)
    }
}
