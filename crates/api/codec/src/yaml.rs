//! YAML, read and written by way of JSON, as `sigs.k8s.io/yaml` does.

use api_record::Record;
use api_types::GroupVersionKind;

use serde_saphyr::DuplicateKeyPolicy;

use crate::limits::{Limits, MAX_SHOWN, MAX_YAML_DEPTH};
use crate::{DecodeError, Strictness, json};

/// The JSON text of a YAML document; of a key that comes twice, the last.
pub fn to_json(yaml: &[u8], limits: Limits) -> Result<Vec<u8>, DecodeError> {
    convert(yaml, limits, DuplicateKeyPolicy::LastWins).map_err(|error| match error {
        Unconverted::Other(error) => error,
        Unconverted::Yaml(error) => {
            let mut text = format!("error converting YAML to JSON: yaml: {error}");
            text.truncate(text.floor_char_boundary(MAX_SHOWN));
            DecodeError::Syntax(text)
        }
    })
}

/// The same; a key that comes twice is reported.
pub fn to_json_strict(yaml: &[u8], strict: &mut Strictness, limits: Limits) -> Result<Vec<u8>, DecodeError> {
    match convert(yaml, limits, DuplicateKeyPolicy::Error) {
        Err(Unconverted::Yaml(text)) => {
            if let Some(complaint) = duplicate(&text) {
                strict.report(complaint);
            }
            to_json(yaml, limits)
        }
        Err(Unconverted::Other(error)) => Err(error),
        Ok(json) => Ok(json),
    }
}

enum Unconverted {
    Yaml(String),
    Other(DecodeError),
}

/// In upstream's words, what the parser says of a key that comes twice.
fn duplicate(text: &str) -> Option<String> {
    let (key, rest) = text.strip_prefix("duplicate mapping key: ")?.rsplit_once(", set ")?;
    let line = rest.rsplit_once(" at line ")?.1.split(',').next()?;
    Some(format!("yaml: unmarshal errors:\n  line {line}: key {} already set in map", json::go_quoted(key)))
}

fn convert(yaml: &[u8], limits: Limits, duplicate_keys: DuplicateKeyPolicy) -> Result<Vec<u8>, Unconverted> {
    if yaml.len() > limits.bytes {
        return Err(Unconverted::Other(DecodeError::TooLarge { size: yaml.len(), limit: limits.bytes }));
    }
    let options = serde_saphyr::options! {
        legacy_octal_numbers: true,
        duplicate_keys: duplicate_keys,
        budget: serde_saphyr::budget! { max_depth: MAX_YAML_DEPTH },
    };
    let mut reader = yaml;
    // Of several documents upstream reads the first; none at all is null.
    let tree: serde_json::Value = serde_saphyr::read_with_options(&mut reader, options)
        .next()
        .unwrap_or(Ok(serde_json::Value::Null))
        .map_err(|error| Unconverted::Yaml(error.to_string()))?;
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
    let tree = serde_json::from_slice::<serde_json::Value>(json);
    let text = tree.ok().and_then(|tree| serde_saphyr::to_string(&sorted(tree)).ok());
    // What is nested deeper than the writer goes stays JSON, which is YAML too.
    text.unwrap_or_else(|| String::from_utf8_lossy(json).into_owned())
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
    fn a_key_that_comes_twice_is_reported() {
        let mut strict = Strictness::default();
        let converted = to_json_strict(b"a: 1\nb:\n  c: 1\n  c: 2", &mut strict, Limits::REQUEST);
        assert_eq!(converted.as_deref(), Ok(&br#"{"a":1,"b":{"c":2}}"#[..]));
        assert_eq!(strict.errors(), ["yaml: unmarshal errors:\n  line 4: key \"c\" already set in map"]);
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
