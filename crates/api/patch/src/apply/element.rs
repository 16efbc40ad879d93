//! A step of a path into an object: a field, an element of a list by its keys or its value, an index.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

use api_meta::quote;
use serde_json::{Number, Value};

/// A field's name: of the schema, or a map's key.
pub type Name = Cow<'static, str>;

/// A step of a path, in upstream's order: fields, then keys, then values, then indices.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Element {
    /// A field of a record or an entry of a map.
    Field(Name),
    /// The element of a list whose fields have these values, in the order of the fields' names.
    Key(Vec<(Name, Scalar)>),
    /// The element of a set.
    Value(Scalar),
    /// The element at a place. Nothing that is applied here has any, but what others wrote may.
    Index(i64),
}

/// What tells elements of a list apart. Numbers come before text, text before truth values, `null` last.
#[derive(Clone, Debug)]
pub enum Scalar {
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(Name),
    /// A truth value.
    Bool(bool),
    /// An explicit null.
    Null,
}

impl Scalar {
    /// The scalar of a JSON value; `None` for lists and objects.
    pub(crate) fn of(value: &Value) -> Option<Scalar> {
        Some(match value {
            Value::Null => Scalar::Null,
            Value::Bool(value) => Scalar::Bool(*value),
            Value::Number(number) => match number.as_i64() {
                Some(number) => Scalar::Int(number),
                None => Scalar::Float(number.as_f64().unwrap_or_default()),
            },
            Value::String(text) => Scalar::Text(Cow::Owned(text.clone())),
            Value::Array(_) | Value::Object(_) => return None,
        })
    }

    /// Back to JSON.
    pub(crate) fn value(&self) -> Value {
        match self {
            Scalar::Int(number) => (*number).into(),
            Scalar::Float(number) => Number::from_f64(*number).map_or(Value::Null, Value::Number),
            Scalar::Text(text) => Value::String(text.to_string()),
            Scalar::Bool(value) => (*value).into(),
            Scalar::Null => Value::Null,
        }
    }

    fn rank(&self) -> u8 {
        match self {
            Scalar::Int(_) | Scalar::Float(_) => 0,
            Scalar::Text(_) => 1,
            Scalar::Bool(_) => 2,
            Scalar::Null => 3,
        }
    }
}

impl Ord for Scalar {
    #[allow(clippy::cast_precision_loss, reason = "upstream compares whole numbers with others like this")]
    fn cmp(&self, other: &Scalar) -> Ordering {
        match (self, other) {
            (Scalar::Int(a), Scalar::Int(b)) => a.cmp(b),
            (Scalar::Float(a), Scalar::Float(b)) => a.total_cmp(b),
            (Scalar::Int(a), Scalar::Float(b)) => (*a as f64).total_cmp(b),
            (Scalar::Float(a), Scalar::Int(b)) => a.total_cmp(&(*b as f64)),
            (Scalar::Text(a), Scalar::Text(b)) => a.cmp(b),
            (Scalar::Bool(a), Scalar::Bool(b)) => a.cmp(b),
            _ => self.rank().cmp(&other.rank()),
        }
    }
}

impl PartialOrd for Scalar {
    fn partial_cmp(&self, other: &Scalar) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Scalar {
    fn eq(&self, other: &Scalar) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Scalar {}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Scalar::Int(number) => number.fmt(f),
            Scalar::Float(number) => number.fmt(f),
            Scalar::Text(text) => f.write_str(&quote::go(text)),
            Scalar::Bool(value) => value.fmt(f),
            Scalar::Null => f.write_str("null"),
        }
    }
}

/// As paths are shown to people: `.spec`, `[name="web"]`, `[="example.com/hold"]`, `[0]`.
impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Element::Field(name) => write!(f, ".{name}"),
            Element::Key(fields) => {
                f.write_str("[")?;
                for (index, (name, value)) in fields.iter().enumerate() {
                    let comma = if index > 0 { "," } else { "" };
                    write!(f, "{comma}{name}={value}")?;
                }
                f.write_str("]")
            }
            Element::Value(value) => write!(f, "[={value}]"),
            Element::Index(index) => write!(f, "[{index}]"),
        }
    }
}
