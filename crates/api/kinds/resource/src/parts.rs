//! Checks of lists and maps that are the same for many fields.

use std::collections::BTreeSet;

use api_kind::checks::{each, required, shown};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::labels::validate_label_name;
use api_meta::names::is_label_value;
use api_types::resource::v1::{DeviceConfiguration, DeviceSelector};

use crate::expression;
use crate::limits::OPAQUE_BYTES;
use crate::names;

/// Says which of the keys of a list's elements stand there twice.
pub fn unique<T: AsRef<str>>(errors: &mut ErrorList, path: &Path, keys: impl Iterator<Item = T>) {
    let mut seen = BTreeSet::new();
    for (index, key) in keys.enumerate() {
        if !seen.insert(key.as_ref().to_owned()) {
            errors.push(FieldError::duplicate(&path.index(index), key.as_ref()));
        }
    }
}

/// The same of records, by a key of theirs, of which messages show the whole.
pub fn unique_records<'a, T: api_record::Record>(
    errors: &mut ErrorList,
    path: &Path,
    list: &'a [T],
    key: impl Fn(&'a T) -> &'a str,
) {
    let mut seen = BTreeSet::new();
    for (index, record) in list.iter().enumerate() {
        if !seen.insert(key(record)) {
            errors.push(FieldError::duplicate(&path.index(index), shown(record)));
        }
    }
}

/// A label's value.
pub fn label_value(errors: &mut ErrorList, path: &Path, value: &str) {
    each(errors, path, value, is_label_value(value));
}

/// Selectors of devices. Those that are stored already were right when they were.
pub fn selectors(errors: &mut ErrorList, path: &Path, selectors: &[DeviceSelector], stored: bool) {
    for (index, selector) in selectors.iter().enumerate() {
        let at = path.index(index).child("cel");
        match &selector.cel {
            None => errors.push(FieldError::required(&at, "")),
            Some(cel) if !stored => expression::selector(errors, &at.child("expression"), &cel.expression),
            Some(_) => {}
        }
    }
}

/// What a driver is told.
pub fn configuration(errors: &mut ErrorList, path: &Path, own: &DeviceConfiguration, stored: bool) {
    let at = path.child("opaque");
    match &own.opaque {
        None => errors.push(FieldError::required(&at, "")),
        Some(opaque) => {
            let parameters = opaque.parameters.0.as_deref().unwrap_or_default();
            json(errors, &at.child("parameters"), parameters, stored);
        }
    }
}

/// An object in JSON that somebody else understands; what is stored already may be longer than what is new.
pub fn json(errors: &mut ErrorList, path: &Path, raw: &[u8], stored: bool) {
    if raw.is_empty() {
        errors.push(FieldError::required(path, ""));
        return;
    }
    if !stored && raw.len() > OPAQUE_BYTES {
        errors.push(FieldError::too_long(path, OPAQUE_BYTES));
        return;
    }
    match serde_json::from_slice(raw) {
        Ok(serde_json::Value::Object(_)) => {}
        Ok(serde_json::Value::Null) => errors.push(FieldError::required(path, "")),
        Ok(_) => errors.push(FieldError::invalid(path, "<value omitted>", "must be a valid JSON object")),
        Err(error) => {
            let why = format!("error parsing data as JSON: {error}");
            errors.push(FieldError::invalid(path, "<value omitted>", why));
        }
    }
}

/// The conditions under which a device is bound to, or is not.
pub fn binding(errors: &mut ErrorList, path: &Path, bound: &[String], failed: &[String]) {
    let (of_bound, of_failed) = (path.child("bindingConditions"), path.child("bindingFailureConditions"));
    for (at, list) in [(&of_bound, bound), (&of_failed, failed)] {
        for (index, name) in list.iter().enumerate() {
            errors.extend(validate_label_name(name, &at.index(index)));
        }
        unique(errors, at, list.iter());
    }
    for (index, name) in failed.iter().enumerate().filter(|(_, name)| bound.contains(name)) {
        let why = "bindingFailureConditions must not overlap with bindingConditions";
        errors.push(FieldError::invalid(&of_failed.index(index), name, why));
    }
    match (bound, failed) {
        ([], [_, ..]) => {
            let why = "bindingConditions are required to use bindingFailureConditions";
            errors.push(FieldError::invalid(&of_bound, missing(), why));
        }
        ([_, ..], []) => {
            let why = "bindingFailureConditions are required to use bindingConditions";
            errors.push(FieldError::invalid(&of_failed, missing(), why));
        }
        _ => {}
    }
}

/// A list that nobody gave, as messages show it.
fn missing() -> api_meta::field::BadValue {
    api_meta::field::BadValue::null()
}

/// Steps on a node that are left out: who is not prepared is not to be unprepared.
pub fn skipped(errors: &mut ErrorList, path: &Path, skipped: &[String]) {
    let has = |name: &str| skipped.iter().any(|one| one == name);
    if has("NodePrepareResources") && !has("NodeUnprepareResources") && !has("*") {
        let why = "NodePrepareResources cannot be skipped unless NodeUnprepareResources is also skipped";
        errors.push(FieldError::invalid(path, skipped, why));
    }
}

/// A class's name that must be given.
pub fn class(errors: &mut ErrorList, path: &Path, name: &str) {
    if required(errors, path, name) {
        each(errors, path, name, api_meta::names::is_dns1123_subdomain(name));
    }
}

/// A reference to a request, or to one of the alternatives within it.
pub fn reference(errors: &mut ErrorList, path: &Path, name: &str, known: impl Fn(&str) -> bool) {
    const WHY: &str = "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'";
    let parts: Vec<&str> = name.split('/').collect();
    if parts.len() <= 2 {
        parts.iter().for_each(|part| names::label(errors, path, part));
    }
    if parts.len() > 2 || !known(name) {
        errors.push(FieldError::invalid(path, name, WHY));
    }
}
