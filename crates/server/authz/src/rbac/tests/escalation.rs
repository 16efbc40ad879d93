//! Who may write which roles and bindings.

use api_types::meta::v1::OwnerReference;
use api_types::rbac::v1::AggregationRule;

use super::*;
use crate::rbac::escalation::{
    Escalation, check_binding, check_cluster_role, check_role, confirm_held, only_garbage_collection,
};

const RBAC: &str = "rbac.authorization.k8s.io";

/// Jane reads pods and secrets of the shop; ann may escalate and bind there; root is an administrator by binding.
fn index() -> Index {
    let mut index = Index::new();
    index.put_cluster_role(&cluster_role("admin", &[on("*", "*", "", "*"), at("*", "*")]));
    index.put_cluster_role(&cluster_role("reader", &[on("core", "pods secrets", "", "get list")]));
    index.put_role(&role("shop", "clerk", &[on("core", "configmaps", "", "get")]));
    index.put_role(&role(
        "shop",
        "lifter",
        &[
            on(RBAC, "roles", "", "escalate"),
            on(RBAC, "roles", "clerk", "bind"),
            on(RBAC, "clusterroles", "admin", "bind"),
        ],
    ));
    index.put_cluster_role_binding(&cluster_binding("root", "ClusterRole admin", &["User root"]));
    index.put_role_binding(&binding("shop", "jane", "ClusterRole reader", &["User jane"]));
    index.put_role_binding(&binding("shop", "ann", "Role lifter", &["User ann"]));
    index
}

fn writes<'a>(user: &'a str, groups: &'a [String], resource: &'a str, namespace: &'a str) -> Attributes<'a> {
    Attributes { namespace, ..Attributes::of(user, groups).on("create", RBAC, resource) }
}

fn message(result: Result<(), Escalation>) -> String {
    result.expect_err("it escalates").to_string()
}

#[test]
fn a_role_may_hold_only_what_its_writer_holds() {
    let index = index();
    let check = |user: &str, rules: &[PolicyRule]| {
        check_role(&index, &index, &writes(user, &words("staff night"), "roles", "shop"), rules)
    };
    assert_eq!(check("jane", &[on("core", "pods", "web", "get")]), Ok(()));
    let wanted = [
        on("core", "pods secrets", "", "delete get watch"),
        at("/metrics", "get"),
        on("apps", "x", "n", "get"),
    ];
    assert_eq!(
        message(check("jane", &wanted)),
        "user \"jane\" (groups=[\"staff\" \"night\"]) is attempting to grant RBAC permissions not currently held:\n\
         {APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"delete\" \"watch\"]}\n\
         {APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"delete\" \"watch\"]}\n\
         {APIGroups:[\"apps\"], Resources:[\"x\"], ResourceNames:[\"n\"], Verbs:[\"get\"]}\n\
         {NonResourceURLs:[\"/metrics\"], Verbs:[\"get\"]}"
    );
    assert_eq!(check("ann", &wanted), Ok(()), "who may escalate may write anything");
    assert_eq!(check("root", &wanted), Ok(()));
    let masters = words("system:masters");
    assert_eq!(check_role(&index, &index, &writes("x", &masters, "roles", "shop"), &wanted), Ok(()));
}

#[test]
fn escalating_counts_only_for_requests_about_roles() {
    let index = index();
    let rules = [on("core", "pods", "", "get")];
    assert!(check_role(&index, &index, &writes("ann", &[], "things", "shop"), &rules).is_err());
    assert!(check_role(&index, &index, &writes("ann", &[], "roles", "other"), &rules).is_err());
    assert!(
        check_cluster_role(
            &index,
            &index,
            &writes("ann", &[], "clusterroles", ""),
            &cluster_role("x", &rules),
            None
        )
        .is_err()
    );
}

#[test]
fn roles_that_could_not_be_resolved_are_mentioned() {
    let mut index = index();
    index.put_role_binding(&binding("shop", "z", "Role lost", &["User jane"]));
    let refused = message(confirm_held(&index, &writes("jane", &[], "roles", "shop"), &[at("/x", "get")]));
    assert!(
        refused.ends_with(
            "{NonResourceURLs:[\"/x\"], Verbs:[\"get\"]}; resolution errors: [roles.rbac.authorization.k8s.io \"lost\" not found]"
        ),
        "{refused}"
    );
    assert!(refused.contains("(groups=[])"));
}

#[test]
fn aggregation_takes_an_administrator() {
    let index = index();
    let mut aggregated = cluster_role("sum", &[]);
    aggregated.aggregation_rule =
        Some(Box::new(AggregationRule { cluster_role_selectors: vec![Default::default()] }));
    let plain = cluster_role("sum", &[]);
    let check = |user: &str, new: &ClusterRole, old: Option<&ClusterRole>| {
        check_cluster_role(&index, &index, &writes(user, &[], "clusterroles", ""), new, old)
    };
    assert_eq!(check("jane", &aggregated, None), Err(Escalation::Aggregation));
    assert_eq!(check("jane", &plain, Some(&aggregated)), Err(Escalation::Aggregation));
    assert_eq!(check("jane", &plain, Some(&plain)), Ok(()));
    assert_eq!(check("root", &aggregated, None), Ok(()));
    assert_eq!(
        Escalation::Aggregation.to_string(),
        "must have cluster-admin privileges to use the aggregationRule"
    );
}

#[test]
fn a_binding_may_grant_only_what_its_writer_holds_or_may_bind() {
    let index = index();
    let check = |user: &str, role: &str, namespace: &str| {
        check_binding(&index, &index, &writes(user, &[], "rolebindings", namespace), &role_ref(role))
    };
    assert_eq!(check("jane", "ClusterRole reader", "shop"), Ok(()), "she holds it here");
    assert!(
        matches!(check("jane", "ClusterRole reader", ""), Err(Escalation::NotHeld { .. })),
        "but not everywhere"
    );
    assert!(matches!(check("jane", "Role clerk", "shop"), Err(Escalation::NotHeld { .. })));
    assert_eq!(check("ann", "Role clerk", "shop"), Ok(()));
    assert_eq!(check("ann", "ClusterRole admin", "shop"), Ok(()));
    assert!(check("ann", "ClusterRole admin", "").is_err());
    assert_eq!(
        message(check("jane", "ClusterRole none", "shop")),
        r#"clusterroles.rbac.authorization.k8s.io "none" not found"#
    );
    assert_eq!(
        message(check("jane", "Role none", "shop")),
        r#"roles.rbac.authorization.k8s.io "none" not found"#
    );
    assert_eq!(message(check("jane", "Group none", "shop")), r#"unsupported role reference kind: "Group""#);
    assert_eq!(check("root", "Role none", "shop"), Ok(()), "who may bind anything may bind what will be");
}

#[test]
fn garbage_collection_may_touch_what_it_must() {
    let old = role("shop", "clerk", &[on("core", "pods", "", "get")]);
    let mut new = old.clone();
    new.metadata.finalizers = words("orphan");
    new.metadata.owner_references = vec![OwnerReference::default()];
    assert!(only_garbage_collection(&new, &old));
    new.metadata.labels.insert("a".into(), "b".into());
    assert!(!only_garbage_collection(&new, &old));
    assert!(!only_garbage_collection(&role("shop", "clerk", &[]), &old));
}
