//! Fields and elements.

use std::sync::Arc;

use crate::error::EvalError;
use crate::value::{Key, Value};

/// A field. Of what may be absent, what may be absent too.
pub(super) fn select(operand: &Value, field: &str, optional: bool) -> Result<Value, EvalError> {
    match operand {
        Value::Optional(None) => Ok(Value::Optional(None)),
        Value::Optional(Some(content)) => wrapped(lookup(content, field)?),
        operand => {
            let found = lookup(operand, field)?;
            match operand {
                _ if optional => wrapped(found),
                // What was not written down of a message is null.
                Value::Message(_) => Ok(found.unwrap_or(Value::Null)),
                _ => found.ok_or_else(|| EvalError::NoSuchKey(field.to_owned())),
            }
        }
    }
}

/// Whether a field is there.
pub(super) fn has(operand: &Value, field: &str) -> Result<bool, EvalError> {
    match operand {
        Value::Optional(None) => Ok(false),
        Value::Optional(Some(content)) => has(content, field),
        operand => Ok(lookup(operand, field)?.is_some()),
    }
}

/// An element of a list or a map.
pub(super) fn index(values: &[Value], optional: bool) -> Result<Value, EvalError> {
    let [operand, index] = values else { return Err(EvalError::NoSuchOverload) };
    match operand {
        Value::Optional(None) => Ok(Value::Optional(None)),
        Value::Optional(Some(content)) => wrapped(element(content, index)?),
        operand => {
            let found = element(operand, index)?;
            if optional { wrapped(found) } else { found.ok_or_else(|| missing(operand, index)) }
        }
    }
}

fn wrapped(found: Option<Value>) -> Result<Value, EvalError> {
    Ok(match found {
        Some(found @ Value::Optional(_)) => found,
        other => Value::Optional(other.map(Arc::new)),
    })
}

fn missing(operand: &Value, index: &Value) -> EvalError {
    match operand {
        Value::List(_) => EvalError::other(format!("index out of bounds: {index:?}")),
        _ => EvalError::NoSuchKey(Key::of(index).map(|key| key.to_string()).unwrap_or_default()),
    }
}

fn lookup(operand: &Value, field: &str) -> Result<Option<Value>, EvalError> {
    match operand {
        Value::Map(map) => Ok(map.get(&Key::String(field.into())).cloned()),
        Value::Object(object) => object.field(field).transpose(),
        Value::Message(message) => Ok(message.field(field)),
        Value::Null => Err(EvalError::NoSuchKey(field.to_owned())),
        _ => Err(EvalError::NoSuchOverload),
    }
}

fn element(operand: &Value, index: &Value) -> Result<Option<Value>, EvalError> {
    match (operand, index) {
        (Value::List(list), index) => {
            let Some(Key::Number(place)) = Key::of(index) else { return Err(EvalError::NoSuchOverload) };
            Ok(usize::try_from(place).ok().and_then(|place| list.get(place)).cloned())
        }
        (Value::Map(map), index) => {
            let key = Key::of(index).ok_or(EvalError::NoSuchOverload)?;
            Ok(map.get(&key).cloned())
        }
        (Value::Object(object), Value::String(name)) => object.field(name).transpose(),
        _ => Err(EvalError::NoSuchOverload),
    }
}
