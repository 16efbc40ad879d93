//! Messages that an expression writes down: `Object{spec: Object.spec{replicas: 3}}`, `JSONPatch{op: 'remove', path: '/spec/paused'}`
//! (`apiserver/pkg/cel/mutation/{dynamic/objects,jsonpatch}.go`).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Key, Value};
use crate::error::EvalError;

/// The type of a configuration that is to be applied; those of the objects in it have its name with the path of fields to them behind it.
pub const OBJECT: &str = "Object";
/// The type of an operation of a JSON patch.
pub const JSON_PATCH: &str = "JSONPatch";

/// A message.
#[derive(Clone, PartialEq)]
pub struct Message {
    /// The name of its type.
    pub name: Arc<str>,
    /// The fields that were written down.
    pub fields: BTreeMap<Arc<str>, Value>,
}

impl Message {
    pub(crate) fn new(name: Arc<str>, entries: BTreeMap<Key, Value>) -> Result<Message, EvalError> {
        let mut fields = BTreeMap::new();
        for (key, value) in entries {
            let Key::String(field) = key else { continue };
            if *name == *JSON_PATCH {
                operation(&field, &value)?;
            }
            fields.insert(field, value);
        }
        Ok(Message { name, fields })
    }

    /// A field as those see it who look into a message: what messages are in it are maps for them.
    pub(crate) fn field(&self, name: &str) -> Option<Value> {
        self.fields.get(name).map(plain)
    }

    /// What is wrong with the names of types in it: each must say where it is, seen from this one.
    pub fn misnamed(&self) -> Option<String> {
        let mut wrong = Vec::new();
        self.look(&self.name, &mut wrong);
        (!wrong.is_empty()).then(|| wrong.join("\n"))
    }

    fn look(&self, path: &str, wrong: &mut Vec<String>) {
        if *self.name != *path {
            wrong.push(format!(
                "unexpected type name {:?}, expected {path:?}, which matches field name path from root Object type",
                self.name
            ));
        }
        for (field, value) in &self.fields {
            look(value, &format!("{path}.{field}"), wrong);
        }
    }
}

fn look(value: &Value, path: &str, wrong: &mut Vec<String>) {
    match value {
        Value::Message(message) => message.look(path, wrong),
        Value::List(list) => list.iter().for_each(|item| look(item, path, wrong)),
        Value::Map(map) => map.values().for_each(|entry| look(entry, path, wrong)),
        _ => {}
    }
}

/// Whether a field of an operation can have this value.
fn operation(field: &str, value: &Value) -> Result<(), EvalError> {
    let found = match value {
        Value::String(_) => "string",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int64",
        Value::Uint(_) => "uint64",
        Value::Double(_) => "float64",
        Value::List(_) => "[]ref.Val",
        Value::Map(_) => "map[ref.Val]ref.Val",
        Value::Null => "structpb.NullValue",
        _ => "ref.Val",
    };
    match field {
        "value" => Ok(()),
        "op" | "path" | "from" if found == "string" => Ok(()),
        "op" | "path" | "from" => {
            Err(EvalError::other(format!("unexpected type {found} for JSONPatchType '{field}' field")))
        }
        _ => Err(EvalError::other(format!("unexpected JSONPatchType field: {field}"))),
    }
}

fn plain(value: &Value) -> Value {
    match value {
        Value::Message(message) => {
            Value::object(message.fields.iter().map(|(name, value)| (name, plain(value))))
        }
        Value::List(list) => Value::List(list.iter().map(plain).collect()),
        Value::Map(map) => {
            Value::Map(Arc::new(map.iter().map(|(key, value)| (key.clone(), plain(value))).collect()))
        }
        other => other.clone(),
    }
}
