//! A document of version 2 in version 3, for API servers that describe themselves in version 2 alone.
//!
//! Follows `kube-openapi/pkg/openapiconv`, by which the aggregator does the same: what version 2 says of a body, and of what an operation
//! consumes and produces, becomes content by media type; references lead to components, and stand alone. Lossy, as upstream's.

use serde_json::{Map, Value, json};

/// The methods that an operation may have.
const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "head", "patch"];

/// Where things are in version 2, and where in version 3.
const PLACES: [(&str, &str); 3] = [
    ("#/definitions/", "#/components/schemas/"),
    ("#/parameters/", "#/components/parameters/"),
    ("#/responses/", "#/components/responses/"),
];

/// The document of what is below a path such as `/apis/shop.example.com/v1`.
pub(crate) fn to_v3(v2: &Value, root: &str) -> Value {
    let below = |path: &str| path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'));
    let own = entries(&v2["paths"]).filter(|(path, _)| below(path));
    let paths: Map<String, Value> = own.map(|(path, item)| (path.clone(), path_item(item))).collect();
    let mut components = json!({ "schemas": mapped(&v2["definitions"], schema) });
    if v2["parameters"].is_object() {
        components["parameters"] = mapped(&v2["parameters"], parameter);
    }
    if v2["responses"].is_object() {
        components["responses"] = mapped(&v2["responses"], |one| response(one, &v2["produces"]));
    }
    if v2["securityDefinitions"].is_object() {
        components["securitySchemes"] = mapped(&v2["securityDefinitions"], security_scheme);
    }
    let mut document =
        json!({ "openapi": "3.0.0", "info": v2["info"], "paths": paths, "components": components });
    copy(v2, &mut document, &["externalDocs"]);
    document
}

fn entries(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object.as_object().into_iter().flatten()
}

fn mapped(object: &Value, change: impl Fn(&Value) -> Value) -> Value {
    Value::Object(entries(object).map(|(name, value)| (name.clone(), change(value))).collect())
}

/// Takes over fields that mean the same, and extensions.
fn copy(from: &Value, to: &mut Value, fields: &[&str]) {
    for (name, value) in entries(from) {
        if fields.contains(&name.as_str()) || name.starts_with("x-") {
            to[name] = value.clone();
        }
    }
}

fn path_item(item: &Value) -> Value {
    let mut out = json!({});
    copy(item, &mut out, &[]);
    for method in METHODS {
        if item[method].is_object() {
            out[method] = operation(&item[method]);
        }
    }
    if let Some(parameters) = item["parameters"].as_array() {
        out["parameters"] = parameters.iter().map(parameter).collect();
    }
    out
}

fn operation(own: &Value) -> Value {
    let mut out = json!({});
    copy(own, &mut out, &["description", "externalDocs", "tags", "summary", "deprecated", "operationId"]);
    let mut parameters: Vec<Value> = Vec::new();
    for one in own["parameters"].as_array().into_iter().flatten() {
        if one["name"] == "body" && one["schema"].is_object() {
            out["requestBody"] = json!({ "content": content(&one["schema"], &own["consumes"]) });
        } else {
            parameters.push(parameter(one));
        }
    }
    if !parameters.is_empty() {
        out["parameters"] = parameters.into();
    }
    out["responses"] = mapped(&own["responses"], |one| response(one, &own["produces"]));
    out
}

/// A schema in each of the media types.
fn content(own: &Value, media_types: &Value) -> Value {
    let schema = schema(own);
    let types = media_types.as_array().into_iter().flatten().filter_map(Value::as_str);
    Value::Object(types.map(|own| (own.to_owned(), json!({ "schema": schema }))).collect())
}

fn response(own: &Value, produces: &Value) -> Value {
    let mut out = json!({});
    copy(own, &mut out, &["description"]);
    refer(own, &mut out);
    if own["schema"].is_object() {
        out["content"] = content(&own["schema"], produces);
    }
    out
}

fn parameter(own: &Value) -> Value {
    let mut out = json!({});
    copy(own, &mut out, &["name", "in", "description", "required", "allowEmptyValue"]);
    refer(own, &mut out);
    if own["schema"].is_object() {
        out["schema"] = schema(&own["schema"]);
    } else if own["type"].is_string() {
        let mut simple = json!({});
        copy(own, &mut simple, &["type", "format", "uniqueItems"]);
        out["schema"] = simple;
    }
    out
}

fn security_scheme(own: &Value) -> Value {
    let mut out = json!({});
    copy(own, &mut out, &["description", "type", "name", "in"]);
    if let Some(flow) = own["flow"].as_str() {
        let mut flows = json!({});
        copy(own, &mut flows, &["authorizationUrl", "tokenUrl", "scopes"]);
        out["flows"] = json!({ flow: flows });
    }
    out
}

/// Takes over a reference.
fn refer(from: &Value, to: &mut Value) {
    if let Some(reference) = from["$ref"].as_str() {
        to["$ref"] = moved(reference).into();
    }
}

fn moved(reference: &str) -> String {
    let moved = PLACES.iter().find_map(|(old, new)| Some(format!("{new}{}", reference.strip_prefix(old)?)));
    moved.unwrap_or_else(|| reference.to_owned())
}

/// A schema, whose references lead elsewhere. One that has anything beside it is wrapped, since nothing of that would count.
fn schema(own: &Value) -> Value {
    let Value::Object(fields) = own else { return own.clone() };
    let mut out = Map::new();
    for (name, value) in fields {
        let value = match name.as_str() {
            "properties" | "patternProperties" => mapped(value, schema),
            "items" | "allOf" | "anyOf" | "oneOf" => match value {
                Value::Array(all) => all.iter().map(schema).collect(),
                one => schema(one),
            },
            "additionalProperties" | "additionalItems" | "not" => schema(value),
            _ => value.clone(),
        };
        out.insert(name.clone(), value);
    }
    if let Some(reference) = out.remove("$ref") {
        let reference = json!({ "$ref": moved(reference.as_str().unwrap_or_default()) });
        if out.is_empty() {
            return reference;
        }
        out.insert("allOf".to_owned(), json!([reference]));
    }
    Value::Object(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_version_2_says_becomes_content_and_components() {
        let v2 = json!({
            "swagger": "2.0",
            "info": {"title": "Shop", "version": "v1"},
            "paths": {
                "/apis/other/v1/": {"get": {}},
                "/apis/shop/v10/": {"get": {}},
                "/apis/shop/v1/fruits": {
                    "parameters": [{"name": "pretty", "in": "query", "type": "string", "uniqueItems": true}],
                    "post": {
                        "consumes": ["application/json"],
                        "produces": ["application/json", "application/yaml"],
                        "operationId": "createFruit",
                        "x-kubernetes-action": "post",
                        "parameters": [
                            {"name": "body", "in": "body", "required": true, "schema": {"$ref": "#/definitions/Fruit"}},
                            {"$ref": "#/parameters/dryRun"},
                        ],
                        "responses": {"200": {"description": "OK", "schema": {"$ref": "#/definitions/Fruit"}}},
                    },
                },
            },
            "definitions": {"Fruit": {
                "type": "object",
                "properties": {
                    "metadata": {"description": "what it is called", "$ref": "#/definitions/Meta"},
                    "seeds": {"type": "array", "items": {"$ref": "#/definitions/Seed"}},
                    "labels": {"additionalProperties": {"type": "string"}},
                },
                "x-kubernetes-group-version-kind": [{"group": "shop"}],
            }},
            "parameters": {"dryRun": {"name": "dryRun", "in": "query", "type": "string"}},
            "securityDefinitions": {"Token": {"type": "apiKey", "in": "header", "name": "authorization"}},
        });
        let fruit = json!({"schema": {"$ref": "#/components/schemas/Fruit"}});
        let wanted = json!({
            "openapi": "3.0.0",
            "info": {"title": "Shop", "version": "v1"},
            "paths": {"/apis/shop/v1/fruits": {
                "parameters": [{"name": "pretty", "in": "query", "schema": {"type": "string", "uniqueItems": true}}],
                "post": {
                    "operationId": "createFruit",
                    "x-kubernetes-action": "post",
                    "requestBody": {"content": {"application/json": fruit}},
                    "parameters": [{"$ref": "#/components/parameters/dryRun"}],
                    "responses": {"200": {
                        "description": "OK",
                        "content": {"application/json": fruit, "application/yaml": fruit},
                    }},
                },
            }},
            "components": {
                "schemas": {"Fruit": {
                    "type": "object",
                    "properties": {
                        "metadata": {
                            "description": "what it is called",
                            "allOf": [{"$ref": "#/components/schemas/Meta"}],
                        },
                        "seeds": {"type": "array", "items": {"$ref": "#/components/schemas/Seed"}},
                        "labels": {"additionalProperties": {"type": "string"}},
                    },
                    "x-kubernetes-group-version-kind": [{"group": "shop"}],
                }},
                "parameters": {"dryRun": {"name": "dryRun", "in": "query", "schema": {"type": "string"}}},
                "securitySchemes": {"Token": {"type": "apiKey", "in": "header", "name": "authorization"}},
            },
        });
        assert_eq!(to_v3(&v2, "/apis/shop/v1"), wanted);
    }
}
