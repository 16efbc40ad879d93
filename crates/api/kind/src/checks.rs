//! The checks that many kinds make of a field, in upstream's words; used by the kinds' hand-written validation.

use api_meta::field::{BadValue, ErrorList, FieldError, Path};

/// A number that is not below zero.
pub fn non_negative(errors: &mut ErrorList, path: &Path, value: i64) {
    if value < 0 {
        errors.push(FieldError::invalid(path, value, "must be greater than or equal to 0"));
    }
}

/// A number above zero.
pub fn positive(errors: &mut ErrorList, path: &Path, value: i64) {
    if value <= 0 {
        errors.push(FieldError::invalid(path, value, "must be greater than zero"));
    }
}

/// Counts of a status, of which none may be negative or above the first.
pub fn counts(errors: &mut ErrorList, path: &Path, counts: &[(&'static str, i32)]) {
    for (name, count) in counts {
        non_negative(errors, &path.child(*name), (*count).into());
    }
    let total = counts.first().map_or(0, |(_, total)| *total);
    for (name, count) in counts.iter().skip(1).filter(|(_, count)| *count > total) {
        errors.push(FieldError::invalid(
            &path.child(*name),
            *count,
            "cannot be greater than status.replicas",
        ));
    }
}

/// A field that stays as it was.
pub fn immutable(errors: &mut ErrorList, path: &Path, same: bool, shown: impl Into<BadValue>) {
    if !same {
        errors.push(FieldError::invalid(path, shown, "field is immutable"));
    }
}

/// An error for each message about a text.
pub fn each(errors: &mut ErrorList, path: &Path, text: &str, messages: Vec<String>) {
    errors.extend(ErrorList::invalid(path, text, messages));
}

/// A text that must be given; answers whether it is.
pub fn required(errors: &mut ErrorList, path: &Path, text: &str) -> bool {
    if text.is_empty() {
        errors.push(FieldError::required(path, ""));
    }
    !text.is_empty()
}

/// A text that must be given and be one of those that are known.
pub fn one_of(errors: &mut ErrorList, path: &Path, text: &str, known: &[&str]) {
    if required(errors, path, text) {
        supported(errors, path, text, known);
    }
}

/// A text that must be one of those that are known.
pub fn supported(errors: &mut ErrorList, path: &Path, text: &str, known: &[&str]) {
    if !known.contains(&text) {
        errors.push(FieldError::not_supported(path, text, known));
    }
}

/// A qualified name, such as a label's key.
pub fn qualified_name(errors: &mut ErrorList, path: &Path, text: &str) {
    each(errors, path, text, api_meta::names::is_label_key(text));
}

/// A record as messages show it.
pub fn shown(record: &dyn api_record::Record) -> BadValue {
    let mut text = Vec::new();
    api_codec::json::encode(record, None, &mut text);
    BadValue::json(String::from_utf8_lossy(&text).trim_end().to_owned())
}

/// Labels as messages show them.
pub fn labels(labels: &api_meta::labels::Labels) -> BadValue {
    let pairs: Vec<String> = labels
        .iter()
        .map(|(key, value)| format!("{}:{}", api_meta::quote::json(key), api_meta::quote::json(value)))
        .collect();
    BadValue::json(format!("{{{}}}", pairs.join(",")))
}
