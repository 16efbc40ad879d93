//! The names of a kind and of its resource.

use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names::is_dns1035_label;
use api_types::apiextensions::v1::CustomResourceDefinitionNames;

/// The names that a definition must give.
pub(super) fn check_given(path: &Path, names: &CustomResourceDefinitionNames, errors: &mut ErrorList) {
    let given = [
        ("plural", &names.plural),
        ("singular", &names.singular),
        ("kind", &names.kind),
        ("listKind", &names.list_kind),
    ];
    for (field, text) in given {
        if text.is_empty() {
            errors.push(FieldError::required(&path.child(field), ""));
        }
    }
}

/// Whether the names that are there are names.
pub(super) fn check(path: &Path, names: &CustomResourceDefinitionNames, errors: &mut ErrorList) {
    let mut label = |at: Path, text: &str| {
        let problems = is_dns1035_label(text);
        if !text.is_empty() && !problems.is_empty() {
            errors.push(FieldError::invalid(&at, text, problems.join(",")));
        }
    };
    label(path.child("plural"), &names.plural);
    label(path.child("singular"), &names.singular);
    for (field, text) in [("kind", &names.kind), ("listKind", &names.list_kind)] {
        let problems = is_dns1035_label(&text.to_lowercase());
        if !text.is_empty() && !problems.is_empty() {
            let why = format!("may have mixed case, but should otherwise match: {}", problems.join(","));
            errors.push(FieldError::invalid(&path.child(field), text, why));
        }
    }
    each(&path.child("shortNames"), &names.short_names, errors);
    if !names.kind.is_empty() && names.kind == names.list_kind {
        let why = "kind and listKind may not be the same";
        errors.push(FieldError::invalid(&path.child("listKind"), names.list_kind.as_str(), why));
    }
    each(&path.child("categories"), &names.categories, errors);
}

fn each(path: &Path, texts: &[String], errors: &mut ErrorList) {
    for (index, text) in texts.iter().enumerate() {
        let problems = is_dns1035_label(text);
        if !problems.is_empty() {
            errors.push(FieldError::invalid(&path.index(index), text, problems.join(",")));
        }
    }
}
