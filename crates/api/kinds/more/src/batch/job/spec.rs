//! What is wrong with a job's spec; templates of jobs share all but the selector.

use api_kind::checks::{labels, non_negative, shown, supported};
use api_kinds_core::template;
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_meta::labels::{Selector, SelectorLeniency, validate_label_selector};
use api_meta::names;
use api_types::batch::v1::JobSpec;

use super::policies;

/// How many pods of an indexed job there may be at once, and how many indexes may fail.
const INDEXES: i32 = 100_000;
/// From how many completions on there is less room for failures.
const MANY_COMPLETIONS: i32 = 100_000;
/// How many pods at once, and how many failed indexes, such a job may have.
const FEWER: i32 = 10_000;
const MANAGED_BY_BYTES: usize = 63;

/// What is wrong, besides the selector.
pub(crate) fn check(errors: &mut ErrorList, path: &Path, spec: &JobSpec) {
    for (name, value) in [
        ("parallelism", spec.parallelism.map(i64::from)),
        ("completions", spec.completions.map(i64::from)),
        ("activeDeadlineSeconds", spec.active_deadline_seconds),
        ("backoffLimit", spec.backoff_limit.map(i64::from)),
        ("ttlSecondsAfterFinished", spec.ttl_seconds_after_finished.map(i64::from)),
        ("backoffLimitPerIndex", spec.backoff_limit_per_index.map(i64::from)),
        ("maxFailedIndexes", spec.max_failed_indexes.map(i64::from)),
    ] {
        if let Some(value) = value {
            non_negative(errors, &path.child(name), value);
        }
    }
    if spec.max_failed_indexes.is_some() && spec.backoff_limit_per_index.is_none() {
        let why = "when maxFailedIndexes is specified";
        errors.push(FieldError::required(&path.child("backoffLimitPerIndex"), why));
    }
    if let Some(name) = &spec.managed_by {
        let at = path.child("managedBy");
        errors.extend(names::is_domain_prefixed_path(&at, name));
        if name.len() > MANAGED_BY_BYTES {
            errors.push(FieldError::too_long(&at, MANAGED_BY_BYTES));
        }
    }
    mode(errors, path, spec);
    policies::check(errors, path, spec);
    let at = path.child("template");
    template::validate(errors, &at, &spec.template);
    restart_policy(errors, &at.child("spec").child("restartPolicy"), spec);
}

fn mode(errors: &mut ErrorList, path: &Path, spec: &JobSpec) {
    match spec.completion_mode.as_deref() {
        Some("Indexed") => indexed(errors, path, spec),
        None | Some("NonIndexed") => {
            let limits = [
                ("backoffLimitPerIndex", spec.backoff_limit_per_index),
                ("maxFailedIndexes", spec.max_failed_indexes),
            ];
            for (name, value) in limits {
                if let Some(value) = value {
                    let why = "requires indexed completion mode";
                    errors.push(FieldError::invalid(&path.child(name), value, why));
                }
            }
        }
        Some(mode) => supported(errors, &path.child("completionMode"), mode, &["NonIndexed", "Indexed"]),
    }
}

fn indexed(errors: &mut ErrorList, path: &Path, spec: &JobSpec) {
    let mut at_most = |name: &'static str, value: Option<i32>, most: i32, when: &str| {
        if let Some(value) = value.filter(|value| *value > most) {
            let why = format!("must be less than or equal to {most}{when}");
            errors.push(FieldError::invalid(&path.child(name), value, why));
        }
    };
    at_most("parallelism", spec.parallelism, INDEXES, " when completion mode is Indexed");
    at_most("maxFailedIndexes", spec.max_failed_indexes, INDEXES, "");
    let crowded = spec.backoff_limit_per_index.is_some()
        && spec.completions.is_some_and(|completions| completions > MANY_COMPLETIONS);
    if crowded {
        let when =
            format!(" when completions are above {MANY_COMPLETIONS} and used with backoff limit per index");
        at_most("parallelism", spec.parallelism, FEWER, &when);
        at_most("maxFailedIndexes", spec.max_failed_indexes, FEWER, &when);
    }
    let at = path.child("maxFailedIndexes");
    match (spec.completions, spec.max_failed_indexes) {
        (None, _) => {
            let why = "when completion mode is Indexed";
            errors.push(FieldError::required(&path.child("completions"), why));
        }
        (Some(completions), Some(failed)) if failed > completions => {
            errors.push(FieldError::invalid(&at, failed, "must be less than or equal to completions"));
        }
        (Some(_), None) if crowded => {
            let why = format!("must be specified when completions is above {MANY_COMPLETIONS}");
            errors.push(FieldError::required(&at, why));
        }
        _ => {}
    }
}

fn restart_policy(errors: &mut ErrorList, path: &Path, spec: &JobSpec) {
    match spec.template.spec.restart_policy.as_str() {
        "" | "Always" => {
            errors.push(FieldError::required(path, "valid values: \"OnFailure\", \"Never\""));
        }
        policy @ ("OnFailure" | "Never") => {
            if spec.pod_failure_policy.is_some() && policy != "Never" {
                let why = "only \"Never\" is supported when podFailurePolicy is specified";
                errors.push(FieldError::invalid(path, policy, why));
            }
        }
        policy => errors.push(FieldError::not_supported(path, policy, &["OnFailure", "Never"])),
    }
}

/// A selector that selects the job's own pods.
pub(super) fn selector(errors: &mut ErrorList, path: &Path, spec: &JobSpec) {
    let own = spec.selector.as_deref();
    let at = path.child("selector");
    match own {
        None => errors.push(FieldError::required(&at, "")),
        Some(own) => errors.extend(validate_label_selector(Some(own), SelectorLeniency::default(), &at)),
    }
    let pods = &spec.template.metadata.labels;
    if Selector::from_api(own).is_ok_and(|selector| !selector.matches(pods)) {
        let at = path.child("template").child("metadata").child("labels");
        let shown = if pods.is_empty() { BadValue::null() } else { labels(pods) };
        errors.push(FieldError::invalid(&at, shown, "`selector` does not match template `labels`"));
    }
}

/// That a template of jobs leaves the selector alone.
pub(crate) fn unselected(errors: &mut ErrorList, path: &Path, spec: &JobSpec) {
    if let Some(selector) = &spec.selector {
        let why = "`selector` will be auto-generated";
        errors.push(FieldError::invalid(&path.child("selector"), shown(&**selector), why));
    }
    if spec.manual_selector == Some(true) {
        let at = path.child("manualSelector");
        errors.push(FieldError::not_supported(&at, true, &["nil", "false"]));
    }
}
