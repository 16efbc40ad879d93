//! The scale of a custom resource: numbers at the paths that its definition names.

use api_meta::field::{ErrorList, FieldError, Path};
use api_record::Tree;
use api_types::apiextensions::v1::CustomResourceSubresourceScale;
use serde_json::Value;

/// Why an object has no scale: upstream's words for its internal errors, or of validation.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScaleError {
    /// A value is of another type than it should be.
    #[error("{path} accessor error: {value} is of the type {found}, expected {wanted}")]
    Mistyped {
        /// The path.
        path: String,
        /// The value.
        value: String,
        /// Its Go type.
        found: &'static str,
        /// The Go type that it should have.
        wanted: &'static str,
    },
    /// What is above the number is no object.
    #[error("value cannot be set because {0} is not a map[string]interface{{}}")]
    NoObject(String),
}

/// How many replicas there should be and are, and which selector finds them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scale {
    /// How many there should be, if that is said.
    pub wanted: Option<i32>,
    /// How many there are.
    pub found: i32,
    /// The selector as text, empty if none is said.
    pub selector: String,
}

fn steps(path: &str) -> impl Iterator<Item = &str> {
    path.trim_start_matches('.').split('.')
}

fn at<'a>(fields: &'a Tree, path: &str) -> Option<&'a Value> {
    let mut steps = steps(path);
    let mut value = fields.get(steps.next()?)?;
    for step in steps {
        value = value.get(step)?;
    }
    Some(value)
}

fn go_type(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

fn mistyped(path: &str, value: &Value, wanted: &'static str) -> ScaleError {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    ScaleError::Mistyped { path: path.to_owned(), value: text, found: go_type(value), wanted }
}

fn number(fields: &Tree, path: &str) -> Result<Option<i64>, ScaleError> {
    let Some(value) = at(fields, path) else { return Ok(None) };
    value.as_i64().map(Some).ok_or_else(|| mistyped(path, value, "int64"))
}

fn text(fields: &Tree, path: &str) -> Result<String, ScaleError> {
    let Some(value) = at(fields, path) else { return Ok(String::new()) };
    value.as_str().map(str::to_owned).ok_or_else(|| mistyped(path, value, "string"))
}

fn narrow(number: i64) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// Reads the scale of an object.
///
/// # Errors
/// If a value is of another type.
pub fn read_scale(fields: &Tree, scale: &CustomResourceSubresourceScale) -> Result<Scale, ScaleError> {
    let wanted = number(fields, &scale.spec_replicas_path)?.map(narrow);
    let found = number(fields, &scale.status_replicas_path)?.unwrap_or(0);
    let selector =
        scale.label_selector_path.as_deref().map(|path| text(fields, path)).transpose()?.unwrap_or_default();
    Ok(Scale { wanted, found: narrow(found), selector })
}

/// Sets how many replicas there should be.
///
/// # Errors
/// If there is something else than an object on the way.
pub fn write_replicas(
    fields: &mut Tree,
    scale: &CustomResourceSubresourceScale,
    replicas: i32,
) -> Result<(), ScaleError> {
    let path = &scale.spec_replicas_path;
    let mut at = fields;
    let mut steps = steps(path).peekable();
    while let Some(step) = steps.next() {
        if steps.peek().is_none() {
            at.insert(step.to_owned(), replicas.into());
            at.sort_keys();
            break;
        }
        let below = at.entry(step).or_insert_with(|| Value::Object(Tree::new()));
        at = below.as_object_mut().ok_or_else(|| ScaleError::NoObject(path.clone()))?;
    }
    Ok(())
}

/// What is wrong with the numbers of replicas; `spec` and `status` say which of them are looked at.
pub(crate) fn check(
    fields: &Tree,
    scale: &CustomResourceSubresourceScale,
    spec: bool,
    errors: &mut ErrorList,
) {
    let paths = [(&scale.spec_replicas_path, spec), (&scale.status_replicas_path, true)];
    for (path, _) in paths.iter().filter(|(_, wanted)| *wanted) {
        let field = Path::new((*path).clone());
        let problem = match number(fields, path) {
            Err(error) => Some((0, error.to_string())),
            Ok(Some(number)) if number < 0 => Some((number, "should be a non-negative integer".to_owned())),
            Ok(Some(number)) if number > i64::from(i32::MAX) => {
                Some((number, format!("should be less than or equal to {}", i32::MAX)))
            }
            Ok(_) => None,
        };
        if let Some((number, why)) = problem {
            errors.push(FieldError::invalid(&field, number, why));
        }
    }
    if let Some(path) = &scale.label_selector_path
        && let Err(error) = text(fields, path)
    {
        errors.push(FieldError::invalid(&Path::new(path.clone()), "", error.to_string()));
    }
}
