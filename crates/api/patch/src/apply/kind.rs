//! How server-side apply treats what a field holds, from the schema: upstream derives the same from its OpenAPI.

use std::borrow::Cow;
use std::mem::discriminant;

use api_record::{Field, JsonForm, ListKind, Omit, Ref, Schema, Shape};
use serde_json::Value;

use super::atom::{Atom, Elements, Fields, List, Plain, Type};
use super::data::Made;
use super::element::{Name, Scalar};

/// How a value is treated. The last four are of schemas that are made at run time.
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
    /// One of several, as the value itself tells.
    Free(&'s Atom),
    /// One value.
    Plain(Plain),
    /// Fields of their own, or an object as one value.
    Fields(&'s Fields),
    /// Elements of their own, or a list as one value.
    List(&'s List),
}

/// What a kind comes to for whoever walks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// One value.
    Leaf,
    /// Fields or entries.
    Fields,
    /// Elements that are told apart.
    Elements,
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

    /// The kind of what has a type made at run time.
    pub(super) fn typed(type_: &'s Type) -> Kind<'s> {
        type_.atom().map_or_else(Kind::Record, Kind::Free)
    }

    /// The kind that a value tells: only of what may be several things does it matter which value that is.
    pub(super) fn given(self, value: Made) -> Kind<'s> {
        let Kind::Free(atom) = self else { return self };
        let told = match value {
            Made::Null => None,
            Made::Scalar => atom.scalar.map(Kind::Plain),
            Made::List { .. } => atom.list.as_ref().map(Kind::List),
            Made::Object { .. } => atom.map.as_ref().map(Kind::Fields),
        };
        told.unwrap_or_else(|| self.first())
    }

    /// The kind where there is no value to tell it.
    pub(super) fn first(self) -> Kind<'s> {
        let Kind::Free(atom) = self else { return self };
        match (&atom.map, atom.scalar, &atom.list) {
            (Some(map), ..) => Kind::Fields(map),
            (None, Some(plain), _) => Kind::Plain(plain),
            (None, None, Some(list)) => Kind::List(list),
            (None, None, None) => Kind::Plain(Plain::Untyped),
        }
    }

    /// Whether two kinds that values of one field told are the same.
    pub(super) fn is_like(self, other: Kind<'_>) -> bool {
        discriminant(&self) == discriminant(&other)
    }

    /// What it comes to.
    pub(super) fn form(self) -> Form {
        match self {
            Kind::Scalar(_) | Kind::Atomic(_) | Kind::Plain(_) => Form::Leaf,
            Kind::Fields(fields) if fields.atomic => Form::Leaf,
            Kind::List(list) if list.elements == Elements::Atomic => Form::Leaf,
            Kind::Record(_) | Kind::Map(_) | Kind::Fields(_) => Form::Fields,
            Kind::Set(_) | Kind::Listed(..) | Kind::List(_) => Form::Elements,
            Kind::Free(_) => self.first().form(),
        }
    }

    /// Whether it is one value although it is made of parts.
    pub(super) fn is_whole(self) -> bool {
        !matches!(self, Kind::Scalar(_) | Kind::Plain(_)) && self.form() == Form::Leaf
    }

    /// The kind of a field or entry, and whether the schema names it; `None` for what it does not know.
    pub(super) fn field(self, name: &str) -> Option<(Kind<'s>, bool)> {
        match self {
            Kind::Record(schema) => find(schema, name).map(|field| (Kind::of(field), true)),
            Kind::Map(entry) => Some((Kind::within(entry), false)),
            Kind::Free(Atom { map: Some(fields), .. }) | Kind::Fields(fields) => match fields.named.get(name)
            {
                Some(field) => Some((Kind::typed(&field.type_), true)),
                None => fields.rest.as_deref().map(|rest| (Kind::typed(rest), false)),
            },
            _ => None,
        }
    }

    /// The kind of the elements of a list.
    pub(super) fn element(self) -> Option<Kind<'s>> {
        match self {
            Kind::Set(element) | Kind::Listed(element, ..) => Some(Kind::within(element)),
            Kind::Free(Atom { list: Some(list), .. }) | Kind::List(list) => Some(Kind::typed(&list.each)),
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

/// The same of a list whose schema is made at run time.
pub(super) fn default_in(list: &List, key: &str) -> Option<Scalar> {
    match list.each.atom() {
        Ok(atom) => atom
            .map
            .as_ref()?
            .named
            .get(key)?
            .default
            .as_ref()
            .filter(|value| !value.is_null())
            .and_then(Scalar::of),
        Err(schema) => default_of(schema, key),
    }
}
