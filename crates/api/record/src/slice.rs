//! A list that can be nil without getting in the way.

use std::fmt;
use std::ops::{Deref, DerefMut};

use crate::value::{FieldType, List, Nullable, Slot, Value};

/// A list of a field that JSON always writes, where nil (`null`) is not the same as empty (`[]`). Used like a `Vec`.
#[derive(Clone)]
pub struct Slice<T> {
    items: Vec<T>,
    /// Only looked at while there are no items.
    empty: bool,
}

impl<T> Slice<T> {
    /// Whether it is nil: no items, and not said to be empty either.
    pub fn is_nil(&self) -> bool {
        self.items.is_empty() && !self.empty
    }
}

impl<T> Default for Slice<T> {
    fn default() -> Self {
        Slice { items: Vec::new(), empty: false }
    }
}

impl<T> Deref for Slice<T> {
    type Target = Vec<T>;
    fn deref(&self) -> &Vec<T> {
        &self.items
    }
}

impl<T> DerefMut for Slice<T> {
    fn deref_mut(&mut self) -> &mut Vec<T> {
        &mut self.items
    }
}

impl<T> From<Vec<T>> for Slice<T> {
    fn from(items: Vec<T>) -> Self {
        Slice { items, empty: true }
    }
}

impl<T> FromIterator<T> for Slice<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        Vec::from_iter(items).into()
    }
}

impl<T> IntoIterator for Slice<T> {
    type Item = T;
    type IntoIter = std::vec::IntoIter<T>;
    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<'a, T> IntoIterator for &'a Slice<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

impl<'a, T> IntoIterator for &'a mut Slice<T> {
    type Item = &'a mut T;
    type IntoIter = std::slice::IterMut<'a, T>;
    fn into_iter(self) -> Self::IntoIter {
        self.items.iter_mut()
    }
}

impl<T: PartialEq> PartialEq for Slice<T> {
    fn eq(&self, other: &Self) -> bool {
        self.items == other.items && self.is_nil() == other.is_nil()
    }
}

impl<T: fmt::Debug> fmt::Debug for Slice<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.items.fmt(f)
    }
}

impl<T: FieldType + Default> FieldType for Slice<T> {
    fn value(&self) -> Value<'_> {
        if self.is_nil() { Value::Nil } else { Value::List(&self.items) }
    }
    fn slot(&mut self) -> Slot<'_> {
        Slot::Nullable(self)
    }
}

impl<T: FieldType + Default> Nullable for Slice<T> {
    fn heap_bytes(&self) -> usize {
        0
    }
    fn is_set(&self) -> bool {
        !self.is_nil()
    }
    fn set_nil(&mut self) {
        *self = Slice::default();
    }
    fn fill(&mut self) -> Slot<'_> {
        self.empty = true;
        let items: &mut dyn List = &mut self.items;
        Slot::List(items)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nil_and_empty_stay_apart() {
        let mut slice = Slice::<i32>::default();
        assert!(slice.is_nil() && matches!(slice.value(), Value::Nil));
        slice.slot().filled();
        assert!(!slice.is_nil() && slice.value() == Value::List(&Vec::<i32>::new()));
        slice.push(1);
        assert_ne!(slice, Slice::default());
    }
}
