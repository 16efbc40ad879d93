//! Where the parts of the scheduler's state live: slots with typed ids, and slots found by what they stand for.
//!
//! Layer: below `scheduler`, which alone uses it. Entry points: [`Arena`], [`Interned`].
//!
//! Invariants: freed slots are reused last freed first, so that the same events give the same ids. Maps are only looked up in,
//! never walked. State: what is put in. Failure: an id that outlived its slot panics, unless the slot has been given away since. Limits: 2^32
//! slots. How to test: `cargo test -p scheduler-arena`.

use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::ops::{Index, IndexMut};
use std::sync::Arc;

/// The place of a `T` in its arena.
pub struct Id<T> {
    raw: u32,
    of: PhantomData<fn() -> T>,
}

impl<T> Id<T> {
    fn new(index: usize) -> Id<T> {
        Id { raw: u32::try_from(index).expect("an arena holds fewer than 2^32 items"), of: PhantomData }
    }

    /// The number of the slot.
    pub fn index(self) -> usize {
        self.raw as usize
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl<T> Eq for Id<T> {}

impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.raw.cmp(&other.raw)
    }
}

impl<T> Hash for Id<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.raw.hash(state);
    }
}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.raw)
    }
}

/// Slots with typed ids.
pub struct Arena<T> {
    slots: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Arena { slots: Vec::new(), free: Vec::new() }
    }
}

impl<T> Arena<T> {
    /// Puts an item into a slot.
    pub fn insert(&mut self, item: T) -> Id<T> {
        match self.free.pop() {
            Some(raw) => {
                self.slots[raw as usize] = Some(item);
                Id { raw, of: PhantomData }
            }
            None => {
                self.slots.push(Some(item));
                Id::new(self.slots.len() - 1)
            }
        }
    }

    /// Frees a slot; its item, if there was one.
    pub fn remove(&mut self, id: Id<T>) -> Option<T> {
        let item = self.slots[id.index()].take();
        if item.is_some() {
            self.free.push(id.raw);
        }
        item
    }

    /// All items, by their slots.
    pub fn iter(&self) -> impl Iterator<Item = (Id<T>, &T)> {
        self.slots.iter().enumerate().filter_map(|(index, slot)| Some((Id::new(index), slot.as_ref()?)))
    }

    /// The same, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Id<T>, &mut T)> {
        self.slots.iter_mut().enumerate().filter_map(|(index, slot)| Some((Id::new(index), slot.as_mut()?)))
    }
}

impl<T> Index<Id<T>> for Arena<T> {
    type Output = T;

    fn index(&self, id: Id<T>) -> &T {
        self.slots[id.index()].as_ref().expect("an id outlives no slot")
    }
}

impl<T> IndexMut<Id<T>> for Arena<T> {
    fn index_mut(&mut self, id: Id<T>) -> &mut T {
        self.slots[id.index()].as_mut().expect("an id outlives no slot")
    }
}

/// A slot that is shared by all who stand for the same `key`.
pub struct Shared<K, T> {
    /// What it is found by.
    pub key: Arc<K>,
    /// What is kept for it.
    pub item: T,
    uses: u32,
}

/// Slots found by their key, each there for as long as it is used.
pub struct Interned<K, T> {
    arena: Arena<Shared<K, T>>,
    by_key: HashMap<Arc<K>, Id<Shared<K, T>>>,
}

/// The place of an interned `T`.
pub type SharedId<K, T> = Id<Shared<K, T>>;

impl<K: Eq + Hash, T> Default for Interned<K, T> {
    fn default() -> Self {
        Interned { arena: Arena::default(), by_key: HashMap::new() }
    }
}

impl<K: Eq + Hash, T> Interned<K, T> {
    /// The slot of `key`, used once more.
    pub fn acquire(&mut self, key: &K) -> Option<SharedId<K, T>> {
        let id = *self.by_key.get(key)?;
        self.arena[id].uses += 1;
        Some(id)
    }

    /// A new slot, used once.
    pub fn insert(&mut self, key: K, item: T) -> SharedId<K, T> {
        let key = Arc::new(key);
        let id = self.arena.insert(Shared { key: key.clone(), item, uses: 1 });
        let before = self.by_key.insert(key, id);
        assert!(before.is_none(), "a key is interned once");
        id
    }

    /// One more use of a slot.
    pub fn retain(&mut self, id: SharedId<K, T>) {
        self.arena[id].uses += 1;
    }

    /// One use less; the slot itself when that was the last.
    pub fn release(&mut self, id: SharedId<K, T>) -> Option<Shared<K, T>> {
        let shared = &mut self.arena[id];
        shared.uses -= 1;
        if shared.uses > 0 {
            return None;
        }
        let shared = self.arena.remove(id)?;
        self.by_key.remove(&*shared.key);
        Some(shared)
    }

    /// All slots.
    pub fn iter(&self) -> impl Iterator<Item = (SharedId<K, T>, &Shared<K, T>)> {
        self.arena.iter()
    }

    /// The same, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (SharedId<K, T>, &mut Shared<K, T>)> {
        self.arena.iter_mut()
    }
}

impl<K, T> Index<SharedId<K, T>> for Interned<K, T> {
    type Output = Shared<K, T>;

    fn index(&self, id: SharedId<K, T>) -> &Shared<K, T> {
        &self.arena[id]
    }
}

impl<K, T> IndexMut<SharedId<K, T>> for Interned<K, T> {
    fn index_mut(&mut self, id: SharedId<K, T>) -> &mut Shared<K, T> {
        &mut self.arena[id]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_slot_lives_until_its_last_use_ends() {
        let mut table: Interned<String, u32> = Interned::default();
        let id = table.insert("a".into(), 1);
        assert_eq!(table.acquire(&"a".to_owned()), Some(id));
        assert!(table.release(id).is_none());
        assert_eq!(table.release(id).map(|shared| shared.item), Some(1));
        assert_eq!(table.acquire(&"a".to_owned()), None);
        assert_eq!(table.insert("b".into(), 2), id, "a freed slot is reused");
    }
}
