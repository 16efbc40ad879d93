//! The schema of a version as either version of OpenAPI writes it.

use api_codec::json;
use api_types::apiextensions::v1::JSONSchemaProps;
use serde_json::{Map, Value, json};

use super::Custom;
use crate::definitions::{Dialect, GVK, gvk};
use crate::descriptions::Descriptions;
use crate::names;

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";
const LIST_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta";
const METADATA: &str = "Standard object's metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#metadata";
const LIST_METADATA: &str = "Standard list metadata. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md#types-kinds";

/// What its objects are.
pub(super) fn object(own: &Custom, dialect: Dialect, descriptions: &Descriptions) -> Value {
    let given = own.version().schema.as_deref().and_then(|schema| schema.open_apiv3_schema.as_deref());
    let open = own.definition().spec.preserve_unknown_fields
        || given.is_some_and(|schema| schema.x_preserve_unknown_fields == Some(true));
    let writer = Writer { dialect, descriptions };
    // Clients that read version 2 take fields that are named for all that there are.
    let mut body = match given {
        Some(schema) if dialect == Dialect::V3 || !open => writer.root(schema),
        _ => json!({ "type": "object" }),
    };
    body[GVK] = json!([gvk(own.group(), &own.version().name, own.kind())]);
    selectable(own, &mut body);
    body
}

/// What lists of them are.
pub(super) fn list(own: &Custom, dialect: Dialect, descriptions: &Descriptions) -> Value {
    let names = &own.definition().spec.names;
    let writer = Writer { dialect, descriptions };
    let items = dialect.reference(&own.model(own.kind()));
    let about = format!(
        "List of {}. More info: https://git.k8s.io/community/contributors/devel/sig-architecture/api-conventions.md",
        names.plural
    );
    let mut properties = Map::new();
    writer.type_meta(&mut properties);
    properties.insert("items".to_owned(), json!({ "type": "array", "items": items, "description": about }));
    properties.insert("metadata".to_owned(), writer.described(LIST_META, LIST_METADATA));
    let mut body = json!({
        "description": format!("{} is a list of {}", names.list_kind, names.kind),
        "type": "object",
        "required": ["items"],
        "properties": properties,
    });
    body[GVK] = json!([gvk(own.group(), &own.version().name, &names.list_kind)]);
    selectable(own, &mut body);
    body
}

fn selectable(own: &Custom, body: &mut Value) {
    let fields = &own.version().selectable_fields;
    if !fields.is_empty() {
        let path = |path: &str| json!({ "fieldPath": path.strip_prefix('.').unwrap_or(path) });
        let fields: Vec<Value> = fields.iter().map(|field| path(&field.json_path)).collect();
        body["x-kubernetes-selectable-fields"] = fields.into();
    }
}

struct Writer<'a> {
    dialect: Dialect,
    descriptions: &'a Descriptions,
}

impl Writer<'_> {
    fn root(&self, schema: &JSONSchemaProps) -> Value {
        let mut text = Vec::new();
        json::encode(schema, None, &mut text);
        // What the codec writes is JSON.
        let mut body: Value = serde_json::from_slice(&text).unwrap_or_default();
        self.convert(&mut body);
        if let Some(body) = body.as_object_mut() {
            let properties = body.entry("properties").or_insert_with(|| json!({}));
            if let Some(properties) = properties.as_object_mut() {
                properties.insert("metadata".to_owned(), self.described(OBJECT_META, METADATA));
                self.type_meta(properties);
            }
        }
        body
    }

    /// A reference with a description beside it.
    fn described(&self, definition: &str, description: &str) -> Value {
        let reference = self.dialect.reference(definition);
        match self.dialect {
            Dialect::V2 => {
                let mut property = reference;
                property["description"] = description.into();
                property
            }
            // In version 3 nothing beside `$ref` counts, so it is wrapped.
            Dialect::V3 => json!({ "allOf": [reference], "description": description }),
        }
    }

    fn type_meta(&self, properties: &mut Map<String, Value>) {
        for field in ["apiVersion", "kind"] {
            let mut property = json!({ "type": "string" });
            if let Some(text) = self.descriptions.field(names::POD, field) {
                property["description"] = text.into();
            }
            properties.insert(field.to_owned(), property);
        }
    }

    /// Brings a schema and all below it into the dialect.
    fn convert(&self, schema: &mut Value) {
        let Some(body) = schema.as_object_mut() else { return };
        match self.dialect {
            Dialect::V2 => narrow(body),
            Dialect::V3 if is(body, "x-kubernetes-int-or-string") && !body.contains_key("anyOf") => {
                body.insert("anyOf".to_owned(), json!([{ "type": "integer" }, { "type": "string" }]));
            }
            Dialect::V3 => {}
        }
        for key in ["items", "additionalProperties"] {
            if let Some(below) = body.get_mut(key) {
                self.convert(below);
            }
        }
        if let Some(Value::Object(properties)) = body.get_mut("properties") {
            properties.values_mut().for_each(|below| self.convert(below));
        }
        let open = is(body, "x-kubernetes-preserve-unknown-fields") && self.dialect == Dialect::V2;
        if is(body, "x-kubernetes-embedded-resource") && !open {
            self.embed(body);
        }
    }

    /// An embedded object has what every object has.
    fn embed(&self, body: &mut Map<String, Value>) {
        let properties = body.entry("properties").or_insert_with(|| json!({}));
        if let Some(properties) = properties.as_object_mut() {
            properties.insert("metadata".to_owned(), self.described(OBJECT_META, METADATA));
            self.type_meta(properties);
        }
        let required = body.entry("required").or_insert_with(|| json!([]));
        if let Some(required) = required.as_array_mut() {
            for field in ["kind", "apiVersion"] {
                if !required.iter().any(|own| own == field) {
                    required.push(field.into());
                }
            }
        }
    }
}

fn is(body: &Map<String, Value>, key: &str) -> bool {
    body.get(key) == Some(&Value::Bool(true))
}

/// What version 2 cannot say, and what its readers take wrongly, is left out (`controller/openapi/v2`).
fn narrow(body: &mut Map<String, Value>) {
    for key in ["allOf", "oneOf", "anyOf", "not"] {
        body.shift_remove(key);
    }
    let nullable: Vec<String> = match body.get("properties") {
        Some(Value::Object(all)) => {
            let own = all.iter().filter(|(_, own)| own["nullable"] == true);
            own.map(|(name, _)| name.clone()).collect()
        }
        _ => Vec::new(),
    };
    let open = is(body, "x-kubernetes-preserve-unknown-fields");
    let may_be_null = is(body, "nullable");
    if may_be_null || open {
        body.shift_remove("items");
        body.shift_remove("properties");
    }
    if may_be_null {
        body.shift_remove("type");
        body.shift_remove("nullable");
    }
    let type_ = body.get("type").and_then(Value::as_str).unwrap_or_default();
    if (type_ == "array" && !body.contains_key("items")) || (open && type_ == "object") {
        body.shift_remove("type");
    }
    if let Some(Value::Array(required)) = body.get_mut("required") {
        required.retain(|name| name.as_str().is_none_or(|name| !nullable.iter().any(|own| own == name)));
        if required.is_empty() {
            body.shift_remove("required");
        }
    }
    if body.get("additionalProperties").is_some_and(|own| own["nullable"] == true) {
        body.shift_remove("required");
    }
}
