//! What an object was before an update: which part of it is which part of the old one, and whether that has changed
//! (upstream's ratcheting, `apiserver/pkg/cel/common/{equality,maplist}.go`).

use serde_json::Value;

use crate::Node;
use crate::node::Elements;

/// The elements that a list had, where they can be found again: those of lists that are maps, by their keys.
pub(crate) struct Before<'a> {
    items: &'a [Value],
    keys: &'a [String],
}

impl<'a> Before<'a> {
    pub(crate) fn of(old: Option<&'a Value>, elements: &'a Elements) -> Before<'a> {
        match (old.and_then(Value::as_array), elements) {
            (Some(items), Elements::Map(keys)) if !keys.is_empty() => Before { items, keys },
            _ => Before { items: &[], keys: &[] },
        }
    }

    pub(crate) fn element(&self, new: &Value) -> Option<&'a Value> {
        let key_of = |item: &Value, key: &str| {
            item.get(key).filter(|own| !own.is_array() && !own.is_object()).cloned()
        };
        self.items.iter().find(|old| {
            self.keys.iter().all(|key| {
                let own = key_of(new, key);
                own.is_some() && own == key_of(old, key)
            })
        })
    }
}

/// Whether a value is what it was. A field that no schema names is never known to be, and lists that are maps may change their
/// order.
pub(crate) fn is_same(new: &Value, old: &Value, node: Option<&Node>) -> bool {
    match (new, old) {
        (Value::Object(new), Value::Object(old)) => {
            new.len() == old.len()
                && new.iter().all(|(name, value)| {
                    let schema = node.and_then(|node| node.field(name));
                    match (schema, old.get(name)) {
                        (Some(schema), Some(old)) => is_same(value, old, Some(schema)),
                        _ => false,
                    }
                })
        }
        (Value::Array(items), Value::Array(old_items)) => {
            let map = node.filter(|node| matches!(node.elements, Elements::Map(_)) && node.items.is_some());
            match map {
                Some(node) => {
                    let before = Before::of(Some(old), &node.elements);
                    items.len() == old_items.len()
                        && items.iter().all(|item| {
                            before.element(item).is_some_and(|old| is_same(item, old, node.items.as_deref()))
                        })
                }
                None => items == old_items,
            }
        }
        (new, old) => new == old,
    }
}
