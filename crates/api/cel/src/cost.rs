//! What evaluations cost: cel-go counts steps, and the sizes of what functions have to look at (`interpreter/runtimecost.go`,
//! `apiserver/pkg/cel/library/cost.go`).

use crate::error::EvalError;
use crate::syntax::operator;
use crate::value::Value;

/// How much evaluations may still cost.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    left: u64,
}

impl Budget {
    /// This much.
    pub fn new(left: u64) -> Budget {
        Budget { left }
    }

    /// What is left.
    pub fn left(&self) -> u64 {
        self.left
    }

    pub(crate) fn spend(&mut self, cost: u64) -> Result<(), EvalError> {
        match self.left.checked_sub(cost) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => {
                self.left = 0;
                Err(EvalError::CostExceeded)
            }
        }
    }
}

/// A tenth of a size, rounded up: looking at text costs so much.
fn tenth(size: u64) -> u64 {
    size.div_ceil(10)
}

/// What a call costs with these values, the target first.
pub(crate) fn of_call(function: &str, values: &[Value]) -> u64 {
    let size = |index: usize| values.get(index).map_or(0, Value::size);
    match function {
        "_==_" | "_!=_" | "_<_" | "_<=_" | "_>_" | "_>=_" => match (values.first(), values.get(1)) {
            (Some(Value::String(_) | Value::Bytes(_) | Value::List(_) | Value::Map(_)), Some(_)) => {
                tenth(size(0).min(size(1))).max(1)
            }
            _ => 1,
        },
        "_+_" => match values.first() {
            Some(Value::String(_) | Value::Bytes(_) | Value::List(_)) => tenth(size(0) + size(1)).max(1),
            _ => 1,
        },
        operator::IN => match values.get(1) {
            Some(Value::List(list)) => list.len().max(1) as u64,
            _ => 1,
        },
        "matches" | "find" | "findAll" => tenth(size(0) + 1) * size(1).div_ceil(4).max(1),
        "contains" | "indexOf" | "lastIndexOf" if matches!(values.first(), Some(Value::String(_))) => {
            (tenth(size(0)) * tenth(size(1))).max(1)
        }
        "startsWith" | "endsWith" => tenth(size(1)).max(1),
        "isSorted" | "sum" | "min" | "max" | "indexOf" | "lastIndexOf" | "distinct" | "sort" | "reverse"
        | "flatten" => size(0).max(1),
        "sets.contains" | "sets.intersects" => (size(0) * size(1)).max(1),
        "sets.equivalent" => (2 * size(0) * size(1)).max(1),
        "lowerAscii" | "upperAscii" | "replace" | "split" | "substring" | "trim" | "join" | "format"
        | "strings.quote" | "bytes" | "string" | "url" | "isURL" | "quantity" | "isQuantity" | "ip"
        | "isIP" | "cidr" | "isCIDR" | "semver" | "isSemver" | "charAt" => tenth(size(0)).max(1),
        "validate" => tenth(size(1)).max(1) * 10,
        // An authorizer has to be asked.
        "check" => 350_000,
        _ => 1,
    }
}
