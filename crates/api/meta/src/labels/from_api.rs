//! Selectors out of the API's `LabelSelector`, and what may be wrong with one.

use api_types::meta::v1::{LabelSelector, LabelSelectorRequirement};

use super::{Labels, Operator, Requirement, Selector, SelectorError, validate_labels};
use crate::field::{ErrorList, FieldError, Path};
use crate::names::{is_label_key, is_label_value};
use crate::quote;

impl Selector {
    /// A selector of the API: none selects nothing, an empty one everything.
    ///
    /// # Errors
    /// If a key, operator or value is not legal.
    pub fn from_api(selector: Option<&LabelSelector>) -> Result<Selector, SelectorError> {
        let Some(selector) = selector else { return Ok(Selector::nothing()) };
        let mut requirements = Vec::new();
        let new = |key: &str, operator, values| {
            Requirement::new(key, operator, values, &Path::NONE).map_err(SelectorError::Invalid)
        };
        for (key, value) in &selector.match_labels {
            requirements.push(new(key, Operator::Equals, vec![value.clone()])?);
        }
        for expression in &selector.match_expressions {
            let operator = match expression.operator.as_str() {
                "In" => Operator::In,
                "NotIn" => Operator::NotIn,
                "Exists" => Operator::Exists,
                "DoesNotExist" => Operator::DoesNotExist,
                other => return Err(SelectorError::Operator(other.to_owned())),
            };
            requirements.push(new(&expression.key, operator, expression.values.clone())?);
        }
        Ok(Selector::everything().and(requirements))
    }
}

/// The selector as plain labels.
///
/// # Errors
/// Upstream's text if it says more than plain labels can.
pub fn label_selector_as_map(selector: &LabelSelector) -> Result<Labels, String> {
    let mut labels = selector.match_labels.clone();
    for expression in &selector.match_expressions {
        let quoted = quote::go(&expression.operator);
        match (expression.operator.as_str(), expression.values.as_slice()) {
            ("In", [value]) => {
                labels.insert(expression.key.clone(), value.clone());
            }
            ("In", _) => {
                return Err(format!(
                    "operator {quoted} without a single value cannot be converted into the old label selector format"
                ));
            }
            ("NotIn" | "Exists" | "DoesNotExist", _) => {
                return Err(format!(
                    "operator {quoted} cannot be converted into the old label selector format"
                ));
            }
            _ => return Err(format!("{quoted} is not a valid selector operator")),
        }
    }
    Ok(labels)
}

/// What a validation lets pass for the sake of objects that are stored already, or of broader checks.
#[derive(Clone, Copy, Debug, Default)]
pub struct SelectorLeniency {
    /// Values that no label could have.
    pub invalid_values: bool,
    /// Operators that do not exist.
    pub unknown_operators: bool,
}

/// What is wrong with a label's key.
pub fn validate_label_name(key: &str, path: &Path) -> ErrorList {
    ErrorList::invalid(path, key, is_label_key(key))
}

/// What is wrong with a selector.
pub fn validate_label_selector(
    selector: Option<&LabelSelector>,
    leniency: SelectorLeniency,
    path: &Path,
) -> ErrorList {
    let Some(selector) = selector else { return ErrorList::new() };
    let mut errors = validate_labels(&selector.match_labels, &path.child("matchLabels"));
    for (index, expression) in selector.match_expressions.iter().enumerate() {
        let at = path.child("matchExpressions").index(index);
        errors.extend(validate_label_selector_requirement(expression, leniency, &at));
    }
    errors
}

/// What is wrong with one of a selector's expressions.
pub fn validate_label_selector_requirement(
    expression: &LabelSelectorRequirement,
    leniency: SelectorLeniency,
    path: &Path,
) -> ErrorList {
    let mut errors = ErrorList::new();
    match expression.operator.as_str() {
        "In" | "NotIn" if expression.values.is_empty() => {
            let detail = "must be specified when `operator` is 'In' or 'NotIn'";
            errors.push(FieldError::required(&path.child("values"), detail));
        }
        "Exists" | "DoesNotExist" if !expression.values.is_empty() => {
            let detail = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
            errors.push(FieldError::forbidden(&path.child("values"), detail));
        }
        "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
        _ if leniency.unknown_operators => {}
        other => {
            errors.push(FieldError::invalid(&path.child("operator"), other, "not a valid selector operator"));
        }
    }
    errors.extend(validate_label_name(&expression.key, &path.child("key")));
    if !leniency.invalid_values {
        for (index, value) in expression.values.iter().enumerate() {
            let at = path.child("values").index(index);
            errors.extend(ErrorList::invalid(&at, value, is_label_value(value)));
        }
    }
    errors
}
