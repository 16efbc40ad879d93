//! The hand that plays the nodes: it binds pods, says that they run, and that they are gone, one sort of thing at a time.

use base::time::{Clock as _, SystemClock};
use http::Method;
use serde_json::{Value, json};

use super::script::Phase;
use super::world::World;

/// The nodes that there are.
pub const NODES: [&str; 3] = ["n1", "n2", "n3"];

/// On which annotation pods are left alone once they are bound.
const NEVER: &str = "differ/never-starts";

/// The acts, in words.
const GONE: &str = "a pod that was told to go is gone";
const BOUND: &str = "pods are bound";
const RUN: &str = "a pod runs";

/// A request that a node, or the scheduler, makes.
pub struct Request {
    /// The method.
    pub method: Method,
    /// The path.
    pub path: String,
    /// The body.
    pub body: Value,
}

/// What is done, when a pod is due, and what is asked for it.
type Act = (&'static str, fn(&World, &Value) -> bool, fn(&World, &Value) -> Request);

/// What is done next, in words, and the requests for it; nothing if there is nothing to do.
pub fn next(world: &mut World) -> Option<(String, Vec<Request>)> {
    let acts: [Act; 3] = [
        (GONE, is_leaving, remove),
        (BOUND, is_unbound, bind),
        (RUN, is_waiting, |world, pod| tell(pod, world.number(pod), Phase::Running, 0)),
    ];
    for (name, is_due, request) in acts {
        // Pods get ready and go one by one, so that each is answered to.
        let at_once = if name == BOUND { usize::MAX } else { 1 };
        let due: Vec<Value> = world.pods().filter(|pod| is_due(world, pod)).take(at_once).cloned().collect();
        let mut requests = Vec::new();
        for pod in &due {
            requests.push(request(world, pod));
            world.done(name, pod);
        }
        if !requests.is_empty() {
            return Some((name.to_owned(), requests));
        }
    }
    None
}

fn is_leaving(world: &World, pod: &Value) -> bool {
    pod["metadata"]["deletionTimestamp"].is_string() && !world.is_done(GONE, pod)
}

fn is_unbound(world: &World, pod: &Value) -> bool {
    pod["spec"]["nodeName"].is_null()
        && pod["metadata"]["deletionTimestamp"].is_null()
        && pod["spec"]["schedulingGates"].is_null()
        && !world.is_done(BOUND, pod)
}

fn is_waiting(world: &World, pod: &Value) -> bool {
    pod["spec"]["nodeName"].is_string()
        && pod["status"]["phase"].as_str().is_none_or(|phase| phase == "Pending")
        && pod["metadata"]["deletionTimestamp"].is_null()
        && pod["metadata"]["annotations"][NEVER].is_null()
        && !world.is_done(RUN, pod)
}

fn path(pod: &Value, below: &str) -> String {
    let word = |key: &str| pod["metadata"][key].as_str().unwrap_or_default();
    format!("/api/v1/namespaces/{}/pods/{}{below}", word("namespace"), word("name"))
}

fn remove(_: &World, pod: &Value) -> Request {
    Request { method: Method::DELETE, path: path(pod, ""), body: json!({"gracePeriodSeconds": 0}) }
}

/// The node that a pod of a daemon is made for.
pub fn wanted_node(pod: &Value) -> Option<&str> {
    let terms = &pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
    terms["nodeSelectorTerms"][0]["matchFields"][0]["values"][0].as_str()
}

fn bind(world: &World, pod: &Value) -> Request {
    let node = wanted_node(pod).unwrap_or(NODES[world.number(pod) % NODES.len()]);
    // Of pods that are as good as each other, the younger go first: upstream tosses where they are of about the same age.
    let costs = json!({"controller.kubernetes.io/pod-deletion-cost": format!("-{}", world.number(pod) + 1)});
    let metadata = json!({"name": pod["metadata"]["name"], "annotations": costs});
    let body = json!({"metadata": metadata, "target": {"kind": "Node", "name": node}});
    Request { method: Method::POST, path: path(pod, "/binding"), body }
}

/// Says of a pod what has become of it; its number is in its address.
pub fn tell(pod: &Value, number: usize, phase: Phase, exit: i32) -> Request {
    let now = api_record::scalar::Time { seconds: SystemClock.now().unix_seconds() }.to_string();
    let is_ready = phase == Phase::Running;
    let ended = match phase {
        Phase::Running | Phase::Unready => None,
        Phase::Succeeded => Some("Completed"),
        Phase::Failed => Some("Error"),
    };
    let state = match ended {
        None => json!({"running": {"startedAt": now}}),
        Some(reason) => {
            json!({"terminated": {"exitCode": exit, "reason": reason, "startedAt": now, "finishedAt": now}})
        }
    };
    let condition = |kind: &str, is: bool| {
        let status = if is { "True" } else { "False" };
        json!({"type": kind, "status": status, "lastTransitionTime": now})
    };
    let containers = pod["spec"]["containers"].as_array().into_iter().flatten();
    let statuses: Vec<Value> = containers
        .map(|container| {
            json!({"name": container["name"], "image": container["image"], "imageID": "", "ready": is_ready,
                "started": ended.is_none(), "restartCount": 0, "state": state})
        })
        .collect();
    let word = match phase {
        Phase::Running | Phase::Unready => "Running",
        Phase::Succeeded => "Succeeded",
        Phase::Failed => "Failed",
    };
    let address = format!("10.242.0.{}", number % 250 + 1);
    let status = json!({
        "phase": word,
        "startTime": now,
        "podIP": address,
        "podIPs": [{"ip": address}],
        "conditions": [condition("PodScheduled", true), condition("Initialized", true),
            condition("ContainersReady", is_ready), condition("Ready", is_ready)],
        "containerStatuses": statuses,
    });
    Request { method: Method::PATCH, path: path(pod, "/status"), body: json!({"status": status}) }
}

/// A node that is ready, and how it says that.
pub fn node(name: &str) -> Value {
    let now = api_record::scalar::Time { seconds: SystemClock.now().unix_seconds() }.to_string();
    let conditions = [("Ready", "True"), ("MemoryPressure", "False"), ("DiskPressure", "False"), ("PIDPressure", "False")]
        .map(|(kind, status)| {
            json!({"type": kind, "status": status, "reason": "Played", "lastHeartbeatTime": now, "lastTransitionTime": now})
        });
    let room = json!({"cpu": "64", "memory": "256Gi", "pods": "1000"});
    json!({"apiVersion": "v1", "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}},
        "status": {"capacity": room, "allocatable": room, "conditions": conditions}})
}
