//! Whether the defaults of a schema are values that it allows (`apiserver/schema/defaulting/validation.go`).

use api_meta::field::{ErrorList, FieldError, Path};
use api_types::apiextensions::v1::JSONSchemaProps;
use serde_json::Value;

use crate::check::{check_value, shown};
use crate::rules::{Rules, Run};
use crate::{compile, embedded, node};

/// What is wrong with the defaults of a schema and of all below it.
pub fn check_defaults(path: &Path, schema: &JSONSchemaProps, errors: &mut ErrorList) {
    // What rules cost is counted over all defaults.
    below(path, schema, &mut Run::default(), errors).unwrap_or_default();
}

fn below(path: &Path, schema: &JSONSchemaProps, run: &mut Run, errors: &mut ErrorList) -> Result<(), ()> {
    if let Some(default) = &schema.default_ {
        one(&path.child("default"), &node::value(default), schema, run, errors)?;
    }
    if let Some(own) = schema.additional_properties.as_deref().and_then(|own| own.schema.as_deref()) {
        below(&path.child("additionalProperties"), own, run, errors)?;
    }
    if let Some(own) = schema.items.as_deref().and_then(|own| own.schema.as_deref()) {
        below(&path.child("items"), own, run, errors)?;
    }
    schema
        .properties
        .iter()
        .try_for_each(|(name, own)| below(&path.child("properties").key(name), own, run, errors))
}

fn one(
    path: &Path,
    value: &Value,
    schema: &JSONSchemaProps,
    run: &mut Run,
    errors: &mut ErrorList,
) -> Result<(), ()> {
    // What cannot be compiled is reported as such.
    let (false, Ok(node)) = (value.is_null(), compile(schema)) else { return Ok(()) };
    let mut pruned = value.clone();
    crate::prune::prune_value(&mut pruned, &node);
    if pruned != *value {
        errors.push(FieldError::invalid(path, shown(value), "must not have unknown fields"));
    }
    if let Err(error) = embedded::coerce_value(path, &mut pruned, &node) {
        errors.push(error);
        return Ok(());
    }
    let before = errors.len();
    embedded::check_value(path, value, &node, errors);
    if errors.len() == before {
        check_value(path, value, None, &node, errors);
    }
    let Some(rules) = Rules::of(&node, node.embedded).filter(|_| errors.len() == before) else {
        return Ok(());
    };
    // It may come where there was the same, and where there was nothing.
    let mut judged = run.value(path, &rules, &node, value, Some(value));
    if run.errors.is_empty() && judged.is_ok() {
        judged = run.value(path, &rules, &node, value, None);
    }
    errors.extend(std::mem::take(&mut run.errors).iter().cloned());
    judged.map_err(|_| ())
}
