//! What workloads wait for.

use api_types::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use api_types::batch::v1::Job;
use api_types::core::v1::{Event, Pod};
use serde_json::{Value, json};

use super::fixture::{Scene, reasons, told};

fn owner(kind: &str, name: &str, uid: &str) -> Value {
    json!([{"apiVersion": "apps/v1", "kind": kind, "name": name, "uid": uid, "controller": true}])
}

fn template(image: &str) -> Value {
    json!({"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "main", "image": image}]}})
}

fn deployment(status: Value) -> Value {
    json!({
        "metadata": {"name": "web", "namespace": "shop", "uid": "d", "generation": 2},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template("app:2"),
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"}},
            "progressDeadlineSeconds": 600,
        },
        "status": status,
    })
}

fn set(name: &str, image: &str, wanted: i32, status: Value) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "shop", "uid": format!("uid-{name}"), "labels": {"app": "web"}, "ownerReferences": owner("Deployment", "web", "d")},
        "spec": {"replicas": wanted, "selector": {"matchLabels": {"app": "web"}}, "template": template(image)},
        "status": status,
    })
}

fn crashing(name: &str, of: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "shop", "uid": name, "labels": {"app": "web"}, "ownerReferences": owner("ReplicaSet", of, &format!("uid-{of}"))},
        "spec": {"nodeName": "n1", "containers": [{"name": "main", "image": "app:2"}]},
        "status": {"phase": "Running", "containerStatuses": [{"name": "main", "restartCount": 2, "state": {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}}]},
    })
}

#[test]
fn a_rollout_tells_its_bounds_its_sets_and_the_pods_that_hold_it_up() {
    let status = json!({"observedGeneration": 2, "replicas": 4, "updatedReplicas": 1, "readyReplicas": 3, "availableReplicas": 3});
    let scene = Scene::new()
        .with::<Deployment>([deployment(status)])
        .with::<ReplicaSet>([
            set("web-new", "app:2", 1, json!({"replicas": 1})),
            set("web-old", "app:1", 3, json!({"replicas": 3, "readyReplicas": 3, "availableReplicas": 3})),
        ])
        .with::<Pod>([crashing("web-new-1", "web-new")])
        .with::<Event>([]);
    let answer = scene.why::<Deployment>("shop", "web");
    let text = told(&answer);
    let wanted = "\
Deployment shop/web: rolling out, 3 of 3 pods ready, 1 of the new template

0 of 3 pods wanted are of the new template and available, and 3 of old ones are there
  ReplicaSet shop/web-new: is the new set: it wants 1 pod, has 1, and 0 are available
    Pod shop/web-new-1: container main has no image: app:2 cannot be pulled (ImagePullBackOff)
      -> see whether the image and its tag exist, the node reaches the registry, and imagePullSecrets fit
      Back-off pulling image
  ReplicaSet shop/web-old: is an old set: it wants 3 pods, has 3, and 3 are available
  its strategy allows 4 pods at most (3 and maxSurge 1), and wants 3 available at least (3 less maxUnavailable 0): 3 are available, so none of the old ones goes until another is
";
    assert!(text.starts_with(wanted), "{text}");
    let owned: Vec<&str> = answer.owned.iter().map(|branch| branch.object.name.as_str()).collect();
    assert_eq!(owned, ["web-new", "web-old"]);
    assert_eq!(answer.owned[0].owned[0].object.name, "web-new-1");
}

#[test]
fn a_deployment_may_be_paused_or_stuck() {
    let mut paused = deployment(json!({"observedGeneration": 1}));
    paused["spec"]["paused"] = true.into();
    paused["status"]["conditions"] = json!([{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded", "message": "m"}]);
    let answer = Scene::new().with::<Deployment>([paused]).why::<Deployment>("shop", "web");
    assert_eq!(reasons(&answer.findings), "NotObserved Paused ProgressDeadlineExceeded Rollout");
}

#[test]
fn a_set_tells_which_quota_refuses_its_pods() {
    let message =
        "pods \"web-\" is forbidden: exceeded quota: small, requested: pods=1, used: pods=2, limited: pods=2";
    let status = json!({"replicas": 2, "readyReplicas": 2, "availableReplicas": 2, "conditions": [
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": message}]});
    let scene = Scene::new().with::<ReplicaSet>([set("web-new", "app:2", 3, status)]).with::<Event>([]);
    let answer = scene.why::<ReplicaSet>("shop", "web-new");
    assert_eq!(reasons(&answer.findings), "TooFewPods[FailedCreate]");
    assert_eq!(answer.findings[0].because[0].message, message);
}

#[test]
fn what_a_controller_has_not_done_yet_is_told() {
    let scene = Scene::new()
        .with::<ReplicaSet>([set("web-new", "app:2", 2, json!({}))])
        .with::<Pod>([])
        .with::<Event>([]);
    let answer = scene.why::<ReplicaSet>("shop", "web-new");
    assert_eq!(
        answer.findings.last().map(|it| it.message.as_str()),
        Some("next its controller would make a pod (2 times)")
    );
}

#[test]
fn the_first_ordinal_that_is_not_ready_holds_up_the_rest() {
    let set = json!({
        "metadata": {"name": "db", "namespace": "shop", "uid": "s", "generation": 1},
        "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "db"}}, "serviceName": "db", "template": {"metadata": {"labels": {"app": "db"}}, "spec": {"containers": [{"name": "main", "image": "db"}]}}},
        "status": {"observedGeneration": 1, "replicas": 1},
    });
    let first = json!({
        "metadata": {"name": "db-0", "namespace": "shop", "uid": "db-0", "ownerReferences": owner("StatefulSet", "db", "s")},
        "spec": {"nodeName": "n1", "containers": [{"name": "main", "image": "db"}]},
        "status": {"phase": "Running", "containerStatuses": [{"name": "main", "state": {"waiting": {"reason": "CreateContainerError", "message": "m"}}}]},
    });
    let scene = Scene::new().with::<StatefulSet>([set]).with::<Pod>([first]);
    let answer = scene.why::<StatefulSet>("shop", "db");
    assert!(
        reasons(&answer.findings).starts_with("TooFewPods OrdinalNotReady[CreateContainerError"),
        "{:?}",
        answer.findings
    );
    assert!(answer.findings[1].message.ends_with("it holds up the 2 after it"), "{:?}", answer.findings);
}

#[test]
fn a_job_tells_of_its_back_off() {
    let job = json!({
        "metadata": {"name": "load", "namespace": "shop", "uid": "j"},
        "spec": {"backoffLimit": 2, "completions": 1, "template": template("app:1")},
        "status": {"failed": 3, "conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit"}]},
    });
    let failed = json!({
        "metadata": {"name": "load-x", "namespace": "shop", "uid": "p", "ownerReferences": owner("Job", "load", "j")},
        "spec": {"nodeName": "n1", "restartPolicy": "Never", "containers": [{"name": "main", "image": "app:1"}]},
        "status": {"phase": "Failed", "containerStatuses": [{"name": "main", "state": {"terminated": {"exitCode": 2, "reason": "Error"}}}]},
    });
    let scene = Scene::new().with::<Job>([job]).with::<Pod>([failed]);
    let answer = scene.why::<Job>("shop", "load");
    assert_eq!(answer.state, "failed: 0 of 1 succeeded, 3 failed, 0 at work");
    assert_eq!(reasons(&answer.findings), "BackoffLimitExceeded[Failed]");
}
