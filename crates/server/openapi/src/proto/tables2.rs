//! Gnostic's messages for version 2 (`OpenAPIv2.proto`).

use serde_json::Value;

use super::{Message, Shape};

pub(super) static DOCUMENT: Message = Message {
    fields: &[
        ("swagger", 1, Shape::Text),
        ("info", 2, Shape::One(&INFO)),
        ("paths", 8, Shape::Named(2, &PATH_ITEM)),
        ("definitions", 9, Shape::Named(1, &SCHEMA)),
        ("parameters", 10, Shape::NamedChoice(1, parameter)),
        ("security", 12, Shape::Requirements),
        ("securityDefinitions", 13, Shape::NamedChoice(1, security)),
    ],
    extensions: 16,
};

static INFO: Message =
    Message { fields: &[("title", 1, Shape::Text), ("version", 2, Shape::Text)], extensions: 7 };

static PATH_ITEM: Message = Message {
    fields: &[
        ("get", 2, Shape::One(&OPERATION)),
        ("put", 3, Shape::One(&OPERATION)),
        ("post", 4, Shape::One(&OPERATION)),
        ("delete", 5, Shape::One(&OPERATION)),
        ("options", 6, Shape::One(&OPERATION)),
        ("head", 7, Shape::One(&OPERATION)),
        ("patch", 8, Shape::One(&OPERATION)),
        ("parameters", 9, Shape::Choices(parameter_or_reference)),
    ],
    extensions: 10,
};

static OPERATION: Message = Message {
    fields: &[
        ("tags", 1, Shape::Texts),
        ("description", 3, Shape::Text),
        ("operationId", 5, Shape::Text),
        ("produces", 6, Shape::Texts),
        ("consumes", 7, Shape::Texts),
        ("parameters", 8, Shape::Choices(parameter_or_reference)),
        ("responses", 9, Shape::NamedChoice(1, response)),
        ("schemes", 10, Shape::Texts),
    ],
    extensions: 13,
};

static BODY_PARAMETER: Message = Message {
    fields: &[
        ("description", 1, Shape::Text),
        ("name", 2, Shape::Text),
        ("in", 3, Shape::Text),
        ("required", 4, Shape::Flag),
        ("schema", 5, Shape::One(&SCHEMA)),
    ],
    extensions: 6,
};

static QUERY_PARAMETER: Message = Message {
    fields: &[
        ("required", 1, Shape::Flag),
        ("in", 2, Shape::Text),
        ("description", 3, Shape::Text),
        ("name", 4, Shape::Text),
        ("type", 6, Shape::Text),
        ("uniqueItems", 20, Shape::Flag),
    ],
    extensions: 23,
};

static PATH_PARAMETER: Message = Message {
    fields: &[
        ("required", 1, Shape::Flag),
        ("in", 2, Shape::Text),
        ("description", 3, Shape::Text),
        ("name", 4, Shape::Text),
        ("type", 5, Shape::Text),
        ("uniqueItems", 19, Shape::Flag),
    ],
    extensions: 22,
};

static REFERENCE: Message =
    Message { fields: &[("$ref", 1, Shape::Text), ("description", 2, Shape::Text)], extensions: 0 };

static RESPONSE: Message = Message {
    fields: &[("description", 1, Shape::Text), ("schema", 2, Shape::Choice(|_| (&[1], &SCHEMA)))],
    extensions: 5,
};

static API_KEY: Message = Message {
    fields: &[
        ("type", 1, Shape::Text),
        ("name", 2, Shape::Text),
        ("in", 3, Shape::Text),
        ("description", 4, Shape::Text),
    ],
    extensions: 5,
};

static SCHEMA: Message = Message {
    fields: &[
        ("$ref", 1, Shape::Text),
        ("format", 2, Shape::Text),
        ("description", 4, Shape::Text),
        ("required", 19, Shape::Texts),
        ("enum", 20, Shape::Anys),
        ("additionalProperties", 21, Shape::Choice(|_| (&[1], &SCHEMA))),
        ("type", 22, Shape::Type),
        ("items", 23, Shape::Wrapped(&SCHEMA)),
        ("properties", 25, Shape::Named(1, &SCHEMA)),
    ],
    extensions: 31,
};

fn parameter(value: &Value) -> (&'static [u32], &'static Message) {
    match value.get("in").and_then(Value::as_str) {
        Some("body") => (&[1], &BODY_PARAMETER),
        Some("path") => (&[2, 4], &PATH_PARAMETER),
        _ => (&[2, 3], &QUERY_PARAMETER),
    }
}

fn parameter_or_reference(value: &Value) -> (&'static [u32], &'static Message) {
    if value.get("$ref").is_some() {
        return (&[2], &REFERENCE);
    }
    match value.get("in").and_then(Value::as_str) {
        Some("body") => (&[1, 1], &BODY_PARAMETER),
        Some("path") => (&[1, 2, 4], &PATH_PARAMETER),
        _ => (&[1, 2, 3], &QUERY_PARAMETER),
    }
}

fn response(_: &Value) -> (&'static [u32], &'static Message) {
    (&[1], &RESPONSE)
}

fn security(_: &Value) -> (&'static [u32], &'static Message) {
    (&[2], &API_KEY)
}
