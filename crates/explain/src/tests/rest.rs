//! Services, nodes, namespaces, budgets, autoscalers, owners, and kinds that nobody here knows.

use api_types::apps::v1::Deployment;
use api_types::autoscaling::v2::HorizontalPodAutoscaler;
use api_types::core::v1::{Namespace, Node, Pod, Service};
use api_types::discovery::v1::EndpointSlice;
use api_types::meta::v1::ObjectMeta;
use api_types::policy::v1::PodDisruptionBudget;
use serde_json::{Value, json};

use super::fixture::{Scene, of, reasons};
use crate::{Named, Subject, why};

fn pod(labels: Value, ready: &str) -> Value {
    json!({
        "metadata": {"name": "web-1", "namespace": "shop", "uid": "p", "labels": labels},
        "spec": {"nodeName": "n1", "containers": [{"name": "main", "image": "app", "ports": [{"name": "http", "containerPort": 80}]}]},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}], "containerStatuses": [{"name": "main", "state": {"running": {}}}]},
    })
}

fn service(target: Value) -> Value {
    json!({
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"type": "ClusterIP", "selector": {"app": "web", "tier": "front"}, "ports": [{"port": 80, "targetPort": target}]},
    })
}

#[test]
fn a_service_tells_why_it_leads_nowhere() {
    let front = json!({"app": "web", "tier": "front"});
    for (labels, ready, target, wanted) in [
        (json!({"app": "web", "tier": "back"}), "True", json!(80), "NoPods[Labels]"),
        (front.clone(), "False", json!(80), "NoReadyPods[NotReady]"),
        (front, "True", json!("web"), "NoSuchPort"),
        (json!({"app": "other"}), "True", json!(80), "NoPods"),
    ] {
        let scene = Scene::new()
            .with::<Service>([service(target)])
            .with::<Pod>([pod(labels.clone(), ready)])
            .with::<EndpointSlice>([]);
        let answer = scene.why::<Service>("shop", "web");
        assert_eq!(reasons(&answer.findings), wanted, "{labels}");
    }
}

#[test]
fn a_node_tells_what_is_wrong_with_it() {
    let node = json!({
        "metadata": {"name": "n1"},
        "spec": {"unschedulable": true, "taints": [{"key": "node.kubernetes.io/disk-pressure", "effect": "NoSchedule"}]},
        "status": {"conditions": [
            {"type": "Ready", "status": "False", "reason": "KubeletNotReady", "message": "no network"},
            {"type": "DiskPressure", "status": "True", "reason": "KubeletHasDiskPressure", "message": "m"},
            {"type": "MemoryPressure", "status": "False"}]},
    });
    let answer = Scene::new().with::<Node>([node]).why::<Node>("", "n1");
    assert_eq!(answer.state, "NotReady, cordoned");
    assert_eq!(reasons(&answer.findings), "KubeletNotReady DiskPressure Cordoned Taint");
}

#[test]
fn a_namespace_that_does_not_end_tells_what_is_left_in_it() {
    let namespace = json!({
        "metadata": {"name": "shop", "deletionTimestamp": "2026-01-01T00:00:00Z"},
        "spec": {"finalizers": ["kubernetes"]},
        "status": {"phase": "Terminating", "conditions": [
            {"type": "NamespaceContentRemaining", "status": "True", "message": "Some resources are remaining: pods. has 1 resource instances"},
            {"type": "NamespaceDeletionDiscoveryFailure", "status": "False"}]},
    });
    let answer = Scene::new().with::<Namespace>([namespace]).why::<Namespace>("", "shop");
    assert_eq!(reasons(&answer.findings), "Terminating[NamespaceContentRemaining]");
}

#[test]
fn a_budget_tells_who_is_not_healthy() {
    let budget = json!({
        "metadata": {"name": "web", "namespace": "shop", "generation": 1},
        "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}},
        "status": {"observedGeneration": 1, "expectedPods": 1, "currentHealthy": 0, "desiredHealthy": 1},
    });
    let scene =
        Scene::new().with::<PodDisruptionBudget>([budget]).with::<Pod>([pod(json!({"app": "web"}), "False")]);
    let answer = scene.why::<PodDisruptionBudget>("shop", "web");
    assert_eq!(answer.state, "no pod may be evicted");
    assert_eq!(reasons(&answer.findings), "InsufficientPods[NotReady]");
}

#[test]
fn an_autoscaler_tells_by_its_conditions() {
    let own = json!({
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {"scaleTargetRef": {"kind": "Deployment", "name": "web"}, "maxReplicas": 5},
        "status": {"currentReplicas": 1, "desiredReplicas": 1, "conditions": [
            {"type": "AbleToScale", "status": "True", "reason": "SucceededGetScale"},
            {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": "no metrics"}]},
    });
    let answer =
        Scene::new().with::<HorizontalPodAutoscaler>([own]).why::<HorizontalPodAutoscaler>("shop", "web");
    assert_eq!(answer.state, "Deployment web has 1 replicas and should have 1, of 1 to 5");
    assert_eq!(reasons(&answer.findings), "FailedGetResourceMetric");
}

#[test]
fn owners_are_followed_and_those_that_are_gone_are_told() {
    let meta = |name: &str, uid: &str, owner: Value| {
        of::<Deployment>(
            json!({"metadata": {"name": name, "namespace": "shop", "uid": uid, "ownerReferences": owner}}),
        )
        .metadata
    };
    let by = |kind: &str, name: &str, uid: &str| json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": true}]);
    let subject = |kind: &str, meta: ObjectMeta| Subject {
        named: Named::new("apps/v1", kind, "shop", &meta.name),
        meta,
        object: Value::Null,
    };
    let own = subject("ReplicaSet", meta("web-1", "r", by("Deployment", "web", "d")));
    let deployment = subject("Deployment", meta("web", "d", by("App", "shop", "a")));
    let mut scene = Scene::new();
    scene.evidence.owners = vec![
        (deployment.named.clone(), Some(deployment)),
        (Named::new("apps/v1", "App", "shop", "shop"), None),
    ];
    let links: Vec<String> = why(&own, &scene.evidence)
        .owners
        .iter()
        .map(|link| format!("{} {}", link.owner, link.note))
        .collect();
    assert_eq!(
        links,
        [
            "Deployment shop/web ",
            "App shop/shop is not there any more: the garbage collector deletes what it left"
        ]
    );
}

#[test]
fn a_kind_that_nobody_here_knows_tells_by_its_conditions() {
    let object = json!({"metadata": {"generation": 3}, "status": {"observedGeneration": 2, "phase": "Waiting", "conditions": [
        {"type": "Ready", "status": "False", "reason": "NoDatabase", "message": "it is away"}]}});
    let subject = Subject {
        named: Named::new("example.com/v1", "App", "shop", "big"),
        meta: ObjectMeta::default(),
        object,
    };
    let answer = why(&subject, &Scene::new().evidence);
    assert_eq!(answer.state, "Waiting");
    assert_eq!(reasons(&answer.findings), "Ready NotObserved");
}
