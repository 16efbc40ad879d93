//! The `$` keys of a strategic merge patch.

use std::collections::HashSet;

use serde_json::Value;

use super::lists::{check_element_kinds, merge_lists, order_seen, ordered};
use super::{Fields, Scope};
use crate::PatchError;

pub(super) const DIRECTIVE: &str = "$patch";
pub(super) const RETAIN_KEYS: &str = "$retainKeys";
pub(super) const DELETE_FROM_LIST: &str = "$deleteFromPrimitiveList";
pub(super) const ELEMENT_ORDER: &str = "$setElementOrder";

/// Removes nulls from all objects, those in lists too.
pub(super) fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// The value without the objects that carry a `$patch`; `None` if it is one itself.
pub(super) fn without_directives(value: Value) -> Option<Value> {
    match value {
        Value::Object(map) if map.contains_key(DIRECTIVE) => None,
        Value::Object(map) => {
            let kept = map.into_iter().filter_map(|(key, value)| Some((key, without_directives(value)?)));
            Some(Value::Object(kept.collect()))
        }
        Value::Array(items) => Some(Value::Array(items.into_iter().filter_map(without_directives).collect())),
        scalar => Some(scalar),
    }
}

/// Carries out `$retainKeys`: keys that it does not list go, and the patch may set no other.
pub(super) fn retain_keys(original: &mut Fields, patch: &mut Fields) -> Result<(), PatchError> {
    let Some(retained) = patch.shift_remove(RETAIN_KEYS) else { return Ok(()) };
    let retained = retained.as_array().ok_or(PatchError::RetainKeys)?;
    let retained: HashSet<&str> = retained.iter().filter_map(Value::as_str).collect();
    let stray = patch.iter().any(|(key, value)| {
        let directive = key.starts_with(DELETE_FROM_LIST) || key.starts_with(ELEMENT_ORDER);
        !value.is_null() && !directive && !retained.contains(key.as_str())
    });
    if stray {
        return Err(PatchError::RetainKeys);
    }
    original.retain(|key, _| retained.contains(key.as_str()));
    Ok(())
}

/// Carries out each `$setElementOrder/<field>`, which also merges that field and takes it out of the patch.
pub(super) fn order_lists(
    original: &mut Fields,
    patch: &mut Fields,
    scope: Scope<'_>,
) -> Result<(), PatchError> {
    let directives: Vec<String> =
        patch.keys().filter(|key| key.starts_with(ELEMENT_ORDER)).cloned().collect();
    for directive in directives {
        let order = list(patch.shift_remove(&directive))?.unwrap_or_default();
        let field = directive.strip_prefix(ELEMENT_ORDER).and_then(|rest| rest.strip_prefix('/'));
        let field = field.ok_or(PatchError::ElementOrder)?;
        let before = list(original.get(field).cloned())?;
        let changes = list(patch.get(field).cloned())?;
        let (element, merge) = scope.list(field)?;
        check_order(changes.as_deref().unwrap_or_default(), &order, merge.key)?;
        let empty = before.iter().chain(&changes).all(Vec::is_empty);
        let mut server_order = before.clone().unwrap_or_default();
        let merged = match (before, changes) {
            (None, None) => continue,
            (Some(before), None) => before,
            (None, Some(changes)) => changes.into_iter().filter_map(without_directives).collect(),
            (Some(before), Some(changes)) if merge.merge => {
                server_order = order_seen(server_order, &changes, merge.key);
                merge_lists(before, changes, element, merge.key, false)?
            }
            (Some(_), Some(changes)) => changes,
        };
        if empty {
            return Err(PatchError::Mismatch("no elements in any of the given slices".to_owned()));
        }
        check_element_kinds(&[&merged, &order])?;
        let merged = ordered(merged, &order, &server_order, merge.key)?;
        original.insert(field.to_owned(), Value::Array(merged));
        patch.shift_remove(field);
    }
    Ok(())
}

fn list(value: Option<Value>) -> Result<Option<Vec<Value>>, PatchError> {
    match value {
        None => Ok(None),
        Some(Value::Array(items)) => Ok(Some(items)),
        Some(other) => Err(PatchError::wrong_type("[]interface {}", Some(&other))),
    }
}

/// The elements of the patch must come in the order of the directive, which must name them all.
fn check_order(changes: &[Value], order: &[Value], merge_key: &str) -> Result<(), PatchError> {
    if order.is_empty() || changes.is_empty() {
        return Ok(());
    }
    let mut kept = Vec::new();
    for change in changes {
        if !merge_key.is_empty() && !change.is_object() {
            return Err(PatchError::wrong_type("map[string]interface {}", Some(change)));
        }
        if merge_key.is_empty() || change.get(DIRECTIVE).is_none_or(|directive| directive != "delete") {
            kept.push(change);
        }
    }
    let (mut at, mut wanted) = (0, order.iter().peekable());
    while let (Some(change), Some(next)) = (kept.get(at), wanted.peek()) {
        if change.get(DIRECTIVE).is_some() {
            at += 1;
            continue;
        }
        if key_of(change, merge_key)? == key_of(next, merge_key)? {
            at += 1;
        }
        wanted.next();
    }
    if at < kept.len() {
        let text = |list: &[Value]| crate::error::go_text(&Value::Array(list.to_vec()));
        return Err(PatchError::Mismatch(format!(
            "The order in patch list:\n{}\n doesn't match {ELEMENT_ORDER} list:\n{}\n",
            text(changes),
            text(order)
        )));
    }
    Ok(())
}

/// What tells an element apart: its merge key, or the element itself where there is none.
pub(super) fn key_of<'a>(element: &'a Value, merge_key: &str) -> Result<&'a Value, PatchError> {
    if merge_key.is_empty() {
        return Ok(element);
    }
    let map = element
        .as_object()
        .ok_or_else(|| PatchError::wrong_type("map[string]interface {}", Some(element)))?;
    map.get(merge_key).ok_or_else(|| PatchError::no_merge_key(element, merge_key))
}
