//! What is kept under a key, and what happened to it.

use crate::Revision;
use base::time::Time;
use bytes::Bytes;

/// A key and its value as of one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key, opaque to the store.
    pub key: Bytes,
    /// The value, opaque to the store.
    pub value: Bytes,
    /// The revision that created the key (again, if it had been deleted before).
    pub created: Revision,
    /// The revision that put this value.
    pub modified: Revision,
    /// How often the key was put since it was created, this put included: 1 for a new key.
    pub version: u64,
    /// When [`Store::expire`](crate::Store::expire) is to delete the key; `None` keeps it until somebody deletes it.
    pub expires: Option<Time>,
}

/// A change of one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A value was put.
    Put {
        /// What the key holds since.
        entry: Entry,
        /// What it held before; `None` if it did not exist.
        previous: Option<Entry>,
    },
    /// The key was deleted, by a client or by its expiry.
    Delete {
        /// The key that is gone.
        key: Bytes,
        /// What it held before.
        previous: Option<Entry>,
        /// The revision that deleted it.
        revision: Revision,
    },
}

impl Event {
    /// The key that changed.
    pub fn key(&self) -> &Bytes {
        match self {
            Event::Put { entry, .. } => &entry.key,
            Event::Delete { key, .. } => key,
        }
    }

    /// The revision of the change.
    pub fn revision(&self) -> Revision {
        match self {
            Event::Put { entry, .. } => entry.modified,
            Event::Delete { revision, .. } => *revision,
        }
    }

    /// What the key held before the change.
    pub fn previous(&self) -> Option<&Entry> {
        match self {
            Event::Put { previous, .. } | Event::Delete { previous, .. } => previous.as_ref(),
        }
    }

    /// What the key holds after the change; `None` after a delete.
    pub fn entry(&self) -> Option<&Entry> {
        match self {
            Event::Put { entry, .. } => Some(entry),
            Event::Delete { .. } => None,
        }
    }

    /// How much memory the change holds on to, in bytes, near enough for a bound.
    pub(crate) fn size_bytes(&self) -> usize {
        let held = |entry: &Entry| entry.key.len() + entry.value.len();
        size_of::<Event>() + self.previous().map_or(0, held) + self.entry().map_or(self.key().len(), held)
    }
}
