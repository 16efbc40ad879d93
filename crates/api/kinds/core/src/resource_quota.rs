//! Resource quotas.

use std::collections::BTreeSet;

use api_kind::checks::immutable;
use api_kind::{Column, Ctx, Kind};
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_types::core::v1::{ResourceQuota, ScopeSelector};

use crate::pod::{defaults::round_up, resources};

const SCOPES: &[&str] = &[
    "BestEffort",
    "CrossNamespacePodAffinity",
    "NotBestEffort",
    "NotTerminating",
    "PriorityClass",
    "Terminating",
    "VolumeAttributesClass",
];

/// The row.
pub const KIND: Kind<ResourceQuota> = Kind::<ResourceQuota>::of("", "v1", "resourcequotas")
    .defaults(|_, quota| {
        round_up(&mut quota.spec.hard);
        round_up(&mut quota.status.hard);
        round_up(&mut quota.status.used);
    })
    .validate(validate)
    .columns(&[
        Column::<ResourceQuota>::name(),
        Column::<ResourceQuota>::text("Request", "Request represents a minimum amount of cpu/memory that a container may consume.", |quota, _| {
            shown(quota, false).into()
        }),
        Column::<ResourceQuota>::text("Limit", "Limits control the maximum amount of cpu/memory that a container may use independent of contention on the node.", |quota, _| {
            shown(quota, true).into()
        }),
        Column::<ResourceQuota>::age(),
    ]);

fn shown(quota: &ResourceQuota, limits: bool) -> String {
    let own = quota.status.hard.iter().filter(|(name, _)| name.starts_with("limits.") == limits);
    let parts = own.map(|(name, hard)| {
        let used = quota.status.used.get(name).map_or_else(|| "0".to_owned(), ToString::to_string);
        format!("{name}: {used}/{hard}")
    });
    parts.collect::<Vec<_>>().join(", ")
}

fn validate(ctx: &Ctx<'_>, quota: &ResourceQuota, old: Option<&ResourceQuota>, errors: &mut ErrorList) {
    let (path, hard) = match ctx.subresource {
        "status" => (Path::new("status").child("hard"), &quota.status.hard),
        _ => (Path::new("spec").child("hard"), &quota.spec.hard),
    };
    let used = quota.status.used.iter().filter(|_| ctx.subresource == "status");
    let used = used.map(|(name, value)| (Path::new("status").child("used").key(name), name, value));
    for (at, name, value) in hard.iter().map(|(name, value)| (path.key(name), name, value)).chain(used) {
        resources::quota_name(errors, &at, name);
        resources::quantity(errors, &at, name, value);
    }
    if ctx.subresource == "status" {
        return;
    }
    let at = Path::new("spec").child("scopes");
    let own = || BadValue::from(&quota.spec.scopes);
    for scope in &quota.spec.scopes {
        if !SCOPES.contains(&scope.as_str()) {
            errors.push(FieldError::invalid(&at, own(), "unsupported scope"));
        }
        unfit(errors, quota, scope, &at, &own());
    }
    conflicts(errors, quota.spec.scopes.iter().map(String::as_str), &at, &own());
    selector_rules(errors, quota);
    if let Some(old) = old {
        let set = |quota: &ResourceQuota| -> BTreeSet<String> { quota.spec.scopes.iter().cloned().collect() };
        immutable(errors, &at, set(quota) == set(old), own());
    }
}

fn selector_rules(errors: &mut ErrorList, quota: &ResourceQuota) {
    let Some(selector) = quota.spec.scope_selector.as_deref() else { return };
    let at = Path::new("spec").child("scopeSelector").child("matchExpressions");
    for one in &selector.match_expressions {
        let (scope, operator) = (one.scope_name.as_str(), one.operator.as_str());
        if !SCOPES.contains(&scope) {
            errors.push(FieldError::invalid(&at.child("scopeName"), scope, "unsupported scope"));
        }
        unfit(errors, quota, scope, &at, &shown_selector(selector));
        let only_exists =
            !matches!(scope, "PriorityClass" | "VolumeAttributesClass") && SCOPES.contains(&scope);
        if only_exists && operator != "Exists" {
            let why = "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, \
                       ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort \
                       or ResourceQuotaScopeCrossNamespacePodAffinity";
            errors.push(FieldError::invalid(&at.child("operator"), operator, why));
        }
        match operator {
            "In" | "NotIn" if one.values.is_empty() => {
                let why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
                errors.push(FieldError::required(&at.child("values"), why));
            }
            "Exists" | "DoesNotExist" if !one.values.is_empty() => {
                let why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
                errors.push(FieldError::invalid(&at.child("values"), &one.values, why));
            }
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            _ => errors.push(FieldError::invalid(
                &at.child("operator"),
                operator,
                "not a valid selector operator",
            )),
        }
    }
    let scopes = selector.match_expressions.iter().map(|one| one.scope_name.as_str());
    let given =
        if quota.spec.scopes.is_empty() { BadValue::null() } else { BadValue::from(&quota.spec.scopes) };
    conflicts(errors, scopes, &at, &given);
}

/// Each resource that a scope cannot be about.
fn unfit(errors: &mut ErrorList, quota: &ResourceQuota, scope: &str, at: &Path, shown: &BadValue) {
    let compute = ["cpu", "memory", "limits.cpu", "limits.memory", "requests.cpu", "requests.memory"];
    let fits = |name: &str| match scope {
        "Terminating"
        | "NotTerminating"
        | "NotBestEffort"
        | "PriorityClass"
        | "CrossNamespacePodAffinity" => name == "pods" || compute.contains(&name),
        "BestEffort" => name == "pods",
        "VolumeAttributesClass" => matches!(name, "persistentvolumeclaims" | "requests.storage"),
        _ => true,
    };
    let standard = |name: &str| name != "storage" && resources::is_standard(name);
    for _ in quota.spec.hard.keys().filter(|name| standard(name) && !fits(name)) {
        errors.push(FieldError::invalid(at, shown.clone(), "unsupported scope applied to resource"));
    }
}

fn conflicts<'a>(errors: &mut ErrorList, scopes: impl Iterator<Item = &'a str>, at: &Path, shown: &BadValue) {
    let scopes: BTreeSet<&str> = scopes.collect();
    for (one, other) in [("BestEffort", "NotBestEffort"), ("Terminating", "NotTerminating")] {
        if scopes.contains(one) && scopes.contains(other) {
            errors.push(FieldError::invalid(at, shown.clone(), "conflicting scopes"));
        }
    }
}

/// The selector by the names that upstream's own types have for its fields.
fn shown_selector(selector: &ScopeSelector) -> BadValue {
    let each = selector.match_expressions.iter().map(|one| {
        let values = if one.values.is_empty() { serde_json::Value::Null } else { one.values.clone().into() };
        let (scope, operator) = (&one.scope_name, &one.operator);
        let (scope, operator) = (serde_json::json!(scope), serde_json::json!(operator));
        format!("{{\"ScopeName\":{scope},\"Operator\":{operator},\"Values\":{values}}}")
    });
    BadValue::json(format!("{{\"MatchExpressions\":[{}]}}", each.collect::<Vec<_>>().join(",")))
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    #[test]
    fn a_quota_shows_what_is_used() {
        let spec = "spec: {hard: {pods: 2, limits.cpu: 4, count/deployments.apps: 3}}";
        assert_eq!(create(&KIND, spec).errors, [""; 0]);
        let status =
            update(&KIND, "status", spec, "status: {hard: {pods: 2, limits.cpu: 4}, used: {pods: 1}}");
        assert_eq!(status.errors, [""; 0]);
        assert_eq!(status.cells(&KIND), "x|pods: 1/2|limits.cpu: 0/4|<unknown>");
        let bad = create(&KIND, "spec: {hard: {pods: 500m, foo: 1}, scopes: [X]}");
        assert_eq!(
            bad.errors,
            [
                "spec.hard[foo]: Invalid value: \"foo\": must be a standard resource type or fully qualified",
                "spec.hard[foo]: Invalid value: \"foo\": must be a standard resource for quota",
                "spec.hard[pods]: Invalid value: \"500m\": must be an integer",
                "spec.scopes: Invalid value: [\"X\"]: unsupported scope"
            ]
        );
    }

    #[test]
    fn scopes_are_known_and_fit_the_resources_and_one_another() {
        let errors = |rest: &str| create(&KIND, &format!("spec: {{{rest}}}")).errors;
        assert_eq!(
            errors("hard: {services: 1, pods: 1}, scopes: [Terminating, NotTerminating]"),
            [
                "spec.scopes: Invalid value: [\"Terminating\",\"NotTerminating\"]: unsupported scope applied to resource",
                "spec.scopes: Invalid value: [\"Terminating\",\"NotTerminating\"]: conflicting scopes"
            ]
        );
        let selector = |one: &str| {
            errors(&format!("hard: {{pods: 1}}, scopeSelector: {{matchExpressions: [{{{one}}}]}}"))
        };
        assert_eq!(selector("scopeName: PriorityClass, operator: In, values: [high]"), [""; 0]);
        assert_eq!(
            selector("scopeName: PriorityClass, operator: In"),
            [
                "spec.scopeSelector.matchExpressions.values: Required value: must be at least one value when `operator` is 'In' or 'NotIn' for scope selector"
            ]
        );
        assert_eq!(selector("scopeName: BestEffort, operator: DoesNotExist").len(), 1);
        assert_eq!(
            selector("scopeName: VolumeAttributesClass, operator: Exists"),
            [
                "spec.scopeSelector.matchExpressions: Invalid value: {\"MatchExpressions\":[{\"ScopeName\":\"VolumeAttributesClass\",\"Operator\":\"Exists\",\"Values\":null}]}: unsupported scope applied to resource"
            ]
        );
    }
}
