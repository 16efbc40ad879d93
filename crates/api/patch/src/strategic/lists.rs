//! Merging lists, and the order of what comes out.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::directives::{DIRECTIVE, key_of};
use super::{Fields, Scope, merge_fields, unknown_directive};
use crate::PatchError;
use crate::error::go_text;

/// Merges a list by its merge key, or a list of scalars as a set; `deletes` takes the scalars of `patch` away instead.
pub(super) fn merge_lists(
    original: Vec<Value>,
    patch: Vec<Value>,
    element: Scope<'_>,
    merge_key: &str,
    deletes: bool,
) -> Result<Vec<Value>, PatchError> {
    if original.is_empty() && patch.is_empty() {
        return Ok(original);
    }
    if !check_element_kinds(&[&original, &patch])? {
        if deletes {
            let unwanted: HashSet<&Value> = patch.iter().collect();
            return Ok(original.into_iter().filter(|item| !unwanted.contains(item)).collect());
        }
        let mut seen = HashSet::new();
        let all = original.iter().chain(&patch).filter(|item| seen.insert(*item)).cloned().collect();
        return ordered(all, &patch, &original, "");
    }
    if merge_key.is_empty() {
        return Err(PatchError::Mismatch("cannot merge lists without merge key for struct".to_owned()));
    }
    let (original, patch) = carry_out_directives(original, patch, merge_key)?;
    let server_order = keys_only(&original, merge_key);
    let patch_order = keys_only(&patch, merge_key);
    let merged = merge_elements(original, patch, element, merge_key)?;
    ordered(merged, &patch_order, &server_order, merge_key)
}

/// The elements reduced to their merge keys, for those that have one.
fn keys_only(list: &[Value], merge_key: &str) -> Vec<Value> {
    let keys = list.iter().filter_map(|element| element.get(merge_key));
    keys.map(|key| Value::Object(Fields::from_iter([(merge_key.to_owned(), key.clone())]))).collect()
}

/// Takes out the elements with a `$patch`: deletions are carried out on the original, a replacement puts the patch's
/// other elements in its place.
fn carry_out_directives(
    mut original: Vec<Value>,
    patch: Vec<Value>,
    merge_key: &str,
) -> Result<(Vec<Value>, Vec<Value>), PatchError> {
    let mut plain = Vec::new();
    let mut deleted = HashSet::new();
    let mut replace = false;
    for element in patch {
        let Value::Object(map) = &element else { continue };
        match map.get(DIRECTIVE).map(Value::as_str) {
            None => plain.push(element),
            Some(Some("delete")) => {
                deleted.insert(key_of(&element, merge_key)?.clone());
            }
            Some(Some("replace")) => replace = true,
            Some(Some("merge")) => {
                let text = "merging lists cannot yet be specified in the patch";
                return Err(PatchError::Mismatch(text.to_owned()));
            }
            Some(_) => return Err(unknown_directive(map)),
        }
    }
    if replace {
        return Ok((plain, Vec::new()));
    }
    original.retain(|element| element.get(merge_key).is_none_or(|key| !deleted.contains(key)));
    Ok((original, plain))
}

fn merge_elements(
    mut original: Vec<Value>,
    patch: Vec<Value>,
    element: Scope<'_>,
    merge_key: &str,
) -> Result<Vec<Value>, PatchError> {
    let mut places: HashMap<Value, usize> = HashMap::new();
    for (place, item) in original.iter().enumerate() {
        if let Some(key) = item.get(merge_key) {
            places.entry(key.clone()).or_insert(place);
        }
    }
    for item in patch {
        let key = key_of(&item, merge_key)?.clone();
        match places.get(&key) {
            Some(place) => {
                let before = std::mem::take(&mut original[*place]);
                if let (Value::Object(fields), Value::Object(changes)) = (before, item) {
                    original[*place] = Value::Object(merge_fields(fields, changes, element)?);
                }
            }
            None => {
                places.insert(key, original.len());
                original.push(item);
            }
        }
    }
    Ok(original)
}

/// The order that upstream takes for the server's once it has carried out deletions: what the patch adds has moved into
/// the places of what it deleted, because both lists share their memory there. Clients see it when `kubectl apply`
/// renames an element.
pub(super) fn order_seen(original: Vec<Value>, patch: &[Value], merge_key: &str) -> Vec<Value> {
    let directive =
        |element: &Value, wanted: &str| element.get(DIRECTIVE).is_some_and(|found| found == wanted);
    if merge_key.is_empty() || patch.iter().any(|element| directive(element, "replace")) {
        return original;
    }
    let length = original.len();
    let deleted: HashSet<&Value> = patch
        .iter()
        .filter(|element| directive(element, "delete"))
        .filter_map(|element| element.get(merge_key))
        .collect();
    let mut seen: Vec<Value> = original
        .into_iter()
        .filter(|element| element.get(merge_key).is_none_or(|key| !deleted.contains(key)))
        .collect();
    let known: HashSet<Value> = seen.iter().filter_map(|element| element.get(merge_key)).cloned().collect();
    let added = patch.iter().filter(|element| element.get(DIRECTIVE).is_none());
    seen.extend(
        added.filter(|element| element.get(merge_key).is_some_and(|key| !known.contains(key))).cloned(),
    );
    seen.truncate(length);
    seen
}

/// Puts what `patch_order` names into its order and the rest into that of `server_order`, and interleaves the two: an
/// element that only the server has stays in front of what it was in front of.
pub(super) fn ordered(
    merged: Vec<Value>,
    patch_order: &[Value],
    server_order: &[Value],
    merge_key: &str,
) -> Result<Vec<Value>, PatchError> {
    let patch_ranks = ranks(patch_order, merge_key)?;
    let server_ranks = ranks(server_order, merge_key)?;
    let mut from_patch = Vec::new();
    let mut from_server = Vec::new();
    for element in &merged {
        let key = key_of(element, merge_key)?;
        match patch_ranks.get(key) {
            Some(rank) => from_patch.push((*rank, element)),
            None => from_server.push((server_ranks.get(key).copied().unwrap_or(usize::MAX), element)),
        }
    }
    from_patch.sort_by_key(|(rank, _)| *rank);
    from_server.sort_by_key(|(rank, _)| *rank);
    let mut out = Vec::with_capacity(merged.len());
    let mut server = from_server.into_iter().peekable();
    for (_, element) in from_patch {
        let place = server_ranks.get(key_of(element, merge_key)?).copied();
        while let Some((_, earlier)) = server.next_if(|(rank, _)| place.is_some_and(|place| *rank < place)) {
            out.push(earlier.clone());
        }
        out.push(element.clone());
    }
    out.extend(server.map(|(_, element)| element.clone()));
    Ok(out)
}

fn ranks<'a>(order: &'a [Value], merge_key: &str) -> Result<HashMap<&'a Value, usize>, PatchError> {
    let mut ranks = HashMap::new();
    for (rank, element) in order.iter().enumerate() {
        ranks.entry(key_of(element, merge_key)?).or_insert(rank);
    }
    Ok(ranks)
}

/// Whether the lists are of objects; they must be all of one type, and not of lists.
pub(super) fn check_element_kinds(lists: &[&[Value]]) -> Result<bool, PatchError> {
    let mut elements = lists.iter().flat_map(|list| list.iter());
    let Some(first) = elements.next() else { return Ok(false) };
    if first.is_array() {
        return Err(PatchError::ListOfLists);
    }
    let kind = |value: &Value| (std::mem::discriminant(value), value.is_f64());
    if first.is_null() || elements.any(|element| kind(element) != kind(first)) {
        let shown: Vec<String> = lists.iter().map(|list| go_text(&Value::Array(list.to_vec()))).collect();
        let text = format!("list element types are not identical: [{}]", shown.join(" "));
        return Err(PatchError::Mismatch(text));
    }
    Ok(first.is_object())
}
