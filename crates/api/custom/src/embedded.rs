//! Objects within objects (`x-kubernetes-embedded-resource`): their kind and metadata are those of any object
//! (`apiserver/schema/objectmeta`).

use api_codec::limits::Limits;
use api_codec::{Strictness, json};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::gvk::GroupVersion;
use api_meta::names::{NameCheck, is_path_segment_name, is_path_segment_prefix};
use api_record::Tree;
use api_types::meta::v1::ObjectMeta;
use serde_json::Value;

use crate::Node;
use crate::check::shown;

/// Brings the metadata of embedded objects into their form, dropping the fields that metadata does not have; answers the paths
/// of those.
///
/// # Errors
/// If what stands there is no metadata, or a kind is no text.
pub fn coerce(fields: &mut Tree, node: &Node) -> Result<Vec<String>, FieldError> {
    let mut unknown = Vec::new();
    if node.finds.embedded {
        below_fields(&Path::NONE, fields, node, &mut unknown)?;
        unknown.sort();
    }
    Ok(unknown)
}

/// The same for any value.
pub(crate) fn coerce_value(path: &Path, value: &mut Value, node: &Node) -> Result<(), FieldError> {
    below(path, value, node, &mut Vec::new())
}

fn below_fields(
    path: &Path,
    fields: &mut Tree,
    node: &Node,
    unknown: &mut Vec<String>,
) -> Result<(), FieldError> {
    for (name, value) in fields.iter_mut() {
        let own = node.properties.get(name);
        let at = if own.is_some() { path.child(name.clone()) } else { path.key(name.clone()) };
        if let Some(schema) = own.or_else(|| node.additional.schema()) {
            below(&at, value, schema, unknown)?;
        }
    }
    Ok(())
}

fn below(path: &Path, value: &mut Value, node: &Node, unknown: &mut Vec<String>) -> Result<(), FieldError> {
    if !node.finds.embedded {
        return Ok(());
    }
    match value {
        Value::Object(fields) => {
            if node.embedded {
                object(path, fields, unknown)?;
            }
            below_fields(path, fields, node, unknown)
        }
        Value::Array(items) => {
            let Some(schema) = node.items.as_deref() else { return Ok(()) };
            for (index, item) in items.iter_mut().enumerate() {
                below(&path.index(index), item, schema, unknown)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

fn object(path: &Path, fields: &mut Tree, unknown: &mut Vec<String>) -> Result<(), FieldError> {
    for name in ["apiVersion", "kind"] {
        if let Some(value) = fields.get(name).filter(|value| !value.is_string()) {
            return Err(FieldError::invalid(&path.child(name), shown(value), "must be a string"));
        }
    }
    let Some(value) = fields.get("metadata") else { return Ok(()) };
    let (meta, strange) = metadata(value)
        .map_err(|error| FieldError::invalid(&path.child("metadata"), shown(value), error.to_string()))?;
    let prefix = path.child("metadata").to_string();
    let named = |error: &String| Some(format!("{prefix}.{}", error.split('"').nth(1)?));
    unknown.extend(strange.iter().filter_map(named));
    let mut text = Vec::new();
    json::encode(&meta, None, &mut text);
    let mut value: Value = serde_json::from_slice(&text).unwrap_or_default();
    value.sort_all_objects();
    fields.insert("metadata".to_owned(), value);
    Ok(())
}

/// Metadata, and what strict decoding has to say of it.
fn metadata(value: &Value) -> Result<(ObjectMeta, Vec<String>), api_codec::DecodeError> {
    let mut text = Vec::new();
    json::write_tree(value, &mut text);
    let (mut meta, mut strict) = (ObjectMeta::default(), Strictness::default());
    json::decode(&text, &mut meta, Some(&mut strict), Limits::RESPONSE)?;
    Ok((meta, strict.errors().to_vec()))
}

/// What is wrong with the kinds and the metadata of embedded objects.
pub(crate) fn check(path: &Path, fields: &Tree, node: &Node, errors: &mut ErrorList) {
    if !node.finds.embedded {
        return;
    }
    for (name, value) in fields {
        let own = node.properties.get(name);
        let at = if own.is_some() { path.child(name.clone()) } else { path.key(name.clone()) };
        if let Some(schema) = own.or_else(|| node.additional.schema()) {
            check_value(&at, value, schema, errors);
        }
    }
}

pub(crate) fn check_value(path: &Path, value: &Value, node: &Node, errors: &mut ErrorList) {
    if !node.finds.embedded {
        return;
    }
    match value {
        Value::Object(fields) => {
            if node.embedded {
                check_object(path, fields, errors);
            }
            check(path, fields, node, errors);
        }
        Value::Array(items) => {
            if let Some(schema) = node.items.as_deref() {
                for (index, item) in items.iter().enumerate() {
                    check_value(&path.index(index), item, schema, errors);
                }
            }
        }
        _ => {}
    }
}

fn check_object(path: &Path, fields: &Tree, errors: &mut ErrorList) {
    for name in ["apiVersion", "kind"] {
        match fields.get(name) {
            None => errors.push(FieldError::required(&path.child(name), "")),
            Some(Value::String(text)) if text.is_empty() => {
                errors.push(FieldError::invalid(&path.child(name), "", "must not be empty"));
            }
            Some(Value::String(text)) if name == "apiVersion" => {
                if let Err(error) = GroupVersion::parse(text) {
                    errors.push(FieldError::invalid(&path.child(name), text, error.to_string()));
                }
            }
            Some(Value::String(text)) => {
                let problems = api_meta::names::is_dns1035_label(&text.to_lowercase());
                if !problems.is_empty() {
                    let why =
                        format!("may have mixed case, but should otherwise match: {}", problems.join(","));
                    errors.push(FieldError::invalid(&path.child(name), text, why));
                }
            }
            Some(_) => {}
        }
    }
    let Some(Ok((mut meta, _))) = fields.get("metadata").map(metadata) else { return };
    if meta.name.is_empty() {
        // Embedded objects may go without a name.
        meta.name = "nameless".to_owned();
    }
    let at = path.child("metadata");
    let named: NameCheck =
        |name, prefix| if prefix { is_path_segment_prefix(name) } else { is_path_segment_name(name) };
    errors.extend(api_meta::object_meta::validate(&meta, !meta.namespace.is_empty(), named, &at));
}
