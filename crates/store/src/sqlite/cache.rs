//! What the store holds, and what it has held of late, in memory: most reads need neither the file nor another thread.
//!
//! The writer tells it of each group once that is on the disk, before anybody else hears of it. Until what was there at the start is
//! read, and of what was compacted away here but not in the file, the file is asked.

use crate::history::Ledger;
use crate::{Entry, Event, KeyRange, Page, Range, ReadError, Revision};
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

pub(super) struct Cache {
    state: RwLock<State>,
    /// What is not kept here, in the order of its keys.
    apart: Vec<KeyRange>,
    recent_bytes: usize,
}

enum State {
    Loading(Later),
    Ready(Ledger),
    /// It could not be read.
    Absent,
}

/// What has happened since the start.
#[derive(Default)]
struct Later {
    groups: Vec<(Vec<Event>, Revision)>,
    compacted: Option<Revision>,
}

impl Cache {
    /// One that is still to be loaded, of everything but the keys in `apart`. `recent_bytes` bounds the events of its history.
    pub(super) fn new(apart: &[KeyRange], recent_bytes: usize) -> Cache {
        let mut apart = apart.to_vec();
        apart.sort();
        Cache { state: RwLock::new(State::Loading(Later::default())), apart, recent_bytes }
    }

    /// The ranges that are kept here.
    pub(super) fn covered(&self) -> Vec<KeyRange> {
        let mut covered = Vec::new();
        let mut rest = Some(KeyRange::all());
        for apart in &self.apart {
            let Some(before) = rest.take() else { break };
            covered.push(KeyRange::between(before.start().clone(), apart.start().clone()));
            rest = apart.end().map(|end| before.from(end.clone()));
        }
        covered.extend(rest);
        covered.retain(|keys| !keys.is_empty());
        covered
    }

    /// Takes in what was found, as of `current`, and what has happened since.
    pub(super) fn load(&self, current: Revision, entries: Vec<Entry>) {
        let mut ledger = Ledger::resumed(current, entries);
        let mut state = self.write();
        if let State::Loading(Later { groups, compacted }) = std::mem::replace(&mut *state, State::Absent) {
            for (events, through) in groups {
                self.record(&mut ledger, &events, through);
            }
            if let Some(at) = compacted {
                // It may reach back further itself, which is well.
                let _ = ledger.compact(at);
            }
            *state = State::Ready(ledger);
        }
    }

    /// Does without: the file will be asked.
    pub(super) fn give_up(&self) {
        *self.write() = State::Absent;
    }

    /// Takes in the events of all revisions up to `through`.
    pub(super) fn publish(&self, events: &[Event], through: Revision) {
        match &mut *self.write() {
            State::Loading(later) => later.groups.push((events.to_vec(), through)),
            State::Ready(ledger) => self.record(ledger, events, through),
            State::Absent => {}
        }
    }

    /// Goes along with what the ledger does not know yet: what was read at the start may be newer than what is told after it.
    fn record(&self, ledger: &mut Ledger, events: &[Event], through: Revision) {
        let known = ledger.span().current;
        if through <= known {
            return;
        }
        let is_new = |event: &&Event| event.revision() > known && !self.is_apart(event.key());
        ledger.record(events.iter().filter(is_new), through);
        ledger.trim(self.recent_bytes);
    }

    /// The store was compacted at a revision.
    pub(super) fn compact(&self, at: Revision) {
        match &mut *self.write() {
            State::Loading(later) => later.compacted = Some(at),
            // It may reach less far back already.
            State::Ready(ledger) => drop(ledger.compact(at)),
            State::Absent => {}
        }
    }

    /// What a key holds; `None` if that is to be asked of the file.
    pub(super) fn get(&self, key: &[u8]) -> Option<Option<Entry>> {
        match &*self.read()? {
            State::Ready(ledger) if !self.is_apart(key) => Some(ledger.get(key).cloned()),
            _ => None,
        }
    }

    /// The entries of a range; `None` if they are to be asked of the file.
    pub(super) fn range(&self, range: &Range) -> Option<Result<Page, ReadError>> {
        if self.apart.iter().any(|apart| apart.overlaps(&range.keys)) {
            return None;
        }
        match &*self.read()? {
            State::Ready(ledger) => {
                let found = ledger.range(range);
                (!matches!(found, Err(ReadError::Compacted { .. }))).then_some(found)
            }
            _ => None,
        }
    }

    fn is_apart(&self, key: &[u8]) -> bool {
        self.apart.iter().any(|apart| apart.contains(key))
    }

    /// Nothing after a panic amid a change: what is half done is not to be read.
    fn read(&self) -> Option<RwLockReadGuard<'_, State>> {
        self.state.read().ok()
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(|poisoned| {
            let mut state = poisoned.into_inner();
            *state = State::Absent;
            state
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Ledger;
    use crate::{Txn, limits};

    /// What some transactions come to: the events of each, and all that is there in the end.
    fn history(txns: &[Txn]) -> (Vec<Vec<Event>>, Ledger) {
        let mut ledger = Ledger::new();
        let events = txns.iter().map(|txn| ledger.commit(txn.clone()).expect("it is a change").to_vec());
        (events.collect(), ledger)
    }

    fn all(ledger: &Ledger, at: Option<Revision>) -> Page {
        ledger.range(&Range { at, ..Range::of(KeyRange::all()) }).expect("it is there")
    }

    fn txns() -> Vec<Txn> {
        let put = |key: &'static str, value: &'static str| Txn::default().put(key, value);
        vec![put("a", "1"), put("b", "1"), put("a", "2"), Txn::default().delete("b"), put("c", "1")]
    }

    #[test]
    fn what_is_apart_is_cut_out_of_what_is_covered() {
        let covered = |apart: &[KeyRange]| Cache::new(apart, 0).covered();
        assert_eq!(covered(&[]), [KeyRange::all()]);
        let (b, d) = (KeyRange::prefix("b"), KeyRange::key("d"));
        let between = |start: &'static str, end: &'static str| KeyRange::between(start, end);
        let beyond_d = KeyRange::all().from(d.end().expect("it ends").clone());
        assert_eq!(covered(&[d.clone(), b]), [between("", "b"), between("c", "d"), beyond_d]);
        assert_eq!(covered(&[KeyRange::all().from("b")]), [between("", "b")]);
    }

    #[test]
    fn what_happens_while_it_is_loaded_is_not_lost_and_not_there_twice() {
        let (groups, whole) = history(&txns());
        // What was read is of any moment: before, amid or after what the cache was told of meanwhile.
        for read in 1..=groups.len() {
            let cache = Cache::new(&[], limits::RECENT_BYTES);
            let told = |group: &[Event]| cache.publish(group, group[0].revision());
            groups[..groups.len() - 1].iter().for_each(|group| told(group));
            assert_eq!(cache.range(&Range::of(KeyRange::all())).map(|_| ()), None);
            let current = groups[read - 1][0].revision();
            cache.load(current, all(&whole, Some(current)).entries);
            if read < groups.len() {
                groups[groups.len() - 1..].iter().for_each(|group| told(group));
            }
            let found = cache.range(&Range::of(KeyRange::all())).expect("it is loaded").expect("the present");
            assert_eq!(found, all(&whole, None), "read at {current:?}");
            assert_eq!(cache.get(b"b"), Some(None));
            // As of every moment since.
            for group in &groups[read - 1..] {
                let at = Some(group[0].revision());
                let range = Range { at, ..Range::of(KeyRange::all()) };
                assert_eq!(cache.range(&range).expect("it is known").expect("it is past"), all(&whole, at));
            }
            let before = Range::of(KeyRange::all()).at(current.before());
            assert!(read == 1 || cache.range(&before).is_none(), "the file is asked");
        }
    }

    #[test]
    fn what_was_read_already_is_not_taken_in_again() {
        let (groups, whole) = history(&txns());
        let cache = Cache::new(&[], limits::RECENT_BYTES);
        let current = whole.span().current;
        cache.load(current, all(&whole, None).entries);
        groups.iter().for_each(|group| cache.publish(group, group[0].revision()));
        let State::Ready(ledger) = &*cache.read().expect("nothing panicked") else { panic!("it is loaded") };
        assert_eq!(ledger.replay(&KeyRange::all(), current, current).expect("it is of late"), []);
        assert_eq!(all(ledger, None), all(&whole, None));
    }

    #[test]
    fn what_a_panic_left_half_done_is_not_read() {
        let cache = Cache::new(&[], limits::RECENT_BYTES);
        cache.load(Revision::EMPTY, Vec::new());
        assert_eq!(cache.get(b"a"), Some(None));
        let amid = std::panic::AssertUnwindSafe(|| {
            let _state = cache.write();
            panic!("amid a change");
        });
        assert!(std::panic::catch_unwind(amid).is_err());
        assert_eq!(cache.get(b"a"), None, "the file is asked");
        let (groups, _) = history(&txns());
        cache.publish(&groups[0], groups[0][0].revision());
        assert_eq!(cache.get(b"a"), None);
    }

    #[test]
    fn what_is_apart_is_not_answered() {
        let (groups, _) = history(&txns());
        let cache = Cache::new(&[KeyRange::prefix("b")], limits::RECENT_BYTES);
        cache.load(Revision::EMPTY, Vec::new());
        groups.iter().for_each(|group| cache.publish(group, group[0].revision()));
        assert_eq!(cache.get(b"b"), None);
        assert!(cache.get(b"a").is_some_and(|found| found.is_some()));
        assert!(cache.range(&Range::of(KeyRange::all())).is_none());
        let found = cache.range(&Range::of(KeyRange::prefix("c"))).expect("it is not apart");
        assert_eq!(found.expect("the present").entries.len(), 1);
    }

    #[test]
    fn no_more_of_the_past_is_kept_than_there_is_room_for() {
        let (groups, whole) = history(&txns());
        let cache = Cache::new(&[], 0);
        cache.load(Revision::EMPTY, Vec::new());
        groups.iter().for_each(|group| cache.publish(group, group[0].revision()));
        let current = whole.span().current;
        assert!(cache.range(&Range::of(KeyRange::all()).at(current)).is_some());
        assert!(cache.range(&Range::of(KeyRange::all()).at(current.before())).is_none());
    }

    #[test]
    fn what_the_store_has_compacted_is_not_answered() {
        let (groups, whole) = history(&txns());
        for loaded_first in [true, false] {
            let cache = Cache::new(&[], limits::RECENT_BYTES);
            let load = || cache.load(Revision::EMPTY, Vec::new());
            loaded_first.then(load);
            groups.iter().for_each(|group| cache.publish(group, group[0].revision()));
            cache.compact(whole.span().current);
            (!loaded_first).then(load);
            let at = |revision| cache.range(&Range::of(KeyRange::all()).at(revision));
            assert!(at(whole.span().current.before()).is_none());
            assert!(at(whole.span().current).is_some());
        }
    }
}
