//! The rules of structural schemas (`apiserver/schema/validation.go`, `complete.go`): every value that is judged has a place in
//! the structure, and the structure can be told from the judgement.

use api_meta::field::{ErrorList, FieldError, Path};
use api_types::apiextensions::v1::JSONSchemaProps;

/// Where in an object a schema stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Root,
    Item,
    Field,
}

/// What is not structural in a schema, in the order of the messages.
pub fn check(path: &Path, schema: &JSONSchemaProps) -> ErrorList {
    let mut errors = ErrorList::new();
    structure(schema, Level::Root, path, &mut errors);
    complete_all(schema, Some(schema), path, path, &mut errors);
    errors.sort_by_key(ToString::to_string);
    errors
}

fn items(schema: &JSONSchemaProps) -> Option<&JSONSchemaProps> {
    schema.items.as_deref()?.schema.as_deref()
}

fn structure(schema: &JSONSchemaProps, level: Level, path: &Path, errors: &mut ErrorList) {
    let items = items(schema);
    if schema.type_ == "array" && items.is_none() {
        errors.push(FieldError::required(&path.child("items"), "must be specified"));
    }
    if let Some(items) = items {
        structure(items, Level::Item, &path.child("items"), errors);
    }
    for (name, property) in &schema.properties {
        structure(property, Level::Field, &path.child("properties").key(name), errors);
    }
    if let Some(additional) = &schema.additional_properties {
        let at = path.child("additionalProperties");
        if level == Level::Root {
            errors.push(FieldError::forbidden(&at, "must not be used at the root"));
        }
        if let Some(schema) = &additional.schema {
            structure(schema, Level::Field, &at, errors);
        }
    }
    extensions(schema, path, errors);
    let skips = Skips { any: is_int_or_string(&schema.any_of), first: is_first_int_or_string(schema) };
    values(schema, skips, path, errors);
    type_(schema, level, path, errors);
    metadata(schema, level, path, errors);
    let open = schema.x_preserve_unknown_fields == Some(true);
    if schema.x_embedded_resource && !open && schema.properties.is_empty() {
        let why = "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields";
        errors.push(FieldError::required(&path.child("properties"), why));
    }
}

fn extensions(schema: &JSONSchemaProps, path: &Path, errors: &mut ErrorList) {
    let why = "must be false if x-kubernetes-int-or-string is true";
    if schema.x_int_or_string && schema.x_preserve_unknown_fields == Some(true) {
        let at = path.child("x-kubernetes-preserve-unknown-fields");
        errors.push(FieldError::invalid(&at, true, why));
    }
    if schema.x_int_or_string && schema.x_embedded_resource {
        let at = path.child("x-kubernetes-embedded-resource");
        errors.push(FieldError::invalid(&at, true, why));
    }
}

fn type_(schema: &JSONSchemaProps, level: Level, path: &Path, errors: &mut ErrorList) {
    let at = path.child("type");
    let text = schema.type_.as_str();
    let why = "must be object if x-kubernetes-embedded-resource is true";
    if schema.x_embedded_resource && text.is_empty() {
        errors.push(FieldError::required(&at, why));
    } else if schema.x_embedded_resource && text != "object" {
        errors.push(FieldError::invalid(&at, text, why));
    } else if text.is_empty()
        && !schema.x_int_or_string
        && schema.x_preserve_unknown_fields != Some(true)
        && !schema.x_embedded_resource
    {
        let why = match level {
            Level::Root => "must not be empty at the root",
            Level::Item => "must not be empty for specified array items",
            Level::Field => "must not be empty for specified object fields",
        };
        errors.push(FieldError::required(&at, why));
    }
    if schema.x_embedded_resource && schema.additional_properties.is_some() {
        let why = "must not be used if x-kubernetes-embedded-resource is set";
        errors.push(FieldError::forbidden(&path.child("additionalProperties"), why));
    }
    if level == Level::Root && !text.is_empty() && text != "object" {
        errors.push(FieldError::invalid(&at, text, "must be object at the root"));
    }
}

/// Of the metadata of an object, only the names can be restricted.
fn metadata(schema: &JSONSchemaProps, level: Level, path: &Path, errors: &mut ErrorList) {
    let is_object = level == Level::Root || schema.x_embedded_resource;
    let properties = path.child("properties");
    for name in ["kind", "apiVersion"] {
        if let Some(own) = schema.properties.get(name).filter(|own| is_object && own.type_ != "string") {
            let at = properties.key(name).child("type");
            errors.push(FieldError::invalid(&at, own.type_.as_str(), "must be string"));
        }
    }
    let Some(own) = schema.properties.get("metadata") else { return };
    let at = properties.key("metadata");
    if is_object && own.type_ != "object" {
        errors.push(FieldError::invalid(&at.child("type"), own.type_.as_str(), "must be object"));
    }
    if level == Level::Root {
        let mut rest = own.clone();
        if rest.properties.keys().all(|name| matches!(name.as_str(), "name" | "generateName")) {
            rest.properties.clear();
        }
        rest.type_.clear();
        rest.default_ = None;
        // What it says of descriptions and examples upstream keeps apart from the structure, too.
        rest.schema.clear();
        if rest != JSONSchemaProps::default() {
            let why = "must not specify anything other than name and generateName, but metadata is implicitly specified";
            errors.push(FieldError::forbidden(&at, why));
        }
    }
}

/// A whole number or text, as `x-kubernetes-int-or-string` may spell it out: not judged.
fn is_int_or_string(list: &[JSONSchemaProps]) -> bool {
    let of = |type_: &str| JSONSchemaProps { type_: type_.to_owned(), ..JSONSchemaProps::default() };
    list.len() == 2 && list[0] == of("integer") && list[1] == of("string")
}

fn is_first_int_or_string(schema: &JSONSchemaProps) -> bool {
    schema.all_of.first().is_some_and(|first| is_int_or_string(&first.any_of))
}

#[derive(Clone, Copy, Default)]
struct Skips {
    /// `anyOf` says that it is a number or text.
    any: bool,
    /// `anyOf` of the first of `allOf` does.
    first: bool,
}

fn values(schema: &JSONSchemaProps, skips: Skips, path: &Path, errors: &mut ErrorList) {
    if !skips.any {
        for (index, own) in schema.any_of.iter().enumerate() {
            nested(own, Skips::default(), &path.child("anyOf").index(index), errors);
        }
    }
    for (index, own) in schema.all_of.iter().enumerate() {
        let skips = Skips { any: skips.first && index == 0, first: false };
        nested(own, skips, &path.child("allOf").index(index), errors);
    }
    for (index, own) in schema.one_of.iter().enumerate() {
        nested(own, Skips::default(), &path.child("oneOf").index(index), errors);
    }
    if let Some(own) = &schema.not {
        nested(own, Skips::default(), &path.child("not"), errors);
    }
    if !schema.pattern.is_empty()
        && let Err(error) = crate::node::pattern(&schema.pattern)
    {
        let why = format!("must be a valid regular expression, but isn't: {error}");
        errors.push(FieldError::invalid(&path.child("pattern"), schema.pattern.as_str(), why));
    }
}

/// A judgement under a junctor, which may say nothing of the structure.
fn nested(schema: &JSONSchemaProps, skips: Skips, path: &Path, errors: &mut ErrorList) {
    values(schema, skips, path, errors);
    if let Some(items) = items(schema) {
        nested(items, Skips::default(), &path.child("items"), errors);
    }
    for (name, property) in &schema.properties {
        nested(property, Skips::default(), &path.child("properties").key(name), errors);
    }
    let additional = schema.additional_properties.as_deref();
    let empty = "must be empty to be structural";
    let undefined = "must be undefined to be structural";
    let no = "must be false to be structural";
    let forbidden = [
        ("type", !schema.type_.is_empty(), empty),
        ("additionalProperties", additional.is_some_and(|own| own.allows || own.schema.is_some()), undefined),
        ("default", schema.default_.is_some(), undefined),
        ("title", !schema.title.is_empty(), empty),
        ("description", !schema.description.is_empty(), empty),
        ("nullable", schema.nullable, no),
        ("x-kubernetes-preserve-unknown-fields", schema.x_preserve_unknown_fields == Some(true), no),
        ("x-kubernetes-embedded-resource", schema.x_embedded_resource, no),
        ("x-kubernetes-int-or-string", schema.x_int_or_string, no),
        ("x-kubernetes-list-map-keys", !schema.x_list_map_keys.is_empty(), empty),
        ("x-kubernetes-list-type", schema.x_list_type.is_some(), undefined),
        ("x-kubernetes-map-type", schema.x_map_type.is_some(), undefined),
        ("x-kubernetes-validations", !schema.x_validations.is_empty(), empty),
    ];
    for (name, said, why) in forbidden {
        if said {
            errors.push(FieldError::forbidden(&path.child(name), why));
        }
    }
    if schema.properties.contains_key("metadata") {
        let at = path.child("properties").key("metadata");
        errors.push(FieldError::forbidden(&at, "must not be specified in a nested context"));
    }
}

/// What is judged under junctors must be in the structure.
fn complete_all(
    judged: &JSONSchemaProps,
    structure: Option<&JSONSchemaProps>,
    at: &Path,
    from: &Path,
    errors: &mut ErrorList,
) {
    if let Some(own) = &judged.not {
        complete(own, structure, at, &from.child("not"), errors);
    }
    let lists = [("allOf", &judged.all_of), ("anyOf", &judged.any_of), ("oneOf", &judged.one_of)];
    for (name, list) in lists {
        for (index, own) in list.iter().enumerate() {
            complete(own, structure, at, &from.child(name).index(index), errors);
        }
    }
}

fn complete(
    judged: &JSONSchemaProps,
    structure: Option<&JSONSchemaProps>,
    at: &Path,
    from: &Path,
    errors: &mut ErrorList,
) {
    let missing =
        |at: &Path, from: &Path| FieldError::required(at, format!("because it is defined in {from}"));
    let Some(structure) = structure else {
        errors.push(missing(at, from));
        return;
    };
    complete_all(judged, Some(structure), at, from, errors);
    if let Some(own) = items(judged) {
        complete(own, items(structure), &at.child("items"), &from.child("items"), errors);
    }
    for (name, own) in &judged.properties {
        let (at, from) = (at.child("properties").key(name), from.child("properties").key(name));
        match structure.properties.get(name) {
            Some(structure) => complete(own, Some(structure), &at, &from, errors),
            None => errors.push(missing(&at, &from)),
        }
    }
}
