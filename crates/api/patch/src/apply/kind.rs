//! How server-side apply treats what a field holds, from the schema: upstream derives the same from its OpenAPI.

use std::borrow::Cow;

use api_record::{Field, JsonForm, ListKind, Omit, Ref, Schema, Shape};
use serde_json::Value;

use super::element::{Name, Scalar};

/// How a value is treated.
#[derive(Clone, Copy)]
pub(super) enum Kind<'s> {
    /// One value: text, a number, a truth value or, where the schema does not say, any of them.
    Scalar(&'s Shape),
    /// One value, whatever it is made of.
    Atomic(&'s Shape),
    /// Fields of their own.
    Record(&'s Schema),
    /// Entries of their own.
    Map(&'s Shape),
    /// A set of scalars.
    Set(&'s Shape),
    /// A list of records that these fields tell apart.
    Listed(&'s Shape, &'s Schema, Keys<'s>),
}

/// The fields that tell the elements of a list apart.
pub(super) type Keys<'s> = &'s [&'static str];

impl<'s> Kind<'s> {
    /// The kind of a field.
    pub(super) fn of(field: &'s Field) -> Kind<'s> {
        match (&field.shape, &field.list) {
            (shape @ (Shape::Record(_) | Shape::Map(_)), ListKind::Atomic) => Kind::Atomic(shape),
            (shape @ (Shape::List(element) | Shape::Items(element)), kind) => match (kind, &**element) {
                (ListKind::Map(keys), element @ Shape::Record(schema)) => Kind::Listed(element, schema, keys),
                (ListKind::Set, element) => Kind::Set(element),
                (ListKind::Unset, element) if field.merge.merge => match element {
                    element @ Shape::Record(schema) if !field.merge.key.is_empty() => {
                        Kind::Listed(element, schema, std::slice::from_ref(&field.merge.key))
                    }
                    element => Kind::Set(element),
                },
                _ => Kind::Atomic(shape),
            },
            (Shape::Record(schema), ListKind::Granular) => Kind::Record(schema),
            (shape, _) => Kind::within(shape),
        }
    }

    /// The kind of an element of a list, or of a map's entry.
    pub(super) fn within(shape: &'s Shape) -> Kind<'s> {
        match shape {
            Shape::Record(schema) if schema.atomic || schema.json != JsonForm::Object => Kind::Atomic(shape),
            Shape::Record(schema) => Kind::Record(schema),
            Shape::Map(entry) => Kind::Map(entry),
            Shape::List(_) | Shape::Items(_) | Shape::Json => Kind::Atomic(shape),
            scalar => Kind::Scalar(scalar),
        }
    }

    /// The kind of a field or entry, and whether the schema names it; `None` for what it does not know.
    pub(super) fn field(self, name: &str) -> Option<(Kind<'s>, bool)> {
        match self {
            Kind::Record(schema) => find(schema, name).map(|field| (Kind::of(field), true)),
            Kind::Map(entry) => Some((Kind::within(entry), false)),
            _ => None,
        }
    }

    /// The kind of the elements of a list whose elements are told apart.
    pub(super) fn element(self) -> Option<Kind<'s>> {
        match self {
            Kind::Set(element) => Some(Kind::within(element)),
            Kind::Listed(element, ..) => Some(Kind::within(element)),
            _ => None,
        }
    }
}

/// The field of a name, also among those of inlined records.
fn find<'s>(schema: &'s Schema, name: &str) -> Option<&'s Field> {
    schema.fields.iter().find_map(|field| match &field.shape {
        Shape::Record(inlined) if field.inline => find(inlined, name),
        _ => (*field.name == *name).then_some(field),
    })
}

/// A field's name, borrowed where it lives as long as the program.
pub(super) fn name_of(field: &Field) -> Name {
    match &field.name {
        Ref::Static(name) => Cow::Borrowed(name),
        Ref::Shared(name) => Cow::Owned(name.to_string()),
    }
}

/// What stands for a key that an element leaves out, as upstream's OpenAPI tells it.
pub(super) fn default_of(schema: &Schema, key: &str) -> Option<Scalar> {
    let field = find(schema, key)?;
    if let Some(text) = &field.default {
        return serde_json::from_str::<Value>(text).ok().and_then(|value| Scalar::of(&value));
    }
    match &field.shape {
        _ if field.pointer || field.omit != Omit::Never => None,
        Shape::Bool => Some(Scalar::Bool(false)),
        Shape::Int32 | Shape::Int64 | Shape::Float => Some(Scalar::Int(0)),
        Shape::String => Some(Scalar::Text(Cow::Borrowed(""))),
        _ => None,
    }
}
