//! What values may be whose schema is made at run time: those of custom resources.
//!
//! A built-in kind's fields have one shape each; here a value may be allowed to be several things, and then it tells itself which of
//! them it is. Upstream: `structured-merge-diff/v6/schema`'s atoms, as `kube-openapi/pkg/schemaconv` makes them.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use api_record::Schema;
use serde_json::Value;

use super::element::Name;

/// What a value may be; at least one of these.
#[derive(Clone, Debug, Default)]
pub struct Atom {
    /// One value.
    pub scalar: Option<Plain>,
    /// A list.
    pub list: Option<List>,
    /// An object.
    pub map: Option<Fields>,
}

/// What a single value must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    /// A number.
    Numeric,
    /// Text.
    Text,
    /// A truth value.
    Boolean,
    /// Any of them.
    Untyped,
}

/// A list.
#[derive(Clone, Debug)]
pub struct List {
    /// How its elements are told apart.
    pub elements: Elements,
    /// What each of them is.
    pub each: Box<Type>,
}

/// How the elements of a list are told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Elements {
    /// They are not: the list is one value.
    Atomic,
    /// By their value.
    Set,
    /// By these of their fields.
    Keyed(Vec<Name>),
}

/// The fields of an object.
#[derive(Clone, Debug, Default)]
pub struct Fields {
    /// Those that the schema names.
    pub named: BTreeMap<String, NamedField>,
    /// What all others are; `None` if there must not be any.
    pub rest: Option<Box<Type>>,
    /// The object is one value.
    pub atomic: bool,
}

/// A field that a schema names.
#[derive(Clone, Debug)]
pub struct NamedField {
    /// What it is.
    pub type_: Type,
    /// What stands for it where it tells elements of a list apart and is left out.
    pub default: Option<Value>,
}

/// What something is.
#[derive(Clone, Debug)]
pub enum Type {
    /// This.
    Atom(Atom),
    /// A record, such as metadata.
    Record(&'static Schema),
    /// Anything, as one value.
    Untyped,
    /// Anything: objects by their fields, lists as one value each.
    Deduced,
}

static UNTYPED: LazyLock<Atom> = LazyLock::new(|| free(&Type::Untyped, true));
static DEDUCED: LazyLock<Atom> = LazyLock::new(|| free(&Type::Deduced, false));

fn free(entries: &Type, atomic: bool) -> Atom {
    Atom {
        scalar: Some(Plain::Untyped),
        list: Some(List { elements: Elements::Atomic, each: Box::new(Type::Untyped) }),
        map: Some(Fields { named: BTreeMap::new(), rest: Some(Box::new(entries.clone())), atomic }),
    }
}

impl Type {
    /// What its values may be, unless it is a record.
    pub(super) fn atom(&self) -> Result<&Atom, &'static Schema> {
        match self {
            Type::Atom(atom) => Ok(atom),
            Type::Record(schema) => Err(schema),
            Type::Untyped => Ok(&UNTYPED),
            Type::Deduced => Ok(&DEDUCED),
        }
    }
}

impl Fields {
    /// Whether nothing is said of its fields: then a set of them is never brought into another form.
    pub(super) fn is_free(&self) -> bool {
        self.named.is_empty()
            && match self.rest.as_deref() {
                Some(Type::Deduced) => true,
                Some(Type::Atom(atom)) => atom.scalar == Some(Plain::Untyped),
                _ => false,
            }
    }
}
