//! Resource quantities (`library/quantity.go`).

use std::cmp::Ordering;

use api_record::scalar::{Quantity, QuantityFormat};

use super::{Answer, bool, failed};
use crate::value::Value;

pub(super) fn call(name: &str, values: &[Value]) -> Option<Answer> {
    Some(match (name, values) {
        ("quantity", [Value::String(text)]) => match text.parse::<Quantity>() {
            Ok(quantity) => Ok(Value::Quantity(quantity)),
            Err(error) => failed(error),
        },
        ("isQuantity", [Value::String(text)]) => bool(text.parse::<Quantity>().is_ok()),
        ("sign", [Value::Quantity(quantity)]) => Ok(Value::Int(quantity.sign().into())),
        ("isInteger", [Value::Quantity(quantity)]) => bool(whole(quantity).is_some()),
        ("asInteger", [Value::Quantity(quantity)]) => match whole(quantity) {
            Some(value) => Ok(Value::Int(value)),
            None => failed("cannot convert value to integer"),
        },
        ("asApproximateFloat", [Value::Quantity(quantity)]) => {
            Ok(Value::Double(quantity.millis() as f64 / 1e3))
        }
        ("add", [Value::Quantity(a), other]) => {
            let mut sum = a.clone();
            sum.add(&operand(other)?);
            Ok(Value::Quantity(sum))
        }
        ("sub", [Value::Quantity(a), other]) => {
            let mut difference = a.clone();
            difference.subtract(&operand(other)?);
            Ok(Value::Quantity(difference))
        }
        ("isGreaterThan", [Value::Quantity(a), Value::Quantity(b)]) => bool(a > b),
        ("isLessThan", [Value::Quantity(a), Value::Quantity(b)]) => bool(a < b),
        ("compareTo", [Value::Quantity(a), Value::Quantity(b)]) => Ok(Value::Int(match a.cmp(b) {
            Ordering::Less => -1,
            Ordering::Equal => 0,
            Ordering::Greater => 1,
        })),
        _ => return None,
    })
}

fn operand(value: &Value) -> Option<Quantity> {
    match value {
        Value::Quantity(quantity) => Some(quantity.clone()),
        Value::Int(value) => Some(Quantity::from_units(*value, QuantityFormat::DecimalSi)),
        _ => None,
    }
}

/// Its value, if it has no fraction and is no larger than an integer.
fn whole(quantity: &Quantity) -> Option<i64> {
    let units = quantity.units();
    (Quantity::from_units(units, QuantityFormat::DecimalSi) == *quantity).then_some(units)
}
