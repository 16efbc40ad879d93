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
    let mut reader = yaml;
    // Of several documents upstream reads the first; none at all is null.
    let tree: serde_json::Value = serde_saphyr::read_with_options(&mut reader, options)
        .next()
        .unwrap_or(Ok(serde_json::Value::Null))
        .map_err(|error| DecodeError::Syntax(format!("error converting YAML to JSON: yaml: {error}")))?;
    let mut out = Vec::with_capacity(yaml.len());
    write(&tree, &mut out);
    Ok(out)
}

/// Floats are written as Go writes them, so that a whole one (`1e3`) still fits an integer's field. How deeply this recurses
/// the YAML parser has bounded.
fn write(tree: &serde_json::Value, out: &mut Vec<u8>) {
    use serde_json::Value;
    match tree {
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            Some(float) => json::write_float(out, float),
            None => out.extend_from_slice(number.to_string().as_bytes()),
        },
        Value::String(text) => json::write_string(out, text),
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                out.extend_from_slice(if index > 0 { b"," } else { b"" });
                write(item, out);
            }
            out.push(b']');
        }
        Value::Object(members) => {
            out.push(b'{');
            for (index, (key, value)) in members.iter().enumerate() {
                out.extend_from_slice(if index > 0 { b"," } else { b"" });
                json::write_string(out, key);
                out.push(b':');
                write(value, out);
            }
            out.push(b'}');
        }
        Value::Null | Value::Bool(_) => out.extend_from_slice(tree.to_string().as_bytes()),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_what_upstream_takes_them_for() {
        for (yaml, json) in [
            ("a: 0644", r#"{"a":420}"#),
            ("a: yes", r#"{"a":true}"#),
            ("a: off", r#"{"a":false}"#),
            ("a: 2001-12-14", r#"{"a":"2001-12-14"}"#),
            ("a: ~", r#"{"a":null}"#),
            ("a: 1e3", r#"{"a":1000}"#),
            ("a: 1.5", r#"{"a":1.5}"#),
            ("a: 1\n---\nb: 2", r#"{"a":1}"#),
            ("", "null"),
            ("a: &x [1]\nb: *x", r#"{"a":[1],"b":[1]}"#),
        ] {
            let converted = to_json(yaml.as_bytes(), Limits::REQUEST).expect(yaml);
            assert_eq!(String::from_utf8(converted).expect("JSON is UTF-8"), json, "{yaml}");
        }
    }

    #[test]
    fn bombs_and_deep_nesting_are_refused() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
            bomb += &format!("a{level}: &a{level} [{aliases}]\n");
        }
        assert!(to_json(bomb.as_bytes(), Limits::REQUEST).is_err());
        assert!(to_json("[".repeat(1 << 20).as_bytes(), Limits::REQUEST).is_err());
        assert!(to_json("- ".repeat(1 << 20).as_bytes(), Limits::REQUEST).is_err());
    }
}
