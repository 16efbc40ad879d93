//! From JSON to the values of rules, by the schema: what is text there may be a moment, what is a list may be a set
//! (`apiserver/pkg/cel/common/valuesunstructured.go`).

use std::collections::BTreeMap;
use std::sync::Arc;

use api_cel::{Key, List, Told, Used, Value, escape};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value as Json;

use super::declare::has_meta;
use crate::format::times;
use crate::node::Elements;
use crate::{Additional, Node, Type};

/// Whether texts of a schema have a format, by its name in messages.
pub(super) fn is_format(node: &Node, name: &str) -> bool {
    node.checks.as_deref().and_then(|checks| checks.format).is_some_and(|format| format.name() == name)
}

/// The value that JSON is, as far as it is used; `None` if the schema does not allow it.
pub(super) fn value(json: &Json, node: &Node, used: &Used) -> Option<Value> {
    match (node.type_, json) {
        (_, Json::Null) => node.nullable.then_some(Value::Null),
        (Type::IntOrString, Json::String(text)) => Some(Value::text(text)),
        (Type::IntOrString | Type::Integer, Json::Number(number)) => number.as_i64().map(Value::Int),
        (Type::Number, Json::Number(number)) => number.as_f64().map(Value::Double),
        (Type::Boolean, Json::Bool(value)) => Some(Value::Bool(*value)),
        (Type::String, Json::String(text)) => self::text(text, node),
        (Type::Array, Json::Array(items)) => {
            let schema = node.items.as_deref()?;
            let items = items.iter().map(|item| value(item, schema, Used::WHOLE).unwrap_or(Value::Null));
            Some(Value::List(List::told(items.collect(), told(&node.elements))))
        }
        (Type::Object, Json::Object(fields)) => Some(object(fields.iter(), node, node.embedded, used)),
        (Type::Any, json) if node.preserves => Some(json.into()),
        _ => None,
    }
}

fn told(elements: &Elements) -> Told {
    match elements {
        Elements::Atomic => Told::Places,
        Elements::Set => Told::Set,
        Elements::Map(keys) => {
            let keys = keys.iter().map(|key| escape(key).map_or_else(|| hidden(key).into(), Arc::from));
            Told::Keys(keys.collect())
        }
    }
}

fn text(text: &str, node: &Node) -> Option<Value> {
    if is_format(node, "byte") {
        return STANDARD.decode(text).ok().map(|bytes| Value::Bytes(bytes.into()));
    }
    if is_format(node, "duration") {
        return times::duration(text).map(Value::Duration);
    }
    if is_format(node, "date") {
        return Value::timestamp(&format!("{text}T00:00:00Z"));
    }
    if is_format(node, "date-time") {
        return Value::timestamp(&text.to_uppercase());
    }
    Some(Value::text(text))
}

/// The name under which a map holds what no expression can name, so that equality knows of it.
fn hidden(name: &str) -> String {
    format!("\0{name}")
}

/// An object of these fields. `root` says that it is a whole one, whose kind and names are known.
pub(super) fn object<'a>(
    fields: impl Iterator<Item = (&'a String, &'a Json)>,
    node: &Node,
    root: bool,
    used: &Used,
) -> Value {
    let implied = root && !has_meta(node);
    let mut map: BTreeMap<Key, Value> = BTreeMap::new();
    let mut put = |name: &str, value: Value| map.insert(Key::String(name.into()), value);
    let is_map = !implied && node.properties.is_empty();
    for (name, json) in fields {
        if let (true, Additional::Schema(schema)) = (is_map, &node.additional) {
            if let Some(value) = used.field(name).and_then(|used| value(json, schema, used)) {
                put(name, value);
            }
            continue;
        }
        let known =
            node.properties.contains_key(name) || (implied && crate::prune::META.contains(&name.as_str()));
        match escape(name).filter(|_| known) {
            Some(escaped) => {
                let Some(used) = used.field(&escaped) else { continue };
                // Null is as good as absent.
                if let Some(value) = field(name, json, node, implied, used).filter(|_| !json.is_null()) {
                    put(&escaped, value);
                }
            }
            None if used.is_whole() => {
                put(&hidden(name), json.into());
            }
            None => {}
        }
    }
    Value::Map(Arc::new(map))
}

fn field(name: &str, json: &Json, node: &Node, implied: bool, used: &Used) -> Option<Value> {
    match (name, json) {
        ("kind" | "apiVersion", Json::String(text)) if implied => Some(Value::text(text)),
        ("metadata", Json::Object(fields)) if implied => {
            let mut map: BTreeMap<Key, Value> = BTreeMap::new();
            for (name, json) in fields {
                let is_name = matches!(name.as_str(), "name" | "generateName");
                if is_name && used.field(name).is_some() {
                    map.insert(Key::String(name.as_str().into()), json.into());
                } else if !is_name && used.is_whole() {
                    map.insert(Key::String(hidden(name).into()), json.into());
                }
            }
            Some(Value::Map(Arc::new(map)))
        }
        _ => value(json, node.properties.get(name)?, used),
    }
}
