//! What roles and bindings have in common: rules, subjects, references to roles.

use api_kind::checks::{required, supported};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_types::rbac::v1::{PolicyRule, RoleRef, Subject};

const GROUP: &str = "rbac.authorization.k8s.io";

/// A rule; `namespaced` is whether it stands in a role of a namespace.
pub(crate) fn rule(errors: &mut ErrorList, path: &Path, rule: &PolicyRule, namespaced: bool) {
    if rule.verbs.is_empty() {
        errors.push(FieldError::required(&path.child("verbs"), "verbs must contain at least one value"));
    }
    if !rule.non_resource_urls.is_empty() {
        if namespaced {
            let why = "namespaced rules cannot apply to non-resource URLs";
            errors.push(FieldError::invalid(&path.child("nonResourceURLs"), &rule.non_resource_urls, why));
        }
        if !rule.api_groups.is_empty() || !rule.resources.is_empty() || !rule.resource_names.is_empty() {
            let why = "rules cannot apply to both regular resources and non-resource URLs";
            errors.push(FieldError::invalid(&path.child("nonResourceURLs"), &rule.non_resource_urls, why));
        }
        return;
    }
    if rule.api_groups.is_empty() {
        let why = "resource rules must supply at least one api group";
        errors.push(FieldError::required(&path.child("apiGroups"), why));
    }
    if rule.resources.is_empty() {
        let why = "resource rules must supply at least one resource";
        errors.push(FieldError::required(&path.child("resources"), why));
    }
}

/// The default groups of subjects.
pub(crate) fn default_subjects(subjects: &mut [Subject]) {
    for subject in subjects.iter_mut().filter(|subject| subject.api_group.is_empty()) {
        if matches!(subject.kind.as_str(), "User" | "Group") {
            GROUP.clone_into(&mut subject.api_group);
        }
    }
}

/// The default group of a reference to a role.
pub(crate) fn default_role(role: &mut RoleRef) {
    if role.api_group.is_empty() {
        GROUP.clone_into(&mut role.api_group);
    }
}

/// A reference to a role of one of these kinds.
pub(crate) fn role(errors: &mut ErrorList, role: &RoleRef, kinds: &[&str]) {
    let path = Path::new("roleRef");
    supported(errors, &path.child("apiGroup"), &role.api_group, &[GROUP]);
    supported(errors, &path.child("kind"), &role.kind, kinds);
    if required(errors, &path.child("name"), &role.name) {
        for message in names::name_is_path_segment(&role.name, false) {
            errors.push(FieldError::invalid(&path.child("name"), &role.name, message));
        }
    }
}

/// Subjects; `namespaced` is whether the binding is of a namespace.
pub(crate) fn subjects(errors: &mut ErrorList, subjects: &[Subject], namespaced: bool) {
    for (index, subject) in subjects.iter().enumerate() {
        let at = Path::new("subjects").index(index);
        required(errors, &at.child("name"), &subject.name);
        match subject.kind.as_str() {
            "ServiceAccount" => {
                if !subject.name.is_empty() {
                    for message in names::name_is_dns_subdomain(&subject.name, false) {
                        errors.push(FieldError::invalid(&at.child("name"), &subject.name, message));
                    }
                }
                if !subject.api_group.is_empty() {
                    supported(errors, &at.child("apiGroup"), &subject.api_group, &[""]);
                }
                if !namespaced {
                    required(errors, &at.child("namespace"), &subject.namespace);
                }
            }
            "User" | "Group" => supported(errors, &at.child("apiGroup"), &subject.api_group, &[GROUP]),
            other => supported(errors, &at.child("kind"), other, &["ServiceAccount", "User", "Group"]),
        }
    }
}

/// The names of the subjects of a kind, as tables show them.
pub(crate) fn shown(subjects: &[Subject], kind: &str) -> String {
    let own = subjects.iter().filter(|subject| subject.kind == kind);
    let names = own.map(|subject| match (kind, subject.namespace.as_str()) {
        ("ServiceAccount", namespace) if !namespace.is_empty() => format!("{namespace}/{}", subject.name),
        _ => subject.name.clone(),
    });
    names.collect::<Vec<_>>().join(", ")
}

/// The selectors of the roles that another role gathers.
pub(crate) fn selectors(
    errors: &mut ErrorList,
    path: &Path,
    selectors: &[api_types::meta::v1::LabelSelector],
) {
    if selectors.is_empty() {
        let why = "at least one clusterRoleSelector required if aggregationRule is non-nil";
        errors.push(FieldError::required(path, why));
    }
    for (index, selector) in selectors.iter().enumerate() {
        let lenient = api_meta::labels::SelectorLeniency::default();
        let at = path.index(index);
        errors.extend(api_meta::labels::validate_label_selector(Some(selector), lenient, &at));
        if api_meta::labels::Selector::from_api(Some(selector)).is_err() {
            let null = api_meta::field::BadValue::null();
            errors.push(FieldError::invalid(&at, null, "invalid label selector."));
        }
    }
}
