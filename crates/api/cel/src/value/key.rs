//! Keys of maps: numbers of either sign are the same key.

use std::fmt;
use std::sync::Arc;

use super::Value;

/// A key of a map.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A boolean.
    Bool(bool),
    /// A number, whatever its type, and whether it was written as unsigned, which does not count.
    Number(i128),
    /// Text.
    String(Arc<str>),
}

impl Key {
    /// The key that a value is, if it can be one.
    pub fn of(value: &Value) -> Option<Key> {
        match value {
            Value::Bool(value) => Some(Key::Bool(*value)),
            Value::Int(value) => Some(Key::Number((*value).into())),
            Value::Uint(value) => Some(Key::Number((*value).into())),
            // A double without a fraction finds the integer.
            Value::Double(value) if value.fract() == 0.0 && value.abs() < 1e19 => {
                Some(Key::Number(*value as i128))
            }
            Value::String(text) => Some(Key::String(text.clone())),
            _ => None,
        }
    }

    /// The key as a value.
    pub fn value(&self) -> Value {
        match self {
            Key::Bool(value) => Value::Bool(*value),
            Key::Number(value) => match i64::try_from(*value) {
                Ok(value) => Value::Int(value),
                Err(_) => u64::try_from(*value).map_or(Value::Null, Value::Uint),
            },
            Key::String(text) => Value::String(text.clone()),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Key::Bool(value) => value.fmt(f),
            Key::Number(value) => value.fmt(f),
            Key::String(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value().fmt(f)
    }
}
