//! Whether the defaults of a schema are values that it allows (`apiserver/schema/defaulting/validation.go`).

use api_meta::field::{ErrorList, FieldError, Path};
use api_types::apiextensions::v1::JSONSchemaProps;
use serde_json::Value;

use crate::check::{check_value, shown};
use crate::{compile, embedded, node};

/// What is wrong with the defaults of a schema and of all below it.
pub fn check_defaults(path: &Path, schema: &JSONSchemaProps, errors: &mut ErrorList) {
    if let Some(default) = &schema.default_ {
        one(&path.child("default"), &node::value(default), schema, errors);
    }
    if let Some(own) = schema.additional_properties.as_deref().and_then(|own| own.schema.as_deref()) {
        check_defaults(&path.child("additionalProperties"), own, errors);
    }
    if let Some(own) = schema.items.as_deref().and_then(|own| own.schema.as_deref()) {
        check_defaults(&path.child("items"), own, errors);
    }
    for (name, own) in &schema.properties {
        check_defaults(&path.child("properties").key(name), own, errors);
    }
}

fn one(path: &Path, value: &Value, schema: &JSONSchemaProps, errors: &mut ErrorList) {
    if value.is_null() {
        return;
    }
    // What cannot be compiled is reported as such.
    let Ok(node) = compile(schema) else { return };
    let mut pruned = value.clone();
    crate::prune::prune_value(&mut pruned, &node);
    if pruned != *value {
        errors.push(FieldError::invalid(path, shown(value), "must not have unknown fields"));
    }
    if let Err(error) = embedded::coerce_value(path, &mut pruned, &node) {
        errors.push(error);
        return;
    }
    let before = errors.len();
    embedded::check_value(path, value, &node, errors);
    if errors.len() == before {
        check_value(path, value, None, &node, errors);
    }
}
