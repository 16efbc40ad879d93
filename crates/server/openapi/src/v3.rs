//! OpenAPI 3.0: a document for each group and version.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::definitions::{Definitions, GVK, gvk};
use crate::operations::{Operation, PathItem, reason};
use crate::parameters::{Parameter, Place};

/// Writes the document of these paths.
pub(crate) fn document(items: &[PathItem], mut definitions: Definitions<'_>) -> Value {
    let mut paths = BTreeMap::new();
    for item in items {
        let mut written = Map::new();
        for operation in &item.operations {
            written.insert(operation.method.to_owned(), self::operation(operation, &mut definitions));
        }
        if !item.parameters.is_empty() {
            let parameters: Vec<Value> = item.parameters.iter().map(parameter).collect();
            written.insert("parameters".to_owned(), parameters.into());
        }
        paths.insert(item.path.clone(), Value::Object(written));
    }
    json!({
        "openapi": "3.0.0",
        "info": { "title": "Kubernetes", "version": crate::VERSION },
        "paths": Value::Object(paths.into_iter().collect()),
        "components": {
            "schemas": definitions.finish(),
            "securitySchemes": { "BearerToken": crate::bearer_token() },
        },
    })
}

fn parameter(one: &Parameter) -> Value {
    let mut written = json!({
        "name": one.name,
        "in": one.place.name(),
        "description": one.description,
        "schema": { "type": one.type_, "uniqueItems": true },
    });
    if one.place == Place::Path {
        written["required"] = true.into();
    }
    written
}

/// The same schema in each of the media types.
fn content(media_types: &[&str], schema: &Value) -> Value {
    let one = |media_type: &&str| ((*media_type).to_owned(), json!({ "schema": schema }));
    Value::Object(media_types.iter().map(one).collect())
}

fn operation(operation: &Operation, definitions: &mut Definitions<'_>) -> Value {
    let mut responses: Map<String, Value> = operation
        .responses
        .iter()
        .map(|(code, answer)| {
            let content = content(operation.produces, &answer.schema(definitions));
            (code.to_string(), json!({ "description": reason(*code), "content": content }))
        })
        .collect();
    responses.insert("401".to_owned(), json!({ "description": reason(401) }));
    let mut written = json!({
        "tags": [operation.tag],
        "description": operation.description,
        "operationId": operation.id,
    });
    if !operation.parameters.is_empty() {
        let parameters: Vec<Value> = operation.parameters.iter().map(parameter).collect();
        written["parameters"] = parameters.into();
    }
    if let Some(body) = &operation.body {
        let content = content(body.media_types, &body.content.schema(definitions));
        written["requestBody"] = json!({ "content": content });
        if body.required {
            written["requestBody"]["required"] = true.into();
        }
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
