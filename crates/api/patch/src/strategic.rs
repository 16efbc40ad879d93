//! Strategic merge patch: a merge patch that knows from the schema which lists are merged, and by which key.
//!
//! The patch and the object are walked together beside the schema. Fields are handled in the order of the patch, where
//! upstream's order is random; it matters only to patches that contradict themselves.

mod directives;
mod lists;
mod scope;

use api_record::Schema;
use serde_json::{Map, Value};

use crate::error::{go_text, json_kind};
use crate::{Document, PatchError, Patched, Tree};
use directives::{DELETE_FROM_LIST, DIRECTIVE, order_lists, retain_keys, without_directives, without_nulls};
use lists::merge_lists;
use scope::Scope;

type Fields = Map<String, Value>;

/// Merges the patch into the object of this schema.
///
/// # Errors
/// If the patch is no JSON object, a directive is malformed, or the patch does not fit the schema.
pub fn strategic_merge_patch(current: Tree, patch: &[u8], schema: &Schema) -> Result<Patched, PatchError> {
    let document = Document::parse(patch)?;
    let patch = match document.tree {
        Value::Object(patch) => patch,
        Value::Null => Map::new(),
        other => {
            let kind = json_kind(&other);
            let text =
                format!("json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}");
            return Err(PatchError::Shape(text));
        }
    };
    let current = match current {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    let merged = merge_fields(current, patch, Scope::Record(schema))?;
    Ok(Patched { tree: Value::Object(merged), strict: document.duplicates })
}

fn merge_fields(mut original: Fields, mut patch: Fields, scope: Scope<'_>) -> Result<Fields, PatchError> {
    if let Some(directive) = patch.get(DIRECTIVE) {
        return match directive.as_str() {
            Some("replace") => {
                patch.shift_remove(DIRECTIVE);
                Ok(patch)
            }
            Some("delete") => Ok(Map::new()),
            _ => Err(unknown_directive(&patch)),
        };
    }
    retain_keys(&mut original, &mut patch)?;
    order_lists(&mut original, &mut patch, scope)?;
    for (key, value) in patch {
        match key.strip_prefix(DELETE_FROM_LIST) {
            Some(rest) => {
                let field = rest.strip_prefix('/').ok_or(PatchError::PrimitiveList)?;
                merge_field(&mut original, field, value, scope, true)?;
            }
            None => merge_field(&mut original, &key, value, scope, false)?,
        }
    }
    Ok(original)
}

fn merge_field(
    original: &mut Fields,
    key: &str,
    value: Value,
    scope: Scope<'_>,
    deletes: bool,
) -> Result<(), PatchError> {
    if value.is_null() {
        original.shift_remove(key);
        return Ok(());
    }
    match (original.get_mut(key), value) {
        (Some(Value::Object(fields)), Value::Object(changes)) => {
            let fields = std::mem::take(fields);
            let merged = merge_fields(fields, changes, scope.object(key)?)?;
            original.insert(key.to_owned(), Value::Object(merged));
        }
        (Some(Value::Array(items)), Value::Array(changes)) => {
            let (element, merge) = scope.list(key)?;
            let items = std::mem::take(items);
            let merged = if merge.merge || deletes {
                merge_lists(items, changes, element, merge.key, deletes)?
            } else {
                changes
            };
            original.insert(key.to_owned(), Value::Array(merged));
        }
        (Some(Value::Bool(_) | Value::Number(_)), scalar @ (Value::Bool(_) | Value::Number(_)))
        | (Some(Value::String(_)), scalar @ Value::String(_)) => {
            original.insert(key.to_owned(), scalar);
        }
        (_, _) if deletes => {}
        (_, mut value) => {
            without_nulls(&mut value);
            match without_directives(value) {
                Some(value) => original.insert(key.to_owned(), value),
                None => original.shift_remove(key),
            };
        }
    }
    Ok(())
}

fn unknown_directive(patch: &Fields) -> PatchError {
    let directive = match patch.get(DIRECTIVE) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => go_text(other),
        None => String::new(),
    };
    let patch = go_text(&Value::Object(patch.clone()));
    PatchError::Mismatch(format!("unknown patch type: {directive} in map: {patch}"))
}
