//! Objects as they are walked: records, and trees of JSON, in one form.

use std::borrow::Cow;

use api_record::scalar::{IntOrString, MicroTime, Time};
use api_record::{Field, Record, Schema, Value};

use super::Tree;
use super::atom::{Elements, List};
use super::element::{Element, Name, Scalar};
use super::kind::{Form, Kind, default_in, default_of, name_of};

/// What a value is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Made {
    Null,
    Scalar,
    List { length: usize },
    Object { empty: bool },
}

impl Made {
    /// Whether there is nothing in it for whoever looks for fields or elements. What is of another form holds none of them.
    pub(super) fn is_empty(self, form: Form) -> bool {
        match form {
            Form::Fields => !matches!(self, Made::Object { empty: false }),
            Form::Elements => !matches!(self, Made::List { length: 1.. }),
            Form::Leaf => false,
        }
    }
}

/// A field's or entry's name before anybody wants to keep it.
#[derive(Clone, Copy)]
pub(super) enum Named<'n> {
    Field(&'n Field),
    Entry(&'n str),
}

impl Named<'_> {
    pub(super) fn keep(self) -> Name {
        match self {
            Named::Field(field) => name_of(field),
            Named::Entry(name) => Cow::Owned(name.to_owned()),
        }
    }
}

/// What is done with each field that one of two objects has.
pub(super) type Visit<'v, D> = dyn FnMut(Named<'_>, Kind<'_>, Option<D>, Option<D>) + 'v;

/// A value of a record or of a tree.
pub(super) trait Data: Copy {
    fn made(self) -> Made;
    /// The element at a place of a list.
    fn at(self, index: usize) -> Self;
    /// The scalar, unless it is something else.
    fn scalar(self) -> Option<Scalar>;
    /// The key of an element of a list, as far as it says one.
    fn key(self, name: &str) -> Option<Scalar>;
    /// Whether both have the same content.
    fn same(self, other: Self) -> bool;
    /// Visits the fields of two objects of one kind together.
    fn pairs(kind: Kind<'_>, old: Option<Self>, new: Option<Self>, visit: &mut Visit<'_, Self>);
}

/// What tells an element of a list apart; the reason if nothing does.
pub(super) fn element_of<D: Data>(kind: Kind<'_>, item: D) -> Result<Element, String> {
    match kind {
        Kind::Listed(_, schema, keys) => {
            let keys = keys.iter().map(|key| Cow::Borrowed(*key));
            keyed(keys, |key| default_of(schema, key), item)
        }
        Kind::List(list @ List { elements: Elements::Keyed(keys), .. }) => {
            keyed(keys.iter().cloned(), |key| default_in(list, key), item)
        }
        _ => match (item.made(), item.scalar()) {
            (Made::Object { .. }, _) => {
                Err("associative list without keys has an element that's a map type".to_owned())
            }
            (Made::List { .. }, _) => {
                Err("not supported: associative list with lists as elements".to_owned())
            }
            (Made::Null, _) | (_, None) => {
                Err("associative list without keys has an element that's an explicit null".to_owned())
            }
            (Made::Scalar, Some(value)) => Ok(Element::Value(value)),
        },
    }
}

fn keyed<D: Data>(
    keys: impl Iterator<Item = Name> + Clone,
    default: impl Fn(&str) -> Option<Scalar>,
    item: D,
) -> Result<Element, String> {
    match item.made() {
        Made::Null => return Err("associative list with keys may not have a null element".to_owned()),
        Made::Object { .. } => {}
        _ => return Err("associative list with keys may not have non-map elements".to_owned()),
    }
    let values = keys.clone().filter_map(|key| {
        let value = item.key(&key).or_else(|| default(&key))?;
        Some((key, value))
    });
    let mut fields: Vec<(Name, Scalar)> = values.collect();
    if fields.is_empty() {
        let keys: Vec<String> = keys.map(|key| api_meta::quote::go(&key)).collect();
        return Err(format!(
            "associative list with keys has an element that omits all key fields [{}] (and doesn't have default values for any key fields)",
            keys.join(" ")
        ));
    }
    fields.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(Element::Key(fields))
}

impl Data for &Tree {
    fn made(self) -> Made {
        match self {
            Tree::Null => Made::Null,
            Tree::Array(items) => Made::List { length: items.len() },
            Tree::Object(map) => Made::Object { empty: map.is_empty() },
            _ => Made::Scalar,
        }
    }

    fn at(self, index: usize) -> Self {
        &self[index]
    }

    fn scalar(self) -> Option<Scalar> {
        Scalar::of(self)
    }

    fn key(self, name: &str) -> Option<Scalar> {
        self.get(name).and_then(Scalar::of)
    }

    fn same(self, other: Self) -> bool {
        same_tree(self, other)
    }

    fn pairs(kind: Kind<'_>, old: Option<Self>, new: Option<Self>, visit: &mut Visit<'_, Self>) {
        tree_pairs(kind, old.and_then(Tree::as_object), new.and_then(Tree::as_object), visit);
    }
}

/// Visits the fields of two trees of one kind together.
pub(super) fn tree_pairs<'t>(
    kind: Kind<'_>,
    old: Option<&'t api_record::Tree>,
    new: Option<&'t api_record::Tree>,
    visit: &mut Visit<'_, &'t Tree>,
) {
    for (name, value) in old.into_iter().flatten() {
        if let Some((kind, _)) = kind.field(name) {
            visit(Named::Entry(name), kind, Some(value), new.and_then(|map| map.get(name)));
        }
    }
    for (name, value) in new.into_iter().flatten() {
        if old.is_none_or(|map| !map.contains_key(name))
            && let Some((kind, _)) = kind.field(name)
        {
            visit(Named::Entry(name), kind, None, Some(value));
        }
    }
}

/// Equality that compares whole numbers with others by their value.
fn same_tree(a: &Tree, b: &Tree) -> bool {
    match (a, b) {
        (Tree::Number(a), Tree::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Tree::Array(a), Tree::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_tree(a, b))
        }
        (Tree::Object(a), Tree::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same_tree(a, b)))
        }
        (a, b) => a == b,
    }
}

impl Data for Value<'_> {
    fn made(self) -> Made {
        match self {
            Value::Nil | Value::Time(Time::ZERO) | Value::MicroTime(MicroTime::ZERO) => Made::Null,
            Value::List(list) => Made::List { length: list.len() },
            Value::Map(map) => Made::Object { empty: map.is_empty() },
            Value::Record(record) => Made::Object { empty: is_bare(record) },
            _ => Made::Scalar,
        }
    }

    fn at(self, index: usize) -> Self {
        match self {
            Value::List(list) => list.at(index),
            _ => Value::Nil,
        }
    }

    fn scalar(self) -> Option<Scalar> {
        Some(match self {
            Value::Nil | Value::List(_) | Value::Map(_) | Value::Record(_) | Value::Json(_) => return None,
            Value::Bool(value) => Scalar::Bool(value),
            Value::Int(number) => Scalar::Int(number),
            Value::Float(number) => Scalar::Float(number),
            Value::Str(text) => Scalar::Text(Cow::Owned(text.to_owned())),
            Value::IntOrString(IntOrString::Int(number)) => Scalar::Int(i64::from(*number)),
            // Times, quantities and the like are text in JSON.
            other => Scalar::Text(Cow::Owned(format!("{other:?}"))),
        })
    }

    fn key(self, name: &str) -> Option<Scalar> {
        let Value::Record(record) = self else { return None };
        record.schema().fields.iter().enumerate().find_map(|(index, field)| {
            let value = record.get(index);
            if field.inline {
                return value.key(name);
            }
            (*field.name == *name && !field.omits(&value)).then(|| value.scalar().unwrap_or(Scalar::Null))
        })
    }

    fn same(self, other: Self) -> bool {
        match (self, other) {
            // Equal amounts can be written in different ways, and what is written is what a manager owns.
            (Value::Quantity(a), Value::Quantity(b)) => a == b && a.to_string() == b.to_string(),
            (Value::Record(a), Value::Record(b)) => same_record(a, b),
            (Value::List(a), Value::List(b)) => {
                a.len() == b.len() && (0..a.len()).all(|index| a.at(index).same(b.at(index)))
            }
            (Value::Map(a), Value::Map(b)) => {
                let pair = |((a, x), (b, y)): ((&str, Value<'_>), (&str, Value<'_>))| a == b && x.same(y);
                a.len() == b.len() && a.entries().zip(b.entries()).all(pair)
            }
            (a, b) => a == b,
        }
    }

    fn pairs(kind: Kind<'_>, old: Option<Self>, new: Option<Self>, visit: &mut Visit<'_, Self>) {
        match kind {
            Kind::Record(schema) => {
                let record = |value| match value {
                    Some(Value::Record(record)) => Some(record),
                    _ => None,
                };
                fields(schema, record(old), record(new), visit);
            }
            Kind::Map(entry) => entries(Kind::within(entry), old, new, visit),
            _ => {}
        }
    }
}

fn same_record(a: &dyn Record, b: &dyn Record) -> bool {
    std::ptr::eq(a.schema(), b.schema())
        && (0..a.schema().fields.len()).all(|index| a.get(index).same(b.get(index)))
        && a.rest() == b.rest()
}

/// Whether JSON writes no field of a record.
fn is_bare(record: &dyn Record) -> bool {
    record.schema().fields.iter().enumerate().all(|(index, field)| match record.get(index) {
        Value::Record(inlined) if field.inline => is_bare(inlined),
        value => field.omits(&value),
    })
}

fn fields<'a>(
    schema: &Schema,
    old: Option<&'a dyn Record>,
    new: Option<&'a dyn Record>,
    visit: &mut Visit<'_, Value<'a>>,
) {
    for (index, field) in schema.fields.iter().enumerate() {
        let (before, after) = (old.map(|old| old.get(index)), new.map(|new| new.get(index)));
        if let (true, api_record::Shape::Record(inlined)) = (field.inline, &field.shape) {
            let record = |value| match value {
                Some(Value::Record(record)) => Some(record),
                _ => None,
            };
            fields(inlined, record(before), record(after), visit);
            continue;
        }
        let before = before.filter(|value| !field.omits(value));
        let after = after.filter(|value| !field.omits(value));
        if before.is_some() || after.is_some() {
            visit(Named::Field(field), Kind::of(field), before, after);
        }
    }
}

fn entries<'a>(
    kind: Kind<'_>,
    old: Option<Value<'a>>,
    new: Option<Value<'a>>,
    visit: &mut Visit<'_, Value<'a>>,
) {
    let map = |value| match value {
        Some(Value::Map(map)) => Some(map),
        _ => None,
    };
    let (old, new) = (map(old), map(new));
    let before = old.into_iter().flat_map(|map| map.entries());
    for (name, value) in before {
        visit(Named::Entry(name), kind, Some(value), new.and_then(|map| map.find(name)));
    }
    for (name, value) in new.into_iter().flat_map(|map| map.entries()) {
        if old.is_none_or(|map| map.find(name).is_none()) {
            visit(Named::Entry(name), kind, None, Some(value));
        }
    }
}
