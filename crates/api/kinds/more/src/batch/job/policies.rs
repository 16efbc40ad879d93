//! What is wrong with what a job says about failure, success and replacement of its pods.

use std::collections::BTreeSet;

use api_kind::checks::{non_negative, qualified_name, shown};
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_types::batch::v1::{
    JobSpec, PodFailurePolicy, PodFailurePolicyOnExitCodesRequirement,
    PodFailurePolicyOnPodConditionsPattern, PodFailurePolicyRule, SuccessPolicy, SuccessPolicyRule,
};

use super::indexes;

const RULES: usize = 20;
const EXIT_CODES: usize = 255;
const PATTERNS: usize = 20;
const INDEXES_BYTES: usize = 64 * 1024;

const ACTIONS: [&str; 4] = ["Count", "FailIndex", "FailJob", "Ignore"];
const OPERATORS: [&str; 2] = ["In", "NotIn"];
const STATUSES: [&str; 3] = ["False", "True", "Unknown"];

/// Checks all three.
pub(super) fn check(errors: &mut ErrorList, path: &Path, spec: &JobSpec) {
    if let Some(policy) = &spec.pod_failure_policy {
        failure(errors, &path.child("podFailurePolicy").child("rules"), policy, spec);
    }
    if let Some(policy) = &spec.success_policy {
        let at = path.child("successPolicy");
        if spec.completion_mode.as_deref() == Some("Indexed") {
            success(errors, &at.child("rules"), policy, spec.completions.unwrap_or(0));
        } else {
            errors.push(FieldError::invalid(&at, shown(&**policy), "requires indexed completion mode"));
        }
    }
    if let Some(policy) = &spec.pod_replacement_policy {
        let known: &[&str] = match spec.pod_failure_policy {
            Some(_) => &["Failed"],
            None => &["Failed", "TerminatingOrFailed"],
        };
        api_kind::checks::supported(errors, &path.child("podReplacementPolicy"), policy, known);
    }
}

fn failure(errors: &mut ErrorList, path: &Path, policy: &PodFailurePolicy, spec: &JobSpec) {
    if policy.rules.len() > RULES {
        errors.push(FieldError::too_many(path, policy.rules.len(), RULES));
    }
    let pod = &spec.template.spec;
    let containers: BTreeSet<&str> =
        pod.containers.iter().chain(&pod.init_containers).map(|own| own.name.as_str()).collect();
    for (number, rule) in policy.rules.iter().enumerate() {
        let at = path.index(number);
        action(errors, &at.child("action"), &rule.action, spec);
        failure_rule(errors, &at, rule, &containers);
    }
}

fn action(errors: &mut ErrorList, path: &Path, action: &str, spec: &JobSpec) {
    if action == "FailIndex" {
        if spec.backoff_limit_per_index.is_none() {
            let why = "requires the backoffLimitPerIndex to be set";
            errors.push(FieldError::invalid(path, action, why));
        }
        return;
    }
    one_of(errors, path, action, &ACTIONS);
}

/// A text that must be given, in which case the message lists what could be.
fn one_of(errors: &mut ErrorList, path: &Path, text: &str, known: &[&str]) {
    if text.is_empty() {
        let quoted: Vec<String> = known.iter().map(|word| format!("{word:?}")).collect();
        errors.push(FieldError::required(path, format!("valid values: [{}]", quoted.join(" "))));
    } else if !known.contains(&text) {
        errors.push(FieldError::not_supported(path, text, known));
    }
}

fn failure_rule(
    errors: &mut ErrorList,
    path: &Path,
    rule: &PodFailurePolicyRule,
    containers: &BTreeSet<&str>,
) {
    if let Some(codes) = &rule.on_exit_codes {
        exit_codes(errors, &path.child("onExitCodes"), codes, containers);
    }
    if !rule.on_pod_conditions.is_empty() {
        conditions(errors, &path.child("onPodConditions"), &rule.on_pod_conditions);
    }
    let why = match (rule.on_exit_codes.is_some(), !rule.on_pod_conditions.is_empty()) {
        (true, true) => "specifying both OnExitCodes and OnPodConditions is not supported",
        (false, false) => "specifying one of OnExitCodes and OnPodConditions is required",
        _ => return,
    };
    errors.push(FieldError::invalid(path, BadValue::OMITTED, why));
}

fn conditions(errors: &mut ErrorList, path: &Path, patterns: &[PodFailurePolicyOnPodConditionsPattern]) {
    if patterns.len() > PATTERNS {
        errors.push(FieldError::too_many(path, patterns.len(), PATTERNS));
    }
    for (number, pattern) in patterns.iter().enumerate() {
        let at = path.index(number);
        qualified_name(errors, &at.child("type"), &pattern.type_);
        one_of(errors, &at.child("status"), &pattern.status, &STATUSES);
    }
}

fn exit_codes(
    errors: &mut ErrorList,
    path: &Path,
    own: &PodFailurePolicyOnExitCodesRequirement,
    containers: &BTreeSet<&str>,
) {
    one_of(errors, &path.child("operator"), &own.operator, &OPERATORS);
    if let Some(name) = own.container_name.as_ref().filter(|name| !containers.contains(name.as_str())) {
        let why = "must be one of the container or initContainer names in the pod template";
        errors.push(FieldError::invalid(&path.child("containerName"), name, why));
    }
    let (at, codes) = (path.child("values"), &own.values);
    let shown = || {
        let words: Vec<String> = codes.iter().map(ToString::to_string).collect();
        if codes.is_nil() { BadValue::null() } else { BadValue::json(format!("[{}]", words.join(","))) }
    };
    if codes.is_empty() {
        errors.push(FieldError::invalid(&at, shown(), "at least one value is required"));
    } else if codes.len() > EXIT_CODES {
        errors.push(FieldError::too_many(&at, codes.len(), EXIT_CODES));
    }
    let mut seen = BTreeSet::new();
    for (number, code) in codes.iter().enumerate() {
        if own.operator == "In" && *code == 0 {
            errors.push(FieldError::invalid(&at.index(number), *code, "must not be 0 for the In operator"));
        }
        if !seen.insert(*code) {
            errors.push(FieldError::duplicate(&at.index(number), *code));
        }
    }
    if !codes.is_sorted() {
        errors.push(FieldError::invalid(&at, shown(), "must be ordered"));
    }
}

fn success(errors: &mut ErrorList, path: &Path, policy: &SuccessPolicy, completions: i32) {
    if policy.rules.is_empty() {
        let why = "at least one rules must be specified when the successPolicy is specified";
        errors.push(FieldError::required(path, why));
    }
    if policy.rules.len() > RULES {
        errors.push(FieldError::too_many(path, policy.rules.len(), RULES));
    }
    for (number, rule) in policy.rules.iter().enumerate() {
        success_rule(errors, &path.index(number), rule, completions);
    }
}

fn success_rule(errors: &mut ErrorList, path: &Path, rule: &SuccessPolicyRule, completions: i32) {
    if rule.succeeded_count.is_none() && rule.succeeded_indexes.is_none() {
        let why = "at least one of succeededCount or succeededIndexes must be specified";
        errors.push(FieldError::required(path, why));
    }
    let mut total = 0;
    if let Some(text) = &rule.succeeded_indexes {
        let at = path.child("succeededIndexes");
        if text.len() > INDEXES_BYTES {
            errors.push(FieldError::too_long(&at, INDEXES_BYTES));
        }
        match indexes::count(text, completions) {
            Ok(count) => total = count,
            Err(why) => {
                let why = format!("error parsing succeededIndexes: {why}");
                errors.push(FieldError::invalid(&at, text, why));
            }
        }
    }
    let Some(count) = rule.succeeded_count else { return };
    let at = path.child("succeededCount");
    non_negative(errors, &at, count.into());
    if count > completions {
        let why =
            format!("must be less than or equal to {completions} (the number of specified completions)");
        errors.push(FieldError::invalid(&at, count, why));
    }
    if rule.succeeded_indexes.is_some() && count > total {
        let why = format!(
            "must be less than or equal to {total} (the number of indexes in the specified succeededIndexes field)"
        );
        errors.push(FieldError::invalid(&at, count, why));
    }
}
