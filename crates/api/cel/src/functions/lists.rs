//! Lists, maps' sizes, and sets that lists stand for.

use std::cmp::Ordering;
use std::sync::Arc;

use super::{Answer, bool, failed};
use crate::error::EvalError;
use crate::limits::RANGE;
use crate::value::Value;
use crate::value::compare::order;

pub(super) fn call(name: &str, values: &[Value]) -> Option<Answer> {
    Some(match (name, values) {
        ("size", [Value::Bytes(bytes)]) => Ok(Value::Int(bytes.len() as i64)),
        ("size", [Value::Map(map)]) => Ok(Value::Int(map.len() as i64)),
        ("lists.range", [Value::Int(count)]) => range(*count),
        ("sets.contains", [Value::List(all), Value::List(some)]) => {
            bool(some.iter().all(|one| all.contains(one)))
        }
        ("sets.equivalent", [Value::List(a), Value::List(b)]) => {
            bool(a.iter().all(|one| b.contains(one)) && b.iter().all(|one| a.contains(one)))
        }
        ("sets.intersects", [Value::List(a), Value::List(b)]) => bool(a.iter().any(|one| b.contains(one))),
        (name, [Value::List(list), rest @ ..]) => return member(name, list, rest),
        _ => return None,
    })
}

fn member(name: &str, list: &[Value], rest: &[Value]) -> Option<Answer> {
    Some(match (name, rest) {
        ("size", []) => Ok(Value::Int(list.len() as i64)),
        ("isSorted", []) => {
            ordered(list).map(|orders| Value::Bool(orders.iter().all(|found| *found != Ordering::Greater)))
        }
        ("sum", []) => sum(list),
        ("min", []) => extreme(list, Ordering::Less, "min"),
        ("max", []) => extreme(list, Ordering::Greater, "max"),
        ("indexOf", [wanted]) => place(list.iter().position(|value| value == wanted)),
        ("lastIndexOf", [wanted]) => place(list.iter().rposition(|value| value == wanted)),
        ("slice", [Value::Int(start), Value::Int(end)]) => slice(list, *start, *end),
        ("flatten", []) => Ok(Value::List(flat(list, 1).into())),
        ("flatten", [Value::Int(depth)]) => match usize::try_from(*depth) {
            Ok(depth) => Ok(Value::List(flat(list, depth).into())),
            Err(_) => failed("level must be non-negative"),
        },
        ("sort", []) => sorted(list),
        ("distinct", []) => {
            let mut kept: Vec<Value> = Vec::new();
            for value in list {
                if !kept.contains(value) {
                    kept.push(value.clone());
                }
            }
            Ok(Value::List(kept.into()))
        }
        ("reverse", []) => Ok(Value::List(list.iter().rev().cloned().collect())),
        ("first", []) => Ok(Value::Optional(list.first().cloned().map(Arc::new))),
        ("last", []) => Ok(Value::Optional(list.last().cloned().map(Arc::new))),
        _ => return None,
    })
}

fn place(found: Option<usize>) -> Answer {
    Ok(Value::Int(found.map_or(-1, |place| place as i64)))
}

fn range(count: i64) -> Answer {
    if count > RANGE {
        return failed(format!("lists.range: size limit exceeded: {count}"));
    }
    Ok(Value::List((0..count).map(Value::Int).collect()))
}

/// The order of each element and the next.
fn ordered(list: &[Value]) -> Result<Vec<Ordering>, EvalError> {
    list.windows(2).map(|pair| order(&pair[0], &pair[1]).ok_or(EvalError::NoSuchOverload)).collect()
}

fn sum(list: &[Value]) -> Answer {
    let Some((first, rest)) = list.split_first() else { return Ok(Value::Int(0)) };
    rest.iter().try_fold(first.clone(), |sum, next| super::call("_+_", &[sum, next.clone()]))
}

fn extreme(list: &[Value], wanted: Ordering, name: &str) -> Answer {
    let Some((first, rest)) = list.split_first() else {
        return failed(format!("{name} called on empty list"));
    };
    let mut found = first;
    for next in rest {
        if order(next, found).ok_or(EvalError::NoSuchOverload)? == wanted {
            found = next;
        }
    }
    Ok(found.clone())
}

fn slice(list: &[Value], start: i64, end: i64) -> Answer {
    if start < 0 || end < 0 {
        return failed(format!("cannot slice({start}, {end}), negative indexes not supported"));
    }
    if start > end {
        return failed(format!(
            "cannot slice({start}, {end}), start index must be less than or equal to end index"
        ));
    }
    match list.get(start as usize..end as usize) {
        Some(part) => Ok(Value::List(part.into())),
        None => failed(format!("cannot slice({start}, {end}), list is length {}", list.len())),
    }
}

fn flat(list: &[Value], depth: usize) -> Vec<Value> {
    let mut out = Vec::new();
    for value in list {
        match value {
            Value::List(inner) if depth > 0 => out.extend(flat(inner, depth - 1)),
            other => out.push(other.clone()),
        }
    }
    out
}

fn sorted(list: &[Value]) -> Answer {
    let mut sorted = list.to_vec();
    // What has an order with the first has one with each other.
    if list.first().is_some_and(|first| list.iter().any(|value| order(first, value).is_none())) {
        return Err(EvalError::NoSuchOverload);
    }
    sorted.sort_by(|a, b| order(a, b).unwrap_or(Ordering::Equal));
    Ok(Value::List(sorted.into()))
}
