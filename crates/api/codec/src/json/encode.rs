//! Records to JSON.

use std::io::Write as _;

use api_record::scalar::{IntOrString, MicroTime, Time};
use api_record::{JsonForm, Record, Value};
use api_types::GroupVersionKind;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::text::{write_float, write_raw, write_string};

/// Appends a record; its `kind` and `apiVersion` come first where it has them.
pub fn encode(record: &dyn Record, kind: Option<&GroupVersionKind<'_>>, out: &mut Vec<u8>) {
    object(record, kind, Whole::Bare, out);
}

/// The same as upstream's servers show it: whole objects that an object holds say what they are, too. Those are the templates of claims of a
/// StatefulSet, to which conversion adds it (`pkg/apis/apps/v1/conversion.go`).
pub fn show(record: &dyn Record, kind: Option<&GroupVersionKind<'_>>, out: &mut Vec<u8>) {
    object(record, kind, Whole::Named, out);
}

/// Shows a record, with a line feed behind it, as upstream's servers send it.
pub fn show_line(record: &dyn Record, kind: Option<&GroupVersionKind<'_>>, out: &mut Vec<u8>) {
    show(record, kind, out);
    out.push(b'\n');
}

/// What is written of whole objects within an object.
#[derive(Clone, Copy)]
enum Whole {
    /// Their fields.
    Bare,
    /// Their kind and version before these.
    Named,
}

fn object(record: &dyn Record, kind: Option<&GroupVersionKind<'_>>, whole: Whole, out: &mut Vec<u8>) {
    out.push(b'{');
    let mut first = true;
    if let Some(kind) = kind {
        name(out, "kind", &mut first);
        write_string(out, kind.kind);
        name(out, "apiVersion", &mut first);
        write_string(out, &kind.api_version());
    }
    fields(record, whole, out, &mut first);
    out.push(b'}');
}

fn name(out: &mut Vec<u8>, name: &str, first: &mut bool) {
    if !std::mem::take(first) {
        out.push(b',');
    }
    write_string(out, name);
    out.push(b':');
}

fn fields(record: &dyn Record, whole: Whole, out: &mut Vec<u8>, first: &mut bool) {
    for (index, field) in record.schema().fields.iter().enumerate() {
        let field_value = record.get(index);
        if field.inline {
            if let Value::Record(inlined) = field_value {
                fields(inlined, whole, out, first);
            }
        } else if !field.omits(&field_value) {
            name(out, &field.name, first);
            match (whole, &field_value) {
                (Whole::Named, Value::List(list)) if &*field.name == CLAIM_TEMPLATES => claims(*list, out),
                _ => value(&field_value, whole, out),
            }
        }
    }
    for (key, held) in record.rest().into_iter().flatten() {
        name(out, key, first);
        tree(held, out);
    }
}

/// Appends JSON that is held as a tree, in the order in which it is held.
pub fn tree(value: &serde_json::Value, out: &mut Vec<u8>) {
    match value {
        serde_json::Value::String(text) => write_string(out, text),
        serde_json::Value::Number(number) if number.is_f64() => {
            write_float(out, number.as_f64().unwrap_or_default());
        }
        serde_json::Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                tree(item, out);
            }
            out.push(b']');
        }
        serde_json::Value::Object(map) => {
            out.push(b'{');
            let mut first = true;
            for (key, held) in map {
                name(out, key, &mut first);
                tree(held, out);
            }
            out.push(b'}');
        }
        scalar => display(out, scalar),
    }
}

/// The only field that holds whole objects which say what they are.
const CLAIM_TEMPLATES: &str = "volumeClaimTemplates";
const CLAIM: GroupVersionKind<'static> =
    GroupVersionKind { group: "", version: "v1", kind: "PersistentVolumeClaim" };

fn claims(list: &dyn api_record::List, out: &mut Vec<u8>) {
    out.push(b'[');
    for index in 0..list.len() {
        if index > 0 {
            out.push(b',');
        }
        match list.at(index) {
            Value::Record(claim) => object(claim, Some(&CLAIM), Whole::Named, out),
            other => value(&other, Whole::Named, out),
        }
    }
    out.push(b']');
}

fn value(value: &Value<'_>, whole: Whole, out: &mut Vec<u8>) {
    match value {
        Value::Nil => out.extend_from_slice(b"null"),
        Value::Time(Time::ZERO) | Value::MicroTime(MicroTime::ZERO) => out.extend_from_slice(b"null"),
        Value::Bool(true) => out.extend_from_slice(b"true"),
        Value::Bool(false) => out.extend_from_slice(b"false"),
        Value::Int(number) => display(out, number),
        Value::Float(float) => write_float(out, *float),
        Value::Str(text) => write_string(out, text),
        Value::Bytes(bytes) => {
            out.push(b'"');
            out.extend_from_slice(STANDARD.encode(bytes).as_bytes());
            out.push(b'"');
        }
        Value::Quantity(quantity) => quoted(out, quantity),
        Value::IntOrString(IntOrString::Int(number)) => display(out, number),
        Value::IntOrString(IntOrString::String(text)) => write_string(out, text),
        Value::Time(time) => quoted(out, time),
        Value::MicroTime(time) => quoted(out, time),
        Value::Duration(duration) => quoted(out, duration),
        Value::Json(json) => write_raw(out, json.text()),
        Value::Record(record) => nested(*record, whole, out),
        Value::List(list) => {
            out.push(b'[');
            for index in 0..list.len() {
                if index > 0 {
                    out.push(b',');
                }
                self::value(&list.at(index), whole, out);
            }
            out.push(b']');
        }
        Value::Map(map) => {
            out.push(b'{');
            let mut first = true;
            for (key, entry) in map.entries() {
                name(out, key, &mut first);
                self::value(&entry, whole, out);
            }
            out.push(b'}');
        }
    }
}

fn nested(record: &dyn Record, whole: Whole, out: &mut Vec<u8>) {
    match record.schema().json {
        JsonForm::Object => object(record, None, whole, out),
        JsonForm::SchemaOrList => match (record.get(0), record.get(1)) {
            (Value::Record(schema), list) if list.is_empty() => object(schema, None, whole, out),
            (_, list) if !list.is_empty() => value(&list, whole, out),
            _ => out.extend_from_slice(b"null"),
        },
        JsonForm::BoolOrSchema => match (record.get(0), record.get(1)) {
            (_, Value::Record(schema)) => object(schema, None, whole, out),
            (allows, _) => value(&allows, whole, out),
        },
    }
}

fn display(out: &mut Vec<u8>, value: &dyn std::fmt::Display) {
    let _ = write!(out, "{value}");
}

/// Durations and quantities hold nothing that a JSON string would escape.
fn quoted(out: &mut Vec<u8>, value: &dyn std::fmt::Display) {
    let _ = write!(out, "\"{value}\"");
}

#[cfg(test)]
mod tests {
    use api_types::apps::v1::StatefulSet;
    use api_types::core::v1::PersistentVolumeClaim;

    use super::*;

    #[test]
    fn templates_of_claims_say_what_they_are_where_they_are_shown() {
        let mut set = StatefulSet::default();
        let mut claim = PersistentVolumeClaim::default();
        claim.metadata.name = "data".to_owned();
        set.spec.volume_claim_templates.push(claim);
        let written = |write: fn(&dyn Record, Option<&GroupVersionKind<'_>>, &mut Vec<u8>)| {
            let mut text = Vec::new();
            write(&set, None, &mut text);
            String::from_utf8(text).expect("JSON is text")
        };
        let (bare, shown) = (written(encode), written(show));
        assert!(bare.contains(r#""volumeClaimTemplates":[{"metadata":{"name":"data""#), "{bare}");
        let wanted = r#""volumeClaimTemplates":[{"kind":"PersistentVolumeClaim","apiVersion":"v1","metadata":{"name":"data""#;
        assert!(shown.contains(wanted), "{shown}");
        let mut read = StatefulSet::default();
        let mut strict = crate::Strictness::default();
        let limits = crate::limits::Limits::REQUEST;
        crate::json::decode(shown.as_bytes(), &mut read, Some(&mut strict), limits).expect("it is one");
        assert!(strict.errors().is_empty() && read.spec == set.spec);
    }
}
