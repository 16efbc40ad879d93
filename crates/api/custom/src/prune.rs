//! Dropping what no schema names (`apiserver/schema/pruning`).

use serde_json::Value;

use crate::limits::MAX_UNKNOWN;
use crate::{Additional, Node};
use api_record::Tree;

/// The fields of an embedded object that no schema need name.
pub(crate) const META: [&str; 3] = ["apiVersion", "kind", "metadata"];

/// Drops what the schema does not name from an object's fields, and answers the paths of what was dropped, in order.
pub fn prune(fields: &mut Tree, node: &Node) -> Vec<String> {
    let mut walk = Walk { path: String::new(), dropped: Vec::new() };
    walk.object(fields, Some(node), node.preserves);
    walk.dropped.sort();
    walk.dropped
}

/// The same for any value.
pub(crate) fn prune_value(value: &mut Value, node: &Node) {
    Walk { path: String::new(), dropped: Vec::new() }.value(value, Some(node), false);
}

/// Whether there is anything to drop.
pub(crate) fn is_pruned(fields: &Tree, node: &Node) -> bool {
    fields.iter().all(|(name, value)| match named(node, name) {
        Named::Schema(schema) => is_value_pruned(value, Some(schema), false),
        Named::Anything => is_value_pruned(value, None, false),
        Named::Not => node.preserves || (node.embedded && META.contains(&name.as_str())),
    })
}

fn is_value_pruned(value: &Value, node: Option<&Node>, kept: bool) -> bool {
    let kept = kept || node.is_some_and(|node| node.preserves);
    match (value, node) {
        (Value::Object(fields), Some(node)) => fields.iter().all(|(name, value)| match named(node, name) {
            _ if node.embedded && META.contains(&name.as_str()) => true,
            Named::Schema(schema) => is_value_pruned(value, Some(schema), false),
            Named::Anything => is_value_pruned(value, None, false),
            Named::Not => kept,
        }),
        (Value::Object(fields), None) => kept || fields.is_empty(),
        (Value::Array(items), _) => {
            let below = node.and_then(|node| node.items.as_deref());
            items.iter().all(|item| (kept && below.is_none()) || is_value_pruned(item, below, kept))
        }
        _ => true,
    }
}

/// What a schema says of a field.
enum Named<'a> {
    Schema(&'a Node),
    /// It may hold anything, of which nothing is known: what is below it is dropped.
    Anything,
    Not,
}

fn named<'a>(node: &'a Node, name: &str) -> Named<'a> {
    match (node.properties.get(name), &node.additional) {
        (Some(own), _) => Named::Schema(own),
        (None, Additional::Schema(schema)) => Named::Schema(schema),
        (None, Additional::Allowed(_)) => Named::Anything,
        (None, Additional::Unsaid) => Named::Not,
    }
}

struct Walk {
    path: String,
    dropped: Vec<String>,
}

impl Walk {
    fn drop(&mut self, name: &str) {
        if self.dropped.len() < MAX_UNKNOWN {
            let dot = if self.path.is_empty() { "" } else { "." };
            self.dropped.push(format!("{}{dot}{name}", self.path));
        }
    }

    fn below<T>(&mut self, step: &str, act: impl FnOnce(&mut Walk) -> T) {
        let length = self.path.len();
        self.path.push_str(step);
        act(self);
        self.path.truncate(length);
    }

    /// `kept` says that fields without a schema stay.
    fn object(&mut self, fields: &mut Tree, node: Option<&Node>, kept: bool) {
        let names: Vec<String> = fields.keys().cloned().collect();
        for name in names {
            let embedded = node.is_some_and(|node| node.embedded) && META.contains(&name.as_str());
            let schema = match node.map_or(Named::Not, |node| named(node, &name)) {
                _ if embedded => continue,
                Named::Schema(schema) => Some(schema),
                Named::Anything => None,
                Named::Not if kept => continue,
                Named::Not => {
                    self.drop(&name);
                    fields.shift_remove(&name);
                    continue;
                }
            };
            let step = if self.path.is_empty() { name.clone() } else { format!(".{name}") };
            if let Some(value) = fields.get_mut(&name) {
                self.below(&step, |walk| walk.value(value, schema, false));
            }
        }
    }

    fn value(&mut self, value: &mut Value, node: Option<&Node>, kept: bool) {
        let kept = kept || node.is_some_and(|node| node.preserves);
        match value {
            Value::Object(fields) => self.object(fields, node, kept),
            Value::Array(items) => {
                let below = node.and_then(|node| node.items.as_deref());
                if kept && below.is_none() {
                    return;
                }
                for (index, item) in items.iter_mut().enumerate() {
                    self.below(&format!("[{index}]"), |walk| walk.value(item, below, kept));
                }
            }
            _ => {}
        }
    }
}
