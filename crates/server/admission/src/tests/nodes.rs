//! What nodes may do, and what becomes of new ones.

use api_types::authentication::v1::{BoundObjectReference, TokenRequest};
use api_types::certificates::v1::CertificateSigningRequest;
use api_types::coordination::v1::Lease;
use api_types::core::v1::{Node, Pod, Taint};
use api_types::meta::v1::OwnerReference;
use server_registry::admit::Operation::{Create, Delete, Update};

use super::{Ask, World, named, pod};

const NODES: (&str, &str) = ("", "nodes");
const PODS: (&str, &str) = ("", "pods");

fn node(name: &str, labels: &[&str]) -> Node {
    let mut node = Node { metadata: named("", name), ..Node::default() };
    node.metadata.labels = labels.iter().map(|label| ((*label).to_owned(), String::new())).collect();
    node
}

#[tokio::test]
async fn a_new_node_takes_no_pods_yet() {
    let mut new = node("n1", &[]);
    Ask::to(Create, NODES, "", "n1")
        .admit(&World::usual().chain(), Some(&mut new), None)
        .await
        .expect("admitted");
    let taint = &new.spec.taints[0];
    assert_eq!((taint.key.as_str(), taint.effect.as_str()), ("node.kubernetes.io/not-ready", "NoSchedule"));
}

#[tokio::test]
async fn a_node_keeps_to_its_own_object_and_harmless_labels() {
    let chain = World::usual().chain();
    let cases: [(&str, &[&str], Option<&str>); 5] = [
        ("n1", &["kubernetes.io/os", "example.com/any", "node.kubernetes.io/x", "free"], None),
        ("n2", &[], Some("node \"n1\" is not allowed to modify node \"n2\"")),
        (
            "n1",
            &["kubernetes.io/mine"],
            Some("node \"n1\" is not allowed to set the following labels: kubernetes.io/mine"),
        ),
        (
            "n1",
            &["a.node-restriction.kubernetes.io/x", "sub.k8s.io/y"],
            Some(
                "node \"n1\" is not allowed to set the following labels: a.node-restriction.kubernetes.io/x, sub.k8s.io/y",
            ),
        ),
        ("n1", &["notkubernetes.io/x"], None),
    ];
    for (name, labels, refusal) in cases {
        let ask = Ask::to(Create, NODES, "", name).by_node("n1");
        let result = ask.admit(&chain, Some(&mut node(name, labels)), None).await;
        let refusal = refusal.map(|why| format!("nodes {name:?} is forbidden: {why}"));
        assert_eq!(result.err(), refusal, "{labels:?}");
    }
    let update = Ask::to(Update, NODES, "", "n1").at("status").by_node("n1");
    let mut tainted = node("n1", &[]);
    tainted.spec.taints = vec![Taint::default()];
    let result = update.admit(&chain, Some(&mut tainted), Some(&node("n1", &[]))).await;
    let message = "nodes \"n1\" is forbidden: node \"n1\" is not allowed to modify taints";
    assert_eq!(result.err().as_deref(), Some(message));
    let result = update.admit(&chain, Some(&mut node("n1", &[])), Some(&node("n1", &["k8s.io/x"]))).await;
    let message = "nodes \"n1\" is forbidden: is not allowed to modify labels: k8s.io/x";
    assert_eq!(result.err().as_deref(), Some(message));
    let anybody = Ask::to(Update, NODES, "", "n1");
    assert_eq!(anybody.admit(&chain, Some(&mut tainted), Some(&node("n1", &[]))).await, Ok(()));
}

fn mirror() -> Pod {
    let mut mirror = pod("static");
    mirror.metadata.annotations.insert("kubernetes.io/config.mirror".into(), "x".into());
    mirror.spec.node_name = "n1".into();
    mirror.metadata.owner_references = vec![OwnerReference {
        api_version: "v1".into(),
        kind: "Node".into(),
        name: "n1".into(),
        uid: "u1".into(),
        controller: Some(true),
        block_owner_deletion: None,
    }];
    mirror
}

#[tokio::test]
async fn a_node_makes_only_mirror_pods_of_its_own() {
    let chain = World::usual().chain();
    type Change = fn(&mut Pod);
    let cases: [(Change, Option<&str>); 6] = [
        (|_| {}, None),
        (
            |pod| pod.spec.node_name = "n2".into(),
            Some("node \"n1\" can only create pods with spec.nodeName set to itself"),
        ),
        (
            |pod| pod.metadata.owner_references.clear(),
            Some("node \"n1\" can only create pods with an owner reference set to itself"),
        ),
        (
            |pod| pod.metadata.owner_references[0].uid = "u2".into(),
            Some("node n1 UID mismatch: expected u2 got u1"),
        ),
        (
            |pod| pod.spec.service_account_name = "default".into(),
            Some("node \"n1\" can not create pods that reference serviceaccounts"),
        ),
        (
            |pod| pod.spec.volumes = vec![Default::default()],
            Some("error checking mirror pod for API references: unknown volume type for volume  \"\""),
        ),
    ];
    for (change, refusal) in cases {
        let mut asked = mirror();
        change(&mut asked);
        let ask = Ask::to(Create, PODS, "default", "static").by_node("n1");
        let result = ask.admit(&chain, Some(&mut asked), None).await;
        assert_eq!(result.err(), refusal.map(|why| format!("pods \"static\" is forbidden: {why}")));
    }
    let ask = Ask::to(Create, PODS, "default", "web").by_node("n1");
    let result = ask.admit(&chain, Some(&mut pod("web")), None).await;
    assert!(result.is_err_and(|message| message.contains("can only create mirror pods")));
}

#[tokio::test]
async fn a_node_writes_the_status_of_its_own_pods_and_deletes_them() {
    let chain = World::usual().chain();
    for (node, allowed) in [("n1", true), ("n2", false)] {
        let mut bound = pod("web");
        bound.spec.node_name = "n1".into();
        let status = Ask::to(Update, PODS, "default", "web").at("status").by_node(node);
        assert_eq!(status.admit(&chain, Some(&mut bound.clone()), Some(&bound)).await.is_ok(), allowed);
        let delete = Ask::to(Delete, PODS, "default", "web").by_node(node);
        assert_eq!(delete.admit(&chain, None, Some(&bound)).await.is_ok(), allowed);
        let replace = Ask::to(Update, PODS, "default", "web").by_node(node);
        assert!(replace.admit(&chain, Some(&mut bound.clone()), Some(&bound)).await.is_err());
    }
}

#[tokio::test]
async fn a_nodes_leases_are_named_as_it_is() {
    let chain = World::usual().with(
        "namespaces",
        api_types::core::v1::Namespace { metadata: named("", "kube-node-lease"), ..Default::default() },
    );
    let chain = chain.chain();
    for (namespace, name, allowed) in
        [("kube-node-lease", "n1", true), ("kube-node-lease", "n2", false), ("default", "n1", false)]
    {
        let ask = Ask::to(Create, ("coordination.k8s.io", "leases"), namespace, name).by_node("n1");
        assert_eq!(ask.admit(&chain, Some(&mut Lease::default()), None).await.is_ok(), allowed);
    }
}

#[tokio::test]
async fn a_node_has_tokens_of_its_own_pods_for_audiences_that_they_name() {
    let mut bound = pod("web");
    bound.metadata.uid = "p1".into();
    bound.spec.node_name = "n1".into();
    let made = Ask::to(Create, PODS, "default", "web");
    made.admit(&World::usual().chain(), Some(&mut bound), None).await.expect("a pod with a token");
    let chain = World::usual().with("pods", bound).chain();
    let cases: [(&str, &str, &[&str], Option<&str>); 5] = [
        ("n1", "p1", &[], None),
        ("n2", "p1", &[], Some("node requested token bound to a pod scheduled on a different node")),
        ("n1", "", &[], Some("node requested token with a pod binding without a uid")),
        (
            "n1",
            "p1",
            &["vault"],
            Some("system:node:n1 is not authorized to request tokens for audience \"vault\""),
        ),
        ("n1", "p1", &["a", "b"], Some("node may only request 0 or 1 audiences")),
    ];
    for (node, uid, audiences, refusal) in cases {
        let mut request = TokenRequest::default();
        request.spec.audiences = audiences.iter().map(|audience| (*audience).to_owned()).collect();
        request.spec.bound_object_ref = Some(Box::new(BoundObjectReference {
            kind: "Pod".into(),
            api_version: "v1".into(),
            name: "web".into(),
            uid: uid.into(),
        }));
        let ask = Ask::to(Create, ("", "serviceaccounts"), "default", "default").at("token").by_node(node);
        let result = ask.admit(&chain, Some(&mut request), None).await;
        assert_eq!(
            result.err(),
            refusal.map(|why| format!("serviceaccounts \"default\" is forbidden: {why}"))
        );
    }
}

#[tokio::test]
async fn only_who_may_approves_and_signs() {
    let chain = World::usual().chain();
    let resource = ("certificates.k8s.io", "certificatesigningrequests");
    let mut old = CertificateSigningRequest { metadata: named("", "csr"), ..Default::default() };
    old.spec.signer_name = "example.com/own".into();
    let mut new = old.clone();
    new.status.certificate = Some(api_record::Bytes::from_static(b"x"));
    for (subresource, verb) in [("approval", "approve"), ("status", "sign")] {
        let ask = || Ask::to(Update, resource, "", "csr").at(subresource);
        let result = ask().admit(&chain, Some(&mut new.clone()), Some(&old)).await;
        let message = format!(
            "certificatesigningrequests.certificates.k8s.io \"csr\" is forbidden: user not permitted to {verb} \
             requests with signerName \"example.com/own\""
        );
        assert_eq!(result.err(), Some(message));
        assert_eq!(ask().by("signer", &[]).admit(&chain, Some(&mut new.clone()), Some(&old)).await, Ok(()));
    }
}
