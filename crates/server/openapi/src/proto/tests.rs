//! The tables cover the documents, and the bytes are those of a plain protobuf decoder's tree.

use api_types::resources;
use serde_json::json;

use super::*;
use crate::{Documents, Form};

/// The properties that a message's table does not know.
fn unknown(value: &Value, message: &Message, at: &str, found: &mut Vec<String>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        let at = format!("{at}/{name}");
        match message.fields.iter().find(|(field, _, _)| field == name) {
            Some((_, _, shape)) => inside(*shape, value, &at, found),
            None if name.starts_with("x-") && message.extensions != 0 => {}
            None => found.push(at),
        }
    }
}

fn inside(shape: Shape, value: &Value, at: &str, found: &mut Vec<String>) {
    let list = || value.as_array().into_iter().flatten();
    let map = || value.as_object().into_iter().flatten();
    match shape {
        Shape::One(message) | Shape::Wrapped(message) => unknown(value, message, at, found),
        Shape::Named(_, message) => map().for_each(|(_, one)| unknown(one, message, at, found)),
        Shape::Choice(choose) | Shape::WrappedChoice(choose) => unknown(value, choose(value).1, at, found),
        Shape::Choices(choose) => list().for_each(|one| unknown(one, choose(one).1, at, found)),
        Shape::NamedChoice(_, choose) => map().for_each(|(_, one)| unknown(one, choose(one).1, at, found)),
        Shape::Text | Shape::Type if !value.is_string() => found.push(at.to_owned()),
        Shape::Flag if !value.is_boolean() => found.push(at.to_owned()),
        _ => {}
    }
}

#[test]
fn the_tables_know_every_property() {
    let documents = Documents::new(resources());
    let mut found = Vec::new();
    let parse = |document: &crate::Document| serde_json::from_slice::<Value>(&document.bytes()).unwrap();
    unknown(&parse(documents.v2(Form::Json)), &tables2::DOCUMENT, "v2", &mut found);
    for name in documents.v3_names() {
        unknown(&parse(documents.v3(name, Form::Json).unwrap()), &tables3::DOCUMENT, name, &mut found);
    }
    assert_eq!(found, [] as [String; 0]);
}

#[test]
fn small_documents_byte_for_byte() {
    let v3 = json!({
        "openapi": "3.0.0",
        "components": { "schemas": { "A": { "type": "object", "default": {}, "x-b": 1 } } },
    });
    let schema =
        [&[0xca, 1, 6][..], b"object", &[0x8a, 2, 0], &[0xa2, 2, 10, 10, 3], b"x-b", &[18, 3, 18, 1], b"1"];
    let schema = schema.concat();
    let length = schema.len() as u8;
    let either = [&[10, length][..], &schema].concat();
    let pair = [&[10, 1][..], b"A", &[18, length + 2], &either].concat();
    let schemas = [&[10, pair.len() as u8][..], &pair].concat();
    let components = [&[10, schemas.len() as u8][..], &schemas].concat();
    let expected = [&[10, 5][..], b"3.0.0", &[42, components.len() as u8], &components].concat();
    assert_eq!(super::v3(&v3), expected);
}

#[test]
fn long_values_have_long_lengths() {
    let mut out = Vec::new();
    bytes(1, &[7; 300], &mut out);
    assert_eq!(out[..3], [10, 0xac, 2]);
    assert_eq!(out.len(), 303);
}
