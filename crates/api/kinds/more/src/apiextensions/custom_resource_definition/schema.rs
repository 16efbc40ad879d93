//! What a schema may say, beyond being structural (`ValidateCustomResourceDefinitionOpenAPISchema`).

use std::collections::BTreeSet;

use api_custom::rules::Declared;
use api_custom::{check_defaults, compile, is_known_format, structural};
use api_kind::checks::shown;
use api_meta::field::{ErrorList, FieldError, Path};
use api_types::apiextensions::v1::{CustomResourceDefinitionSpec, JSONSchemaProps};

use super::rules::{self, Scope, Tally};

/// What is wrong with the schema of a version, or of all of them. `unchanged` says that it is what it was.
pub(super) fn check_all(
    path: &Path,
    schema: &JSONSchemaProps,
    has_status: bool,
    unchanged: bool,
    errors: &mut ErrorList,
) {
    if has_status {
        root(path, schema, errors);
    }
    if schema.nullable {
        // Upstream names the field in one piece.
        let at = path.child("nullable");
        errors.push(FieldError::forbidden(&at, "nullable cannot be true at the root"));
    }
    let before = errors.len();
    errors.extend(structural::check(path, schema));
    if errors.len() == before {
        check_defaults(path, schema, errors);
    }
    // Rules are only looked at where the structure is right.
    let node = Some(()).filter(|()| errors.len() == before).and_then(|()| compile(schema).ok());
    let node = node.filter(|node| node.finds.rules);
    let declared = node.as_ref().and_then(|node| Declared::of(node, true));
    let rules = node.as_ref().map(|node| Scope::root(node, declared.as_ref()));
    let mut walk = Walk { errors, rules: Tally::new(unchanged) };
    walk.check(path, schema, &Place { root: true, rules, ..Place::default() });
    let found = walk.rules.into_errors(path);
    errors.extend(found);
}

/// A walk through a schema.
struct Walk<'e> {
    errors: &'e mut ErrorList,
    rules: Tally,
}

/// Where a schema stands.
#[derive(Clone, Copy, Default)]
struct Place<'a> {
    root: bool,
    /// Within the metadata of an object.
    in_meta: bool,
    /// Why there may be no default.
    no_default: Option<&'static str>,
    /// What rules have to know, where there can be any.
    rules: Option<Scope<'a>>,
    /// The list whose elements cannot be found again after an update.
    lost: Option<&'a Path>,
}

/// A status of its own is judged by the schema's part for it, so nothing else may be said of the whole.
fn root(path: &Path, schema: &JSONSchemaProps, errors: &mut ErrorList) {
    if schema.type_ != "object" && !schema.type_.is_empty() {
        let why = "only \"object\" is allowed as the type at the root of the schema if the status subresource is enabled";
        errors.push(FieldError::invalid(&path.child("type"), schema.type_.as_str(), why));
        return;
    }
    let mut rest = JSONSchemaProps {
        all_of: schema.all_of.clone(),
        any_of: schema.any_of.clone(),
        one_of: schema.one_of.clone(),
        not: schema.not.clone(),
        enum_: schema.enum_.clone(),
        max_properties: schema.max_properties,
        min_properties: schema.min_properties,
        ..JSONSchemaProps::default()
    };
    rest.default_.clone_from(&schema.default_);
    rest.id.clone_from(&schema.id);
    if rest != JSONSchemaProps::default() || schema.additional_properties.is_some() {
        let why = "only [Description Type Format Title Maximum ExclusiveMaximum Minimum ExclusiveMinimum MaxLength MinLength Pattern MaxItems MinItems UniqueItems MultipleOf Required Items Properties ExternalDocs Example XPreserveUnknownFields XValidations] fields are allowed at the root of the schema if the status subresource is enabled";
        errors.push(FieldError::invalid(path, shown(schema), why));
    }
}

const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];

impl Walk<'_> {
    fn check(&mut self, path: &Path, schema: &JSONSchemaProps, place: &Place<'_>) {
        let before = self.errors.len();
        standard(path, schema, place, self.errors);
        if schema.unique_items {
            let why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
            self.errors.push(FieldError::forbidden(&path.child("uniqueItems"), why));
        }
        self.properties(path, schema, place);
        let inner = Place { root: false, ..*place };
        let junctor = Place { rules: None, ..inner };
        if let Some(own) = &schema.not {
            self.check(&path.child("not"), own, &junctor);
        }
        for (field, list) in [("allOf", &schema.all_of), ("oneOf", &schema.one_of), ("anyOf", &schema.any_of)]
        {
            for (index, own) in list.iter().enumerate() {
                self.check(&path.child(field).index(index), own, &junctor);
            }
        }
        if let Some(own) = schema.items.as_deref().and_then(|items| items.schema.as_deref()) {
            let rules = place.rules.and_then(|scope| scope.items(schema));
            let is_map = schema.x_list_type.as_deref() == Some("map");
            // The highest of them is named.
            let lost = if is_map { place.lost } else { place.lost.or(Some(path)) };
            self.check(&path.child("items"), own, &Place { rules, lost, ..inner });
        }
        if schema.x_preserve_unknown_fields == Some(false) {
            let at = path.child("x-kubernetes-preserve-unknown-fields");
            self.errors.push(FieldError::invalid(&at, false, "must be true or undefined"));
        }
        lists(path, schema, self.errors);
        rules::written(path, schema, self.errors);
        if let Some(scope) = place.rules.filter(|_| self.errors.len() == before) {
            self.rules.judge(path, schema, scope, place.lost);
        }
    }

    fn properties(&mut self, path: &Path, schema: &JSONSchemaProps, place: &Place<'_>) {
        let inner = Place { root: false, ..*place };
        if let Some(additional) = &schema.additional_properties {
            let at = path.child("additionalProperties");
            if !schema.properties.is_empty() && (!additional.allows || additional.schema.is_some()) {
                let why = "additionalProperties and properties are mutual exclusive";
                self.errors.push(FieldError::forbidden(&at, why));
            }
            if let Some(own) = &additional.schema {
                let why = "inside additionalProperties applying to object metadata";
                let no_default = if place.in_meta { Some(why) } else { place.no_default };
                let rules = place.rules.and_then(|scope| scope.additional(schema));
                self.check(&at, own, &Place { no_default, rules, ..inner });
            }
        }
        for (name, own) in &schema.properties {
            let mut below =
                Place { rules: place.rules.and_then(|scope| scope.property(schema, name)), ..inner };
            let meta = match name.as_str() {
                "metadata" => Some("in top-level metadata"),
                "kind" => Some("in top-level kind"),
                "apiVersion" => Some("in top-level apiVersion"),
                _ => None,
            };
            if meta.is_some() && (place.root || schema.x_embedded_resource) {
                below.in_meta = true;
                below.no_default = if place.root { meta } else { below.no_default };
            }
            self.check(&path.child("properties").key(name), own, &below);
        }
    }
}

fn standard(path: &Path, schema: &JSONSchemaProps, place: &Place<'_>, errors: &mut ErrorList) {
    let type_ = path.child("type");
    if !schema.type_.is_empty() && !TYPES.contains(&schema.type_.as_str()) {
        errors.push(FieldError::not_supported(&type_, schema.type_.as_str(), &TYPES));
    }
    if let (Some(_), Some(why)) = (&schema.default_, place.no_default) {
        errors.push(FieldError::forbidden(&path.child("default"), format!("must not be set {why}")));
    }
    let items = schema.items.as_deref().is_some_and(|items| !items.json_schemas.is_empty());
    let unsupported = [
        ("id", !schema.id.is_empty(), "id is not supported"),
        ("additionalItems", schema.additional_items.is_some(), "additionalItems is not supported"),
        ("patternProperties", !schema.pattern_properties.is_empty(), "patternProperties is not supported"),
        ("definitions", !schema.definitions.is_empty(), "definitions is not supported"),
        ("dependencies", !schema.dependencies.is_empty(), "dependencies is not supported"),
        ("$ref", schema.ref_.is_some(), "$ref is not supported"),
        ("type", schema.type_ == "null", "type cannot be set to null, use nullable as an alternative"),
        ("items", items, "items must be a schema object and not an array"),
        (
            "x-kubernetes-embedded-resource",
            place.in_meta && schema.x_embedded_resource,
            "must not be used inside of resource meta",
        ),
    ];
    for (field, said, why) in unsupported {
        if said {
            errors.push(FieldError::forbidden(&path.child(field), why));
        }
    }
}

/// A type that an extension of lists or maps asks for.
fn needs(path: &Path, schema: &JSONSchemaProps, wanted: &str, extension: &str, errors: &mut ErrorList) {
    let why = format!("must be {wanted} if {extension} is specified");
    let at = path.child("type");
    if schema.type_.is_empty() {
        errors.push(FieldError::required(&at, why));
    } else if schema.type_ != wanted {
        errors.push(FieldError::invalid(&at, schema.type_.as_str(), why));
    }
}

fn lists(path: &Path, schema: &JSONSchemaProps, errors: &mut ErrorList) {
    let (map, list) = ("x-kubernetes-map-type", "x-kubernetes-list-type");
    if let Some(own) = schema.x_map_type.as_deref() {
        needs(path, schema, "object", map, errors);
        if !["atomic", "granular"].contains(&own) {
            errors.push(FieldError::not_supported(&path.child(map), own, &["atomic", "granular"]));
        }
    }
    let own = schema.x_list_type.as_deref();
    let items = schema.items.as_deref().and_then(|items| items.schema.as_deref());
    if let Some(own) = own {
        needs(path, schema, "array", list, errors);
        if let (true, "set", Some(items)) = (schema.type_ == "array", own, items) {
            elements_of_set(&path.child("items"), items, errors);
        }
        if !["atomic", "set", "map"].contains(&own) {
            errors.push(FieldError::not_supported(&path.child(list), own, &["atomic", "set", "map"]));
        }
    }
    if !schema.x_list_map_keys.is_empty() {
        let why = "must be map if x-kubernetes-list-map-keys is non-empty";
        match own {
            None => errors.push(FieldError::required(&path.child(list), why)),
            Some("map") => {}
            Some(own) => errors.push(FieldError::invalid(&path.child(list), own, why)),
        }
    }
    if own == Some("map") {
        keyed(path, schema, items, errors);
    }
    if let (Some(own @ ("set" | "map")), Some(items)) = (own, items)
        && items.nullable
    {
        let why = format!("cannot be nullable when x-kubernetes-list-type is {own}");
        errors.push(FieldError::forbidden(&path.child("items").child("nullable"), why));
    }
}

fn elements_of_set(path: &Path, items: &JSONSchemaProps, errors: &mut ErrorList) {
    let why = "must be atomic as item of a list with x-kubernetes-list-type=set";
    let shown = items.x_list_type.as_deref();
    match items.type_.as_str() {
        "array" if shown.is_some_and(|own| own != "atomic") => {
            errors.push(FieldError::invalid(&path.child("x-kubernetes-list-type"), shown, why));
        }
        "object" if items.x_map_type.as_deref() != Some("atomic") => {
            errors.push(FieldError::invalid(&path.child("x-kubernetes-map-type"), shown, why));
        }
        _ => {}
    }
}

fn keyed(path: &Path, schema: &JSONSchemaProps, items: Option<&JSONSchemaProps>, errors: &mut ErrorList) {
    let keys = &schema.x_list_map_keys;
    let at = path.child("x-kubernetes-list-map-keys");
    if keys.is_empty() {
        errors.push(FieldError::required(&at, "must not be empty if x-kubernetes-list-type is map"));
    }
    if schema.items.is_none() {
        let why = "must have a schema if x-kubernetes-list-type is map";
        errors.push(FieldError::required(&path.child("items"), why));
    }
    let Some(items) = items else { return };
    let below = path.child("items");
    if items.type_ != "object" {
        let why = "must be object if parent array's x-kubernetes-list-type is map";
        errors.push(FieldError::invalid(&below.child("type"), items.type_.as_str(), why));
        return;
    }
    let mut known = BTreeSet::new();
    for key in keys {
        let property = below.child("properties").key(key);
        match items.properties.get(key) {
            Some(own) => {
                if matches!(own.type_.as_str(), "array" | "object") {
                    let why = "must be a scalar type if parent array's x-kubernetes-list-type is map";
                    errors.push(FieldError::invalid(&property.child("type"), items.type_.as_str(), why));
                }
                if !items.required.contains(key) && own.default_.is_none() {
                    let why = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
                    errors.push(FieldError::required(&property.child("default"), why));
                }
                if own.nullable {
                    let why = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable";
                    errors.push(FieldError::forbidden(&property.child("nullable"), why));
                }
            }
            None => {
                let why = "entries must all be names of item properties";
                errors.push(FieldError::invalid(&at, &**keys, why));
            }
        }
        if !known.insert(key) {
            errors.push(FieldError::invalid(&at, &**keys, "must not contain duplicate entries"));
        }
    }
}

/// What is unwise in the schemas of a definition: formats that nobody checks, sets of what is no scalar.
pub(super) fn warnings(spec: &CustomResourceDefinitionSpec) -> Vec<String> {
    let (mut formats, mut sets) = (Vec::new(), BTreeSet::new());
    for version in spec.versions.iter() {
        if let Some(own) = version.schema.as_deref().and_then(|own| own.open_apiv3_schema.as_deref()) {
            each(own, &mut |schema| {
                if !is_known_format(&schema.type_, &schema.format) {
                    formats.push(format!("unrecognized format {}", api_meta::quote::go(&schema.format)));
                }
                let items = schema.items.as_deref().and_then(|items| items.schema.as_deref());
                if let (Some("set"), Some(items)) = (schema.x_list_type.as_deref(), items)
                    && matches!(items.type_.as_str(), "object" | "array")
                {
                    sets.insert(format!(
                        "x-kubernetes-list-type: set for items of type \"{}\" is not supported by server-side apply or CEL validation rules",
                        items.type_
                    ));
                }
            });
        }
    }
    formats.into_iter().chain(sets).collect()
}

fn each(schema: &JSONSchemaProps, act: &mut dyn FnMut(&JSONSchemaProps)) {
    act(schema);
    let items = schema.items.as_deref().and_then(|items| items.schema.as_deref());
    let additional = schema.additional_properties.as_deref().and_then(|own| own.schema.as_deref());
    let lists = schema.all_of.iter().chain(&schema.any_of).chain(&schema.one_of);
    let below = items.into_iter().chain(additional).chain(schema.not.as_deref()).chain(lists);
    for own in below.chain(schema.properties.values()) {
        each(own, act);
    }
}
