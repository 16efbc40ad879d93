//! What other API servers say in OpenAPI, beside what this one says.
//!
//! Follows `kube-openapi/pkg/aggregator` (`MergeSpecsIgnorePathConflictRenamingDefinitionsAndParameters`). Documents of version 3 stay with those
//! who wrote them, and the index says where; who has none is described here, in what its document of version 2 becomes. The one document of version 2 takes their paths in; what is called as something else of this
//! server's gets another name, and so do the references to it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

/// What other API servers say.
#[derive(Clone, Debug, Default)]
pub struct Others {
    /// The documents of version 3, by what they are called, such as `apis/shop.example.com/v1`.
    pub v3: BTreeMap<String, Described>,
    /// Paths, definitions and parameters in version 2.
    pub v2: Vec<Arc<Value>>,
}

/// How whoever serves a group and version describes it.
#[derive(Clone, Debug)]
pub enum Described {
    /// In version 3, at a URL with its hash, where it answers itself.
    At(String),
    /// In version 2 alone, which is converted here.
    InV2(Arc<Value>),
    /// Not at all.
    Nowhere,
}

impl Others {
    /// Whether they say the same as these, in version 2.
    pub(crate) fn is_same_v2(&self, other: &Others) -> bool {
        let (own, other) = (&self.v2, &other.v2);
        own.len() == other.len() && own.iter().zip(other).all(|(own, other)| Arc::ptr_eq(own, other))
    }

    /// Adds what they say in version 2 to a document.
    pub(crate) fn add_to(&self, document: &mut Value) {
        for other in &self.v2 {
            add(document, other);
        }
    }
}

/// The parts of a document that others refer to.
const PARTS: [&str; 2] = ["definitions", "parameters"];

fn reference(part: &str, name: &str) -> String {
    format!("#/{part}/{name}")
}

fn add(document: &mut Value, other: &Value) {
    // The new name of each, by the reference to the old one.
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for part in PARTS {
        let own = document[part].as_object();
        for (name, theirs) in other[part].as_object().into_iter().flatten() {
            let is_free = |name: &String| own.and_then(|own| own.get(name)).is_none_or(|own| own == theirs);
            let mut new = name.clone();
            let mut version = 1;
            while !is_free(&new) {
                version += 1;
                new = format!("{name}_v{version}");
            }
            names.insert(reference(part, name), new);
        }
    }
    for part in PARTS {
        for (name, theirs) in other[part].as_object().into_iter().flatten() {
            let new = names.get(&reference(part, name)).unwrap_or(name);
            let mut theirs = theirs.clone();
            rename(&mut theirs, &names);
            document[part][new] = theirs;
        }
    }
    for (path, theirs) in other["paths"].as_object().into_iter().flatten() {
        let mut theirs = theirs.clone();
        rename(&mut theirs, &names);
        document["paths"][path] = theirs;
    }
}

/// Has all references below a value lead to what is called otherwise now.
fn rename(value: &mut Value, names: &BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(own)) = fields.get_mut("$ref")
                && let Some(new) = names.get(own.as_str())
                && let Some((part, _)) = own.rsplit_once('/')
            {
                *own = format!("{part}/{new}");
            }
            fields.values_mut().for_each(|value| rename(value, names));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| rename(value, names)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_called_the_same_and_is_not_gets_another_name() {
        let mut document = json!({
            "paths": {"/a": {}},
            "definitions": {"Pod": {"type": "object"}, "Time": {"type": "string"}},
        });
        let other = json!({
            "paths": {"/b": {"schema": {"$ref": "#/definitions/Pod"}, "parameters": [{"$ref": "#/parameters/p"}]}},
            "definitions": {
                "Pod": {"type": "object", "own": {"$ref": "#/definitions/Time"}},
                "Time": {"type": "string"},
            },
            "parameters": {"p": {"name": "p"}},
        });
        let others = Others { v2: vec![Arc::new(other.clone()), Arc::new(other)], ..Others::default() };
        others.add_to(&mut document);
        let wanted = json!({
            "paths": {"/a": {}, "/b": {"schema": {"$ref": "#/definitions/Pod_v2"}, "parameters": [{"$ref": "#/parameters/p"}]}},
            "definitions": {
                "Pod": {"type": "object"},
                "Pod_v2": {"type": "object", "own": {"$ref": "#/definitions/Time"}},
                "Time": {"type": "string"},
            },
            "parameters": {"p": {"name": "p"}},
        });
        assert_eq!(document, wanted);
    }
}
