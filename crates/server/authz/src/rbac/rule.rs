//! Whether a rule allows a request.
//!
//! Answers to `pkg/apis/rbac/v1/evaluation_helpers.go`: `*` matches all verbs, groups, resources; `*/scale` the
//! subresource of any resource; a rule with names never matches a request without one.

use api_types::rbac::v1::PolicyRule;

use crate::Attributes;

const ALL: &str = "*";

/// Whether any of the rules allows the request.
pub fn rules_allow<'a>(request: &Attributes<'_>, rules: impl IntoIterator<Item = &'a PolicyRule>) -> bool {
    rules.into_iter().any(|rule| rule_allows(request, rule))
}

/// Whether the rule allows the request.
pub fn rule_allows(request: &Attributes<'_>, rule: &PolicyRule) -> bool {
    if !matches(&rule.verbs, request.verb) {
        return false;
    }
    if !request.is_resource_request {
        return rule.non_resource_urls.iter().any(|pattern| url_matches(pattern, request.path));
    }
    matches(&rule.api_groups, request.api_group)
        && rule
            .resources
            .iter()
            .any(|pattern| resource_matches(pattern, request.resource, request.subresource))
        && (rule.resource_names.is_empty() || rule.resource_names.iter().any(|name| name == request.name))
}

/// Whether a path is under a pattern, which is exact unless it ends in `*`.
pub(super) fn url_matches(pattern: &str, path: &str) -> bool {
    pattern == path || pattern.ends_with('*') && path.starts_with(pattern.trim_end_matches('*'))
}

fn matches(patterns: &[String], wanted: &str) -> bool {
    patterns.iter().any(|pattern| pattern == ALL || pattern == wanted)
}

fn resource_matches(pattern: &str, resource: &str, subresource: &str) -> bool {
    if pattern == ALL {
        return true;
    }
    if subresource.is_empty() {
        return pattern == resource;
    }
    pattern.strip_prefix("*/") == Some(subresource)
        || pattern.strip_prefix(resource).and_then(|rest| rest.strip_prefix('/')) == Some(subresource)
}
