//! Gnostic's messages for version 3 (`OpenAPIv3.proto`).

use serde_json::Value;

use super::{Message, Shape};

pub(super) static DOCUMENT: Message = Message {
    fields: &[
        ("openapi", 1, Shape::Text),
        ("info", 2, Shape::One(&INFO)),
        ("paths", 4, Shape::Named(1, &PATH_ITEM)),
        ("components", 5, Shape::One(&COMPONENTS)),
    ],
    extensions: 9,
};

static INFO: Message =
    Message { fields: &[("title", 1, Shape::Text), ("version", 6, Shape::Text)], extensions: 7 };

static COMPONENTS: Message = Message {
    fields: &[
        ("schemas", 1, Shape::NamedChoice(1, schema)),
        ("securitySchemes", 7, Shape::NamedChoice(1, |_| (&[1], &SECURITY_SCHEME))),
    ],
    extensions: 10,
};

static SECURITY_SCHEME: Message = Message {
    fields: &[
        ("type", 1, Shape::Text),
        ("description", 2, Shape::Text),
        ("name", 3, Shape::Text),
        ("in", 4, Shape::Text),
    ],
    extensions: 9,
};

static PATH_ITEM: Message = Message {
    fields: &[
        ("get", 4, Shape::One(&OPERATION)),
        ("put", 5, Shape::One(&OPERATION)),
        ("post", 6, Shape::One(&OPERATION)),
        ("delete", 7, Shape::One(&OPERATION)),
        ("options", 8, Shape::One(&OPERATION)),
        ("head", 9, Shape::One(&OPERATION)),
        ("patch", 10, Shape::One(&OPERATION)),
        ("parameters", 13, Shape::Choices(|_| (&[1], &PARAMETER))),
    ],
    extensions: 14,
};

static OPERATION: Message = Message {
    fields: &[
        ("tags", 1, Shape::Texts),
        ("description", 3, Shape::Text),
        ("operationId", 5, Shape::Text),
        ("parameters", 6, Shape::Choices(|_| (&[1], &PARAMETER))),
        ("requestBody", 7, Shape::Choice(|_| (&[1], &REQUEST_BODY))),
        ("responses", 8, Shape::NamedChoice(2, |_| (&[1], &RESPONSE))),
    ],
    extensions: 13,
};

static PARAMETER: Message = Message {
    fields: &[
        ("name", 1, Shape::Text),
        ("in", 2, Shape::Text),
        ("description", 3, Shape::Text),
        ("required", 4, Shape::Flag),
        ("schema", 10, Shape::Choice(schema)),
    ],
    extensions: 14,
};

static REQUEST_BODY: Message = Message {
    fields: &[("content", 2, Shape::Named(1, &MEDIA_TYPE)), ("required", 3, Shape::Flag)],
    extensions: 4,
};

static RESPONSE: Message = Message {
    fields: &[("description", 1, Shape::Text), ("content", 3, Shape::Named(1, &MEDIA_TYPE))],
    extensions: 5,
};

static MEDIA_TYPE: Message = Message { fields: &[("schema", 1, Shape::Choice(schema))], extensions: 5 };

static REFERENCE: Message = Message { fields: &[("$ref", 1, Shape::Text)], extensions: 0 };

static SCHEMA: Message = Message {
    fields: &[
        ("uniqueItems", 20, Shape::Flag),
        ("required", 23, Shape::Texts),
        ("enum", 24, Shape::Anys),
        ("type", 25, Shape::Text),
        ("allOf", 26, Shape::Choices(schema)),
        ("oneOf", 27, Shape::Choices(schema)),
        ("items", 30, Shape::WrappedChoice(schema)),
        ("properties", 31, Shape::NamedChoice(1, schema)),
        ("additionalProperties", 32, Shape::Choice(additional)),
        ("default", 33, Shape::Scalar),
        ("description", 34, Shape::Text),
        ("format", 35, Shape::Text),
    ],
    extensions: 36,
};

fn schema(value: &Value) -> (&'static [u32], &'static Message) {
    if value.get("$ref").is_some() { (&[2], &REFERENCE) } else { (&[1], &SCHEMA) }
}

fn additional(value: &Value) -> (&'static [u32], &'static Message) {
    if value.get("$ref").is_some() { (&[1, 2], &REFERENCE) } else { (&[1, 1], &SCHEMA) }
}
