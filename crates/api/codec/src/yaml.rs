//! YAML, read and written by way of JSON, as `sigs.k8s.io/yaml` does.

use api_record::Record;
use api_types::GroupVersionKind;

use crate::limits::Limits;
use crate::{DecodeError, json};

/// The JSON text of a YAML document.
pub fn to_json(yaml: &[u8], limits: Limits) -> Result<Vec<u8>, DecodeError> {
    if yaml.len() > limits.bytes {
        return Err(DecodeError::TooLarge { size: yaml.len(), limit: limits.bytes });
    }
    let options = serde_saphyr::options! { legacy_octal_numbers: true };
    let tree: serde_json::Value = serde_saphyr::from_slice_with_options(yaml, options)
        .map_err(|error| DecodeError::Syntax(format!("error converting YAML to JSON: yaml: {error}")))?;
    Ok(tree.to_string().into_bytes())
}

/// A record as a YAML document.
pub fn encode(record: &dyn Record, kind: Option<&GroupVersionKind<'_>>) -> String {
    let mut text = Vec::new();
    json::encode(record, kind, &mut text);
    from_json(&text)
}

/// Well-formed JSON as a YAML document.
pub fn from_json(json: &[u8]) -> String {
    let tree: serde_json::Value = serde_json::from_slice(json).unwrap_or_default();
    serde_saphyr::to_string(&sorted(tree)).unwrap_or_default()
}

fn sorted(tree: serde_json::Value) -> serde_json::Value {
    match tree {
        serde_json::Value::Object(map) => {
            let mut entries: Vec<_> = map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            serde_json::Value::Object(entries.into_iter().collect())
        }
        serde_json::Value::Array(items) => items.into_iter().map(sorted).collect(),
        scalar => scalar,
    }
}
