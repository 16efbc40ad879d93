//! JSON paths, as far as columns and field selectors of definitions use them (`k8s.io/client-go/util/jsonpath`): fields, elements,
//! slices, wildcards, filters by comparison, unions and recursive descent.

mod filter;
mod parse;

use serde_json::Value;

use crate::limits::MAX_FOUND;
use filter::Filter;

/// A path.
#[derive(Clone, Debug, PartialEq)]
pub struct JsonPath(Vec<Step>);

/// Why a text is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// A bracket is not closed.
    #[error("unterminated array")]
    Unterminated,
    /// Something cannot be read.
    #[error("unrecognized path at {0:?}")]
    Unrecognized(String),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    Field(String),
    All,
    /// Every value below, the value itself first.
    Deep,
    /// From, up to, every.
    Slice(Option<i64>, Option<i64>, i64),
    Index(i64),
    Union(Vec<Vec<Step>>),
    Filter(Filter),
}

impl JsonPath {
    /// Reads a path such as `.spec.ports[0].name`, with or without braces around it.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn parse(text: &str) -> Result<JsonPath, PathError> {
        let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).unwrap_or(text);
        parse::steps(inner).map(JsonPath)
    }

    /// The field that it begins with.
    pub fn first(&self) -> Option<&str> {
        match self.0.first() {
            Some(Step::Field(name)) => Some(name),
            _ => None,
        }
    }

    /// The first value that it leads to.
    pub fn find<'a>(&self, value: &'a Value) -> Option<&'a Value> {
        walk(&self.0, vec![value]).into_iter().next()
    }
}

pub(super) fn walk<'a>(steps: &[Step], start: Vec<&'a Value>) -> Vec<&'a Value> {
    let mut found = start;
    for step in steps {
        let mut next = Vec::new();
        for value in found {
            take(step, value, &mut next);
            if next.len() > MAX_FOUND {
                next.truncate(MAX_FOUND);
                break;
            }
        }
        found = next;
    }
    found
}

fn take<'a>(step: &Step, value: &'a Value, found: &mut Vec<&'a Value>) {
    match (step, value) {
        (Step::Field(name), Value::Object(fields)) => found.extend(fields.get(name)),
        (Step::All, Value::Array(items)) => found.extend(items),
        (Step::All, Value::Object(fields)) => found.extend(fields.values()),
        (Step::Deep, value) => deep(value, found),
        (Step::Index(index), Value::Array(items)) => {
            let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
            let at = if *index < 0 { length + index } else { *index };
            found.extend(usize::try_from(at).ok().and_then(|at| items.get(at)));
        }
        (Step::Slice(from, to, every), Value::Array(items)) => slice(items, *from, *to, *every, found),
        (Step::Union(paths), value) => {
            for path in paths {
                found.extend(walk(path, vec![value]));
            }
        }
        (Step::Filter(filter), Value::Array(items)) => {
            found.extend(items.iter().filter(|item| filter.holds(item)));
        }
        (Step::Filter(filter), value @ Value::Object(_)) if filter.holds(value) => found.push(value),
        _ => {}
    }
}

fn deep<'a>(value: &'a Value, found: &mut Vec<&'a Value>) {
    if found.len() > MAX_FOUND {
        return;
    }
    found.push(value);
    match value {
        Value::Object(fields) => fields.values().for_each(|value| deep(value, found)),
        Value::Array(items) => items.iter().for_each(|item| deep(item, found)),
        _ => {}
    }
}

fn slice<'a>(items: &'a [Value], from: Option<i64>, to: Option<i64>, every: i64, found: &mut Vec<&'a Value>) {
    let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let place = |at: i64| if at < 0 { (length + at).max(0) } else { at.min(length) };
    let (from, to) = (place(from.unwrap_or(0)), place(to.unwrap_or(length)));
    let (Ok(from), Ok(to), Ok(every)) =
        (usize::try_from(from), usize::try_from(to), usize::try_from(every.max(1)))
    else {
        return;
    };
    found.extend(items.get(from..to).into_iter().flatten().step_by(every));
}
