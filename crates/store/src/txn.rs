//! Changing the store: compare, then put and delete, all or nothing.

use crate::{Entry, Fault, Revision, limits};
use base::time::Time;
use bytes::Bytes;

/// A condition on one key that has to hold for a transaction to be carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compare {
    /// The key does not exist.
    Absent(Bytes),
    /// The key exists.
    Present(Bytes),
    /// The key exists and was last put at this revision.
    Modified(Bytes, Revision),
}

impl Compare {
    /// The key that the condition is on.
    pub fn key(&self) -> &Bytes {
        match self {
            Compare::Absent(key) | Compare::Present(key) | Compare::Modified(key, _) => key,
        }
    }

    /// Whether the condition holds while the key holds `current`.
    pub fn holds(&self, current: Option<&Entry>) -> bool {
        match self {
            Compare::Absent(_) => current.is_none(),
            Compare::Present(_) => current.is_some(),
            Compare::Modified(_, revision) => current.is_some_and(|entry| entry.modified == *revision),
        }
    }
}

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Puts a value, whether or not the key exists.
    Put {
        /// The key.
        key: Bytes,
        /// What it holds from now on.
        value: Bytes,
        /// When it is due to be deleted. A later put without an expiry keeps the key for good.
        expires: Option<Time>,
    },
    /// Deletes a key; nothing happens if it does not exist.
    Delete {
        /// The key.
        key: Bytes,
    },
}

impl Op {
    /// The key to be changed.
    pub fn key(&self) -> &Bytes {
        match self {
            Op::Put { key, .. } | Op::Delete { key } => key,
        }
    }
}

/// Conditions, and what to do when all of them hold. All its changes get one revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Txn {
    /// What has to hold.
    pub compares: Vec<Compare>,
    /// What to do then. No key may occur twice.
    pub ops: Vec<Op>,
}

impl Txn {
    /// Puts a key that must not exist yet.
    pub fn create(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Txn {
        let key = key.into();
        Txn { compares: vec![Compare::Absent(key.clone())], ops: Vec::new() }.put(key, value)
    }

    /// Puts a key that must have been last put at `modified`.
    pub fn update(key: impl Into<Bytes>, value: impl Into<Bytes>, modified: Revision) -> Txn {
        let key = key.into();
        Txn { compares: vec![Compare::Modified(key.clone(), modified)], ops: Vec::new() }.put(key, value)
    }

    /// Deletes a key that must have been last put at `modified`.
    pub fn remove(key: impl Into<Bytes>, modified: Revision) -> Txn {
        let key = key.into();
        Txn { compares: vec![Compare::Modified(key.clone(), modified)], ops: Vec::new() }.delete(key)
    }

    /// The same on one more condition.
    #[must_use]
    pub fn when(mut self, compare: Compare) -> Txn {
        self.compares.push(compare);
        self
    }

    /// The same, also putting a value.
    #[must_use]
    pub fn put(mut self, key: impl Into<Bytes>, value: impl Into<Bytes>) -> Txn {
        self.ops.push(Op::Put { key: key.into(), value: value.into(), expires: None });
        self
    }

    /// The same, also deleting a key.
    #[must_use]
    pub fn delete(mut self, key: impl Into<Bytes>) -> Txn {
        self.ops.push(Op::Delete { key: key.into() });
        self
    }

    /// The same, with everything put so far to be deleted once it is `due`.
    #[must_use]
    pub fn expiring(mut self, due: Time) -> Txn {
        for op in &mut self.ops {
            if let Op::Put { expires, .. } = op {
                *expires = Some(due);
            }
        }
        self
    }

    /// Bytes of keys and values, compared to [`limits::TXN_BYTES`].
    pub fn size_bytes(&self) -> usize {
        let compares = self.compares.iter().map(|compare| compare.key().len()).sum::<usize>();
        let ops = self.ops.iter().map(|op| match op {
            Op::Put { key, value, .. } => key.len() + value.len(),
            Op::Delete { key } => key.len(),
        });
        compares + ops.sum::<usize>()
    }
}

/// A transaction was carried out, and will not be lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The revision of its changes; the store's own if it changed nothing.
    pub revision: Revision,
}

/// A transaction was not carried out.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommitError {
    /// A condition did not hold.
    #[error("condition {compare} of the transaction does not hold")]
    Conflict {
        /// Which one: the first in [`Txn::compares`] that did not hold.
        compare: usize,
        /// What its key held instead.
        current: Option<Entry>,
    },
    /// Two operations were on one key.
    #[error("duplicate key given in txn request: {:?}", String::from_utf8_lossy(key))]
    DuplicateKey {
        /// That key.
        key: Bytes,
    },
    /// There were more than [`limits::TXN_OPS`] operations or conditions.
    #[error("too many operations in txn request: {count}, and {} at most", limits::TXN_OPS)]
    TooManyOps {
        /// How many there were.
        count: usize,
    },
    /// The keys and values were larger than [`limits::TXN_BYTES`].
    #[error("request is too large: {size_bytes} bytes, and {} at most", limits::TXN_BYTES)]
    TooLarge {
        /// How large they were.
        size_bytes: usize,
    },
    /// The store could not carry it out. After [`Fault::Io`] and [`Fault::Closed`] it may come to light after
    /// a restart that it did; after every other it did not.
    #[error("the write was not carried out")]
    Fault(#[source] Fault),
}
