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
    out.push(b'{');
    let mut first = true;
    if let Some(kind) = kind {
        name(out, "kind", &mut first);
        write_string(out, kind.kind);
        name(out, "apiVersion", &mut first);
        write_string(out, &kind.api_version());
    }
    fields(record, out, &mut first);
    out.push(b'}');
}

/// Appends a record and a line feed, as upstream's servers send it.
pub fn encode_line(record: &dyn Record, kind: Option<&GroupVersionKind<'_>>, out: &mut Vec<u8>) {
    encode(record, kind, out);
    out.push(b'\n');
}

fn name(out: &mut Vec<u8>, name: &str, first: &mut bool) {
    if !std::mem::take(first) {
        out.push(b',');
    }
    write_string(out, name);
    out.push(b':');
}

fn fields(record: &dyn Record, out: &mut Vec<u8>, first: &mut bool) {
    for (index, field) in record.schema().fields.iter().enumerate() {
        let field_value = record.get(index);
        if field.inline {
            if let Value::Record(inlined) = field_value {
                fields(inlined, out, first);
            }
        } else if !field.omits(&field_value) {
            name(out, &field.name, first);
            value(&field_value, out);
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

fn value(value: &Value<'_>, out: &mut Vec<u8>) {
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
        Value::Record(record) => nested(*record, out),
        Value::List(list) => {
            out.push(b'[');
            for index in 0..list.len() {
                if index > 0 {
                    out.push(b',');
                }
                self::value(&list.at(index), out);
            }
            out.push(b']');
        }
        Value::Map(map) => {
            out.push(b'{');
            let mut first = true;
            for (key, entry) in map.entries() {
                name(out, key, &mut first);
                self::value(&entry, out);
            }
            out.push(b'}');
        }
    }
}

fn nested(record: &dyn Record, out: &mut Vec<u8>) {
    match record.schema().json {
        JsonForm::Object => encode(record, None, out),
        JsonForm::SchemaOrList => match (record.get(0), record.get(1)) {
            (Value::Record(schema), list) if list.is_empty() => encode(schema, None, out),
            (_, list) if !list.is_empty() => value(&list, out),
            _ => out.extend_from_slice(b"null"),
        },
        JsonForm::BoolOrSchema => match (record.get(0), record.get(1)) {
            (_, Value::Record(schema)) => encode(schema, None, out),
            (allows, _) => value(&allows, out),
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
