//! Pods that have a node.

use api_types::core::v1::{Event, Node, Pod};
use serde_json::{Value, json};

use super::fixture::{Scene, reasons, told};

fn pod(status: Value) -> Value {
    json!({
        "metadata": {"name": "web", "namespace": "shop", "uid": "u"},
        "spec": {
            "nodeName": "n1",
            "restartPolicy": "Always",
            "containers": [{
                "name": "main",
                "image": "app:1",
                "resources": {"limits": {"memory": "64Mi"}},
                "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10},
            }],
        },
        "status": status,
    })
}

fn event(reason: &str, kind: &str, message: &str, at: &str) -> Value {
    json!({
        "metadata": {"name": format!("{reason}-{at}"), "namespace": "shop"},
        "involvedObject": {"kind": "Pod", "namespace": "shop", "name": "web", "uid": "u"},
        "reason": reason,
        "message": message,
        "type": kind,
        "source": {"component": "kubelet"},
        "lastTimestamp": at,
        "count": 3,
    })
}

fn scene(status: Value, events: Vec<Value>) -> Scene {
    let node =
        json!({"metadata": {"name": "n1"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    Scene::new().with::<Node>([node]).with::<Pod>([pod(status)]).with::<Event>(events)
}

#[test]
fn a_container_that_crashes_tells_how_it_ended_and_when_it_is_tried_next() {
    let status = json!({
        "phase": "Running",
        "containerStatuses": [{
            "name": "main",
            "restartCount": 4,
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 2m40s restarting failed container=main pod=web_shop(u)"}},
            "lastState": {"terminated": {"exitCode": 137, "reason": "OOMKilled", "finishedAt": "2026-01-01T00:09:00Z"}},
        }],
    });
    assert_eq!(
        told(&scene(status, Vec::new()).why::<Pod>("shop", "web")),
        "\
Pod shop/web: Running, container main ends again and again, started anew 4 times; it is tried next in 100s

container main ends again and again, started anew 4 times; it is tried next in 100s
  -> see what it said last: kubectl -n shop logs web -c main --previous
  container main ended with exit code 137, as SIGKILL ends programs, OOMKilled (60s ago)
    -> raise the container's memory limit, or let it use less
    it used more memory than its limit of 64Mi
"
    );
}

#[test]
fn states_have_their_reasons() {
    let waiting = |reason: &str| json!({"phase": "Pending", "containerStatuses": [{"name": "main", "state": {"waiting": {"reason": reason, "message": "m"}}}]});
    let running = json!({"phase": "Running", "containerStatuses": [{"name": "main", "started": true, "ready": false, "state": {"running": {"startedAt": "2026-01-01T00:00:00Z"}}}]});
    let disrupted = json!({"phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory.", "conditions": [
        {"type": "DisruptionTarget", "status": "True", "reason": "TerminationByKubelet", "message": "The node was low on resource: memory."}]});
    let pulled =
        event("Failed", "Warning", "Failed to pull image \"app:1\": not found", "2026-01-01T00:09:00Z");
    let mount = event("FailedMount", "Warning", "secret \"s\" not found", "2026-01-01T00:09:00Z");
    let unhealthy = event("Unhealthy", "Warning", "Readiness probe failed: 503", "2026-01-01T00:09:30Z");
    let killed = event(
        "Killing",
        "Normal",
        "Container main failed liveness probe, will be restarted",
        "2026-01-01T00:09:30Z",
    );
    let liveness = event("Unhealthy", "Warning", "Liveness probe failed: 500", "2026-01-01T00:09:30Z");
    let restarted = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [{"name": "main", "ready": true, "restartCount": 1,
        "state": {"running": {}}, "lastState": {"terminated": {"exitCode": 143, "reason": "Error"}}}]});
    for (status, events, wanted) in [
        (waiting("ImagePullBackOff"), vec![pulled], "ImagePullBackOff[Failed]"),
        (waiting("ErrImageNeverPull"), vec![], "ErrImageNeverPull[Failed]"),
        (waiting("CreateContainerConfigError"), vec![], "CreateContainerConfigError"),
        (waiting("ContainerCreating"), vec![mount], "ContainerCreating[FailedMount]"),
        (json!({"phase": "Pending"}), vec![], "ContainerCreating"),
        (running, vec![unhealthy], "ReadinessProbe[Unhealthy]"),
        (disrupted, vec![], "TerminationByKubelet Evicted"),
        (restarted, vec![killed, liveness], "Restarted[Error[Killing[Unhealthy]]]"),
        (json!({"phase": "Succeeded"}), vec![], "Succeeded"),
        (
            json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}], "containerStatuses": [{"name": "main", "ready": true, "state": {"running": {}}}]}),
            vec![],
            "",
        ),
    ] {
        let answer = scene(status.clone(), events).why::<Pod>("shop", "web");
        assert_eq!(reasons(&answer.findings), wanted, "{status}");
    }
}

#[test]
fn a_pod_of_a_node_that_is_not_ready_may_be_old_news() {
    let node = json!({"metadata": {"name": "n1"}, "status": {"conditions": [
        {"type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}]}});
    let status =
        json!({"phase": "Running", "containerStatuses": [{"name": "main", "state": {"running": {}}}]});
    let answer = Scene::new().with::<Node>([node]).with::<Pod>([pod(status)]).why::<Pod>("shop", "web");
    assert_eq!(reasons(&answer.findings), "NodeNotReady[NodeStatusUnknown] ReadinessProbe");
}

#[test]
fn what_holds_a_deleted_pod_is_told() {
    let mut held = pod(json!({"phase": "Running"}));
    held["metadata"]["deletionTimestamp"] = "2026-01-01T00:09:30Z".into();
    held["metadata"]["deletionGracePeriodSeconds"] = 30.into();
    held["metadata"]["finalizers"] = json!(["example.com/hold"]);
    let answer = Scene::new().with::<Pod>([held]).why::<Pod>("shop", "web");
    assert_eq!(answer.state, "Terminating");
    assert_eq!(answer.findings[0].message, "it is being deleted, and stays until 1 finalizer is removed");
    assert_eq!(
        answer.findings[0].because[0].message,
        "example.com/hold: whoever put it there has to remove it"
    );
}
