//! Asking for keys: which ones, as of when, how many.

use crate::{Entry, Revision};
use bytes::Bytes;

/// A half-open range of keys in their byte order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyRange {
    start: Bytes,
    /// The first key beyond the range; `None` has no upper end.
    end: Option<Bytes>,
}

impl KeyRange {
    /// Every key.
    pub fn all() -> KeyRange {
        KeyRange { start: Bytes::new(), end: None }
    }

    /// This key alone.
    pub fn key(key: impl Into<Bytes>) -> KeyRange {
        let start = key.into();
        let mut end = Vec::with_capacity(start.len() + 1);
        end.extend_from_slice(&start);
        end.push(0);
        KeyRange { start, end: Some(end.into()) }
    }

    /// Every key that begins with `prefix`.
    pub fn prefix(prefix: impl Into<Bytes>) -> KeyRange {
        let start = prefix.into();
        let end = start.iter().rposition(|byte| *byte != u8::MAX).map(|last| {
            let mut end = start[..=last].to_vec();
            end[last] += 1;
            end.into()
        });
        KeyRange { start, end }
    }

    /// From `start` on and before `end`.
    pub fn between(start: impl Into<Bytes>, end: impl Into<Bytes>) -> KeyRange {
        KeyRange { start: start.into(), end: Some(end.into()) }
    }

    /// The part of this range that starts at `start`: what a continued list asks for.
    #[must_use]
    pub fn from(&self, start: impl Into<Bytes>) -> KeyRange {
        KeyRange { start: start.into().max(self.start.clone()), end: self.end.clone() }
    }

    /// The part of this range that comes after `key`.
    pub(crate) fn after(&self, key: &[u8]) -> KeyRange {
        self.from([key, &[0]].concat())
    }

    /// Where the range begins.
    pub fn start(&self) -> &Bytes {
        &self.start
    }

    /// The first key beyond the range, or `None` if it has no upper end.
    pub fn end(&self) -> Option<&Bytes> {
        self.end.as_ref()
    }

    /// Whether `key` lies in the range.
    pub fn contains(&self, key: &[u8]) -> bool {
        *self.start <= *key && self.end.as_ref().is_none_or(|end| *key < **end)
    }

    /// Whether some key may lie in both.
    pub(crate) fn overlaps(&self, other: &KeyRange) -> bool {
        let begins_before = |one: &KeyRange, end: Option<&Bytes>| end.is_none_or(|end| one.start < *end);
        !self.is_empty()
            && !other.is_empty()
            && begins_before(self, other.end())
            && begins_before(other, self.end())
    }

    /// Whether no key can lie in the range.
    pub fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| *end <= self.start)
    }
}

/// A question for the entries of a range of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Range {
    /// Which keys.
    pub keys: KeyRange,
    /// As of which revision; `None` is the latest.
    pub at: Option<Revision>,
    /// The most entries to return; `None` returns all, and 0 none (to count only).
    pub limit: Option<usize>,
    /// The bytes of values beyond which no more entries are returned; the first is, however large it is. `None` returns any amount.
    pub bytes: Option<usize>,
    /// Whether to count the keys beyond the limit as well. That reads the whole range's index.
    pub count: bool,
}

impl Range {
    /// All entries of `keys`, at the latest revision.
    pub fn of(keys: KeyRange) -> Range {
        Range { keys, at: None, limit: None, bytes: None, count: false }
    }

    /// The same as of `revision`.
    #[must_use]
    pub fn at(self, revision: Revision) -> Range {
        Range { at: Some(revision), ..self }
    }

    /// The same, returning at most `limit` entries.
    #[must_use]
    pub fn limit(self, limit: usize) -> Range {
        Range { limit: Some(limit), ..self }
    }

    /// The same, returning values of about `bytes` at most.
    #[must_use]
    pub fn bytes(self, bytes: usize) -> Range {
        Range { bytes: Some(bytes), ..self }
    }

    /// Whether there is no room for one more value of this length, beside values of `taken` bytes.
    pub(crate) fn is_full(&self, taken: usize, value: usize) -> bool {
        self.bytes.is_some_and(|most| taken > 0 && taken.saturating_add(value) > most)
    }

    /// The same, also counting what lies beyond the limit.
    #[must_use]
    pub fn counted(self) -> Range {
        Range { count: true, ..self }
    }
}

/// The answer to a [`Range`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The entries, in the order of their keys.
    pub entries: Vec<Entry>,
    /// The revision that the entries are of when the latest was asked for, and otherwise the store's own, as in etcd:
    /// in both cases the store's revision when it answered.
    pub revision: Revision,
    /// Whether the range holds more keys than the limits let through.
    pub more: bool,
    /// How many: `None` unless the count was asked for.
    pub remaining: Option<u64>,
}
