//! The authorizers together, under the bootstrap policy.

use api_types::core::v1::Pod;

use super::*;
use crate::bootstrap::{self, ADMINS_GROUP};
use crate::forbidden;

fn bootstrapped() -> Index {
    let policy = bootstrap::policy();
    let mut index = Index::new();
    policy.cluster_roles.iter().for_each(|role| index.put_cluster_role(role));
    policy.cluster_role_bindings.iter().for_each(|binding| index.put_cluster_role_binding(binding));
    policy.roles.iter().for_each(|role| index.put_role(role));
    policy.role_bindings.iter().for_each(|binding| index.put_role_binding(binding));
    bootstrap::join_roles().iter().for_each(|role| index.put_cluster_role(role));
    bootstrap::join_bindings().iter().for_each(|binding| index.put_cluster_role_binding(binding));
    index
}

fn list(groups: &[&str]) -> Vec<String> {
    groups.iter().map(|&group| group.to_owned()).collect()
}

#[test]
fn the_bootstrap_policy_lets_in_whom_it_should() {
    let (graph, index) = (Graph::new(), bootstrapped());
    let union = Union { node: &graph, rbac: &index };
    let at = |user: &str, groups: &[&str], path: &str| {
        union.authorize(&Attributes::of(user, &list(groups)).at("get", path)).is_allowed()
    };
    let (anonymous, strangers) = ("system:anonymous", &["system:unauthenticated"][..]);
    for path in ["/healthz", "/livez", "/readyz", "/version", "/version/"] {
        assert!(at(anonymous, strangers, path), "{path}");
    }
    for path in ["/", "/api", "/apis", "/openapi/v3", "/metrics", "/healthz/etcd", "/livez/ping"] {
        assert!(!at(anonymous, strangers, path), "{path}");
    }
    assert!(at("jane", &["system:authenticated"], "/apis/apps/v1"));
    assert!(!at("jane", &["system:authenticated"], "/metrics"));
    assert!(at("x", &["system:monitoring"], "/livez/ping"));

    let on = |user: &str, groups: &[&str], verb: &str, group: &str, resource: &str| {
        let groups = list(groups);
        let request =
            Attributes { namespace: "shop", ..Attributes::of(user, &groups).on(verb, group, resource) };
        union.authorize(&request).is_allowed()
    };
    assert!(on(
        "jane",
        &["system:authenticated"],
        "create",
        "authorization.k8s.io",
        "selfsubjectaccessreviews"
    ));
    assert!(!on("jane", &["system:authenticated"], "get", "", "pods"));
    assert!(on("system:kube-scheduler", &[], "list", "", "pods"));
    assert!(on("system:serviceaccount:kube-system:job-controller", &[], "update", "batch", "jobs"));
    assert!(!on("system:serviceaccount:shop:job-controller", &[], "update", "batch", "jobs"));
    assert!(on("op", &[ADMINS_GROUP], "delete", "", "secrets"));
    assert!(on(
        "token",
        &["system:bootstrappers"],
        "create",
        "certificates.k8s.io",
        "certificatesigningrequests"
    ));
    assert!(!on("token", &["system:bootstrappers"], "get", "", "secrets"));
}

#[test]
fn kubernetes_s_masters_need_no_policy() {
    let (graph, index) = (Graph::new(), Index::new());
    let union = Union { node: &graph, rbac: &index };
    let masters = list(&["system:masters"]);
    assert_eq!(
        union.authorize(&Attributes::of("x", &masters).on("delete", "", "nodes")),
        Decision::allow("")
    );
    assert!(!union.authorize(&Attributes::of("system:masters", &[]).on("delete", "", "nodes")).is_allowed());
}

#[test]
fn a_refusal_carries_every_authorizer_s_reason() {
    let mut index = bootstrapped();
    index.remove_cluster_role("system:discovery");
    let graph = Graph::new();
    let union = Union { node: &graph, rbac: &index };
    let groups = list(&["system:authenticated", "system:nodes"]);
    let secret = Attributes {
        name: "s",
        namespace: "shop",
        ..Attributes::of("system:node:n1", &groups).on("get", "", "secrets")
    };
    let decision = union.authorize(&secret);
    assert_eq!(
        decision,
        Decision::no_opinion(
            "node: no relationship found between node 'n1' and this object\n\
             rbac: RBAC: clusterrole.rbac.authorization.k8s.io \"system:discovery\" not found"
        )
    );
    assert_eq!(
        forbidden::message(&secret, decision.reason()),
        "secrets \"s\" is forbidden: User \"system:node:n1\" cannot get resource \"secrets\" in API group \"\" in the \
         namespace \"shop\": node: no relationship found between node 'n1' and this object\n\
         rbac: RBAC: clusterrole.rbac.authorization.k8s.io \"system:discovery\" not found"
    );
}

#[test]
fn the_first_decision_stands() {
    struct Says(Decision);
    impl Authorize for Says {
        fn authorize(&self, _: &Attributes<'_>) -> Decision {
            self.0.clone()
        }
    }
    let no = Decision::Deny { reason: "never".into() };
    let (mute, deny, allow) =
        (Says(Decision::no_opinion("")), Says(no.clone()), Says(Decision::allow("sure")));
    let shy = Says(Decision::no_opinion("shy"));
    let request = Attributes::of("x", &[]);
    assert_eq!(authorize_in_turn(&[("a", &shy), ("b", &deny), ("c", &allow)], &request), no);
    assert_eq!(
        authorize_in_turn(&[("a", &mute), ("b", &allow), ("c", &deny)], &request),
        Decision::allow("sure")
    );
    assert_eq!(authorize_in_turn(&[("a", &shy), ("b", &mute)], &request), Decision::no_opinion("a: shy"));
    assert_eq!(authorize_in_turn(&[], &request), Decision::no_opinion(""));
}

#[test]
fn a_relationship_allows_before_rbac_is_asked() {
    let mut graph = Graph::new();
    let mut pod = Pod::default();
    (pod.metadata.namespace, pod.metadata.name) = ("shop".into(), "web".into());
    pod.spec.node_name = "n1".into();
    graph.put_pod(&pod);
    let index = Index::new();
    let groups = list(&["system:nodes"]);
    let request = Attributes {
        name: "web",
        namespace: "shop",
        ..Attributes::of("system:node:n1", &groups).on("get", "", "pods")
    };
    assert_eq!((Union { node: &graph, rbac: &index }).authorize(&request), Decision::allow(""));
}

#[test]
fn a_rules_review_tells_what_it_can() {
    let (graph, mut index) = (Graph::new(), bootstrapped());
    let union = Union { node: &graph, rbac: &index };
    let review = union.rules_for("jane", &list(&["system:authenticated"]), "shop");
    assert!(!review.incomplete && review.evaluation_error.is_empty());
    assert_eq!(review.resource_rules.len(), 2, "the two rules of system:basic-user");
    assert_eq!(review.non_resource_rules.len(), 2, "system:discovery and system:public-info-viewer");

    let nobody = union.rules_for("nobody", &[], "shop");
    assert!(
        nobody.resource_rules.is_empty() && !nobody.resource_rules.is_nil(),
        "written as [] and not as null"
    );

    let node = union.rules_for("system:node:n1", &list(&["system:nodes"]), "shop");
    assert!(node.incomplete);
    assert_eq!(node.evaluation_error, "node authorizer does not support user rule resolution");

    index.remove_cluster_role("system:discovery");
    index.remove_cluster_role("system:basic-user");
    let both = list(&["system:nodes", "system:authenticated"]);
    assert_eq!(
        (Union { node: &graph, rbac: &index }).rules_for("system:node:n1", &both, "shop").evaluation_error,
        "[node authorizer does not support user rule resolution, \
         clusterrole.rbac.authorization.k8s.io \"system:basic-user\" not found, \
         clusterrole.rbac.authorization.k8s.io \"system:discovery\" not found]"
    );
}
