//! Lists, and how their elements are told apart: that of a custom resource may be a set, or a map by the keys of its elements, and is equal
//! to another whatever their order (`apiserver/pkg/cel/common/valuesunstructured.go`).

use std::ops::Deref;
use std::sync::Arc;

use super::{Key, Value};

/// How the elements of a list are told apart.
#[derive(Clone, Debug, Default)]
pub enum Told {
    /// By their places.
    #[default]
    Places,
    /// Each occurs once.
    Set,
    /// By these of their fields, which are maps.
    Keys(Arc<[Arc<str>]>),
}

/// A list.
#[derive(Clone)]
pub struct List {
    items: Arc<[Value]>,
    told: Told,
}

impl List {
    /// A list whose elements are told apart in some way.
    pub fn told(items: Vec<Value>, told: Told) -> List {
        List { items: items.into(), told }
    }

    /// What the sum of two lists is: of sets their union, of maps the first with the elements of the second put in.
    pub(crate) fn add(&self, other: &List) -> List {
        let mut sum = self.items.to_vec();
        for item in other.iter() {
            let place = match &self.told {
                Told::Places => None,
                Told::Set => sum.iter().position(|own| own == item),
                Told::Keys(keys) => sum.iter().position(|own| have_same_keys(keys, own, item)),
            };
            match place {
                Some(place) => sum[place] = item.clone(),
                None => sum.push(item.clone()),
            }
        }
        sum.into()
    }
}

fn have_same_keys(keys: &[Arc<str>], one: &Value, other: &Value) -> bool {
    let (Value::Map(one), Value::Map(other)) = (one, other) else { return false };
    keys.iter().all(|key| {
        let key = Key::String(key.clone());
        one.get(&key) == other.get(&key)
    })
}

impl PartialEq for List {
    fn eq(&self, other: &List) -> bool {
        self.len() == other.len()
            && match &self.told {
                Told::Places => self.items == other.items,
                Told::Set => {
                    self.iter().all(|own| other.contains(own)) && other.iter().all(|own| self.contains(own))
                }
                Told::Keys(keys) => self
                    .iter()
                    .all(|own| other.iter().any(|item| have_same_keys(keys, own, item) && own == item)),
            }
    }
}

impl Deref for List {
    type Target = [Value];
    fn deref(&self) -> &[Value] {
        &self.items
    }
}

impl From<Vec<Value>> for List {
    fn from(items: Vec<Value>) -> List {
        List { items: items.into(), told: Told::Places }
    }
}

impl From<&[Value]> for List {
    fn from(items: &[Value]) -> List {
        List { items: items.into(), told: Told::Places }
    }
}

impl FromIterator<Value> for List {
    fn from_iter<I: IntoIterator<Item = Value>>(items: I) -> List {
        List { items: items.into_iter().collect(), told: Told::Places }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_and_maps_are_equal_whatever_their_order() {
        let numbers = |items: &[i64], told| {
            Value::List(List::told(items.iter().map(|n| Value::Int(*n)).collect(), told))
        };
        assert!(numbers(&[1, 2], Told::Set) == numbers(&[2, 1], Told::Set));
        assert!(numbers(&[1, 2], Told::Places) != numbers(&[2, 1], Told::Places));
        let entries = |items: &[(&str, i64)]| {
            let items = items
                .iter()
                .map(|(key, of)| Value::object([("k", Value::text(key)), ("v", Value::Int(*of))]));
            List::told(items.collect(), Told::Keys(["k".into()].into()))
        };
        assert!(entries(&[("a", 1), ("b", 2)]) == entries(&[("b", 2), ("a", 1)]));
        assert!(entries(&[("a", 1), ("b", 2)]) != entries(&[("b", 1), ("a", 2)]));
        let sum = entries(&[("a", 1), ("b", 2)]).add(&entries(&[("c", 3), ("a", 4)]));
        assert!(Value::List(sum) == Value::List(entries(&[("a", 4), ("b", 2), ("c", 3)]).add(&entries(&[]))));
        let set = List::told(vec![Value::Int(1)], Told::Set).add(&vec![Value::Int(1), Value::Int(2)].into());
        assert_eq!(set.len(), 2);
    }
}
