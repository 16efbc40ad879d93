//! What is wrong with the options of a request: create, update, patch, delete.

use api_types::meta::v1::{CreateOptions, DeleteOptions, PatchOptions, UpdateOptions};

use crate::field::{BadValue, ErrorList, FieldError, Path};
use crate::limits::FIELD_MANAGER_BYTES;
use crate::quote;

/// What is wrong with a create's options.
pub fn validate_create(options: &CreateOptions) -> ErrorList {
    common(&options.field_manager, &options.dry_run, &options.field_validation)
}

/// What is wrong with an update's options.
pub fn validate_update(options: &UpdateOptions) -> ErrorList {
    common(&options.field_manager, &options.dry_run, &options.field_validation)
}

/// What is wrong with a patch's options; `apply` is whether it is a server-side apply.
pub fn validate_patch(options: &PatchOptions, apply: bool) -> ErrorList {
    let mut errors = ErrorList::new();
    if apply && options.field_manager.is_empty() {
        errors.push(FieldError::required(&Path::new("fieldManager"), "is required for apply patch"));
    }
    if !apply && options.force.is_some() {
        errors.push(FieldError::forbidden(&Path::new("force"), "may not be specified for non-apply patch"));
    }
    errors.extend(common(&options.field_manager, &options.dry_run, &options.field_validation));
    errors
}

/// What is wrong with a delete's options.
pub fn validate_delete(options: &DeleteOptions) -> ErrorList {
    let mut errors = ErrorList::new();
    if let Some(policy) = &options.propagation_policy {
        let at = Path::new("propagationPolicy");
        let shown = || BadValue::json(quote::json(policy));
        if options.orphan_dependents.is_some() {
            let detail = "orphanDependents and deletionPropagation cannot be both set";
            errors.push(FieldError::invalid(&at, shown(), detail));
        }
        if !["Foreground", "Background", "Orphan"].contains(&policy.as_str()) {
            let supported = ["Foreground", "Background", "Orphan", "nil"];
            errors.push(FieldError::not_supported(&at, shown(), &supported));
        }
    }
    errors.extend(validate_dry_run(&options.dry_run, &Path::new("dryRun")));
    if options.ignore_store_read_error_with_cluster_breaking_potential == Some(true) {
        let at = Path::new("ignoreStoreReadErrorWithClusterBreakingPotential");
        for (given, name) in [
            (options.propagation_policy.is_some(), "propagationPolicy"),
            (options.orphan_dependents.is_some(), "orphanDependents"),
            (options.grace_period_seconds.is_some(), "gracePeriodSeconds"),
            (options.preconditions.is_some(), "preconditions"),
        ] {
            if given {
                errors.push(FieldError::invalid(&at, true, format!("cannot be set together with .{name}")));
            }
        }
    }
    errors
}

fn common(field_manager: &str, dry_run: &[String], field_validation: &str) -> ErrorList {
    let mut errors = validate_field_manager(field_manager, &Path::new("fieldManager"));
    errors.extend(validate_dry_run(dry_run, &Path::new("dryRun")));
    let allowed = ["", "Ignore", "Strict", "Warn"];
    if !allowed.contains(&field_validation) {
        let at = Path::new("fieldValidation");
        errors.push(FieldError::not_supported(&at, field_validation, &allowed));
    }
    errors
}

/// What is wrong with a field manager's name, which may be empty.
pub fn validate_field_manager(name: &str, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    if name.len() > FIELD_MANAGER_BYTES {
        errors.push(FieldError::too_long(path, FIELD_MANAGER_BYTES));
    }
    for (position, c) in name.char_indices().filter(|(_, c)| !quote::printable(*c)) {
        let detail = format!("invalid character U+{:04X} (at position {position})", u32::from(c));
        errors.push(FieldError::invalid(path, name, detail));
    }
    errors
}

fn validate_dry_run(dry_run: &[String], path: &Path) -> Option<FieldError> {
    let known = dry_run.iter().all(|value| value == "All");
    (!known).then(|| FieldError::not_supported(path, dry_run, &["All"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_checked_in_upstreams_words() {
        let patch = PatchOptions { force: Some(true), ..Default::default() };
        assert_eq!(
            validate_patch(&patch, true).to_string(),
            "fieldManager: Required value: is required for apply patch"
        );
        assert_eq!(
            validate_patch(&patch, false).to_string(),
            "force: Forbidden: may not be specified for non-apply patch"
        );
        let create = CreateOptions {
            dry_run: vec!["Some".into()],
            field_manager: "a\nb".into(),
            field_validation: "Loose".into(),
        };
        let errors: Vec<String> = validate_create(&create).iter().map(ToString::to_string).collect();
        assert_eq!(
            errors,
            [
                "fieldManager: Invalid value: \"a\\nb\": invalid character U+000A (at position 1)",
                "dryRun: Unsupported value: [\"Some\"]: supported values: \"All\"",
                "fieldValidation: Unsupported value: \"Loose\": supported values: \"\", \"Ignore\", \"Strict\", \"Warn\"",
            ]
        );
        assert!(validate_update(&UpdateOptions::default()).is_empty());
    }

    #[test]
    fn deletes_cannot_ask_for_two_things_at_once() {
        let options = DeleteOptions {
            propagation_policy: Some("Never".into()),
            orphan_dependents: Some(true),
            ignore_store_read_error_with_cluster_breaking_potential: Some(true),
            ..Default::default()
        };
        let errors: Vec<String> = validate_delete(&options).iter().map(ToString::to_string).collect();
        assert_eq!(
            errors,
            [
                "propagationPolicy: Invalid value: \"Never\": orphanDependents and deletionPropagation cannot be both set",
                "propagationPolicy: Unsupported value: \"Never\": supported values: \"Foreground\", \"Background\", \"Orphan\", \"nil\"",
                "ignoreStoreReadErrorWithClusterBreakingPotential: Invalid value: true: cannot be set together with .propagationPolicy",
                "ignoreStoreReadErrorWithClusterBreakingPotential: Invalid value: true: cannot be set together with .orphanDependents",
            ]
        );
    }
}
