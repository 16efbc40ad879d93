//! A definition's schema, compiled for walking beside a tree.

use std::collections::BTreeMap;

use api_record::scalar::RawJson;
use api_types::apiextensions::v1::{JSONSchemaProps, ValidationRule};
use regex::{Regex, RegexBuilder};
use serde_json::Value;

use crate::format::{self, Format};
use crate::limits::PATTERN_BYTES;

/// What type of JSON a value is to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Type {
    /// Whatever it is.
    #[default]
    Any,
    /// An object.
    Object,
    /// A list.
    Array,
    /// Text.
    String,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A truth value.
    Boolean,
    /// A whole number or text (`x-kubernetes-int-or-string`).
    IntOrString,
}

impl Type {
    /// What schemas call it, where they do.
    pub(crate) fn written(self) -> &'static str {
        if self == Type::IntOrString { "" } else { self.name() }
    }

    /// What messages call it.
    pub fn name(self) -> &'static str {
        match self {
            Type::Any => "",
            Type::Object => "object",
            Type::Array => "array",
            Type::String => "string",
            Type::Integer => "integer",
            Type::Number => "number",
            Type::Boolean => "boolean",
            Type::IntOrString => "integer,string",
        }
    }

    fn of(props: &JSONSchemaProps) -> Type {
        match props.type_.as_str() {
            _ if props.x_int_or_string => Type::IntOrString,
            "object" => Type::Object,
            "array" => Type::Array,
            "string" => Type::String,
            "integer" => Type::Integer,
            "number" => Type::Number,
            "boolean" => Type::Boolean,
            _ => Type::Any,
        }
    }
}

/// What is said of an object's fields that have no schema of their own.
#[derive(Clone, Debug, Default)]
pub enum Additional {
    /// Nothing: they are dropped.
    #[default]
    Unsaid,
    /// They are there or must not be, whatever they hold.
    Allowed(bool),
    /// They are of this schema.
    Schema(Box<Node>),
}

/// How the elements of a list are told apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Elements {
    /// They are not.
    #[default]
    Atomic,
    /// Each occurs once.
    Set,
    /// By these of their fields.
    Map(Vec<String>),
}

/// What a walk finds somewhere in a schema, so that it knows where there is nothing to do.
#[derive(Clone, Copy, Debug, Default)]
pub struct Finds {
    /// A default value.
    pub defaults: bool,
    /// An embedded object.
    pub embedded: bool,
    /// A list whose elements are told apart.
    pub lists: bool,
    /// A rule in CEL.
    pub rules: bool,
}

/// A schema, or a part of one.
#[derive(Clone, Debug, Default)]
pub struct Node {
    /// The type of the value.
    pub type_: Type,
    /// Null is a value too.
    pub nullable: bool,
    /// Fields that no schema names are kept.
    pub preserves: bool,
    /// The value is an object of some kind, with metadata.
    pub embedded: bool,
    /// What stands in for an absent value.
    pub default: Option<Value>,
    /// The fields by name.
    pub properties: BTreeMap<String, Node>,
    /// All other fields.
    pub additional: Additional,
    /// The elements of a list.
    pub items: Option<Box<Node>>,
    /// How these are told apart.
    pub elements: Elements,
    /// What else a value must be.
    pub checks: Option<Box<Checks>>,
    /// Rules in CEL, as they were written.
    pub rules: Vec<ValidationRule>,
    /// What there is in it and below.
    pub finds: Finds,
}

/// What a value must be besides its type.
#[derive(Clone, Debug, Default)]
pub struct Checks {
    pub(crate) format: Option<Format>,
    pub(crate) maximum: Option<f64>,
    pub(crate) exclusive_maximum: bool,
    pub(crate) minimum: Option<f64>,
    pub(crate) exclusive_minimum: bool,
    pub(crate) max_length: Option<i64>,
    pub(crate) min_length: Option<i64>,
    pub(crate) pattern: Option<Regex>,
    pub(crate) max_items: Option<i64>,
    pub(crate) min_items: Option<i64>,
    pub(crate) multiple_of: Option<f64>,
    pub(crate) enumeration: Vec<Value>,
    pub(crate) max_properties: Option<i64>,
    pub(crate) min_properties: Option<i64>,
    pub(crate) required: Vec<String>,
    pub(crate) all_of: Vec<Node>,
    pub(crate) any_of: Vec<Node>,
    pub(crate) one_of: Vec<Node>,
    pub(crate) not: Option<Node>,
}

/// Why a schema cannot be compiled. Validation of the definition says so before it comes to this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// Items are a list of schemas.
    #[error("OpenAPIV3Schema 'items' must be a schema, but is an array")]
    Items,
    /// A pattern is no regular expression.
    #[error("{0}")]
    Pattern(String),
}

/// Compiles a schema.
pub fn compile(props: &JSONSchemaProps) -> Result<Node, CompileError> {
    let mut node = Node {
        type_: Type::of(props),
        nullable: props.nullable,
        preserves: props.x_preserve_unknown_fields == Some(true),
        embedded: props.x_embedded_resource,
        default: props.default_.as_ref().map(value).filter(|value| !value.is_null()),
        properties: BTreeMap::new(),
        additional: Additional::Unsaid,
        items: None,
        elements: match props.x_list_type.as_deref() {
            Some("set") => Elements::Set,
            Some("map") => Elements::Map(props.x_list_map_keys.clone()),
            _ => Elements::Atomic,
        },
        checks: checks(props)?.map(Box::new),
        rules: props.x_validations.clone(),
        finds: Finds::default(),
    };
    for (name, props) in &props.properties {
        node.properties.insert(name.clone(), compile(props)?);
    }
    node.additional = match props.additional_properties.as_deref() {
        None => Additional::Unsaid,
        Some(additional) => match &additional.schema {
            Some(schema) => Additional::Schema(Box::new(compile(schema)?)),
            None => Additional::Allowed(additional.allows),
        },
    };
    if let Some(items) = &props.items {
        if !items.json_schemas.is_empty() {
            return Err(CompileError::Items);
        }
        node.items = items.schema.as_ref().map(|schema| compile(schema).map(Box::new)).transpose()?;
    }
    node.finds = node.found();
    Ok(node)
}

/// JSON that is kept as text, as a value with sorted keys.
pub(crate) fn value(raw: &RawJson) -> Value {
    let mut value: Value = serde_json::from_slice(raw.text()).unwrap_or_default();
    value.sort_all_objects();
    value
}

/// A pattern as Go's `regexp` understands it: the syntax is RE2's in both.
pub fn pattern(text: &str) -> Result<Regex, CompileError> {
    let built = RegexBuilder::new(text).size_limit(PATTERN_BYTES).build();
    built.map_err(|error| CompileError::Pattern(error.to_string()))
}

fn checks(props: &JSONSchemaProps) -> Result<Option<Checks>, CompileError> {
    let all = |list: &[JSONSchemaProps]| list.iter().map(compile).collect::<Result<Vec<_>, _>>();
    let checks = Checks {
        format: format::of(&props.type_, &props.format).filter(|_| !props.x_int_or_string),
        maximum: props.maximum,
        exclusive_maximum: props.exclusive_maximum,
        minimum: props.minimum,
        exclusive_minimum: props.exclusive_minimum,
        max_length: props.max_length,
        min_length: props.min_length,
        pattern: Some(&props.pattern)
            .filter(|text| !text.is_empty())
            .map(|text| pattern(text))
            .transpose()?,
        max_items: props.max_items,
        min_items: props.min_items,
        multiple_of: props.multiple_of,
        enumeration: props.enum_.iter().map(value).collect(),
        max_properties: props.max_properties,
        min_properties: props.min_properties,
        required: props.required.clone(),
        all_of: all(&props.all_of)?,
        any_of: all(&props.any_of)?,
        one_of: all(&props.one_of)?,
        not: props.not.as_deref().map(compile).transpose()?,
    };
    Ok((!checks.is_empty()).then_some(checks))
}

impl Checks {
    fn is_empty(&self) -> bool {
        let lists = [&self.all_of, &self.any_of, &self.one_of];
        let numbers = [self.maximum, self.minimum, self.multiple_of];
        let sizes = [
            self.max_length,
            self.min_length,
            self.max_items,
            self.min_items,
            self.max_properties,
            self.min_properties,
        ];
        self.format.is_none()
            && self.pattern.is_none()
            && self.not.is_none()
            && self.enumeration.is_empty()
            && self.required.is_empty()
            && lists.iter().all(|list| list.is_empty())
            && numbers.iter().all(Option::is_none)
            && sizes.iter().all(Option::is_none)
    }
}

impl Node {
    /// The schema of a field; `None` if nothing is said of it.
    pub fn field(&self, name: &str) -> Option<&Node> {
        match (self.properties.get(name), &self.additional) {
            (Some(own), _) => Some(own),
            (None, Additional::Schema(schema)) => Some(schema),
            (None, _) => None,
        }
    }

    fn found(&self) -> Finds {
        let mut finds = Finds {
            defaults: self.default.is_some(),
            embedded: self.embedded,
            lists: self.elements != Elements::Atomic,
            rules: !self.rules.is_empty(),
        };
        let additional = match &self.additional {
            Additional::Schema(schema) => Some(&**schema),
            _ => None,
        };
        let below = self.properties.values().chain(additional).chain(self.items.as_deref());
        for node in below {
            finds.defaults |= node.finds.defaults;
            finds.embedded |= node.finds.embedded;
            finds.lists |= node.finds.lists;
            finds.rules |= node.finds.rules;
        }
        finds
    }
}
