//! The fields that field selectors can name.

use std::collections::BTreeSet;

use api_meta::field::{ErrorList, FieldError, Path};
use api_types::apiextensions::v1::{JSONSchemaProps, SelectableField};

/// How many there may be of a version.
const MAX_FIELDS: usize = 8;

pub(super) fn check(
    path: &Path,
    fields: &[SelectableField],
    schema: Option<&JSONSchemaProps>,
    errors: &mut ErrorList,
) {
    let Some(schema) = schema.filter(|_| !fields.is_empty()) else { return };
    let mut known = BTreeSet::new();
    for (index, field) in fields.iter().enumerate() {
        let at = path.index(index).child("jsonPath");
        let text = field.json_path.as_str();
        if text.is_empty() {
            errors.push(FieldError::required(&at, ""));
            continue;
        }
        let found = match find(text, schema) {
            Ok(found) => found,
            Err(why) => {
                errors.push(FieldError::invalid(&at, text, format!("is an invalid path: {why}")));
                continue;
            }
        };
        if text.trim_start_matches('.').split('.').next() == Some("metadata") {
            errors.push(FieldError::invalid(&at, text, "must not point to fields in metadata"));
        }
        if !matches!(found.type_.as_str(), "string" | "boolean" | "integer") {
            let why = "must point to a field of type string, boolean or integer. Enum string fields and strings with formats are allowed.";
            errors.push(FieldError::invalid(&at, text, why));
        }
        if !known.insert(text) {
            errors.push(FieldError::duplicate(&at, text));
        }
    }
    if known.len() > MAX_FIELDS {
        errors.push(FieldError::too_many(path, known.len(), MAX_FIELDS));
    }
}

/// The schema that a path in dots leads to.
fn find<'a>(text: &str, schema: &'a JSONSchemaProps) -> Result<&'a JSONSchemaProps, String> {
    let Some(steps) = text.strip_prefix('.') else {
        return Err(format!("expected [ or . but got: {}", text.chars().next().unwrap_or_default()));
    };
    let mut at = schema;
    for step in steps.split('.') {
        let additional = at.additional_properties.as_deref().and_then(|own| own.schema.as_deref());
        at = at
            .properties
            .get(step)
            .or(additional)
            .ok_or_else(|| "does not refer to a valid field".to_owned())?;
    }
    Ok(at)
}
