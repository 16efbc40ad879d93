//! Figure 5 without its kubelets: pods made by several clients until a watcher has seen all of them bound, to nodes that nobody runs.

use std::collections::BTreeSet;
use std::time::Instant;

use anyhow::{Context as _, Result};
use http::Method;
use serde_json::{Value, json};
use tokio::task::{JoinSet, spawn_local};

use crate::access::Access;
use crate::client::Client;
use crate::cluster::PATIENCE;
use crate::objects::PODS;

const NODES: usize = 100;
const PODS_TO_BIND: usize = 2_000;
const CLIENTS: usize = 16;

/// What tells its nodes and pods from others.
const LABEL: &str = "knarr-bench=bound";

/// What it measures.
pub fn what() -> String {
    format!("pods created by {CLIENTS} clients and bound to {NODES} nodes, {PODS_TO_BIND} of them")
}

/// How many a second.
pub async fn run(access: &Access) -> Result<f64> {
    let client = Client::connect(access).await?;
    for number in 0..NODES {
        client.json(Method::POST, "/api/v1/nodes", &node(number)).await?;
    }
    let rate = bind(access, &client).await;
    let all = format!("labelSelector={LABEL}&gracePeriodSeconds=0");
    for path in [format!("{PODS}?{all}"), format!("/api/v1/nodes?{all}")] {
        client.json(Method::DELETE, &path, &Value::Null).await?;
    }
    rate
}

async fn bind(access: &Access, client: &Client) -> Result<f64> {
    let mut watch = client.watch(&format!("{PODS}?watch=true&labelSelector={LABEL}")).await?;
    let begun = Instant::now();
    let mut clients = JoinSet::new();
    for first in 0..CLIENTS {
        let client = Client::connect(access).await?;
        clients.spawn(async move {
            for number in (first..PODS_TO_BIND).step_by(CLIENTS) {
                client.json(Method::POST, PODS, &pod(number)).await?;
            }
            anyhow::Ok(())
        });
    }
    let seen = spawn_local(async move {
        let mut bound = BTreeSet::new();
        while bound.len() < PODS_TO_BIND {
            let pod = watch.until(|_, pod| pod["spec"]["nodeName"].is_string()).await?;
            bound.insert(pod["metadata"]["name"].to_string());
        }
        anyhow::Ok(begun.elapsed())
    });
    while let Some(client) = clients.join_next().await {
        client??;
    }
    let all =
        tokio::time::timeout(PATIENCE, seen).await.context("waiting for the last pods to be bound")???;
    Ok(PODS_TO_BIND as f64 / all.as_secs_f64())
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
        "metadata": { "name": format!("bound-{number}"), "labels": labels() },
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
