//! Numbers: their range, and what they are multiples of.

use api_meta::field::{BadValue, FieldError};
use serde_json::Number;

use super::Judge;
use super::outcome::Outcome;
use crate::format::Format;
use crate::{Node, Type};

/// A number as messages show it.
fn text(value: f64, whole: bool) -> String {
    if whole {
        // Go converts the bound to the value's type.
        #[allow(clippy::cast_possible_truncation, reason = "as Go's conversion does")]
        return (value as i64).to_string();
    }
    BadValue::from(value).shown().unwrap_or_default().to_owned()
}

pub(super) fn check(judge: &Judge<'_>, name: &str, number: &Number, node: &Node) -> Outcome {
    let whole = number.as_i64();
    let value = number.as_f64().unwrap_or_default();
    let bad = || whole.map_or_else(|| BadValue::from(value), BadValue::from);
    let mut outcome = Outcome::matched();
    let checks = node.checks.as_deref();
    if let Some(problem) = out_of_range(node.type_, checks.and_then(|own| own.format), whole, value) {
        let message = format!("Checked value must be of type {problem} in {name}");
        outcome.merge(Outcome::wrong(FieldError::invalid(judge.path, "", message)));
    }
    let Some(checks) = checks else { return outcome };
    let shown = |bound: f64| text(bound, whole.is_some());
    if let Some(factor) = checks.multiple_of {
        let message = if factor <= 0.0 || (whole.is_some() && factor < 1.0) {
            Some(format!("factor MultipleOf declared for {name} must be positive: {}", shown(factor)))
        } else {
            let is_multiple = match whole {
                #[allow(clippy::cast_possible_truncation, reason = "as Go's conversion does")]
                Some(value) => value % (factor as i64) == 0,
                None if factor < 1.0 => (1.0 / factor * value).fract() == 0.0,
                None => (value / factor).fract() == 0.0,
            };
            (!is_multiple).then(|| format!("{name} in body should be a multiple of {}", shown(factor)))
        };
        if let Some(message) = message {
            outcome.merge(judge.invalid(name, bad(), message));
        }
    }
    if let Some(max) = checks.maximum {
        let exclusive = checks.exclusive_maximum;
        if value > max || (exclusive && value >= max) {
            let word = if exclusive { "less than" } else { "less than or equal to" };
            outcome.merge(judge.invalid(
                name,
                bad(),
                format!("{name} in body should be {word} {}", shown(max)),
            ));
        }
    }
    if let Some(min) = checks.minimum {
        let exclusive = checks.exclusive_minimum;
        if value < min || (exclusive && value <= min) {
            let word = if exclusive { "greater than" } else { "greater than or equal to" };
            outcome.merge(judge.invalid(
                name,
                bad(),
                format!("{name} in body should be {word} {}", shown(min)),
            ));
        }
    }
    outcome
}

/// What a number should be and is too large for.
fn out_of_range(type_: Type, format: Option<Format>, whole: Option<i64>, value: f64) -> Option<String> {
    let int32 = |number: i64| i32::try_from(number).is_ok();
    match (type_, format) {
        (Type::Integer, Some(Format::Int32)) if !whole.is_some_and(int32) => {
            Some("integer with format int32".to_owned())
        }
        (Type::Integer, Some(Format::Int64)) if whole.is_none() && !is_int64(value) => {
            Some("integer with format int64".to_owned())
        }
        (Type::Integer, None) if whole.is_none() && !is_int64(value) => {
            Some("integer (default format)".to_owned())
        }
        (Type::Number, Some(Format::Float)) if value.abs() > f64::from(f32::MAX) => {
            Some("number with format float".to_owned())
        }
        _ => None,
    }
}

/// Go prints the float and reads it as an integer, which fails for what it prints with an exponent or a point.
fn is_int64(value: f64) -> bool {
    value.fract() == 0.0 && value.abs() < 9.2e18
}
