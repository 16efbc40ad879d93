//! Lists whose elements are told apart: each may occur once (`apiserver/schema/listtype`).

use std::collections::BTreeMap;

use api_meta::field::{ErrorList, FieldError, Path};
use api_record::Tree;
use serde_json::Value;

use crate::Node;
use crate::check::shown;
use crate::node::Elements;

/// What occurs twice in the lists of an object.
pub fn check(path: &Path, fields: &Tree, node: &Node, errors: &mut ErrorList) {
    if !node.finds.lists {
        return;
    }
    for (name, value) in fields {
        if let Some(schema) = node.properties.get(name) {
            below(&path.child(name.clone()), value, schema, errors);
        } else if let Some(schema) = node.additional.schema() {
            below(&path.key(name.clone()), value, schema, errors);
        }
    }
}

fn below(path: &Path, value: &Value, node: &Node, errors: &mut ErrorList) {
    if !node.finds.lists {
        return;
    }
    match value {
        Value::Object(fields) => check(path, fields, node, errors),
        Value::Array(items) => {
            match &node.elements {
                Elements::Atomic => {}
                Elements::Set => {
                    for index in repeated(items) {
                        errors.push(FieldError::duplicate(&path.index(index), shown(&items[index])));
                    }
                }
                Elements::Map(keys) => keyed(path, items, keys, errors),
            }
            if let Some(schema) = node.items.as_deref() {
                for (index, item) in items.iter().enumerate() {
                    below(&path.index(index), item, schema, errors);
                }
            }
        }
        _ => {}
    }
}

fn keyed(path: &Path, items: &[Value], keys: &[String], errors: &mut ErrorList) {
    if let Some(index) = items.iter().position(|item| !item.is_object() && !item.is_null()) {
        let why = "must be an object for an array of list-type map";
        errors.push(FieldError::invalid(&path.index(index), shown(&items[index]), why));
        return;
    }
    let of = |item: &Value| {
        let own = keys.iter().filter_map(|key| Some((key.clone(), item.get(key)?.clone())));
        Value::Object(own.collect())
    };
    let keys: Vec<Value> = items.iter().map(of).collect();
    for index in repeated(&keys) {
        errors.push(FieldError::duplicate(&path.index(index), shown(&keys[index])));
    }
}

/// Where each element that occurs more than once occurs the second time.
fn repeated(items: &[Value]) -> Vec<usize> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut found = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let times = seen.entry(item.to_string()).or_default();
        *times += 1;
        if *times == 2 {
            found.push(index);
        }
    }
    found
}
