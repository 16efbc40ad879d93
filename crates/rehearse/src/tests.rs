//! Clusters in, outcomes out.

use std::sync::Arc;

use api_codec::json;
use api_codec::limits::Limits;
use api_record::{Bytes, Record, Typed};
use api_types::apps::v1::Deployment;
use api_types::core::v1::{Namespace, Node, Pod, ServiceAccount};
use base::time::Time;
use client::Target;
use client::reconcile::resource_of;
use serde_json::{Value, json};

use crate::{Input, Outcome, Wanted, rehearse};

fn object<T: Typed + Default>(of: &Value) -> Arc<dyn Record> {
    let mut record = T::default();
    json::decode(of.to_string().as_bytes(), &mut record, None, Limits::REQUEST).expect("an object");
    Arc::new(record)
}

fn add<T: Typed + Default>(input: &mut Input, of: &Value) {
    input.objects.push((resource_of::<T>().clone(), object::<T>(of)));
}

fn node(name: &str, cpu: &str) -> Value {
    json!({
        "metadata": {"name": name, "uid": name, "labels": {"kubernetes.io/hostname": name}},
        "status": {"allocatable": {"cpu": cpu, "memory": "8Gi", "pods": "10"}, "conditions": [{"type": "Ready", "status": "True"}]},
    })
}

fn deployment(replicas: i32, cpu: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "main", "image": "app:1", "resources": {"requests": {"cpu": cpu}}}]},
            },
        },
    })
}

/// A namespace, its account, and nodes of these sizes.
fn cluster(nodes: &[(&str, &str)]) -> Input {
    let mut input = Input { now: Time::from_unix_seconds(1_767_226_200), ..Input::default() };
    for name in ["default", "shop"] {
        add::<Namespace>(
            &mut input,
            &json!({"metadata": {"name": name, "uid": name}, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}),
        );
        add::<ServiceAccount>(
            &mut input,
            &json!({"metadata": {"name": "default", "namespace": name, "uid": format!("sa-{name}")}}),
        );
    }
    for (name, cpu) in nodes {
        add::<Node>(&mut input, &node(name, cpu));
    }
    input
}

fn ask(input: &mut Input, of: &Value) {
    let target = Target {
        resource: resource_of::<Deployment>().clone(),
        namespace: "shop".into(),
        name: "web".into(),
        subresource: String::new(),
    };
    input.wanted.push(Wanted::Asked(target, Bytes::from(of.to_string())));
}

fn told(outcome: &Outcome) -> Vec<(String, String)> {
    outcome.steps.iter().map(|step| (step.reason.clone(), step.message.clone())).collect()
}

#[test]
fn a_new_deployment_is_told_to_its_end() {
    let mut input = cluster(&[("n1", "2")]);
    ask(&mut input, &deployment(3, "1"));
    let outcome = rehearse(&input).expect("it can be rehearsed");
    let made: Vec<&str> = outcome.made.iter().map(|named| named.kind.as_str()).collect();
    assert_eq!(made, ["ReplicaSet"]);
    let nodes: Vec<&str> = outcome.pods.iter().map(|placed| placed.node.as_str()).collect();
    assert_eq!(nodes.iter().filter(|node| **node == "n1").count(), 2, "{outcome:?}");
    let pending: Vec<&str> = outcome
        .pods
        .iter()
        .filter(|placed| placed.node.is_empty())
        .map(|placed| placed.pending.as_str())
        .collect();
    assert_eq!(pending.len(), 1);
    assert!(pending[0].starts_with("0/1 nodes are available: 1 Insufficient cpu."), "{pending:?}");
    let set = &outcome.made[0].name;
    assert_eq!(
        told(&outcome)[0],
        ("ScalingReplicaSet".to_owned(), format!("Scaled up replica set {set} from 0 to 3"))
    );
    assert!(outcome.settled);
}

#[test]
fn the_same_input_gives_the_same_outcome() {
    let once = || {
        let mut input = cluster(&[("n1", "2"), ("n2", "2")]);
        ask(&mut input, &deployment(4, "500m"));
        rehearse(&input).expect("it can be rehearsed")
    };
    assert_eq!(once(), once());
}

#[test]
fn nothing_follows_from_nothing() {
    let mut input = cluster(&[("n1", "2")]);
    add::<Pod>(
        &mut input,
        &json!({
            "metadata": {"name": "there", "namespace": "shop", "uid": "there"},
            "spec": {"nodeName": "n1", "containers": [{"name": "main", "image": "app"}]},
            "status": {"phase": "Pending"},
        }),
    );
    add::<Pod>(
        &mut input,
        &json!({
            "metadata": {"name": "waits", "namespace": "shop", "uid": "waits"},
            "spec": {
                "schedulerName": "default-scheduler",
                "containers": [{"name": "main", "image": "app", "resources": {"requests": {"cpu": "9"}}}],
            },
            "status": {"phase": "Pending"},
        }),
    );
    let outcome = rehearse(&input).expect("it can be rehearsed");
    assert_eq!(outcome, Outcome { settled: true, ..Outcome::default() });
}

#[test]
fn what_is_refused_here_is_an_error() {
    let mut input = cluster(&[]);
    let mut broken = deployment(1, "1");
    broken["spec"]["selector"]["matchLabels"]["app"] = "other".into();
    ask(&mut input, &broken);
    let status = rehearse(&input).expect_err("the selector does not fit");
    assert!(status.to_string().contains("`selector` does not match template `labels`"), "{status}");
}
