//! What is wrong with a value, in the words of upstream's validator (`k8s.io/kube-openapi/pkg/validation`).
//!
//! What an update leaves as it was is not judged again (upstream's ratcheting), so that a schema can be made stricter.

mod choice;
mod number;
mod outcome;

use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_record::Tree;
use serde_json::Value;

use crate::before::{Before, is_same};
use crate::node::Checks;
use crate::{Additional, Node, Type};
use outcome::Outcome;

/// Judges an object's fields, of which `old` is what they were; the path is where the object is.
pub fn check(path: &Path, fields: &Tree, old: Option<&Tree>, node: &Node, errors: &mut ErrorList) {
    let judge = Judge { path, root: true };
    let mut outcome = Outcome::default();
    // The whole is never as it was: its metadata has changed.
    if let Some(checks) = node.checks.as_deref() {
        // Only copied where something is said of the object as a whole.
        outcome.merge(judge.choices("", &Value::Object(fields.clone()), checks));
    }
    outcome.merge(judge.object("", fields, old, node));
    errors.extend(outcome.errors);
}

/// Judges one value: a status, or a default.
pub(crate) fn check_value(
    path: &Path,
    value: &Value,
    old: Option<&Value>,
    node: &Node,
    errors: &mut ErrorList,
) {
    errors.extend(Judge { path, root: false }.value("", value, old, node).errors);
}

/// A value as messages show it.
pub(crate) fn shown(value: &Value) -> BadValue {
    match value {
        Value::Null => BadValue::null(),
        Value::Bool(value) => (*value).into(),
        Value::String(text) => text.into(),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => integer.into(),
            None => number.as_f64().unwrap_or_default().into(),
        },
        other => {
            let mut text = Vec::new();
            api_codec::json::write_tree(other, &mut text);
            BadValue::json(String::from_utf8_lossy(&text).into_owned())
        }
    }
}

/// Judges values below a path; `root` says that it is a whole object, whose kind and metadata are known to be there.
struct Judge<'a> {
    path: &'a Path,
    root: bool,
}

impl Judge<'_> {
    /// The path of an error, whose name upstream makes of the names of the fields.
    fn at(&self, name: &str) -> Path {
        match name.strip_prefix('.').unwrap_or(name) {
            "" => self.path.clone(),
            name => self.path.child(name.to_owned()),
        }
    }

    fn invalid(&self, name: &str, value: impl Into<BadValue>, message: String) -> Outcome {
        Outcome::wrong(FieldError::invalid(&self.at(name), value, message))
    }

    fn mistyped(&self, name: &str, wanted: &str, found: &str) -> Outcome {
        let message = format!("{name} in body must be of type {wanted}: {}", api_meta::quote::go(found));
        Outcome::wrong(FieldError::type_invalid(&self.at(name), found, message))
    }

    fn value(&self, name: &str, value: &Value, old: Option<&Value>, node: &Node) -> Outcome {
        if old.is_some_and(|old| is_same(value, old, Some(node))) {
            return Outcome::default();
        }
        let mut outcome = Outcome::default();
        let checks = node.checks.as_deref();
        outcome.count(self.type_(name, value, node));
        if value.is_null() {
            outcome.merge(checks.map(|checks| self.enumeration(name, value, checks)).unwrap_or_default());
            return outcome;
        }
        if let Some(checks) = checks {
            outcome.count(self.choices(name, value, checks));
        }
        outcome.count(match value {
            Value::String(text) => checks.map(|own| self.text(name, text, own)).unwrap_or_default(),
            Value::Number(number) => number::check(self, name, number, node),
            Value::Array(items) => self.list(name, items, old, node),
            _ => Outcome::default(),
        });
        if let Some(checks) = checks {
            outcome.count(self.enumeration(name, value, checks));
        }
        if let Value::Object(fields) = value {
            let old = old.and_then(Value::as_object);
            outcome.count(self.nested(name, fields, old, node));
        }
        outcome.matched += 1;
        outcome
    }

    /// An object that is not the whole: it has to have what it must have.
    fn nested(&self, name: &str, fields: &Tree, old: Option<&Tree>, node: &Node) -> Outcome {
        Judge { path: self.path, root: false }.object(name, fields, old, node)
    }

    fn type_(&self, name: &str, value: &Value, node: &Node) -> Outcome {
        let wanted = node.type_;
        let (found, format) = match value {
            Value::Null => ("null", ""),
            Value::Bool(_) => ("boolean", ""),
            Value::Number(number) if number.is_f64() => ("number", "float64"),
            Value::Number(_) => ("integer", "int64"),
            Value::String(_) => ("string", ""),
            Value::Array(_) => ("array", ""),
            Value::Object(_) => ("object", ""),
        };
        let fits = match (wanted, value) {
            (Type::Any, _) => true,
            (_, Value::Null) => node.nullable,
            (Type::Integer | Type::IntOrString, Value::Number(number)) => {
                number.as_f64().is_some_and(|number| number.fract() == 0.0)
            }
            (Type::Number, Value::Number(_)) | (Type::IntOrString, Value::String(_)) => true,
            (wanted, _) => wanted.name() == found,
        };
        let own = node.checks.as_deref().and_then(|checks| checks.format);
        match own {
            _ if fits => Outcome::matched(),
            // Where there is a format, it is what is asked for.
            Some(own) if !matches!(value, Value::Null | Value::String(_) | Value::Array(_)) => {
                self.mistyped(name, own.name(), format)
            }
            _ => self.mistyped(name, wanted.name(), found),
        }
    }

    fn text(&self, name: &str, text: &str, checks: &Checks) -> Outcome {
        let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
        let mut outcome = Outcome::default();
        if let Some(max) = checks.max_length.filter(|max| length > *max) {
            let max = usize::try_from(max).unwrap_or_default();
            outcome.merge(Outcome::wrong(FieldError::too_long(&self.at(name), max)));
        } else if let Some(min) = checks.min_length.filter(|min| length < *min) {
            let message = format!("{name} in body should be at least {min} chars long");
            outcome.merge(self.invalid(name, text, message));
        } else if let Some(pattern) = checks.pattern.as_ref().filter(|own| !own.is_match(text)) {
            let message = format!("{name} in body should match '{}'", pattern.as_str());
            outcome.merge(self.invalid(name, text, message));
        }
        if let Some(format) = checks.format.filter(|format| !format.fits(text)) {
            let message =
                format!("{name} in body must be of type {}: {}", format.name(), api_meta::quote::go(text));
            outcome.merge(Outcome::wrong(FieldError::type_invalid(&self.at(name), text, message)));
        }
        outcome
    }

    fn list(&self, name: &str, items: &[Value], old: Option<&Value>, node: &Node) -> Outcome {
        let mut outcome = Outcome::default();
        if let Some(schema) = node.items.as_deref() {
            let before = Before::of(old, &node.elements);
            for (index, item) in items.iter().enumerate() {
                let old = before.element(item);
                outcome.merge(self.value(&format!("{name}[{index}]"), item, old, schema));
            }
        }
        let count = i64::try_from(items.len()).unwrap_or(i64::MAX);
        if let Some(checks) = node.checks.as_deref() {
            if let Some(min) = checks.min_items.filter(|min| count < *min) {
                let message = format!("{name} in body should have at least {min} items");
                outcome.merge(self.invalid(name, count, message));
            }
            if let Some(max) = checks.max_items.filter(|max| count > *max) {
                let max = usize::try_from(max).unwrap_or_default();
                let error = FieldError::too_many(&self.at(name), items.len(), max);
                outcome.merge(Outcome::wrong(error));
            }
        }
        outcome.matched += 1;
        outcome
    }

    fn object(&self, name: &str, fields: &Tree, old: Option<&Tree>, node: &Node) -> Outcome {
        let mut outcome = Outcome::default();
        if let Some(checks) = node.checks.as_deref() {
            outcome.merge(self.size(name, fields, checks));
        }
        for (key, value) in fields {
            let before = old.and_then(|old| old.get(key));
            let below = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
            match (node.properties.get(key), &node.additional) {
                (Some(schema), _) => outcome.merge(self.value(&below, value, before, schema)),
                (None, Additional::Schema(schema)) => {
                    outcome.merge(self.value(&format!("{name}.{key}"), value, before, schema));
                }
                (None, Additional::Allowed(false)) => {
                    let message = format!("{name}.{key} in body is a forbidden property");
                    outcome.merge(self.invalid(name, key, message));
                }
                (None, _) => {}
            }
        }
        let required = node.checks.as_deref().map(|checks| &checks.required[..]).unwrap_or_default();
        let known = |key: &str| self.root && crate::prune::META.contains(&key);
        for key in required.iter().filter(|key| !fields.contains_key(*key) && !known(key)) {
            outcome.merge(Outcome::wrong(FieldError::required(&self.at(&format!("{name}.{key}")), "")));
        }
        outcome
    }

    fn size(&self, name: &str, fields: &Tree, checks: &Checks) -> Outcome {
        let known = if self.root { crate::prune::META.len() } else { 0 };
        let hidden = crate::prune::META.iter().filter(|key| fields.contains_key(**key)).count();
        let count = fields.len() + known.saturating_sub(hidden);
        let size = i64::try_from(count).unwrap_or(i64::MAX);
        let mut outcome = Outcome::default();
        if let Some(min) = checks.min_properties.filter(|min| size < *min) {
            let message = format!("{name} in body should have at least {min} properties");
            outcome.merge(self.invalid(name, size, message));
        }
        if let Some(max) = checks.max_properties.filter(|max| size > *max) {
            let max = usize::try_from(max).unwrap_or_default();
            outcome.merge(Outcome::wrong(FieldError::too_many(&self.at(name), count, max)));
        }
        outcome
    }

    fn enumeration(&self, name: &str, value: &Value, checks: &Checks) -> Outcome {
        let known = &checks.enumeration;
        if known.is_empty() || known.iter().any(|one| equal(one, value)) {
            return Outcome::default();
        }
        let text = |one: &Value| one.as_str().map_or_else(|| one.to_string(), str::to_owned);
        let known: Vec<String> = known.iter().map(text).collect();
        Outcome::wrong(FieldError::not_supported(&self.at(name), shown(value), &known))
    }
}

/// Equal as values: a number is the same with and without a point.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        _ => a == b,
    }
}
