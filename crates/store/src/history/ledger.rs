//! History in memory: the whole of it, or its end.

use super::{Span, decide};
use crate::{
    CommitError, CompactError, Entry, Event, Fault, KeyRange, Page, Range, ReadError, Revision, Txn,
    WatchError,
};
use base::time::Time;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// Every key's versions and every revision's events, as far as they are not compacted.
#[derive(Clone, Debug)]
pub struct Ledger {
    span: Span,
    keys: BTreeMap<Bytes, Vec<Version>>,
    log: BTreeMap<Revision, Vec<Event>>,
    log_bytes: usize,
    due: BTreeSet<(Time, Bytes)>,
}

/// What a key holds from one revision on; nothing after a delete.
#[derive(Clone, Debug)]
struct Version {
    since: Revision,
    entry: Option<Entry>,
}

impl Default for Ledger {
    fn default() -> Ledger {
        Ledger::new()
    }
}

impl Ledger {
    /// Nothing, at [`Revision::EMPTY`].
    pub fn new() -> Ledger {
        let (keys, log, due) = (BTreeMap::new(), BTreeMap::new(), BTreeSet::new());
        Ledger { span: Span::EMPTY, keys, log, log_bytes: 0, due }
    }

    /// What goes on from a state that others keep: these entries, one for each key that is there at `current`.
    pub fn resumed(current: Revision, entries: impl IntoIterator<Item = Entry>) -> Ledger {
        let mut ledger = Ledger { span: Span { compacted: current, current }, ..Ledger::new() };
        for entry in entries {
            ledger.due.extend(entry.expires.map(|due| (due, entry.key.clone())));
            let version = Version { since: entry.modified, entry: Some(entry.clone()) };
            ledger.keys.insert(entry.key, vec![version]);
        }
        ledger
    }

    /// How far the history reaches.
    pub fn span(&self) -> Span {
        self.span
    }

    /// Carries out a transaction and returns its events.
    ///
    /// # Errors
    /// As [`decide`].
    pub fn commit(&mut self, txn: Txn) -> Result<&[Event], CommitError> {
        let revision = self.span.current.next();
        let events = decide(txn, revision, |key| Ok::<_, Fault>(self.get(key).cloned()))?;
        if events.is_empty() {
            return Ok(&[]);
        }
        for event in &events {
            self.apply(event);
        }
        self.span.current = revision;
        Ok(self.log.entry(revision).or_insert(events))
    }

    /// Goes along with transactions that were carried out elsewhere: their events, of all revisions up to `through`.
    pub fn record<'a>(&mut self, events: impl IntoIterator<Item = &'a Event>, through: Revision) {
        for event in events {
            self.apply(event);
            self.log.entry(event.revision()).or_default().push(event.clone());
        }
        self.span.current = through;
    }

    fn apply(&mut self, event: &Event) {
        let (key, since) = (event.key(), event.revision());
        self.log_bytes += event.size_bytes();
        if let Some(due) = event.previous().and_then(|entry| entry.expires) {
            self.due.remove(&(due, key.clone()));
        }
        if let Some(due) = event.entry().and_then(|entry| entry.expires) {
            self.due.insert((due, key.clone()));
        }
        let version = Version { since, entry: event.entry().cloned() };
        // Most keys have one version, and few of them another for long.
        let versions = self.keys.entry(key.clone()).or_default();
        versions.reserve_exact(1);
        versions.push(version);
    }

    /// What a key holds now.
    pub fn get(&self, key: &[u8]) -> Option<&Entry> {
        self.keys.get(key)?.last()?.entry.as_ref()
    }

    /// The entries of a range.
    ///
    /// # Errors
    /// When the revision asked for is compacted, or in the future.
    pub fn range(&self, range: &Range) -> Result<Page, ReadError> {
        let at = self.span.read_at(range.at)?;
        let found = within(&self.keys, &range.keys).filter_map(|(_, versions)| as_of(versions, at));
        let mut found = found.peekable();
        let limit = range.limit.unwrap_or(usize::MAX);
        let (mut entries, mut taken) = (Vec::new(), 0);
        while entries.len() < limit {
            let Some(entry) = found.next_if(|entry| !range.is_full(taken, entry.value.len())) else { break };
            taken += entry.value.len();
            entries.push(entry.clone());
        }
        let (more, remaining) = if range.count {
            let beyond = found.count() as u64;
            (beyond > 0, Some(beyond))
        } else {
            (found.next().is_some(), None)
        };
        Ok(Page { entries, revision: self.span.current, more, remaining })
    }

    /// What a watcher of `keys` is owed of revisions `from` to `through`.
    ///
    /// # Errors
    /// When some of it is compacted.
    pub fn replay(
        &self,
        keys: &KeyRange,
        from: Revision,
        through: Revision,
    ) -> Result<Vec<Event>, WatchError> {
        if from < self.span.compacted {
            return Err(WatchError::Compacted { at: self.span.compacted });
        }
        if from > through {
            return Ok(Vec::new());
        }
        let events = self.log.range(from..=through).flat_map(|(_, events)| events);
        Ok(events.filter(|event| keys.contains(event.key())).cloned().collect())
    }

    /// Forgets what `at` and later do not need.
    ///
    /// # Errors
    /// When it is no further than the last compaction, or in the future.
    pub fn compact(&mut self, at: Revision) -> Result<(), CompactError> {
        self.span = self.span.compact(at)?;
        while let Some(oldest) = self.log.first_entry().filter(|oldest| *oldest.key() < at) {
            let events = oldest.remove();
            self.forget_all(&events, at);
        }
        Ok(())
    }

    /// Compacts as far as it must for the events that are left to take no more than this, but for those of the latest revision.
    pub fn trim(&mut self, most_bytes: usize) {
        while self.log_bytes > most_bytes && self.log.len() > 1 {
            let Some((revision, events)) = self.log.pop_first() else { return };
            self.span.compacted = self.span.compacted.max(revision.next());
            self.forget_all(&events, revision.next());
        }
    }

    fn forget_all(&mut self, events: &[Event], at: Revision) {
        for event in events {
            self.log_bytes -= event.size_bytes();
            self.forget(event.key(), at);
        }
    }

    fn forget(&mut self, key: &Bytes, at: Revision) {
        let Some(versions) = self.keys.get_mut(key) else { return };
        let before = versions.partition_point(|version| version.since < at);
        let Some(last) = before.checked_sub(1) else { return };
        let unneeded = if versions[last].entry.is_none() { before } else { last };
        versions.drain(..unneeded);
        versions.shrink_to_fit();
        if versions.is_empty() {
            self.keys.remove(key);
        }
    }

    /// The keys that are due at `now`: the longest due first, and those due together in the order of their bytes.
    pub fn due(&self, now: Time) -> impl Iterator<Item = &Bytes> {
        self.due.iter().take_while(move |(due, _)| *due <= now).map(|(_, key)| key)
    }
}

fn within<'a, V>(
    keys: &'a BTreeMap<Bytes, V>,
    range: &'a KeyRange,
) -> impl Iterator<Item = (&'a Bytes, &'a V)> {
    let end = match range.end() {
        // BTreeMap panics on a range that ends before it starts.
        Some(end) => Bound::Excluded(end.max(range.start())),
        None => Bound::Unbounded,
    };
    keys.range::<Bytes, _>((Bound::Included(range.start()), end))
}

fn as_of(versions: &[Version], at: Revision) -> Option<&Entry> {
    let after = versions.partition_point(|version| version.since <= at);
    versions[..after].last()?.entry.as_ref()
}
