//! The versions of a kind: exactly one of them is what is stored.

use std::collections::BTreeSet;

use api_kind::checks::shown;
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_meta::names::is_dns1035_label;
use api_types::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinitionSpec, CustomResourceDefinitionVersion,
    CustomResourceSubresourceScale, CustomResourceSubresources, CustomResourceValidation,
};

use super::{schema, selectable};

/// What is said of each version, or once of all if it is the same of all: upstream keeps it in one place then, and names that.
struct Shared<'a> {
    schema: Option<&'a CustomResourceValidation>,
    subresources: Option<&'a CustomResourceSubresources>,
    columns: bool,
    selectable: bool,
    has_schema: bool,
    has_subresources: bool,
}

impl<'a> Shared<'a> {
    fn of(versions: &'a [CustomResourceDefinitionVersion]) -> Option<Shared<'a>> {
        let first = versions.first()?;
        let same = |is: &dyn Fn(&CustomResourceDefinitionVersion) -> bool| versions.iter().all(is);
        let has_schema = same(&|own| own.schema == first.schema);
        let has_subresources = same(&|own| own.subresources == first.subresources);
        Some(Shared {
            schema: first.schema.as_deref().filter(|_| has_schema),
            subresources: first.subresources.as_deref().filter(|_| has_subresources),
            columns: same(&|own| *own.additional_printer_columns == *first.additional_printer_columns),
            selectable: same(&|own| *own.selectable_fields == *first.selectable_fields),
            has_schema,
            has_subresources,
        })
    }
}

pub(super) fn check_all(
    path: &Path,
    spec: &CustomResourceDefinitionSpec,
    old: Option<&CustomResourceDefinitionSpec>,
    errors: &mut ErrorList,
) {
    let versions = &spec.versions;
    let at = path.child("versions");
    for (index, version) in versions.iter().enumerate() {
        let given = version.schema.as_deref().is_some_and(|own| own.open_apiv3_schema.is_some());
        if !given {
            let at = at.index(index).child("schema").child("openAPIV3Schema");
            errors.push(FieldError::required(&at, ""));
        }
    }
    let shared = Shared::of(versions);
    let before = |version: &CustomResourceDefinitionVersion| {
        old.and_then(|old| old.versions.iter().find(|own| own.name == version.name))
    };
    for (index, version) in versions.iter().enumerate() {
        let at = at.index(index);
        let problems = is_dns1035_label(&version.name);
        if !problems.is_empty() {
            errors.push(FieldError::invalid(&at.child("name"), version.name.as_str(), problems.join(",")));
        }
        if let Some(shared) = &shared {
            check(&at, version, before(version), shared, errors);
        }
    }
    let all = || {
        let each: Vec<String> =
            versions.iter().map(|own| shown(own).shown().unwrap_or_default().to_owned()).collect();
        BadValue::json(format!("[{}]", each.join(",")))
    };
    let names: BTreeSet<&str> = versions.iter().map(|version| version.name.as_str()).collect();
    if names.len() != versions.len() {
        errors.push(FieldError::invalid(&at, all(), "must contain unique version names"));
    }
    if versions.iter().filter(|version| version.storage).count() != 1 {
        let why = "must have exactly one version marked as storage version";
        errors.push(FieldError::invalid(&at, all(), why));
    }
}

/// What is the same of all versions.
pub(super) fn check_shared(
    path: &Path,
    spec: &CustomResourceDefinitionSpec,
    old: Option<&CustomResourceDefinitionSpec>,
    errors: &mut ErrorList,
) {
    let (Some(shared), Some(first)) = (Shared::of(&spec.versions), spec.versions.first()) else { return };
    let schema = shared.schema.and_then(|own| own.open_apiv3_schema.as_deref());
    if let Some(schema) = schema {
        let at = path.child("validation").child("openAPIV3Schema");
        let has_status = spec.versions.iter().any(|own| has_status(own.subresources.as_deref()));
        let before = old.and_then(|old| old.versions.iter().find(|own| own.name == first.name));
        let unchanged = before.is_some_and(|before| before.schema == first.schema);
        schema::check_all(&at, schema, has_status, unchanged, errors);
    }
    if let Some(scale) = shared.subresources.and_then(|own| own.scale.as_deref()) {
        self::scale(&path.child("subresources"), scale, errors);
    }
    if shared.columns {
        columns(path, &first.additional_printer_columns, errors);
    }
    if shared.selectable && !first.selectable_fields.is_empty() {
        let at = path.child("selectableFields");
        match shared.schema {
            None => {
                let why = "may only be set when validations.schema is included";
                errors.push(FieldError::invalid(&at, "", why));
            }
            Some(_) => selectable::check(&at, &first.selectable_fields, schema, errors),
        }
    }
}

fn has_status(subresources: Option<&CustomResourceSubresources>) -> bool {
    subresources.is_some_and(|own| own.status.is_some())
}

fn columns(path: &Path, columns: &[CustomResourceColumnDefinition], errors: &mut ErrorList) {
    for (index, own) in columns.iter().enumerate() {
        column(&path.child("additionalPrinterColumns").index(index), own, errors);
    }
}

/// What is said of this version alone.
fn check(
    path: &Path,
    version: &CustomResourceDefinitionVersion,
    before: Option<&CustomResourceDefinitionVersion>,
    shared: &Shared<'_>,
    errors: &mut ErrorList,
) {
    deprecation(&path.child("deprecationWarning"), version, errors);
    let subresources = version.subresources.as_deref();
    let schema = version.schema.as_deref().and_then(|own| own.open_apiv3_schema.as_deref());
    if let Some(schema) = schema.filter(|_| !shared.has_schema) {
        let at = path.child("schema").child("openAPIV3Schema");
        let unchanged = before.is_some_and(|before| before.schema == version.schema);
        schema::check_all(&at, schema, has_status(subresources), unchanged, errors);
    }
    let scale = subresources.filter(|_| !shared.has_subresources).and_then(|own| own.scale.as_deref());
    if let Some(scale) = scale {
        self::scale(&path.child("subresources"), scale, errors);
    }
    if !shared.columns {
        columns(path, &version.additional_printer_columns, errors);
    }
    if !shared.selectable {
        selectable::check(&path.child("selectableFields"), &version.selectable_fields, schema, errors);
    }
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
