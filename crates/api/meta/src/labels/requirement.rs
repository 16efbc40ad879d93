//! One requirement of a label selector.

use std::fmt;

use crate::field::{BadValue, ErrorList, FieldError, Path};
use crate::names::{is_label_key, is_label_value};

/// How a requirement relates a key to values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operator {
    /// The key is there, with one of the values.
    In,
    /// The key is not there, or has none of the values.
    NotIn,
    /// The key is there, with the value (`=`).
    Equals,
    /// The same, written `==`.
    DoubleEquals,
    /// The key is not there, or has another value (`!=`).
    NotEquals,
    /// The key is there.
    Exists,
    /// The key is not there (`!key`).
    DoesNotExist,
    /// The key is there with a larger integer (`>`).
    GreaterThan,
    /// The key is there with a smaller integer (`<`).
    LessThan,
}

/// A key, an operator and values that fit each other.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Requirement {
    key: String,
    operator: Operator,
    values: Vec<String>,
}

impl Requirement {
    /// A requirement, checked; errors are of the `key` and `values` of `path`.
    ///
    /// # Errors
    /// All that is not legal.
    pub fn new(
        key: &str,
        operator: Operator,
        values: Vec<String>,
        path: &Path,
    ) -> Result<Requirement, ErrorList> {
        let mut errors = ErrorList::new();
        let (key_path, value_path) = (path.child("key"), path.child("values"));
        let faults = is_label_key(key);
        if !faults.is_empty() {
            errors.push(FieldError::invalid(&key_path, key, faults.join("; ")));
        }
        let shown = || if values.is_empty() { BadValue::null() } else { BadValue::from(&values) };
        let detail = match operator {
            Operator::In | Operator::NotIn if values.is_empty() => {
                "for 'in', 'notin' operators, values set can't be empty"
            }
            Operator::Equals | Operator::DoubleEquals | Operator::NotEquals if values.len() != 1 => {
                "exact-match compatibility requires one single value"
            }
            Operator::Exists | Operator::DoesNotExist if !values.is_empty() => {
                "values set must be empty for exists and does not exist"
            }
            Operator::GreaterThan | Operator::LessThan if values.len() != 1 => {
                "for 'Gt', 'Lt' operators, exactly one value is required"
            }
            _ => "",
        };
        if !detail.is_empty() {
            errors.push(FieldError::invalid(&value_path, shown(), detail));
        }
        if matches!(operator, Operator::GreaterThan | Operator::LessThan) {
            for (index, value) in values.iter().enumerate().filter(|(_, value)| value.parse::<i64>().is_err())
            {
                let detail = "for 'Gt', 'Lt' operators, the value must be an integer";
                errors.push(FieldError::invalid(&value_path.index(index), value, detail));
            }
        }
        for (index, value) in values.iter().enumerate() {
            let faults = is_label_value(value);
            if !faults.is_empty() {
                errors.push(FieldError::invalid(&value_path.index(index).key(key), value, faults.join("; ")));
            }
        }
        errors.into_result().map(|()| Requirement { key: key.to_owned(), operator, values })
    }

    pub(super) fn unchecked(key: &str, operator: Operator, values: Vec<String>) -> Requirement {
        Requirement { key: key.to_owned(), operator, values }
    }

    /// The key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The operator.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// The values in the order they were given.
    pub fn values(&self) -> &[String] {
        &self.values
    }

    /// Whether a label of this value, or its absence, meets the requirement.
    pub fn matches(&self, value: Option<&str>) -> bool {
        let listed = |value: &str| self.values.iter().any(|known| known == value);
        match self.operator {
            Operator::In | Operator::Equals | Operator::DoubleEquals => value.is_some_and(listed),
            Operator::NotIn | Operator::NotEquals => !value.is_some_and(listed),
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
            Operator::GreaterThan => self.numbers(value).is_some_and(|(label, bound)| label > bound),
            Operator::LessThan => self.numbers(value).is_some_and(|(label, bound)| label < bound),
        }
    }

    fn numbers(&self, value: Option<&str>) -> Option<(i64, i64)> {
        let [bound] = self.values.as_slice() else { return None };
        Some((value?.parse().ok()?, bound.parse().ok()?))
    }

    pub(super) fn exact(&self) -> Option<&str> {
        match (self.operator, self.values.as_slice()) {
            (Operator::In | Operator::Equals | Operator::DoubleEquals, [value]) => Some(value),
            _ => None,
        }
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut values: Vec<&str> = self.values.iter().map(String::as_str).collect();
        values.sort_unstable();
        let (key, values) = (&self.key, values.join(","));
        match self.operator {
            Operator::In => write!(f, "{key} in ({values})"),
            Operator::NotIn => write!(f, "{key} notin ({values})"),
            Operator::Equals => write!(f, "{key}={values}"),
            Operator::DoubleEquals => write!(f, "{key}=={values}"),
            Operator::NotEquals => write!(f, "{key}!={values}"),
            Operator::GreaterThan => write!(f, "{key}>{values}"),
            Operator::LessThan => write!(f, "{key}<{values}"),
            Operator::Exists => f.write_str(key),
            Operator::DoesNotExist => write!(f, "!{key}"),
        }
    }
}
