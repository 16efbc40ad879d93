//! What rules allow, who is bound, and in what words.

mod escalation;
mod index;

use api_types::meta::v1::ObjectMeta;
use api_types::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject};

use super::{Index, covers, rule_allows};
use crate::{Attributes, Authorize, Decision};

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(|word| if word == "core" { String::new() } else { word.to_owned() }).collect()
}

fn on(groups: &str, resources: &str, names: &str, verbs: &str) -> PolicyRule {
    PolicyRule {
        verbs: words(verbs).into(),
        api_groups: words(groups),
        resources: words(resources),
        resource_names: words(names),
        ..Default::default()
    }
}

fn at(urls: &str, verbs: &str) -> PolicyRule {
    PolicyRule { verbs: words(verbs).into(), non_resource_urls: words(urls), ..Default::default() }
}

fn meta(namespace: &str, name: &str) -> ObjectMeta {
    ObjectMeta { namespace: namespace.into(), name: name.into(), ..Default::default() }
}

fn cluster_role(name: &str, rules: &[PolicyRule]) -> ClusterRole {
    ClusterRole { metadata: meta("", name), rules: rules.to_vec().into(), ..Default::default() }
}

fn role(namespace: &str, name: &str, rules: &[PolicyRule]) -> Role {
    Role { metadata: meta(namespace, name), rules: rules.to_vec().into() }
}

/// `User jane`, `Group ops`, `ServiceAccount shop/till`, `ServiceAccount till`.
fn subject(text: &str) -> Subject {
    let (kind, name) = text.split_once(' ').expect("a kind and a name");
    let (namespace, name) = match (kind, name.split_once('/')) {
        ("ServiceAccount", Some(parts)) => parts,
        _ => ("", name),
    };
    Subject { kind: kind.into(), name: name.into(), namespace: namespace.into(), ..Default::default() }
}

/// `ClusterRole view`.
fn role_ref(text: &str) -> RoleRef {
    let (kind, name) = text.split_once(' ').expect("a kind and a name");
    RoleRef { api_group: "rbac.authorization.k8s.io".into(), kind: kind.into(), name: name.into() }
}

fn cluster_binding(name: &str, role: &str, subjects: &[&str]) -> ClusterRoleBinding {
    let subjects = subjects.iter().map(|text| subject(text)).collect();
    ClusterRoleBinding { metadata: meta("", name), subjects, role_ref: role_ref(role) }
}

fn binding(namespace: &str, name: &str, role: &str, subjects: &[&str]) -> RoleBinding {
    let subjects = subjects.iter().map(|text| subject(text)).collect();
    RoleBinding { metadata: meta(namespace, name), subjects, role_ref: role_ref(role) }
}

/// `get core/pods/log web shop`: verb, group/resource/subresource, name and namespace (`-` for none).
fn ask<'a>(user: &'a str, groups: &'a [String], text: &'a str) -> Attributes<'a> {
    let mut parts = text.split(' ').map(|part| if part == "-" { "" } else { part });
    let mut next = || parts.next().unwrap_or("");
    let (verb, what) = (next(), next());
    let of = Attributes::of(user, groups);
    if what.starts_with('/') {
        return of.at(verb, what);
    }
    let (group, what) = what.split_once('/').expect("a group and a resource");
    let (resource, subresource) = what.split_once('/').unwrap_or((what, ""));
    let group = if group == "core" { "" } else { group };
    Attributes { subresource, name: next(), namespace: next(), ..of.on(verb, group, resource) }
}

#[test]
fn rules_allow_what_they_name() {
    let pods = on("core", "pods", "", "get list");
    let named = on("core", "pods", "web db", "get");
    let logs = on("core", "pods/log", "", "get");
    let scale = on("*", "*/scale", "", "update");
    let pods_all = on("core", "pods/*", "", "get");
    let all = on("*", "*", "", "*");
    let health = at("/healthz /healthz/*", "get");
    let every_path = at("*", "*");
    let cases: &[(&PolicyRule, &str, bool)] = &[
        (&pods, "get core/pods web shop", true),
        (&pods, "list core/pods - shop", true),
        (&pods, "delete core/pods web shop", false),
        (&pods, "get apps/pods web shop", false),
        (&pods, "get core/services web shop", false),
        (&pods, "get core/pods/log web shop", false),
        (&pods, "get /pods", false),
        (&named, "get core/pods db shop", true),
        (&named, "get core/pods cache shop", false),
        (&named, "get core/pods - shop", false),
        (&logs, "get core/pods/log web shop", true),
        (&logs, "get core/pods web shop", false),
        (&logs, "get core/pods/exec web shop", false),
        (&scale, "update apps/deployments/scale web shop", true),
        (&scale, "update shop.example/tills/scale web shop", true),
        (&scale, "update apps/deployments web shop", false),
        (&scale, "update apps/deployments/status web shop", false),
        // "pods/*" is no pattern, only "*/subresource" is.
        (&pods_all, "get core/pods/log web shop", false),
        (&all, "escalate any.example/things/part web shop", true),
        (&all, "get /healthz", false),
        (&health, "get /healthz", true),
        (&health, "get /healthz/etcd", true),
        (&health, "get /healthzz", false),
        (&health, "post /healthz", false),
        (&every_path, "post /anything/else", true),
        (&every_path, "get core/pods web shop", false),
    ];
    for (rule, request, allowed) in cases {
        assert_eq!(rule_allows(&ask("jane", &[], request), rule), *allowed, "{request} by {rule:?}");
    }
}

#[test]
fn a_path_pattern_may_end_in_the_middle_of_a_step() {
    assert!(rule_allows(&ask("jane", &[], "get /apis/apps/v1"), &at("/api*", "get")));
    assert!(rule_allows(&ask("jane", &[], "get /a/b"), &at("/a/***", "get")));
}

fn shop() -> Index {
    let mut index = Index::new();
    index.put_cluster_role(&cluster_role("reader", &[on("core", "pods", "", "get")]));
    index.put_cluster_role(&cluster_role("nodes", &[on("core", "nodes", "", "get")]));
    index.put_role(&role("shop", "clerk", &[on("core", "secrets", "", "get")]));
    index.put_cluster_role_binding(&cluster_binding(
        "everywhere",
        "ClusterRole nodes",
        &["User joe", "Group ops", "ServiceAccount shop/till", "ServiceAccount stray"],
    ));
    index.put_role_binding(&binding("shop", "readers", "ClusterRole reader", &["Group staff", "User jane"]));
    index.put_role_binding(&binding("shop", "clerks", "Role clerk", &["ServiceAccount till", "Robot r2"]));
    index
}

#[test]
fn the_reason_of_an_allowance_names_binding_role_and_subject() {
    let index = shop();
    let till = "system:serviceaccount:shop:till";
    let cases: &[(&str, &str, &str, &str)] = &[
        (
            "joe",
            "",
            "get core/nodes n1",
            r#"RBAC: allowed by ClusterRoleBinding "everywhere" of ClusterRole "nodes" to User "joe""#,
        ),
        (
            "x",
            "dev ops",
            "get core/nodes n1",
            r#"RBAC: allowed by ClusterRoleBinding "everywhere" of ClusterRole "nodes" to Group "ops""#,
        ),
        (
            till,
            "",
            "get core/nodes n1 shop",
            r#"RBAC: allowed by ClusterRoleBinding "everywhere" of ClusterRole "nodes" to ServiceAccount "till/shop""#,
        ),
        // The first subject that means the user counts.
        (
            "joe",
            "ops",
            "get core/nodes n1",
            r#"RBAC: allowed by ClusterRoleBinding "everywhere" of ClusterRole "nodes" to User "joe""#,
        ),
        (
            "jane",
            "staff",
            "get core/pods web shop",
            r#"RBAC: allowed by RoleBinding "readers/shop" of ClusterRole "reader" to Group "staff""#,
        ),
        (
            till,
            "",
            "get core/secrets s shop",
            r#"RBAC: allowed by RoleBinding "clerks/shop" of Role "clerk" to ServiceAccount "till/shop""#,
        ),
    ];
    for (user, groups, request, reason) in cases {
        let groups = words(groups);
        assert_eq!(
            index.authorize(&ask(user, &groups, request)),
            Decision::allow(*reason),
            "{user} {request}"
        );
    }
}

#[test]
fn what_nobody_granted_is_no_one_s() {
    let index = shop();
    for (user, request) in [
        ("jane", "get core/pods web other"),
        ("jane", "get core/pods web"),
        ("jane", "get core/secrets s shop"),
        ("jim", "get core/pods web shop"),
        // A group's name is no user's, nor the other way round.
        ("staff", "get core/pods web shop"),
        // A cluster-wide binding has no namespace to lend to a service account.
        ("system:serviceaccount::stray", "get core/nodes n1"),
        ("system:serviceaccount:shop:stray", "get core/nodes n1 shop"),
        ("system:serviceaccount:other:till", "get core/secrets s shop"),
        ("r2", "get core/secrets s shop"),
    ] {
        assert_eq!(index.authorize(&ask(user, &[], request)), Decision::no_opinion(""), "{user} {request}");
    }
}

#[test]
fn bindings_to_missing_roles_are_told_but_do_not_hinder() {
    let mut index = shop();
    index.put_cluster_role_binding(&cluster_binding("a", "ClusterRole gone", &["User jane"]));
    index.put_cluster_role_binding(&cluster_binding("b", "ClusterRole gone", &["User jane"]));
    let denied = index.authorize(&ask("jane", &[], "get core/nodes n1"));
    assert_eq!(
        denied,
        Decision::no_opinion(r#"RBAC: clusterrole.rbac.authorization.k8s.io "gone" not found"#)
    );

    index.put_role_binding(&binding("shop", "c", "Role lost", &["User jane"]));
    index.put_role_binding(&binding("shop", "d", "Group odd", &["User jane"]));
    let denied = index.authorize(&ask("jane", &[], "get core/nodes n1 shop"));
    assert_eq!(
        denied.reason(),
        r#"RBAC: [clusterrole.rbac.authorization.k8s.io "gone" not found, role.rbac.authorization.k8s.io "lost" not found, unsupported role reference kind: "Group"]"#
    );
    assert!(index.authorize(&ask("jane", &[], "get core/pods web shop")).is_allowed());
}

#[test]
fn a_cluster_wide_reference_to_a_role_finds_no_cluster_role() {
    let mut index = shop();
    index.put_cluster_role_binding(&cluster_binding("a", "Role nodes", &["User jane"]));
    let denied = index.authorize(&ask("jane", &[], "get core/nodes n1"));
    assert_eq!(denied, Decision::no_opinion(r#"RBAC: role.rbac.authorization.k8s.io "nodes" not found"#));
}

#[test]
fn the_rules_held_are_those_of_all_bindings() {
    let mut index = shop();
    index.put_cluster_role_binding(&cluster_binding("a", "ClusterRole gone", &["Group staff"]));
    let groups = words("ops staff");
    let held = index.rules_for("jane", &groups, "shop");
    assert_eq!(held.rules, [on("core", "nodes", "", "get"), on("core", "pods", "", "get")]);
    assert_eq!(held.errors.len(), 1);
    assert_eq!(index.rules_for("jane", &groups, "").rules, [on("core", "nodes", "", "get")]);
}

#[test]
fn held_rules_cover_wanted_ones_action_by_action() {
    let cases: &[(&[PolicyRule], PolicyRule, &[PolicyRule])] = &[
        (&[on("*", "*", "", "*")], on("apps", "deployments/scale", "", "get update"), &[]),
        (
            &[on("core", "pods", "", "get"), on("core", "pods", "", "list")],
            on("core", "pods", "", "get list"),
            &[],
        ),
        (
            &[on("core", "*/scale", "", "get")],
            on("core", "pods/scale pods", "", "get"),
            &[on("core", "pods", "", "get")],
        ),
        // Only the star covers a star.
        (
            &[on("core", "pods services", "", "get")],
            on("core", "*", "", "get"),
            &[on("core", "*", "", "get")],
        ),
        (
            &[on("core", "pods", "web", "get")],
            on("core", "pods", "", "get"),
            &[on("core", "pods", "", "get")],
        ),
        (
            &[on("core", "pods", "web", "get")],
            on("core", "pods", "web db", "get"),
            &[on("core", "pods", "db", "get")],
        ),
        (&[on("core", "pods", "", "get")], on("core", "pods", "web", "get"), &[]),
        (&[at("/a/*", "get")], at("/a/b /a/* /a", "get"), &[at("/a", "get")]),
        (&[at("*", "*")], on("core", "pods", "", "get"), &[on("core", "pods", "", "get")]),
        (&[], on("core", "pods", "", ""), &[]),
    ];
    for (held, wanted, missing) in cases {
        assert_eq!(covers(held, std::slice::from_ref(wanted)), *missing, "{wanted:?} by {held:?}");
    }
}
