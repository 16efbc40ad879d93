//! Which requests something is about: rules of webhooks, and what policies match.

use api_kind::checks::{required, supported};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::labels::{SelectorLeniency, validate_label_selector};
use api_meta::names::is_path_segment_name;
use api_types::admissionregistration::v1::{MatchResources, NamedRuleWithOperations, RuleWithOperations};

const OPERATIONS: [&str; 5] = ["*", "CONNECT", "CREATE", "DELETE", "UPDATE"];
const SCOPES: [&str; 3] = ["*", "Cluster", "Namespaced"];
pub(crate) const MATCH_POLICIES: [&str; 2] = ["Equivalent", "Exact"];
pub(crate) const FAILURE_POLICIES: [&str; 2] = ["Fail", "Ignore"];

/// What a policy or a binding matches.
pub(crate) fn resources(errors: &mut ErrorList, path: &Path, own: &MatchResources) {
    match &own.match_policy {
        Some(policy) => supported(errors, &path.child("matchPolicy"), policy, &MATCH_POLICIES),
        None => errors.push(FieldError::required(&path.child("matchPolicy"), "")),
    }
    for (name, selector) in
        [("namespaceSelector", &own.namespace_selector), ("objectSelector", &own.object_selector)]
    {
        let path = path.child(name);
        match selector {
            Some(selector) => {
                errors.extend(validate_label_selector(Some(selector), SelectorLeniency::default(), &path));
            }
            None => errors.push(FieldError::required(&path, "")),
        }
    }
    for (name, rules) in
        [("resourceRules", &own.resource_rules), ("excludeResourceRules", &own.exclude_resource_rules)]
    {
        for (index, named) in rules.iter().enumerate() {
            named_rule(errors, &path.child(name).index(index), named);
        }
    }
}

/// Complains of rules about operations that objects cannot be changed in.
pub(crate) fn only_changes(errors: &mut ErrorList, path: &Path, rules: &[NamedRuleWithOperations]) {
    let path = path.child("resourceRules").child("operations");
    for operation in rules.iter().flat_map(|rule| &rule.rule_with_operations.operations) {
        supported(errors, &path, operation, &["*", "CONNECT", "CREATE", "UPDATE"]);
    }
}

fn named_rule(errors: &mut ErrorList, path: &Path, own: &NamedRuleWithOperations) {
    for (index, name) in own.resource_names.iter().enumerate() {
        let path = path.child("resourceNames").index(index);
        for message in is_path_segment_name(name) {
            errors.push(FieldError::invalid(&path, name.as_str(), message));
        }
        if own.resource_names[..index].contains(name) {
            errors.push(FieldError::duplicate(&path, name.as_str()));
        }
    }
    rule(errors, path, &own.rule_with_operations);
}

/// Operations, and the resources that they are about.
pub(crate) fn rule(errors: &mut ErrorList, path: &Path, own: &RuleWithOperations) {
    let operations = path.child("operations");
    if own.operations.is_empty() {
        errors.push(FieldError::required(&operations, ""));
    }
    lone_star(errors, &operations, &own.operations, "if '*' is present, must not specify other operations");
    for (index, operation) in own.operations.iter().enumerate() {
        supported(errors, &operations.index(index), operation, &OPERATIONS);
    }
    let own = &own.rule;
    let (groups, versions) = (path.child("apiGroups"), path.child("apiVersions"));
    if own.api_groups.is_empty() {
        errors.push(FieldError::required(&groups, ""));
    }
    lone_star(errors, &groups, &own.api_groups, "if '*' is present, must not specify other API groups");
    if own.api_versions.is_empty() {
        errors.push(FieldError::required(&versions, ""));
    }
    lone_star(errors, &versions, &own.api_versions, "if '*' is present, must not specify other API versions");
    for (index, version) in own.api_versions.iter().enumerate() {
        required(errors, &versions.index(index), version);
    }
    names(errors, &path.child("resources"), &own.resources);
    if let Some(scope) = &own.scope {
        supported(errors, &path.child("scope"), scope, &SCOPES);
    }
}

fn list(all: &[String]) -> api_meta::field::BadValue {
    let shown: Vec<String> = all.iter().map(|one| format!("{one:?}")).collect();
    api_meta::field::BadValue::json(format!("[{}]", shown.join(",")))
}

fn lone_star(errors: &mut ErrorList, path: &Path, all: &[String], why: &str) {
    if all.len() > 1 && all.iter().any(|one| one == "*") {
        errors.push(FieldError::invalid(path, list(all), why));
    }
}

/// `x`, `x/y`, `x/*`, `*/y`, `*`, `*/*`, none of which says what another says already.
fn names(errors: &mut ErrorList, path: &Path, all: &[String]) {
    if all.is_empty() {
        errors.push(FieldError::required(path, ""));
    }
    let (mut whole, mut parts): (Vec<&str>, Vec<&str>) = (Vec::new(), Vec::new());
    let mut plain = false;
    for (index, name) in all.iter().enumerate() {
        let path = path.index(index);
        if !required(errors, &path, name) {
            continue;
        }
        let Some((resource, part)) = name.split_once('/') else {
            plain = name != "*";
            continue;
        };
        if whole.contains(&resource) {
            let why = format!("if '{resource}/*' is present, must not specify {name}");
            errors.push(FieldError::invalid(&path, name.as_str(), why));
        }
        if parts.contains(&part) {
            let why = format!("if '*/{part}' is present, must not specify {name}");
            errors.push(FieldError::invalid(&path, name.as_str(), why));
        }
        if part == "*" {
            whole.push(resource);
        }
        if resource == "*" {
            parts.push(part);
        }
    }
    let has = |wanted: &str| all.iter().any(|name| name == wanted);
    if all.len() > 1 && has("*/*") {
        errors.push(FieldError::invalid(
            path,
            list(all),
            "if '*/*' is present, must not specify other resources",
        ));
    }
    if has("*") && plain {
        let why = "if '*' is present, must not specify other resources without subresources";
        errors.push(FieldError::invalid(path, list(all), why));
    }
}
