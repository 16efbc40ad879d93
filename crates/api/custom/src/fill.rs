//! Putting defaults, and dropping nulls that mean nothing (`apiserver/schema/defaulting`).

use api_record::Tree;
use serde_json::Value;

use crate::{Additional, Node};

/// Puts the schema's defaults where a field is absent, or null and may not be. Top down: a default may bring fields whose
/// own defaults are still missing.
pub fn fill(fields: &mut Tree, node: &Node) {
    if !node.finds.defaults {
        return;
    }
    for (name, schema) in &node.properties {
        let Some(default) = &schema.default else { continue };
        if fields.get(name).is_none_or(|value| value.is_null() && !schema.nullable) {
            fields.insert(name.clone(), default.clone());
        }
    }
    for (name, value) in fields.iter_mut() {
        let Some(schema) = node.field(name) else { continue };
        let additional = !node.properties.contains_key(name);
        if additional && value.is_null() && !schema.nullable {
            *value = schema.default.clone().unwrap_or_default();
        }
        fill_value(value, schema);
    }
    fields.sort_keys();
}

fn fill_value(value: &mut Value, node: &Node) {
    if !node.finds.defaults {
        return;
    }
    match (value, node.items.as_deref()) {
        (Value::Object(fields), _) => fill(fields, node),
        (Value::Array(items), Some(schema)) => {
            for item in items {
                if item.is_null() && !schema.nullable {
                    *item = schema.default.clone().unwrap_or_default();
                }
                fill_value(item, schema);
            }
        }
        _ => {}
    }
}

/// Whether [`fill`] would change anything.
pub(crate) fn is_filled(fields: &Tree, node: &Node) -> bool {
    !node.finds.defaults
        || (node.properties.iter().all(|(name, schema)| {
            let absent = fields.get(name).is_none_or(|value| value.is_null() && !schema.nullable);
            schema.default.is_none() || !absent
        }) && fields.iter().all(|(name, value)| {
            let Some(schema) = node.field(name) else { return true };
            is_value_filled(value, schema)
        }))
}

fn is_value_filled(value: &Value, node: &Node) -> bool {
    if value.is_null() && !node.nullable && node.default.is_some() {
        return false;
    }
    match (value, node.items.as_deref()) {
        (Value::Object(fields), _) => is_filled(fields, node),
        (Value::Array(items), Some(schema)) => items.iter().all(|item| is_value_filled(item, schema)),
        _ => true,
    }
}

/// Drops nulls of fields that may not be null and have no default.
pub fn drop_nulls(fields: &mut Tree, node: &Node) {
    fields.retain(|name, value| {
        let schema = node.field(name);
        !(value.is_null() && schema.is_some_and(|schema| !schema.nullable && schema.default.is_none()))
    });
    for (name, value) in fields.iter_mut() {
        drop_nulls_below(value, node.field(name));
    }
}

fn drop_nulls_below(value: &mut Value, node: Option<&Node>) {
    let Some(node) = node else { return };
    match value {
        Value::Object(fields) => drop_nulls(fields, node),
        Value::Array(items) => {
            items.iter_mut().for_each(|item| drop_nulls_below(item, node.items.as_deref()));
        }
        _ => {}
    }
}

impl Additional {
    /// The schema of fields without one of their own.
    pub(crate) fn schema(&self) -> Option<&Node> {
        match self {
            Additional::Schema(schema) => Some(schema),
            _ => None,
        }
    }
}
