//! The protobuf forms: gnostic's messages, which are the JSON documents under other names.
//!
//! A message is a table: which of its fields stands for which property. The tables name what this crate's documents
//! have, not all that OpenAPI knows; a test holds them to that.

use serde_json::{Map, Value};

mod tables2;
mod tables3;
#[cfg(test)]
mod tests;

/// The protobuf form of a document of version 2.
pub(crate) fn v2(document: &Value) -> Vec<u8> {
    encode(document, &tables2::DOCUMENT)
}

/// The protobuf form of a document of version 3.
pub(crate) fn v3(document: &Value) -> Vec<u8> {
    encode(document, &tables3::DOCUMENT)
}

/// A message: its fields, and the number of the field that takes `x-…` properties.
struct Message {
    fields: &'static [(&'static str, u32, Shape)],
    extensions: u32,
}

/// How a property is written.
#[derive(Clone, Copy)]
enum Shape {
    /// A string.
    Text,
    /// A boolean.
    Flag,
    /// A list of strings.
    Texts,
    /// A list of values of any kind.
    Anys,
    /// A message.
    One(&'static Message),
    /// A message whose field of this number repeats pairs of a name and a message.
    Named(u32, &'static Message),
    /// A message whose field 1 repeats messages, of which JSON has only one, and bare.
    Wrapped(&'static Message),
    /// A string, or a message whose field 1 repeats strings.
    Type,
    /// A list of messages whose field 1 repeats pairs of a name and a message of strings.
    Requirements,
    /// One of several scalars: a number, a boolean, a string.
    Scalar,
    /// One of several messages, which the value decides between: the numbers of the fields that lead to it.
    Choice(fn(&Value) -> (&'static [u32], &'static Message)),
    /// A list of those.
    Choices(fn(&Value) -> (&'static [u32], &'static Message)),
    /// Pairs like those of [`Shape::Named`], with one of several messages.
    NamedChoice(u32, fn(&Value) -> (&'static [u32], &'static Message)),
    /// [`Shape::Wrapped`] with one of several messages.
    WrappedChoice(fn(&Value) -> (&'static [u32], &'static Message)),
}

fn encode(value: &Value, message: &Message) -> Vec<u8> {
    let mut out = Vec::new();
    let Value::Object(properties) = value else { return out };
    // In the order of the numbers, as encoders do.
    let mut fields: Vec<_> = message.fields.iter().collect();
    fields.sort_by_key(|(_, number, _)| *number);
    for (name, number, shape) in fields {
        if let Some(value) = properties.get(*name) {
            field(*number, *shape, value, &mut out);
        }
    }
    if message.extensions != 0 {
        extensions(message.extensions, properties, &mut out);
    }
    out
}

fn extensions(number: u32, properties: &Map<String, Value>, out: &mut Vec<u8>) {
    for (name, value) in properties.iter().filter(|(name, _)| name.starts_with("x-")) {
        pair(number, name, &any(value), out);
    }
}

fn field(number: u32, shape: Shape, value: &Value, out: &mut Vec<u8>) {
    let elements = || value.as_array().into_iter().flatten();
    match shape {
        Shape::Text => text(number, value.as_str().unwrap_or_default(), out),
        Shape::Flag if value.as_bool() == Some(true) => {
            varint(u64::from(number) << 3, out);
            out.push(1);
        }
        Shape::Flag => {}
        Shape::Texts => {
            elements().for_each(|one| bytes(number, one.as_str().unwrap_or_default().as_bytes(), out))
        }
        Shape::Anys => elements().for_each(|one| bytes(number, &any(one), out)),
        Shape::One(message) => bytes(number, &encode(value, message), out),
        Shape::Named(inner, message) => bytes(number, &named(inner, value, |one| encode(one, message)), out),
        Shape::Wrapped(message) => {
            let mut inner = Vec::new();
            bytes(1, &encode(value, message), &mut inner);
            bytes(number, &inner, out);
        }
        Shape::Type => {
            let mut inner = Vec::new();
            text(1, value.as_str().unwrap_or_default(), &mut inner);
            bytes(number, &inner, out);
        }
        Shape::Requirements => elements().for_each(|one| {
            let scopes = |scopes: &Value| {
                let mut inner = Vec::new();
                field(1, Shape::Texts, scopes, &mut inner);
                inner
            };
            bytes(number, &named(1, one, scopes), out);
        }),
        Shape::Scalar => scalar(number, value, out),
        Shape::Choice(choose) => bytes(number, &choice(value, choose), out),
        Shape::Choices(choose) => elements().for_each(|one| bytes(number, &choice(one, choose), out)),
        Shape::NamedChoice(inner, choose) => {
            bytes(number, &named(inner, value, |one| choice(one, choose)), out)
        }
        Shape::WrappedChoice(choose) => {
            let mut inner = Vec::new();
            bytes(1, &choice(value, choose), &mut inner);
            bytes(number, &inner, out);
        }
    }
}

fn choice(value: &Value, choose: fn(&Value) -> (&'static [u32], &'static Message)) -> Vec<u8> {
    let (numbers, message) = choose(value);
    numbers.iter().rev().fold(encode(value, message), |inner, number| {
        let mut out = Vec::with_capacity(inner.len() + 4);
        bytes(*number, &inner, &mut out);
        out
    })
}

fn named(number: u32, value: &Value, encode: impl Fn(&Value) -> Vec<u8>) -> Vec<u8> {
    let mut out = Vec::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        pair(number, name, &encode(value), &mut out);
    }
    out
}

fn pair(number: u32, name: &str, value: &[u8], out: &mut Vec<u8>) {
    let mut inner = Vec::new();
    text(1, name, &mut inner);
    bytes(2, value, &mut inner);
    bytes(number, &inner, out);
}

/// `Any`: a value as YAML, of which JSON is a part.
fn any(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    text(2, &value.to_string(), &mut out);
    out
}

/// `DefaultType`, which has no room for lists and objects: gnostic leaves it empty for those.
fn scalar(number: u32, value: &Value, out: &mut Vec<u8>) {
    let mut inner = Vec::new();
    match value {
        Value::Number(value) => {
            inner.push(1 << 3 | 1);
            inner.extend(value.as_f64().unwrap_or_default().to_le_bytes());
        }
        Value::Bool(value) => inner.extend([2 << 3, u8::from(*value)]),
        Value::String(value) => bytes(3, value.as_bytes(), &mut inner),
        _ => {}
    }
    bytes(number, &inner, out);
}

fn text(number: u32, value: &str, out: &mut Vec<u8>) {
    if !value.is_empty() {
        bytes(number, value.as_bytes(), out);
    }
}

fn bytes(number: u32, value: &[u8], out: &mut Vec<u8>) {
    varint(u64::from(number) << 3 | 2, out);
    varint(value.len() as u64, out);
    out.extend_from_slice(value);
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
