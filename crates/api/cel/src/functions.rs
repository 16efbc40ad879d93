//! What functions and operators do. Each looks at the types of its values: a call that was checked can still meet others, where a type was
//! not known.

mod conversions;
pub(crate) mod format;
mod lists;
pub(crate) mod network;
mod operators;
mod quantity;
pub(crate) mod semver;
mod text;
mod time;
pub(crate) mod url;

pub(crate) use conversions::text as text_of;

use crate::error::EvalError;
use crate::value::Value;

/// What a function answers.
pub(crate) type Answer = Result<Value, EvalError>;

/// Functions that belong together: `None` where none of them has that name and takes these values.
type Family = fn(&str, &[Value]) -> Option<Answer>;

/// Calls a function by its name, with its target first.
pub(crate) fn call(name: &str, values: &[Value]) -> Answer {
    let families: [Family; 10] = [
        operators::call,
        text::call,
        lists::call,
        conversions::call,
        time::call,
        quantity::call,
        network::call,
        url::call,
        semver::call,
        format::call,
    ];
    if let [Value::Query(query), words @ ..] = values {
        let words: Option<Vec<&str>> = words.iter().map(as_text).collect();
        return query.step(name, &words.ok_or(EvalError::NoSuchOverload)?);
    }
    families.iter().find_map(|family| family(name, values)).unwrap_or(Err(EvalError::NoSuchOverload))
}

fn as_text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

fn bool(value: bool) -> Answer {
    Ok(Value::Bool(value))
}

fn failed(what: impl std::fmt::Display) -> Answer {
    Err(EvalError::other(what))
}
