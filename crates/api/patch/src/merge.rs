//! JSON merge patch, RFC 7386, with one habit of upstream's library: nulls are also pruned from objects inside lists
//! that are new.

use serde_json::{Map, Value};

use crate::error::json_kind;
use crate::{Document, PatchError, Patched, Tree};

/// Merges the patch into the object.
///
/// # Errors
/// If the patch is no JSON object.
pub fn merge_patch(current: Tree, patch: &[u8]) -> Result<Patched, PatchError> {
    let document = Document::parse(patch)?;
    let patch = match document.tree {
        Value::Object(patch) => patch,
        Value::Null => return Err(PatchError::Shape("Invalid JSON Patch".to_owned())),
        other => {
            let kind = json_kind(&other);
            let text = format!(
                "error decoding patch: json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
            );
            return Err(PatchError::Shape(text));
        }
    };
    let tree = match current {
        Value::Object(mut map) => {
            merge_into(&mut map, patch);
            Value::Object(map)
        }
        _ => pruned(Value::Object(patch)),
    };
    Ok(Patched { tree, strict: document.duplicates })
}

fn merge_into(map: &mut Map<String, Value>, patch: Map<String, Value>) {
    for (key, value) in patch {
        match (map.get_mut(&key), value) {
            (_, Value::Null) => {
                map.shift_remove(&key);
            }
            (Some(Value::Object(current)), Value::Object(changes)) => merge_into(current, changes),
            (Some(current @ Value::Object(_)), value) => *current = value,
            (_, value) => {
                map.insert(key, pruned(value));
            }
        }
    }
}

/// Without the nulls of its objects; those that are elements of lists stay.
fn pruned(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(key, value)| (key, pruned(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(pruned).collect()),
        scalar => scalar,
    }
}
