//! Conditions on the elements of a list.

use std::cmp::Ordering;

use serde_json::Value;

use super::{Step, walk};

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Filter {
    /// The path leads to something.
    Exists(Operand),
    /// One compared with another.
    Compare(Operand, Operator, Operand),
}

/// What is compared.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    Path(Vec<Step>),
    Value(Value),
}

/// How it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Operator {
    /// All signs, the longer ones first.
    pub(super) const ALL: [(&'static str, Operator); 6] = [
        ("==", Operator::Equal),
        ("!=", Operator::NotEqual),
        ("<=", Operator::LessOrEqual),
        (">=", Operator::GreaterOrEqual),
        ("<", Operator::Less),
        (">", Operator::Greater),
    ];
}

impl Operand {
    fn of<'a>(&'a self, item: &'a Value) -> Option<&'a Value> {
        match self {
            Operand::Value(value) => Some(value),
            Operand::Path(steps) => walk(steps, vec![item]).into_iter().next(),
        }
    }
}

impl Filter {
    /// Whether it holds of an element.
    pub(super) fn holds(&self, item: &Value) -> bool {
        match self {
            Filter::Exists(operand) => operand.of(item).is_some(),
            Filter::Compare(left, operator, right) => {
                let (Some(left), Some(right)) = (left.of(item), right.of(item)) else { return false };
                let Some(order) = compare(left, right) else { return *operator == Operator::NotEqual };
                match operator {
                    Operator::Equal => order.is_eq(),
                    Operator::NotEqual => order.is_ne(),
                    Operator::Less => order.is_lt(),
                    Operator::LessOrEqual => order.is_le(),
                    Operator::Greater => order.is_gt(),
                    Operator::GreaterOrEqual => order.is_ge(),
                }
            }
        }
    }
}

/// The order of two values of one type.
fn compare(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::String(left), Value::String(right)) => Some(left.cmp(right)),
        (Value::Number(left), Value::Number(right)) => left.as_f64()?.partial_cmp(&right.as_f64()?),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        _ => None,
    }
}
