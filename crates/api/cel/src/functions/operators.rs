//! Arithmetic, comparison, membership, and optional values.

use std::cmp::Ordering;
use std::sync::Arc;

use super::{Answer, bool, failed};
use crate::error::EvalError;
use crate::syntax::operator;
use crate::value::compare::{contains, order};
use crate::value::{JSON_PATCH, Key, Value};

pub(super) fn call(name: &str, values: &[Value]) -> Option<Answer> {
    Some(match (name, values) {
        ("_==_", [a, b]) => bool(a == b),
        ("_!=_", [a, b]) => bool(a != b),
        ("_<_", [a, b]) => compared(a, b, |found| found == Ordering::Less),
        ("_<=_", [a, b]) => compared(a, b, |found| found != Ordering::Greater),
        ("_>_", [a, b]) => compared(a, b, |found| found == Ordering::Greater),
        ("_>=_", [a, b]) => compared(a, b, |found| found != Ordering::Less),
        (operator::NOT, [Value::Bool(value)]) => bool(!value),
        (operator::NEGATE, [value]) => negated(value),
        ("_+_" | "_-_" | "_*_" | "_/_" | "_%_", [a, b]) => arithmetic(name, a, b),
        (operator::IN, [wanted, range]) => {
            contains(range, wanted).map_or(Err(EvalError::NoSuchOverload), bool)
        }
        ("optional.none", []) => Ok(Value::Optional(None)),
        ("optional.of", [value]) => Ok(Value::Optional(Some(Arc::new(value.clone())))),
        ("optional.ofNonZeroValue", [value]) => {
            Ok(Value::Optional((!is_zero(value)).then(|| Arc::new(value.clone()))))
        }
        ("hasValue", [Value::Optional(content)]) => bool(content.is_some()),
        ("value", [Value::Optional(Some(content))]) => Ok((**content).clone()),
        ("value", [Value::Optional(None)]) => failed("optional.none() dereference"),
        _ => return None,
    })
}

fn compared(a: &Value, b: &Value, holds: impl Fn(Ordering) -> bool) -> Answer {
    match order(a, b) {
        Some(found) => bool(holds(found)),
        // Not a number is neither.
        None if matches!((a, b), (Value::Double(_), _) | (_, Value::Double(_))) => bool(false),
        None => Err(EvalError::NoSuchOverload),
    }
}

fn negated(value: &Value) -> Answer {
    match value {
        Value::Int(value) => whole(value.checked_neg()),
        Value::Double(value) => Ok(Value::Double(-value)),
        _ => Err(EvalError::NoSuchOverload),
    }
}

fn whole(value: Option<i64>) -> Answer {
    value.map_or_else(|| failed("integer overflow"), |value| Ok(Value::Int(value)))
}

fn natural(value: Option<u64>) -> Answer {
    value.map_or_else(|| failed("unsigned integer overflow"), |value| Ok(Value::Uint(value)))
}

fn span(value: Option<i64>) -> Answer {
    value.map_or_else(|| failed("duration overflow"), |value| Ok(Value::Duration(value)))
}

fn arithmetic(name: &str, a: &Value, b: &Value) -> Answer {
    let zero = matches!(b, Value::Int(0) | Value::Uint(0));
    match (name, a, b) {
        ("_/_", Value::Int(_), _) | ("_/_", Value::Uint(_), _) if zero => failed("division by zero"),
        ("_%_", ..) if zero => failed("modulus by zero"),
        ("_+_", Value::Int(a), Value::Int(b)) => whole(a.checked_add(*b)),
        ("_-_", Value::Int(a), Value::Int(b)) => whole(a.checked_sub(*b)),
        ("_*_", Value::Int(a), Value::Int(b)) => whole(a.checked_mul(*b)),
        ("_/_", Value::Int(a), Value::Int(b)) => whole(a.checked_div(*b)),
        ("_%_", Value::Int(a), Value::Int(b)) => whole(a.checked_rem(*b)),
        ("_+_", Value::Uint(a), Value::Uint(b)) => natural(a.checked_add(*b)),
        ("_-_", Value::Uint(a), Value::Uint(b)) => natural(a.checked_sub(*b)),
        ("_*_", Value::Uint(a), Value::Uint(b)) => natural(a.checked_mul(*b)),
        ("_/_", Value::Uint(a), Value::Uint(b)) => natural(a.checked_div(*b)),
        ("_%_", Value::Uint(a), Value::Uint(b)) => natural(a.checked_rem(*b)),
        ("_+_", Value::Double(a), Value::Double(b)) => Ok(Value::Double(a + b)),
        ("_-_", Value::Double(a), Value::Double(b)) => Ok(Value::Double(a - b)),
        ("_*_", Value::Double(a), Value::Double(b)) => Ok(Value::Double(a * b)),
        ("_/_", Value::Double(a), Value::Double(b)) => Ok(Value::Double(a / b)),
        ("_+_", Value::String(a), Value::String(b)) => Ok(Value::text(format!("{a}{b}"))),
        ("_+_", Value::Bytes(a), Value::Bytes(b)) => Ok(Value::Bytes([&**a, &**b].concat().into())),
        ("_+_", Value::List(a), Value::List(b)) => Ok(Value::List(a.add(b))),
        ("_+_", Value::Duration(a), Value::Duration(b)) => span(a.checked_add(*b)),
        ("_-_", Value::Duration(a), Value::Duration(b)) => span(a.checked_sub(*b)),
        ("_+_", Value::Timestamp(at), Value::Duration(by))
        | ("_+_", Value::Duration(by), Value::Timestamp(at)) => super::time::moment(at + i128::from(*by)),
        ("_-_", Value::Timestamp(at), Value::Duration(by)) => super::time::moment(at - i128::from(*by)),
        ("_-_", Value::Timestamp(a), Value::Timestamp(b)) => span(i64::try_from(a - b).ok()),
        _ => Err(EvalError::NoSuchOverload),
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) | Value::Int(0) | Value::Uint(0) | Value::Duration(0) => true,
        Value::Double(value) => *value == 0.0,
        Value::String(text) => text.is_empty(),
        Value::Bytes(bytes) => bytes.is_empty(),
        Value::List(list) => list.is_empty(),
        Value::Map(map) => map.is_empty(),
        Value::Message(message) => *message.name != *JSON_PATCH && message.fields.is_empty(),
        Value::Optional(content) => content.is_none(),
        _ => false,
    }
}

/// For other families: the key that text is.
pub(super) fn key(text: &str) -> Key {
    Key::String(text.into())
}
