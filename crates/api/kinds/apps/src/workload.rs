//! What the kinds of this group have in common: selectors that must match their templates, numbers or percentages.

pub(crate) use api_kind::checks::counts;
use api_kind::checks::{non_negative, shown};
use api_kinds_core::template;
pub(crate) use api_kinds_core::template::workload_warnings as warnings;
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_meta::labels::{Selector, SelectorLeniency, validate_label_selector};
use api_meta::names;
use api_record::scalar::IntOrString;
use api_types::core::v1::PodTemplateSpec;
use api_types::meta::v1::LabelSelector;

/// A selector that selects something; `kind` is what upstream calls the kind in its message.
pub(crate) fn selector(errors: &mut ErrorList, path: &Path, selector: Option<&LabelSelector>, kind: &str) {
    let Some(selector) = selector else {
        errors.push(FieldError::required(path, ""));
        return;
    };
    errors.extend(validate_label_selector(Some(selector), SelectorLeniency::default(), path));
    if selector.match_labels.is_empty() && selector.match_expressions.is_empty() {
        let why = format!("empty selector is invalid for {kind}");
        errors.push(FieldError::invalid(path, shown(selector), why));
    }
}

/// What a kind says where its selector cannot be read.
pub(crate) enum Malformed {
    /// Nothing here: its selector's own rules have said it. The template is looked at all the same.
    Said,
    /// These words, and nothing of the template.
    Words(&'static str),
}

/// A template that its own selector selects; `kind` is the controller's.
pub(crate) fn template(
    errors: &mut ErrorList,
    (path, selector_path): (&Path, &Path),
    own: &PodTemplateSpec,
    selector: Option<&LabelSelector>,
    (kind, malformed): (&str, Malformed),
) {
    let found = Selector::from_api(selector);
    if let (Err(_), Some(selector), Malformed::Words(why)) = (&found, selector, malformed) {
        return errors.push(FieldError::invalid(selector_path, shown(selector), why));
    }
    if let Ok(selector) = found {
        mismatch(errors, path, own, &selector);
    }
    template::validate_always(errors, path, own, kind);
}

/// That its own selector can be read, and selects a template; whether it can be read.
pub(crate) fn selects(
    errors: &mut ErrorList,
    (path, selector_path): (&Path, &Path),
    own: &PodTemplateSpec,
    selector: Option<&LabelSelector>,
) -> bool {
    match Selector::from_api(selector) {
        Ok(selector) => {
            mismatch(errors, path, own, &selector);
            true
        }
        Err(_) => {
            let shown = selector.map_or_else(BadValue::null, |selector| shown(selector));
            errors.push(FieldError::invalid(selector_path, shown, ""));
            false
        }
    }
}

fn mismatch(errors: &mut ErrorList, path: &Path, own: &PodTemplateSpec, selector: &Selector) {
    if !selector.is_everything() && !selector.matches(&own.metadata.labels) {
        let at = path.child("metadata").child("labels");
        let why = "`selector` does not match template `labels`";
        let labels = &own.metadata.labels;
        let shown = if labels.is_empty() { BadValue::null() } else { api_kind::checks::labels(labels) };
        errors.push(FieldError::invalid(&at, shown, why));
    }
}

/// The selector as tables show it.
pub(crate) fn shown_selector(selector: Option<&LabelSelector>) -> String {
    Selector::from_api(selector).map_or_else(|_| "<invalid>".to_owned(), |selector| selector.to_string())
}

/// A number that is not negative, or a percentage.
pub(crate) fn int_or_percent(errors: &mut ErrorList, path: &Path, value: &IntOrString) {
    match value {
        IntOrString::Int(number) => non_negative(errors, path, (*number).into()),
        IntOrString::String(text) => {
            for message in names::is_valid_percent(text) {
                errors.push(FieldError::invalid(path, value, message));
            }
        }
    }
}

/// A percentage of at most all.
pub(crate) fn at_most_all(errors: &mut ErrorList, path: &Path, value: &IntOrString) {
    if let (IntOrString::String(_), Some(number)) = (value, percent(value))
        && number > 100
    {
        errors.push(FieldError::invalid(path, value, "must not be greater than 100%"));
    }
}

/// The number, of either form; `None` for text that is no percentage.
pub(crate) fn percent(value: &IntOrString) -> Option<i32> {
    match value {
        IntOrString::Int(number) => Some(*number),
        IntOrString::String(text) => text.strip_suffix('%')?.parse().ok(),
    }
}
