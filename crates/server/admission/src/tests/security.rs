//! What namespaces' levels of security do to pods, workloads and to the namespaces themselves.

use api_types::apps::v1::Deployment;
use api_types::core::v1::{Namespace, Pod};
use api_types::meta::v1::OwnerReference;
use client::Trail;
use client::trail::Level;
use server_registry::admit::Operation;

use super::{Ask, World, named, pod};

const PODS: (&str, &str) = ("", "pods");
const NAMESPACES: (&str, &str) = ("", "namespaces");

fn namespace(labels: &[(&str, &str)]) -> Namespace {
    let mut namespace = Namespace { metadata: named("", "default"), ..Namespace::default() };
    let labels = labels
        .iter()
        .map(|(mode, value)| (format!("pod-security.kubernetes.io/{mode}"), (*value).to_owned()));
    namespace.metadata.labels = labels.collect();
    namespace
}

fn on_host(name: &str) -> Pod {
    let mut pod = pod(name);
    pod.spec.host_network = true;
    pod
}

#[tokio::test]
async fn pods_that_violate_are_refused_or_warned_of() {
    for (labels, expected) in [
        (&[][..], Ok(vec![])),
        (&[("enforce", "privileged"), ("audit", "restricted")], Ok(vec![])),
        (
            &[("enforce", "baseline")],
            Err("pods \"web\" is forbidden: violates PodSecurity \"baseline:latest\": host namespaces \
                 (hostNetwork=true)"),
        ),
        (
            &[("warn", "baseline"), ("warn-version", "v1.30")],
            Ok(vec![
                "would violate PodSecurity \"baseline:v1.30\": host namespaces (hostNetwork=true)".to_owned(),
            ]),
        ),
    ] {
        let chain = World::usual().with("namespaces", namespace(labels)).chain();
        let ask = Ask::to(Operation::Create, PODS, "default", "web");
        let told = ask.told(&chain, Some(&mut on_host("web")), None).await;
        assert_eq!(told, expected.map_err(str::to_owned), "{labels:?}");
    }
}

#[tokio::test]
async fn what_is_enforced_and_what_would_violate_is_noted_for_the_audit_log() {
    let labels = [("enforce", "privileged"), ("audit", "baseline"), ("warn", "x")];
    let chain = World::usual().with("namespaces", namespace(&labels)).chain();
    let mut ask = Ask::to(Operation::Create, PODS, "default", "web");
    ask.caller.trail = Trail::of(Level::Metadata);
    ask.admit(&chain, Some(&mut on_host("web")), None).await.expect("it is only noted");
    let noted: Vec<_> = ask.caller.trail.annotations().into_iter().collect();
    let key = |key| format!("pod-security.kubernetes.io/{key}");
    let violation = "would violate PodSecurity \"baseline:latest\": host namespaces (hostNetwork=true)";
    let wrong = "Failed to parse policy: metadata.labels[pod-security.kubernetes.io/warn]: Invalid value: \"x\": must be one of \
                 privileged, baseline, restricted";
    let wanted = [("audit-violations", violation), ("enforce-policy", "privileged:latest"), ("error", wrong)];
    assert_eq!(noted, wanted.map(|(name, value)| (key(name), value.to_owned())));
}

#[tokio::test]
async fn updates_are_judged_when_something_else_is_to_run() {
    let chain = World::usual().with("namespaces", namespace(&[("enforce", "baseline")])).chain();
    let old = on_host("web");
    let mut labelled = old.clone();
    labelled.metadata.labels.insert("a".into(), "b".into());
    let update = Ask::to(Operation::Update, PODS, "default", "web");
    assert_eq!(update.admit(&chain, Some(&mut labelled), Some(&old)).await, Ok(()));
    let mut other = old.clone();
    other.spec.containers[0].image = "other".into();
    assert!(update.admit(&chain, Some(&mut other), Some(&old)).await.is_err());
    let status = Ask::to(Operation::Update, PODS, "default", "web").at("status");
    assert_eq!(status.admit(&chain, Some(&mut other), Some(&old)).await, Ok(()));
    let mut debugged = old.clone();
    debugged.spec.ephemeral_containers = vec![Default::default()];
    let debug = Ask::to(Operation::Update, PODS, "default", "web").at("ephemeralcontainers");
    assert!(debug.admit(&chain, Some(&mut debugged), Some(&old)).await.is_err());
}

#[tokio::test]
async fn workloads_are_warned_of_and_never_refused() {
    let chain = World::usual().with("namespaces", namespace(&[("enforce", "baseline")])).chain();
    let mut deployment = Deployment { metadata: named("default", "web"), ..Deployment::default() };
    deployment.spec.template.spec = on_host("web").spec;
    let ask = Ask::to(Operation::Create, ("apps", "deployments"), "default", "web");
    let told = ask.told(&chain, Some(&mut deployment), None).await;
    assert_eq!(
        told,
        Ok(vec![
            "would violate PodSecurity \"baseline:latest\": host namespaces (hostNetwork=true)".to_owned()
        ])
    );
    let status = Ask::to(Operation::Update, ("apps", "deployments"), "default", "web").at("status");
    assert_eq!(status.told(&chain, Some(&mut deployment.clone()), Some(&deployment)).await, Ok(vec![]));
}

#[tokio::test]
async fn labels_of_namespaces_must_be_known_unless_they_were_there() {
    let chain = World::usual().chain();
    let mut wrong = namespace(&[("enforce", "strict")]);
    let create = Ask::to(Operation::Create, NAMESPACES, "", "default");
    let why = "Namespace \"default\" is invalid: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: \
               \"strict\": must be one of privileged, baseline, restricted";
    assert_eq!(create.admit(&chain, Some(&mut wrong), None).await.err().as_deref(), Some(why));
    let update = Ask::to(Operation::Update, NAMESPACES, "", "default");
    let old = wrong.clone();
    assert_eq!(update.admit(&chain, Some(&mut wrong), Some(&old)).await, Ok(()));
    let fine = namespace(&[]);
    assert!(update.admit(&chain, Some(&mut wrong), Some(&fine)).await.is_err());
}

#[tokio::test]
async fn who_raises_a_level_is_told_of_the_pods_that_violate_it() {
    let controlled = |name: &str| {
        let mut pod = on_host(name);
        let reference =
            OwnerReference { uid: "set".into(), controller: Some(true), ..OwnerReference::default() };
        pod.metadata.owner_references = vec![reference];
        pod
    };
    let mut ported = pod("p");
    ported.spec.containers[0].ports = vec![Default::default()];
    ported.spec.containers[0].ports[0].host_port = 80;
    let world = World::usual().with("pods", pod("fine")).with("pods", ported);
    let world = world.with("pods", on_host("z")).with("pods", controlled("a")).with("pods", controlled("b"));
    let chain = world.chain();
    let update = Ask::to(Operation::Update, NAMESPACES, "", "default");
    let told = |from: Namespace, to: Namespace| {
        let (chain, update) = (&chain, &update);
        let mut to = to;
        async move { update.told(chain, Some(&mut to), Some(&from)).await }
    };
    let expected = [
        "existing pods in namespace \"default\" violate the new PodSecurity enforce level \"baseline:latest\"",
        "a (and 2 other pods): host namespaces",
        "p: hostPort",
    ];
    let raised = namespace(&[("enforce", "baseline")]);
    assert_eq!(told(namespace(&[]), raised.clone()).await, Ok(expected.map(str::to_owned).to_vec()));
    for (from, to) in [
        (raised.clone(), raised.clone()),
        (namespace(&[("enforce", "restricted")]), raised.clone()),
        (raised, namespace(&[("enforce", "privileged")])),
    ] {
        assert_eq!(told(from, to).await, Ok(vec![]));
    }
}
