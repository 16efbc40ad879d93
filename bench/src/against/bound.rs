//! Figure 5: pods made by several clients until a watcher has seen all of them bound to nodes that nobody runs; and until it has seen all of them
//! Running, on nodes whose kubelets are simulated: each watches the pods of its node, as kubelet does, and says of each that it runs.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Context as _, Result};
use http::Method;
use serde_json::{Value, json};
use tokio::task::{JoinSet, spawn_local};

use crate::access::Access;
use crate::client::{Client, Watch};
use crate::cluster::PATIENCE;
use crate::objects::{PODS, typical_status};

const NODES: usize = 100;
const PODS_MADE: usize = 2_000;
const CLIENTS: usize = 16;
/// So many kubelets share a connection.
const KUBELETS_A_CONNECTION: usize = 25;

/// What tells its nodes and pods from others.
const LABEL: &str = "knarr-bench=bound";

/// What pods are waited to be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// On a node, of which nobody hears.
    Bound,
    /// At work, as a simulated kubelet says.
    Running,
}

impl Goal {
    /// What is measured.
    pub fn what(self) -> String {
        let done = match self {
            Goal::Bound => format!("bound to {NODES} nodes"),
            Goal::Running => format!("Running on {NODES} nodes with simulated kubelets"),
        };
        format!("pods created by {CLIENTS} clients and {done}, {PODS_MADE} of them")
    }

    fn is_reached(self, pod: &Value) -> bool {
        match self {
            Goal::Bound => pod["spec"]["nodeName"].is_string(),
            Goal::Running => pod["status"]["phase"] == "Running",
        }
    }
}

/// How many a second.
pub async fn run(access: &Access, goal: Goal) -> Result<f64> {
    let client = Client::connect(access).await?;
    for number in 0..NODES {
        client.json(Method::POST, "/api/v1/nodes", &node(number)).await?;
    }
    let mut kubelets = JoinSet::new();
    if goal == Goal::Running {
        simulate(access, &mut kubelets).await?;
    }
    let rate = tokio::select! {
        rate = made(access, &client, goal) => rate,
        Some(kubelet) = kubelets.join_next() => kubelet?.context("a simulated kubelet").map(|()| 0.0),
    };
    let all = format!("labelSelector={LABEL}&gracePeriodSeconds=0");
    for path in [format!("{PODS}?{all}"), format!("/api/v1/nodes?{all}")] {
        client.json(Method::DELETE, &path, &Value::Null).await?;
    }
    rate
}

async fn made(access: &Access, client: &Client, goal: Goal) -> Result<f64> {
    let mut watch = client.watch(&format!("{PODS}?watch=true&labelSelector={LABEL}")).await?;
    let begun = Instant::now();
    let mut clients = JoinSet::new();
    for first in 0..CLIENTS {
        let client = Client::connect(access).await?;
        clients.spawn(async move {
            for number in (first..PODS_MADE).step_by(CLIENTS) {
                client.json(Method::POST, PODS, &pod(number)).await?;
            }
            anyhow::Ok(())
        });
    }
    let seen = spawn_local(async move {
        let mut reached = BTreeSet::new();
        while reached.len() < PODS_MADE {
            let pod = watch.until(|kind, pod| kind != "DELETED" && goal.is_reached(pod)).await?;
            reached.insert(pod["metadata"]["name"].to_string());
        }
        anyhow::Ok(begun.elapsed())
    });
    while let Some(client) = clients.join_next().await {
        client??;
    }
    let all = tokio::time::timeout(PATIENCE, seen).await.context("waiting for the last pods")???;
    Ok(PODS_MADE as f64 / all.as_secs_f64())
}

/// Starts a kubelet for each node, whose watch is open then.
async fn simulate(access: &Access, kubelets: &mut JoinSet<Result<()>>) -> Result<()> {
    let mut client = Client::connect(access).await?;
    for number in 0..NODES {
        if number % KUBELETS_A_CONNECTION == 0 {
            client = Client::connect(access).await?;
        }
        let path = format!("/api/v1/pods?watch=true&fieldSelector=spec.nodeName%3D{}", node_name(number));
        let watch = client.watch(&path).await?;
        kubelets.spawn_local(kubelet(client.clone(), watch));
    }
    Ok(())
}

/// Says of each pod of a node that it runs.
async fn kubelet(client: Client, mut watch: Watch) -> Result<()> {
    loop {
        let pod = watch.until(|kind, pod| kind != "DELETED" && pod["status"]["phase"] == "Pending").await?;
        let (name, client) =
            (pod["metadata"]["name"].as_str().unwrap_or_default().to_owned(), client.clone());
        let number = name.rsplit('-').next().and_then(|number| number.parse().ok()).unwrap_or_default();
        let patch =
            json!({ "metadata": { "uid": pod["metadata"]["uid"] }, "status": typical_status(number) });
        client.patch(&format!("{PODS}/{name}/status"), &patch).await?;
    }
}

fn node_name(number: usize) -> String {
    format!("bound-{number}")
}

fn labels() -> Value {
    let (key, value) = LABEL.split_once('=').unwrap_or_default();
    json!({ key: value })
}

/// A node with room that nobody runs.
fn node(number: usize) -> Value {
    let room = json!({ "cpu": "64", "memory": "256Gi", "pods": "110" });
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": { "name": node_name(number), "labels": labels() },
        "status": { "capacity": room, "allocatable": room },
    })
}

/// A pod for these nodes alone, whatever is thought of how they are.
fn pod(number: usize) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": format!("bound-{number}"), "labels": labels() },
        "spec": {
            "nodeSelector": labels(),
            "tolerations": [{ "operator": "Exists" }],
            "containers": [{
                "name": "main",
                "image": "registry.example.com/main",
                "resources": { "requests": { "cpu": "100m", "memory": "64Mi" } },
            }],
        },
    })
}
