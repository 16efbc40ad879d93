//! From one type to another.

use super::{Answer, failed, time};
use crate::error::EvalError;
use crate::value::Value;

pub(super) fn call(name: &str, values: &[Value]) -> Option<Answer> {
    let [value] = values else { return None };
    Some(match name {
        "dyn" => Ok(value.clone()),
        "type" => Ok(Value::Type(value.type_name())),
        "bool" => to_bool(value),
        "int" => to_int(value),
        "uint" => to_uint(value),
        "double" => to_double(value),
        "string" => text(value).map_or(Err(EvalError::NoSuchOverload), |text| Ok(Value::text(text))),
        "bytes" => match value {
            Value::Bytes(_) => Ok(value.clone()),
            Value::String(text) => Ok(Value::Bytes(text.as_bytes().into())),
            _ => Err(EvalError::NoSuchOverload),
        },
        "timestamp" => match value {
            Value::Timestamp(_) => Ok(value.clone()),
            Value::String(text) => time::timestamp(text),
            Value::Int(seconds) => time::moment(i128::from(*seconds) * 1_000_000_000),
            _ => Err(EvalError::NoSuchOverload),
        },
        "duration" => match value {
            Value::Duration(_) => Ok(value.clone()),
            Value::String(text) => time::duration(text),
            _ => Err(EvalError::NoSuchOverload),
        },
        _ => return None,
    })
}

fn to_bool(value: &Value) -> Answer {
    match value {
        Value::Bool(_) => Ok(value.clone()),
        Value::String(text) => match &**text {
            "1" | "t" | "true" | "TRUE" | "True" | "T" => Ok(Value::Bool(true)),
            "0" | "f" | "false" | "FALSE" | "False" | "F" => Ok(Value::Bool(false)),
            _ => failed("type conversion error from 'string' to 'bool'"),
        },
        _ => Err(EvalError::NoSuchOverload),
    }
}

fn to_int(value: &Value) -> Answer {
    match value {
        Value::Int(_) => Ok(value.clone()),
        Value::Uint(value) => {
            i64::try_from(*value).map_or_else(|_| failed("integer overflow"), |value| Ok(Value::Int(value)))
        }
        Value::Double(value) => {
            if value.is_finite() && *value > i64::MIN as f64 && *value < i64::MAX as f64 {
                Ok(Value::Int(*value as i64))
            } else {
                failed("integer overflow")
            }
        }
        Value::String(text) => text.parse().map_or_else(
            |_| failed("type conversion error from 'string' to 'int'"),
            |value| Ok(Value::Int(value)),
        ),
        Value::Timestamp(nanos) => Ok(Value::Int(nanos.div_euclid(1_000_000_000) as i64)),
        Value::Duration(nanos) => Ok(Value::Int(*nanos)),
        _ => Err(EvalError::NoSuchOverload),
    }
}

fn to_uint(value: &Value) -> Answer {
    match value {
        Value::Uint(_) => Ok(value.clone()),
        Value::Int(value) => u64::try_from(*value)
            .map_or_else(|_| failed("unsigned integer overflow"), |value| Ok(Value::Uint(value))),
        Value::Double(value) => {
            if *value >= 0.0 && *value < u64::MAX as f64 {
                Ok(Value::Uint(*value as u64))
            } else {
                failed("unsigned integer overflow")
            }
        }
        Value::String(text) => text.parse().map_or_else(
            |_| failed("type conversion error from 'string' to 'uint'"),
            |value| Ok(Value::Uint(value)),
        ),
        _ => Err(EvalError::NoSuchOverload),
    }
}

fn to_double(value: &Value) -> Answer {
    match value {
        Value::Double(_) => Ok(value.clone()),
        Value::Int(value) => Ok(Value::Double(*value as f64)),
        Value::Uint(value) => Ok(Value::Double(*value as f64)),
        Value::String(text) => text.parse().map_or_else(
            |_| failed("type conversion error from 'string' to 'double'"),
            |value| Ok(Value::Double(value)),
        ),
        _ => Err(EvalError::NoSuchOverload),
    }
}

/// A double as Go writes it with the fewest digits.
pub(super) fn double(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else if value != 0.0 && !(1e-4..1e21).contains(&value.abs()) {
        let text = format!("{value:e}");
        let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, digits) = power.strip_prefix('-').map_or(('+', power), |digits| ('-', digits));
        format!("{mantissa}e{sign}{digits:0>2}")
    } else {
        value.to_string()
    }
}

/// What `string()` makes of a value.
pub(crate) fn text(value: &Value) -> Option<String> {
    Some(match value {
        Value::String(text) => text.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Int(value) => value.to_string(),
        Value::Uint(value) => value.to_string(),
        Value::Double(value) => double(*value),
        Value::Bytes(bytes) => std::str::from_utf8(bytes).ok()?.to_owned(),
        Value::Timestamp(nanos) => time::written(*nanos),
        Value::Duration(nanos) => time::seconds(*nanos),
        Value::Ip(address) => address.to_string(),
        Value::Cidr(range) => range.to_string(),
        _ => return None,
    })
}
