//! Which requests a flow schema takes: whose, and for what.

use api_kind::checks::{each, required, supported};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_types::flowcontrol::v1::{
    NonResourcePolicyRule, PolicyRulesWithSubjects, ResourcePolicyRule, ServiceAccountSubject, Subject,
};

const VERBS: &[&str] =
    &["create", "delete", "deletecollection", "get", "list", "patch", "proxy", "update", "watch"];
const NAMESPACE: &str = "each member of this list must be '*' or a DNS-1123 label; ";

/// Checks a rule.
pub fn check(errors: &mut ErrorList, path: &Path, rule: &PolicyRulesWithSubjects) {
    let at = path.child("subjects");
    if rule.subjects.is_empty() {
        errors.push(FieldError::required(&at, "subjects must contain at least one value"));
    }
    for (index, one) in rule.subjects.iter().enumerate() {
        subject(errors, &at.index(index), one);
    }
    if rule.resource_rules.is_empty() && rule.non_resource_rules.is_empty() {
        let why = "at least one of resourceRules and nonResourceRules has to be non-empty";
        errors.push(FieldError::required(path, why));
    }
    for (index, one) in rule.resource_rules.iter().enumerate() {
        resource_rule(errors, &path.child("resourceRules").index(index), one);
    }
    for (index, one) in rule.non_resource_rules.iter().enumerate() {
        non_resource_rule(errors, &path.child("nonResourceRules").index(index), one);
    }
}

fn subject(errors: &mut ErrorList, path: &Path, own: &Subject) {
    let given = [
        ("User", "user", own.user.is_some()),
        ("Group", "group", own.group.is_some()),
        ("ServiceAccount", "serviceAccount", own.service_account.is_some()),
    ];
    let Some((_, field, present)) = given.iter().find(|(kind, ..)| *kind == own.kind) else {
        supported(errors, &path.child("kind"), &own.kind, &["Group", "ServiceAccount", "User"]);
        return;
    };
    let at = path.child(*field);
    if !present {
        let why = format!("{field} is required when subject kind is '{}'", own.kind);
        errors.push(FieldError::required(&at, why));
    } else if let ("ServiceAccount", Some(account)) = (own.kind.as_str(), &own.service_account) {
        service_account(errors, &at, account);
    } else {
        let user = own.user.as_ref().filter(|_| own.kind == "User").map(|user| &user.name);
        let group = own.group.as_ref().filter(|_| own.kind == "Group").map(|group| &group.name);
        user.into_iter().chain(group).for_each(|name| {
            required(errors, &at.child("name"), name);
        });
    }
    for (kind, field, _) in given.iter().filter(|(kind, _, present)| *present && *kind != own.kind) {
        let why = format!("{field} is forbidden when subject kind is not '{kind}'");
        errors.push(FieldError::forbidden(&path.child(*field), why));
    }
}

fn service_account(errors: &mut ErrorList, path: &Path, own: &ServiceAccountSubject) {
    let at = path.child("name");
    if required(errors, &at, &own.name) && own.name != "*" {
        each(errors, &at, &own.name, names::name_is_dns_subdomain(&own.name, false));
    }
    let at = path.child("namespace");
    if own.namespace.is_empty() {
        errors.push(FieldError::required(&at, "must specify namespace for service account"));
    } else {
        each(errors, &at, &own.namespace, names::name_is_dns_label(&own.namespace, false));
    }
}

/// Whether a list is of values other than the one that stands for all; a list of that one and of others is refused.
fn lists_values(errors: &mut ErrorList, at: &Path, list: &[String], others: &str) -> bool {
    let every = list.iter().any(|value| value == "*");
    if every && list.len() > 1 {
        let why = format!("if '*' is present, must not specify other {others}");
        errors.push(FieldError::invalid(at, list, why));
    }
    !every
}

fn at_least_one(errors: &mut ErrorList, at: &Path, list: &[String], why: &str) -> bool {
    if list.is_empty() {
        errors.push(FieldError::required(at, why));
    }
    !list.is_empty()
}

fn verbs(errors: &mut ErrorList, path: &Path, list: &[String]) {
    let at = path.child("verbs");
    let known = list.iter().all(|verb| VERBS.contains(&verb.as_str()));
    if at_least_one(errors, &at, list, "verbs must contain at least one value")
        && lists_values(errors, &at, list, "verbs")
        && !known
    {
        errors.push(FieldError::not_supported(&at, list, VERBS));
    }
}

fn resource_rule(errors: &mut ErrorList, path: &Path, rule: &ResourcePolicyRule) {
    verbs(errors, path, &rule.verbs);
    let at = path.child("apiGroups");
    if at_least_one(errors, &at, &rule.api_groups, "resource rules must supply at least one api group") {
        lists_values(errors, &at, &rule.api_groups, "api groups");
    }
    let at = path.child("resources");
    if at_least_one(errors, &at, &rule.resources, "resource rules must supply at least one resource") {
        lists_values(errors, &at, &rule.resources, "resources");
    }
    let at = path.child("namespaces");
    if rule.namespaces.is_empty() && !rule.cluster_scope {
        let why = "resource rules that are not cluster scoped must supply at least one namespace";
        errors.push(FieldError::required(&at, why));
    } else if lists_values(errors, &at, &rule.namespaces, "namespaces") {
        for (index, name) in rule.namespaces.iter().enumerate() {
            let faults = names::name_is_dns_label(name, false);
            let faults = faults.into_iter().map(|fault| format!("{NAMESPACE}{fault}")).collect();
            each(errors, &at.index(index), name, faults);
        }
    }
}

fn non_resource_rule(errors: &mut ErrorList, path: &Path, rule: &NonResourcePolicyRule) {
    verbs(errors, path, &rule.verbs);
    let (at, urls) = (path.child("nonResourceURLs"), &rule.non_resource_urls);
    if at_least_one(errors, &at, urls, "nonResourceURLs must contain at least one value")
        && lists_values(errors, &at, urls, "non-resource URLs")
    {
        for (index, url) in urls.iter().enumerate() {
            let fault = url_fault(url);
            errors.extend(fault.map(|fault| FieldError::invalid(&at.index(index), url, fault)));
        }
    }
}

fn url_fault(path: &str) -> Option<&'static str> {
    let stars = path.matches('*').count();
    match path {
        "" => Some("must not be empty"),
        "/" => None,
        _ if !path.starts_with('/') => Some("must start with slash"),
        _ if path.contains(' ') => Some("must not contain white-space"),
        _ if path.contains("//") => Some("must not contain double slash"),
        _ if stars > 1 || (stars == 1 && !path.ends_with("/*")) => {
            Some("wildcard can only do suffix matching")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_ends_with_a_star_at_most() {
        for (path, fits) in [
            ("/", true),
            ("/a", true),
            ("/a/*", true),
            ("/*", true),
            ("/a*", false),
            ("/*/a", false),
            ("a", false),
        ] {
            assert_eq!(url_fault(path).is_none(), fits, "{path}");
        }
    }
}
