//! JSON patch, RFC 6902, as upstream's library applies it.
//!
//! Its deviations are kept, because clients have come to depend on them: negative indices count from the end, `replace`
//! of a field that is not there adds it, an absent `value` is null, `copy` of an absent field copies null.

use serde_json::{Map, Value};

use crate::error::json_kind;
use crate::limits::{COPY_BYTES, DEPTH, OPERATIONS, STRICT, WORK};
use crate::{Document, PatchError, Patched, Tree};

/// Applies the operations one after the other.
///
/// # Errors
/// If the patch is no list of operations, has too many of them, or one does not apply.
pub fn json_patch(current: Tree, patch: &[u8]) -> Result<Patched, PatchError> {
    let document = Document::parse(patch)?;
    let mut strict: Vec<String> =
        document.duplicates.iter().map(|complaint| format!("json patch {complaint}")).collect();
    let operations = decode(document.tree, &mut strict)?;
    if operations.len() > OPERATIONS {
        return Err(PatchError::Operations(operations.len()));
    }
    let mut run = Run { tree: current, copied: 0, work: 0 };
    for operation in operations {
        run.apply(operation).map_err(PatchError::Operation)?;
    }
    Ok(Patched { tree: run.tree, strict })
}

struct Operation {
    op: String,
    path: Option<String>,
    from: Option<String>,
    value: Option<Value>,
}

fn shape(kind: &str, into: &str) -> PatchError {
    PatchError::Shape(format!("error decoding patch: json: cannot unmarshal {kind} into Go {into}"))
}

fn decode(tree: Tree, strict: &mut Vec<String>) -> Result<Vec<Operation>, PatchError> {
    let items = match tree {
        Value::Array(items) => items,
        Value::Null => Vec::new(),
        other => return Err(shape(json_kind(&other), "value of type []handlers.jsonPatchOp")),
    };
    items.into_iter().enumerate().map(|(index, item)| operation(index, item, strict)).collect()
}

fn operation(index: usize, item: Value, strict: &mut Vec<String>) -> Result<Operation, PatchError> {
    let mut fields = match item {
        Value::Object(fields) => fields,
        Value::Null => Map::new(),
        other => return Err(shape(json_kind(&other), "value of type handlers.jsonPatchOp")),
    };
    for name in fields.keys().filter(|name| !["op", "path", "from", "value"].contains(&name.as_str())) {
        let at = api_meta::quote::go(&format!("[{index}].{name}"));
        drop_duplicates_below(strict, at.trim_end_matches('"'));
        if strict.len() < STRICT {
            strict.push(format!("json patch unknown field {at}"));
        }
    }
    let mut text = |name: &str| match fields.get_mut(name).map(Value::take) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => {
            let into = format!("struct field jsonPatchOp.{name} of type string");
            Err(shape(json_kind(&other), &into))
        }
    };
    let (op, path, from) = (text("op")?, text("path")?, text("from")?);
    Ok(Operation {
        op: op.unwrap_or_else(|| "unknown".to_owned()),
        path,
        from,
        value: fields.shift_remove("value"),
    })
}

/// What is not known is not looked into, so nothing in it is a duplicate.
fn drop_duplicates_below(strict: &mut Vec<String>, at: &str) {
    strict.retain(|complaint| {
        let rest =
            complaint.strip_prefix("json patch duplicate field ").and_then(|path| path.strip_prefix(at));
        !rest.is_some_and(|rest| rest.starts_with(['"', '.', '[']))
    });
}

struct Run {
    tree: Tree,
    copied: usize,
    work: usize,
}

type Fallible<T> = Result<T, String>;

impl Run {
    fn apply(&mut self, operation: Operation) -> Fallible<()> {
        let Operation { op, path, from, value } = operation;
        if !["add", "remove", "replace", "move", "test", "copy"].contains(&op.as_str()) {
            return Err(format!("Unexpected kind: {op}"));
        }
        let from = match op.as_str() {
            "move" | "copy" => from.ok_or_else(|| {
                format!("{op} operation failed to decode from: operation, missing from field: missing value")
            })?,
            _ => String::new(),
        };
        let path = path.ok_or_else(|| format!("{op} operation failed to decode path: missing value"))?;
        match op.as_str() {
            "add" => self.add(&path, value.unwrap_or_default()),
            "remove" => self.remove(&path).map(drop),
            "replace" => self.replace(&path, value.unwrap_or_default()),
            "test" => self.test(&path, &value.unwrap_or_default()),
            "move" => {
                let value = self.remove(&from)?;
                self.add(&path, value)
            }
            _ => {
                let value = self.find(&from)?.cloned().unwrap_or_default();
                self.copied += value.to_string().len();
                if self.copied > COPY_BYTES {
                    return Err(format!(
                        "Unable to complete the copy, the accumulated size increase of copy is {}, exceeding the limit {COPY_BYTES}",
                        self.copied
                    ));
                }
                self.add(&path, value)
            }
        }
    }

    fn spend(&mut self, nodes: usize) -> Fallible<()> {
        self.work = self.work.saturating_add(nodes);
        if self.work > WORK {
            Err("the operations of the patch are too much work".to_owned())
        } else {
            Ok(())
        }
    }

    /// Refuses a value that would make the tree too deep at this path.
    fn fits(&mut self, path: &str, value: &Value) -> Fallible<()> {
        let mut nodes = 0;
        let room = DEPTH.saturating_sub(path.matches('/').count());
        let shallow = is_shallower(value, room, &mut nodes);
        self.spend(nodes)?;
        if shallow { Ok(()) } else { Err(format!("the patched object is nested deeper than {DEPTH}")) }
    }

    fn add(&mut self, path: &str, value: Value) -> Fallible<()> {
        self.fits(path, &value)?;
        let (parent, key) = parent(&mut self.tree, path).ok_or_else(|| {
            format!("add operation does not apply: doc is missing path: \"{path}\": missing value")
        })?;
        match parent {
            Value::Object(map) => {
                map.insert(key, value);
                Ok(())
            }
            Value::Array(items) if key == "-" => {
                items.push(value);
                Ok(())
            }
            Value::Array(items) => {
                let index = index(&key, items.len() + 1)
                    .map_err(|error| format!("error in add for path: '{path}': {error}"))?;
                let shifted = items.len() - index;
                items.insert(index, value);
                self.spend(shifted)
            }
            _ => Err(missing("add", path)),
        }
    }

    fn remove(&mut self, path: &str) -> Fallible<Value> {
        let (parent, key) = parent(&mut self.tree, path).ok_or_else(|| {
            format!("remove operation does not apply: doc is missing path: \"{path}\": missing value")
        })?;
        match parent {
            Value::Object(map) => {
                let length = map.len();
                let removed = map.shift_remove(&key).ok_or_else(|| {
                    format!("error in remove for path: '{path}': Unable to remove nonexistent key: {key}: missing value")
                })?;
                self.spend(length)?;
                Ok(removed)
            }
            Value::Array(items) => {
                let index = index(&key, items.len())
                    .map_err(|error| format!("error in remove for path: '{path}': {error}"))?;
                let shifted = items.len() - index;
                let removed = items.remove(index);
                self.spend(shifted)?;
                Ok(removed)
            }
            _ => Err(missing("remove", path)),
        }
    }

    fn replace(&mut self, path: &str, value: Value) -> Fallible<()> {
        self.fits(path, &value)?;
        if path.is_empty() {
            if !value.is_object() && !value.is_array() {
                return Err("replace operation value must be object or array".to_owned());
            }
            self.tree = value;
            return Ok(());
        }
        let (parent, key) = parent(&mut self.tree, path).ok_or_else(|| missing("replace", path))?;
        match parent {
            Value::Object(map) => {
                map.insert(key, value);
                Ok(())
            }
            Value::Array(items) => {
                let index = index(&key, items.len()).map_err(|_| {
                    format!("replace operation does not apply: doc is missing key: {path}: missing value")
                })?;
                items[index] = value;
                Ok(())
            }
            _ => Err(missing("replace", path)),
        }
    }

    fn test(&mut self, path: &str, wanted: &Value) -> Fallible<()> {
        let found = if path.is_empty() { Some(&self.tree) } else { self.find(path)? };
        let equal = found.unwrap_or(&Value::Null) == wanted;
        let mut nodes = 0;
        is_shallower(wanted, DEPTH, &mut nodes);
        self.spend(nodes)?;
        if equal { Ok(()) } else { Err(format!("testing value {path} failed: test failed")) }
    }

    /// The value at this path; `None` for a field that its object does not have.
    fn find(&mut self, path: &str) -> Fallible<Option<&Value>> {
        let (parent, key) = parent(&mut self.tree, path).ok_or_else(|| missing("test", path))?;
        match parent {
            Value::Object(map) => Ok(map.get(&key)),
            Value::Array(items) => {
                let index = index(&key, items.len())
                    .map_err(|error| format!("error in test for path: '{path}': {error}"))?;
                Ok(items.get(index))
            }
            _ => Err(missing("test", path)),
        }
    }
}

fn missing(op: &str, path: &str) -> String {
    format!("{op} operation does not apply: doc is missing path: {path}: missing value")
}

fn is_shallower(value: &Value, room: usize, nodes: &mut usize) -> bool {
    *nodes += 1;
    match value {
        Value::Object(_) | Value::Array(_) if room == 0 => false,
        Value::Object(map) => map.values().all(|value| is_shallower(value, room - 1, nodes)),
        Value::Array(items) => items.iter().all(|value| is_shallower(value, room - 1, nodes)),
        _ => true,
    }
}

/// The object or list that holds what the pointer points at, and its key there.
fn parent<'a>(tree: &'a mut Value, path: &str) -> Option<(&'a mut Value, String)> {
    let (_, path) = path.split_once('/')?;
    let (parents, key) = path.rsplit_once('/').map_or((None, path), |(parents, key)| (Some(parents), key));
    let mut at = tree;
    for part in parents.into_iter().flat_map(|parents| parents.split('/')) {
        at = match at {
            Value::Object(map) => map.get_mut(&unescape(part))?,
            Value::Array(items) => {
                let index = index(&unescape(part), items.len()).ok()?;
                items.get_mut(index)?
            }
            _ => return None,
        };
    }
    (at.is_object() || at.is_array()).then(|| (at, unescape(key)))
}

fn unescape(part: &str) -> String {
    part.replace("~1", "/").replace("~0", "~")
}

/// An index below `length`, counted from the end if negative.
fn index(key: &str, length: usize) -> Fallible<usize> {
    let index: i64 = key
        .parse()
        .map_err(|_| format!("strconv.Atoi: parsing {}: invalid syntax", api_meta::quote::go(key)))?;
    let from_start = if index < 0 { index + length as i64 } else { index };
    usize::try_from(from_start)
        .ok()
        .filter(|found| *found < length)
        .ok_or_else(|| format!("Unable to access invalid index: {index}: invalid index referenced"))
}
