//! What another API server says in OpenAPI, as far as it is about what it serves for this one.
//!
//! Follows `kube-aggregator/pkg/controllers/{openapi,openapiv3}/aggregator`. Documents of version 3 stay where they are, and only where that is is
//! taken over; of the one document of version 2 the paths of the group and version are, with the definitions that these need.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::route::{GroupVersion, Route};

const DEFINITIONS: &str = "#/definitions/";
const PARAMETERS: &str = "#/parameters/";

/// Where the documents of version 3 are.
pub(super) fn index(body: &[u8], routes: &[Arc<Route>]) -> BTreeMap<GroupVersion, String> {
    let index: Value = serde_json::from_slice(body).unwrap_or_default();
    let mut all = BTreeMap::new();
    for route in routes {
        let path = route.root();
        let url = &index["paths"][path.trim_start_matches('/')]["serverRelativeURL"];
        // What leads elsewhere would not come back to that server.
        if let Some(url) = url.as_str().filter(|url| url.starts_with(&format!("/openapi/v3{path}"))) {
            all.insert((route.group.clone(), route.version.clone()), url.to_owned());
        }
    }
    all
}

/// The parts of a document of version 2 that are about the routes; `None` if it has none.
pub(super) fn of_routes(body: &[u8], routes: &[Arc<Route>]) -> Option<Value> {
    let mut document: Value = serde_json::from_slice(body).ok()?;
    let roots: Vec<String> = routes.iter().map(|route| route.root() + "/").collect();
    let Value::Object(mut paths) = document["paths"].take() else { return None };
    paths.retain(|path, _| roots.iter().any(|root| path.starts_with(root.as_str())));
    if paths.is_empty() {
        return None;
    }
    let paths = Value::Object(paths);
    let mut needed = BTreeSet::new();
    let mut waiting = BTreeSet::new();
    references(&paths, &mut waiting);
    while let Some(next) = waiting.pop_first() {
        if let Some(target) = target(&document, &next)
            && needed.insert(next)
        {
            references(target, &mut waiting);
            waiting.retain(|own| !needed.contains(own));
        }
    }
    let part = |prefix: &str| -> Map<String, Value> {
        let own = needed.iter().filter_map(|own| {
            let name = own.strip_prefix(prefix)?;
            Some((name.to_owned(), target(&document, own)?.clone()))
        });
        own.collect()
    };
    let mut own = json!({ "paths": paths, "definitions": part(DEFINITIONS), "parameters": part(PARAMETERS) });
    // What the whole says of itself goes into the documents of version 3 that are made of this.
    for field in ["info", "securityDefinitions"] {
        if document[field].is_object() {
            own[field] = document[field].take();
        }
    }
    Some(own)
}

fn target<'a>(document: &'a Value, reference: &str) -> Option<&'a Value> {
    let (part, name) = match reference.strip_prefix(DEFINITIONS) {
        Some(name) => ("definitions", name),
        None => ("parameters", reference.strip_prefix(PARAMETERS)?),
    };
    document.get(part)?.get(name)
}

/// All references below a value.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
                found.insert(reference.to_owned());
            }
            fields.values().for_each(|value| references(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}
