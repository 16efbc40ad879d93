//! Whether rules held cover rules wanted.
//!
//! Answers to `component-helpers/auth/rbac/validation`: what is wanted is broken down to single actions, and each must be
//! covered by a single rule.

use api_types::rbac::v1::PolicyRule;

use super::rule::url_matches;

const ALL: &str = "*";

/// The actions of `wanted` that no rule of `held` covers, each as a rule of its own; none if all are covered.
pub fn covers(held: &[PolicyRule], wanted: &[PolicyRule]) -> Vec<PolicyRule> {
    let mut missing = Vec::new();
    for action in wanted.iter().flat_map(actions) {
        if !held.iter().any(|rule| covers_action(rule, &action)) {
            missing.push(action.into_rule());
        }
    }
    missing
}

enum Action<'a> {
    Resource { group: &'a str, resource: &'a str, verb: &'a str, name: Option<&'a str> },
    Url { url: &'a str, verb: &'a str },
}

impl Action<'_> {
    fn into_rule(self) -> PolicyRule {
        let one = |text: &str| vec![text.to_owned()];
        match self {
            Action::Resource { group, resource, verb, name } => PolicyRule {
                verbs: one(verb).into(),
                api_groups: one(group),
                resources: one(resource),
                resource_names: name.map(one).unwrap_or_default(),
                ..Default::default()
            },
            Action::Url { url, verb } => {
                PolicyRule { verbs: one(verb).into(), non_resource_urls: one(url), ..Default::default() }
            }
        }
    }
}

fn actions(rule: &PolicyRule) -> Vec<Action<'_>> {
    let mut actions = Vec::new();
    let names: Vec<Option<&str>> = if rule.resource_names.is_empty() {
        vec![None]
    } else {
        rule.resource_names.iter().map(|name| Some(name.as_str())).collect()
    };
    for group in &rule.api_groups {
        for resource in &rule.resources {
            for verb in &rule.verbs {
                actions.extend(names.iter().map(|&name| Action::Resource { group, resource, verb, name }));
            }
        }
    }
    for url in &rule.non_resource_urls {
        actions.extend(rule.verbs.iter().map(|verb| Action::Url { url, verb }));
    }
    actions
}

fn covers_action(rule: &PolicyRule, action: &Action<'_>) -> bool {
    match *action {
        Action::Resource { group, resource, verb, name } => {
            has(&rule.verbs, verb)
                && has(&rule.api_groups, group)
                && has_resource(&rule.resources, resource)
                && (rule.resource_names.is_empty()
                    || name.is_some_and(|name| rule.resource_names.iter().any(|held| held == name)))
        }
        // Upstream's rule on names holds here too: a rule with names covers no action without one.
        Action::Url { url, verb } => {
            has(&rule.verbs, verb)
                && rule.resource_names.is_empty()
                && rule.non_resource_urls.iter().any(|held| url_matches(held, url))
        }
    }
}

fn has(held: &[String], wanted: &str) -> bool {
    held.iter().any(|held| held == ALL || held == wanted)
}

fn has_resource(held: &[String], wanted: &str) -> bool {
    let subresource = wanted.split_once('/').map(|(_, subresource)| subresource);
    has(held, wanted)
        || subresource.is_some_and(|wanted| held.iter().any(|held| held.strip_prefix("*/") == Some(wanted)))
}
