//! Swagger 2.0: one document for everything.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::definitions::{Definitions, GVK, gvk};
use crate::operations::{Body, Operation, PathItem, reason};
use crate::parameters::{Parameter, Place};

/// Writes the document of these paths.
pub(crate) fn document(items: &[PathItem], mut definitions: Definitions<'_>) -> Value {
    let mut shared = Shared::default();
    let mut paths = BTreeMap::new();
    for item in items {
        let mut written = Map::new();
        for operation in &item.operations {
            written.insert(
                operation.method.to_owned(),
                self::operation(operation, &mut shared, &mut definitions),
            );
        }
        if !item.parameters.is_empty() {
            let parameters: Vec<Value> = item.parameters.iter().map(|one| shared.parameter(one)).collect();
            written.insert("parameters".to_owned(), parameters.into());
        }
        paths.insert(item.path.clone(), Value::Object(written));
    }
    json!({
        "swagger": "2.0",
        "info": { "title": "Kubernetes", "version": crate::VERSION },
        "paths": Value::Object(paths.into_iter().collect()),
        "definitions": definitions.finish(),
        "parameters": shared.finish(),
        "securityDefinitions": { "BearerToken": crate::bearer_token() },
        "security": [{ "BearerToken": [] }],
    })
}

/// Parameters that many operations have are written once.
#[derive(Default)]
struct Shared {
    seen: BTreeMap<String, Parameter>,
}

impl Shared {
    fn parameter(&mut self, one: &Parameter) -> Value {
        if one.name == "name" {
            return parameter(one);
        }
        let key = format!("{}-{}", one.name, one.place.name());
        let first = self.seen.entry(key.clone()).or_insert_with(|| one.clone());
        if first == one { json!({ "$ref": format!("#/parameters/{key}") }) } else { parameter(one) }
    }

    fn finish(self) -> Value {
        Value::Object(self.seen.iter().map(|(key, one)| (key.clone(), parameter(one))).collect())
    }
}

fn parameter(one: &Parameter) -> Value {
    let mut written = json!({
        "name": one.name,
        "in": one.place.name(),
        "description": one.description,
        "type": one.type_,
        "uniqueItems": true,
    });
    if one.place == Place::Path {
        written["required"] = true.into();
    }
    written
}

fn operation(operation: &Operation, shared: &mut Shared, definitions: &mut Definitions<'_>) -> Value {
    let mut parameters: Vec<Value> = Vec::new();
    if let Some(body) = &operation.body {
        let mut written = json!({ "in": "body", "name": "body", "schema": body.content.schema(definitions) });
        if body.required {
            written["required"] = true.into();
        }
        parameters.push(written);
    }
    parameters.extend(operation.parameters.iter().map(|one| shared.parameter(one)));
    let mut responses: Map<String, Value> = operation
        .responses
        .iter()
        .map(|(code, content)| {
            let schema = content.schema(definitions);
            (code.to_string(), json!({ "description": reason(*code), "schema": schema }))
        })
        .collect();
    responses.insert("401".to_owned(), json!({ "description": reason(401) }));
    let any: &[&str] = if operation.kind.is_some() { &["*/*"] } else { operation.produces };
    let consumes = operation.body.as_ref().map_or(any, |body: &Body| body.media_types);
    let mut written = json!({
        "description": operation.description,
        "consumes": consumes,
        "produces": operation.produces,
        "schemes": ["https"],
        "tags": [operation.tag],
        "operationId": operation.id,
    });
    if !parameters.is_empty() {
        written["parameters"] = parameters.into();
    }
    written["responses"] = Value::Object(responses);
    if let Some(action) = operation.action {
        written["x-kubernetes-action"] = action.into();
    }
    if let Some((group, version, kind)) = &operation.kind {
        written[GVK] = gvk(group, version, kind);
    }
    written
}
