//! Finding the watched ranges that hold a key, without asking every one.
//!
//! The ranges are sorted by where they start; beside each stands how far it and all before it reach. Looking
//! backwards from the key, the search ends where nothing reaches it any more. Watched prefixes hardly
//! overlap, so that is soon.

use crate::KeyRange;
use bytes::Bytes;

/// Watched ranges, each with what belongs to it.
pub(super) struct Index<T> {
    slots: Vec<Slot<T>>,
}

struct Slot<T> {
    keys: KeyRange,
    /// The furthest end of this range and those before it; `None` has no end.
    reach: Option<Bytes>,
    watchers: Vec<T>,
}

impl<T> Index<T> {
    pub(super) fn new() -> Index<T> {
        Index { slots: Vec::new() }
    }

    pub(super) fn insert(&mut self, keys: &KeyRange, watcher: T) {
        match self.slots.binary_search_by(|slot| slot.keys.cmp(keys)) {
            Ok(found) => self.slots[found].watchers.push(watcher),
            Err(place) => {
                let slot = Slot { keys: keys.clone(), reach: None, watchers: vec![watcher] };
                self.slots.insert(place, slot);
                self.measure(place);
            }
        }
    }

    pub(super) fn remove(&mut self, keys: &KeyRange, which: impl Fn(&T) -> bool) {
        if let Ok(found) = self.slots.binary_search_by(|slot| slot.keys.cmp(keys)) {
            self.slots[found].watchers.retain(|watcher| !which(watcher));
            if self.slots[found].watchers.is_empty() {
                self.slots.remove(found);
                self.measure(found);
            }
        }
    }

    fn measure(&mut self, from: usize) {
        let mut reach = from.checked_sub(1).map(|before| self.slots[before].reach.clone());
        for slot in &mut self.slots[from..] {
            let end = slot.keys.end().cloned();
            let furthest = match reach {
                None => end,
                Some(before) => before.zip(end).map(|(before, end)| before.max(end)),
            };
            slot.reach = furthest.clone();
            reach = Some(furthest);
        }
    }

    /// The numbers of the slots whose range holds `key`.
    pub(super) fn find(&self, key: &[u8]) -> impl Iterator<Item = usize> {
        let after = self.slots.partition_point(|slot| **slot.keys.start() <= *key);
        self.slots[..after]
            .iter()
            .enumerate()
            .rev()
            .take_while(|(_, slot)| slot.reach.as_ref().is_none_or(|reach| **reach > *key))
            .filter(|(_, slot)| slot.keys.contains(key))
            .map(|(number, _)| number)
    }

    /// What belongs to a slot that [`Index::find`] found.
    pub(super) fn watchers(&self, slot: usize) -> &[T] {
        &self.slots[slot].watchers
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().flat_map(|slot| &slot.watchers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range() -> impl Strategy<Value = KeyRange> {
        let key = || proptest::collection::vec(0u8..4, 0..4);
        prop_oneof![
            key().prop_map(KeyRange::prefix),
            (key(), key()).prop_map(|(start, end)| KeyRange::between(start, end)),
            Just(KeyRange::all()),
        ]
    }

    proptest! {
        #[test]
        fn finds_exactly_the_ranges_that_hold_the_key(
            ranges in proptest::collection::vec((range(), any::<bool>()), 0..12),
            key in proptest::collection::vec(0u8..4, 0..5),
        ) {
            let mut index = Index::new();
            for (number, (range, _)) in ranges.iter().enumerate() {
                index.insert(range, number);
            }
            for (number, (range, gone)) in ranges.iter().enumerate() {
                if *gone {
                    index.remove(range, |watcher| *watcher == number);
                }
            }
            let mut found: Vec<usize> = index.find(&key).flat_map(|slot| index.watchers(slot).to_vec()).collect();
            found.sort_unstable();
            let expected: Vec<usize> = (0..ranges.len())
                .filter(|number| !ranges[*number].1 && ranges[*number].0.contains(&key))
                .collect();
            prop_assert_eq!(found, expected);
        }
    }
}
