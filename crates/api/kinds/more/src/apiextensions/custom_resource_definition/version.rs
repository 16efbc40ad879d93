//! The versions of a kind: exactly one of them is what is stored.

use std::collections::BTreeSet;

use api_kind::checks::shown;
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_meta::names::is_dns1035_label;
use api_types::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinitionSpec, CustomResourceDefinitionVersion,
    CustomResourceSubresourceScale,
};

use super::{schema, selectable};

pub(super) fn check_all(path: &Path, spec: &CustomResourceDefinitionSpec, errors: &mut ErrorList) {
    let versions = &spec.versions;
    for (index, version) in versions.iter().enumerate() {
        let given = version.schema.as_deref().is_some_and(|own| own.open_apiv3_schema.is_some());
        if !given {
            let at = path.index(index).child("schema").child("openAPIV3Schema");
            errors.push(FieldError::required(&at, ""));
        }
    }
    for (index, version) in versions.iter().enumerate() {
        let at = path.index(index);
        let problems = is_dns1035_label(&version.name);
        if !problems.is_empty() {
            errors.push(FieldError::invalid(&at.child("name"), version.name.as_str(), problems.join(",")));
        }
        check(&at, version, errors);
    }
    let all = || {
        let each: Vec<String> =
            versions.iter().map(|own| shown(own).shown().unwrap_or_default().to_owned()).collect();
        BadValue::json(format!("[{}]", each.join(",")))
    };
    let names: BTreeSet<&str> = versions.iter().map(|version| version.name.as_str()).collect();
    if names.len() != versions.len() {
        errors.push(FieldError::invalid(path, all(), "must contain unique version names"));
    }
    if versions.iter().filter(|version| version.storage).count() != 1 {
        let why = "must have exactly one version marked as storage version";
        errors.push(FieldError::invalid(path, all(), why));
    }
}

fn check(path: &Path, version: &CustomResourceDefinitionVersion, errors: &mut ErrorList) {
    deprecation(&path.child("deprecationWarning"), version, errors);
    let subresources = version.subresources.as_deref();
    let has_status = subresources.is_some_and(|own| own.status.is_some());
    let schema = version.schema.as_deref().and_then(|own| own.open_apiv3_schema.as_deref());
    if let Some(schema) = schema {
        let at = path.child("schema").child("openAPIV3Schema");
        schema::check_all(&at, schema, has_status, errors);
    }
    if let Some(scale) = subresources.and_then(|own| own.scale.as_deref()) {
        self::scale(&path.child("subresources"), scale, errors);
    }
    for (index, own) in version.additional_printer_columns.iter().enumerate() {
        column(&path.child("additionalPrinterColumns").index(index), own, errors);
    }
    selectable::check(&path.child("selectableFields"), &version.selectable_fields, schema, errors);
}

fn deprecation(path: &Path, version: &CustomResourceDefinitionVersion, errors: &mut ErrorList) {
    let Some(text) = &version.deprecation_warning else { return };
    let mut wrong = |why: String| errors.push(FieldError::invalid(path, text, why));
    if !version.deprecated {
        wrong("can only be set for deprecated versions".to_owned());
        return;
    }
    if text.len() > 256 {
        wrong("must be <= 256 characters long".to_owned());
    }
    if text.is_empty() {
        wrong("must not be an empty string".to_owned());
    }
    if let Some((at, _)) = text.char_indices().find(|(_, c)| !api_meta::quote::printable(*c)) {
        wrong(format!(
            "must only contain printable UTF-8 characters; non-printable character found at index {at}"
        ));
    }
}

fn simple(path: &Path, text: &str, errors: &mut ErrorList) -> bool {
    if text.starts_with('.') {
        return true;
    }
    let why = "must be a simple json path starting with .";
    errors.push(FieldError::invalid(path, text, why));
    false
}

fn scale(path: &Path, scale: &CustomResourceSubresourceScale, errors: &mut ErrorList) {
    let paths = [
        ("scale.specReplicasPath", &scale.spec_replicas_path, ".spec."),
        ("scale.statusReplicasPath", &scale.status_replicas_path, ".status."),
    ];
    for (field, text, under) in paths {
        let at = path.child(field);
        if text.is_empty() {
            errors.push(FieldError::required(&at, ""));
        } else if simple(&at, text, errors) && !text.starts_with(under) {
            let why = format!("should be a json path under {}", under.trim_end_matches('.'));
            errors.push(FieldError::invalid(&at, text, why));
        }
    }
    if let Some(text) = scale.label_selector_path.as_ref().filter(|text| !text.is_empty()) {
        let at = path.child("scale.labelSelectorPath");
        let under = text.starts_with(".spec.") || text.starts_with(".status.");
        if simple(&at, text, errors) && !under {
            let why = "should be a json path under either .spec or .status";
            errors.push(FieldError::invalid(&at, text, why));
        }
    }
}

const TYPES: [&str; 5] = ["boolean", "date", "integer", "number", "string"];
const FORMATS: [&str; 9] = ["byte", "date", "date-time", "double", "float", "int32", "int64", "password", ""];

fn column(path: &Path, column: &CustomResourceColumnDefinition, errors: &mut ErrorList) {
    if column.name.is_empty() {
        errors.push(FieldError::required(&path.child("name"), ""));
    }
    let types = format!("must be one of {}", TYPES.join(","));
    if column.type_.is_empty() {
        errors.push(FieldError::required(&path.child("type"), types));
    } else if !TYPES.contains(&column.type_.as_str()) {
        errors.push(FieldError::invalid(&path.child("type"), column.type_.as_str(), types));
    }
    if !FORMATS.contains(&column.format.as_str()) {
        let why = format!("must be one of {}", FORMATS[..8].join(","));
        errors.push(FieldError::invalid(&path.child("format"), column.format.as_str(), why));
    }
    let at = path.child("JSONPath");
    if column.json_path.is_empty() {
        errors.push(FieldError::required(&at, ""));
    } else {
        simple(&at, &column.json_path, errors);
    }
}
