//! Definitions: what a type's fields are, in either version of OpenAPI.
//!
//! Both versions are made from the same schemas; [`Dialect`] is where they differ.

use std::collections::BTreeMap;

use api_record::{Constraint, Field, ListKind, Omit, Schema, Shape, Typed};
use api_types::meta::v1::{ListMeta, ObjectMeta};
use api_types::{GroupVersionKind, object_types};
use serde_json::{Map, Value, json};

use crate::descriptions::Descriptions;
use crate::{markers, names};

/// A version of OpenAPI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Swagger 2.0.
    V2,
    /// OpenAPI 3.0.
    V3,
}

impl Dialect {
    /// A reference to a definition.
    pub(crate) fn reference(self, definition: &str) -> Value {
        let place = match self {
            Dialect::V2 => "#/definitions/",
            Dialect::V3 => "#/components/schemas/",
        };
        json!({ "$ref": format!("{place}{definition}") })
    }
}

/// The definitions that a document needs, gathered while the rest of it is written.
pub(crate) struct Definitions<'a> {
    dialect: Dialect,
    descriptions: &'a Descriptions,
    kinds: BTreeMap<String, Vec<GroupVersionKind<'static>>>,
    /// The groups and versions whose requests may carry the types that belong to every group.
    everywhere: Vec<(&'static str, &'static str)>,
    done: BTreeMap<String, Value>,
    custom: Vec<(String, Value)>,
}

impl<'a> Definitions<'a> {
    pub(crate) fn new(
        dialect: Dialect,
        descriptions: &'a Descriptions,
        everywhere: Vec<(&'static str, &'static str)>,
    ) -> Definitions<'a> {
        let (done, custom) = (BTreeMap::new(), Vec::new());
        Definitions { dialect, descriptions, kinds: kinds(), everywhere, done, custom }
    }

    /// Also knows what definitions of the cluster describe, by their names.
    pub(crate) fn with_custom(mut self, custom: Vec<(String, Value)>) -> Definitions<'a> {
        self.custom = custom;
        self
    }

    /// A reference to one of these.
    pub(crate) fn custom(&mut self, index: usize) -> Value {
        let Some((name, body)) = self.custom.get_mut(index) else { return Value::Null };
        let (name, body) = (name.clone(), body.take());
        if !body.is_null() {
            self.done.insert(name.clone(), body);
            self.record(ObjectMeta::SCHEMA);
            self.record(ListMeta::SCHEMA);
            // A list names its objects, which no other operation need.
            if !index.is_multiple_of(2) {
                self.custom(index - 1);
            }
        }
        self.dialect.reference(&name)
    }

    pub(crate) fn finish(self) -> Value {
        Value::Object(self.done.into_iter().collect())
    }

    /// A reference to a record's type, which is defined along the way.
    pub(crate) fn record(&mut self, schema: &Schema) -> Value {
        let name = names::definition(schema);
        if !self.done.contains_key(&name) {
            // Types may hold themselves, so the name is taken first.
            self.done.insert(name.clone(), Value::Null);
            let body = self.body(&name, schema);
            self.done.insert(name.clone(), body);
        }
        self.dialect.reference(&name)
    }

    /// A reference to a type that is not a record.
    pub(crate) fn scalar(&mut self, name: &'static str) -> Value {
        if !self.done.contains_key(name) {
            let mut body = scalar(self.dialect, name);
            if let Some(text) = self.descriptions.of(name) {
                body.insert("description".to_owned(), text.into());
            }
            if name == names::VERSION_INFO
                && let Some(Value::Object(properties)) = body.get_mut("properties")
            {
                for (field, property) in properties {
                    if let Some(text) = self.descriptions.field(name, field) {
                        property["description"] = text.into();
                    }
                }
            }
            self.done.insert(name.to_owned(), Value::Object(body));
        }
        self.dialect.reference(name)
    }

    fn body(&mut self, name: &str, schema: &Schema) -> Value {
        let mut body = Map::new();
        let list = list_of(schema);
        // What the embedded descriptions lack: lists, and what a watch sends.
        let own = || match list {
            Some(kind) => Some(format!("{kind}List is a list of {kind}.")),
            None if name == names::WATCH_EVENT => Some("One event of a watch.".to_owned()),
            None => None,
        };
        if let Some(text) = self.descriptions.of(name).map(str::to_owned).or_else(own) {
            body.insert("description".to_owned(), text.into());
        }
        if !names::is_opaque(schema) {
            body.insert("type".to_owned(), "object".into());
            let (mut required, mut properties) = (Vec::new(), BTreeMap::new());
            if schema.type_meta {
                for field in ["apiVersion", "kind"] {
                    properties.insert(field.to_owned(), self.type_meta(field));
                }
            }
            self.properties(name, schema, &mut properties, &mut required);
            if !required.is_empty() {
                body.insert("required".to_owned(), required.into());
            }
            if !properties.is_empty() {
                body.insert("properties".to_owned(), Value::Object(properties.into_iter().collect()));
            }
        }
        markers::of_definition(name, &mut body);
        if schema.atomic {
            body.insert("x-kubernetes-map-type".to_owned(), "atomic".into());
        }
        let kinds = self.kinds_of(name);
        if !kinds.is_empty() {
            body.insert(GVK.to_owned(), kinds.into());
        }
        Value::Object(body)
    }

    fn properties(
        &mut self,
        name: &str,
        schema: &Schema,
        properties: &mut BTreeMap<String, Value>,
        required: &mut Vec<Value>,
    ) {
        for field in schema.fields.iter() {
            if let (true, Shape::Record(inner)) = (field.inline, &field.shape) {
                self.properties(name, inner, properties, required);
                continue;
            }
            let mut property = self.property(schema, field);
            if let Some(text) = self.described(name, schema, &field.name) {
                property["description"] = (text + &markers::described(&property)).into();
            }
            markers::of_field(self.dialect, name, &field.name, &mut property);
            let told = || is_required(field) && self.descriptions.requires(name, &field.name) != Some(false);
            if markers::requires(name, &field.name).unwrap_or_else(told) {
                required.push((*field.name).into());
            }
            properties.insert((*field.name).to_owned(), unwrap(property));
        }
    }

    /// What a field is. The embedded descriptions lack lists, and what a watch sends.
    fn described(&self, name: &str, schema: &Schema, field: &str) -> Option<String> {
        if let Some(text) = self.descriptions.field(name, field) {
            return Some(text.to_owned());
        }
        match (list_of(schema), field) {
            (Some(kind), "items") => Some(format!("Items is the list of {kind} objects.")),
            (Some(_), "metadata") => Some("Metadata of the list, such as the revision that it shows.".to_owned()),
            (None, "object") if name == names::WATCH_EVENT => Some(
                "What the event is about: the object as it is now; as it was last, if it was deleted; of a BOOKMARK its resourceVersion alone; \
                 of an ERROR a Status that says what ended the watch."
                    .to_owned(),
            ),
            _ => None,
        }
    }

    fn property(&mut self, schema: &Schema, field: &Field) -> Value {
        let element = self.element(schema, &field.name, &field.shape);
        let is_reference = element.get("$ref").is_some();
        let mut property = match self.dialect {
            // In version 3 nothing beside `$ref` counts, so it is wrapped.
            Dialect::V3 if is_reference => json!({ "allOf": [element] }),
            _ => element,
        };
        if self.dialect == Dialect::V3
            && let Some(default) = default(field)
        {
            property["default"] = default;
        }
        markers::enumerate(field, &mut property);
        extensions(field, &mut property);
        property
    }

    fn element(&mut self, owner: &Schema, field: &str, shape: &Shape) -> Value {
        match shape {
            Shape::Bool => json!({ "type": "boolean" }),
            Shape::Int32 => json!({ "type": "integer", "format": "int32" }),
            Shape::Int64 => json!({ "type": "integer", "format": "int64" }),
            Shape::Float => json!({ "type": "number", "format": "double" }),
            Shape::String => json!({ "type": "string" }),
            Shape::Bytes => json!({ "type": "string", "format": "byte" }),
            Shape::Quantity => self.scalar(names::QUANTITY),
            Shape::IntOrString => self.scalar(names::INT_OR_STRING),
            Shape::Time => self.scalar(names::TIME),
            Shape::MicroTime => self.scalar(names::MICRO_TIME),
            Shape::Duration => self.scalar(names::DURATION),
            Shape::Json => self.scalar(names::json(owner, field)),
            Shape::Record(schema) => self.record(schema),
            Shape::List(element) | Shape::Items(element) => {
                let items = self.element(owner, field, element);
                json!({ "type": "array", "items": items })
            }
            Shape::Map(value) => {
                let values = self.element(owner, field, value);
                json!({ "type": "object", "additionalProperties": values })
            }
        }
    }

    /// `apiVersion` and `kind`, which mean the same everywhere.
    fn type_meta(&self, field: &str) -> Value {
        let mut property = json!({ "type": "string" });
        if let Some(text) = self.descriptions.field(names::POD, field) {
            property["description"] = text.into();
        }
        property
    }

    fn kinds_of(&self, name: &str) -> Vec<Value> {
        let Some(kinds) = self.kinds.get(name) else { return Vec::new() };
        let own = |kind: &GroupVersionKind<'static>| match kind.group {
            // These are the types that requests of every group carry.
            "meta.k8s.io" if matches!(kind.kind, "DeleteOptions" | "WatchEvent") => {
                self.everywhere.iter().map(|(group, version)| gvk(group, version, kind.kind)).collect()
            }
            "meta.k8s.io"
                if matches!(kind.kind, "Status" | "APIVersions") || kind.kind.starts_with("APIGroup") =>
            {
                vec![gvk("", "v1", kind.kind)]
            }
            "meta.k8s.io" if kind.kind == "APIResourceList" => vec![gvk("", "v1", kind.kind)],
            "meta.k8s.io" => Vec::new(),
            group => vec![gvk(group, kind.version, kind.kind)],
        };
        kinds.iter().flat_map(own).collect()
    }
}

/// A reference needs no wrapping where nothing stands beside it.
fn unwrap(mut property: Value) -> Value {
    match property.as_object().map(Map::len) {
        Some(1) => property.pointer_mut("/allOf/0").map(Value::take).unwrap_or(property),
        _ => property,
    }
}

/// The extension that says which kinds a definition or an operation is about.
pub(crate) const GVK: &str = "x-kubernetes-group-version-kind";

/// A kind as [`GVK`] writes it.
pub(crate) fn gvk(group: &str, version: &str, kind: &str) -> Value {
    json!({ "group": group, "kind": kind, "version": version })
}

/// The kinds of the types that have one.
fn kinds() -> BTreeMap<String, Vec<GroupVersionKind<'static>>> {
    let mut kinds: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for object in object_types() {
        kinds.entry(names::definition(object.schema)).or_default().push(object.kind);
    }
    kinds
}

/// The kind that a list is of.
fn list_of(schema: &Schema) -> Option<&str> {
    schema.index_of("items").filter(|_| schema.type_meta)?;
    schema.name.strip_suffix("List").filter(|kind| !kind.is_empty())
}

fn is_required(field: &Field) -> bool {
    let optional = field.rules.iter().any(|rule| rule.constraint == Constraint::Optional);
    field.required || (field.omit == Omit::Never && !optional)
}

/// What stands in an absent field's place, as upstream's generator tells it.
fn default(field: &Field) -> Option<Value> {
    if let Some(text) = &field.default {
        return serde_json::from_str(text).ok();
    }
    if field.pointer {
        return None;
    }
    match &field.shape {
        Shape::Record(schema) if !names::is_opaque(schema) => Some(json!({})),
        _ if field.omit != Omit::Never => None,
        Shape::Bool => Some(false.into()),
        Shape::Int32 | Shape::Int64 | Shape::Float => Some(0.into()),
        Shape::String => Some("".into()),
        _ => None,
    }
}

fn extensions(field: &Field, property: &mut Value) {
    let is_list = matches!(field.shape, Shape::List(_) | Shape::Items(_) | Shape::Bytes);
    match &field.list {
        ListKind::Unset => {}
        ListKind::Atomic if is_list => property["x-kubernetes-list-type"] = "atomic".into(),
        ListKind::Atomic => property["x-kubernetes-map-type"] = "atomic".into(),
        ListKind::Granular => property["x-kubernetes-map-type"] = "granular".into(),
        ListKind::Set => property["x-kubernetes-list-type"] = "set".into(),
        ListKind::Map(keys) => {
            property["x-kubernetes-list-type"] = "map".into();
            property["x-kubernetes-list-map-keys"] = (*keys).into();
        }
    }
    let strategy = match (field.merge.merge, field.merge.retain_keys) {
        (true, true) => "merge,retainKeys",
        (true, false) => "merge",
        (false, true) => "retainKeys",
        (false, false) => return,
    };
    property["x-kubernetes-patch-strategy"] = strategy.into();
    if !field.merge.key.is_empty() {
        property["x-kubernetes-patch-merge-key"] = field.merge.key.into();
    }
}

fn scalar(dialect: Dialect, name: &str) -> Map<String, Value> {
    let body = match (name, dialect) {
        (names::QUANTITY, Dialect::V3) => json!({ "oneOf": [{ "type": "string" }, { "type": "number" }] }),
        (names::QUANTITY | names::DURATION, _) => json!({ "type": "string" }),
        (names::INT_OR_STRING, Dialect::V3) => {
            json!({ "format": "int-or-string", "oneOf": [{ "type": "integer" }, { "type": "string" }] })
        }
        (names::INT_OR_STRING, Dialect::V2) => json!({ "type": "string", "format": "int-or-string" }),
        (names::TIME | names::MICRO_TIME, _) => json!({ "type": "string", "format": "date-time" }),
        (names::JSON, _) => json!({}),
        (names::VERSION_INFO, _) => version_info(dialect),
        _ => json!({ "type": "object" }),
    };
    match body {
        Value::Object(body) => body,
        _ => Map::new(),
    }
}

fn version_info(dialect: Dialect) -> Value {
    let required = [
        "major",
        "minor",
        "gitVersion",
        "gitCommit",
        "gitTreeState",
        "buildDate",
        "goVersion",
        "compiler",
        "platform",
    ];
    let more = ["emulationMajor", "emulationMinor", "minCompatibilityMajor", "minCompatibilityMinor"];
    let mut names: Vec<&str> = required.into_iter().chain(more).collect();
    names.sort_unstable();
    let property = |name: &&str| {
        let default = (dialect == Dialect::V3 && required.contains(name)).then_some("");
        let body = default
            .map_or_else(|| json!({ "type": "string" }), |text| json!({ "type": "string", "default": text }));
        ((*name).to_owned(), body)
    };
    let properties: Map<String, Value> = names.iter().map(property).collect();
    json!({ "type": "object", "required": required, "properties": properties })
}
