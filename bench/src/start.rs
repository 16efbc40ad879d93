//! Figure 12: from the start of `knarr server` in an empty directory to a ready API, a Ready node, a Running pod.

use std::time::{Duration, Instant};

use anyhow::Result;
use http::{Method, StatusCode};
use serde_json::Value;

use crate::client::Client;
use crate::cluster::{OWN_NODE, PATIENCE, Place, binary};
use crate::objects::{PODS, runnable_pod};
use crate::report::{Figure, Times};
use crate::{image, limit};

const RUNS: usize = 9;

/// Prints the figures.
pub fn run() -> Result<()> {
    println!(
        "  an empty directory each time, but for the pod's image; the API is asked every millisecond, node and pod are watched; fsync before every answer"
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (mut apis, mut nodes, mut pods) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let place = Place::new()?;
        image::put_in(&place)?;
        runtime.block_on(async {
            let mut cluster = place.start(true)?;
            let access = cluster.ready().await?;
            apis.push(cluster.begun.elapsed());
            let client = Client::connect(&access).await?;
            let (node, pod) = tokio::join!(node_ready(&client, OWN_NODE), pod_running(&client));
            nodes.push(node?.duration_since(cluster.begun));
            pods.push(pod?.duration_since(cluster.begun));
            anyhow::Ok(())
        })?;
    }
    let alone = limit::process(&binary()?, &["--version"])?.ms(500);
    let limit = format!("`knarr --version` {alone:.1} ms");
    for (what, times, goal) in [
        ("the API is ready", apis, 150.0),
        ("the node is Ready", nodes, 500.0),
        ("the first pod is Running", pods, 1_000.0),
    ] {
        let times = Times::of(times);
        let (median, worst) = (times.ms(500), times.ms(1_000));
        Figure::new(
            12,
            format!("from nothing until {what}"),
            format!("{median:.0} ms, the median of {}; the worst {worst:.0} ms", times.len()),
        )
        .goal(format!("{goal:.0} ms"), median <= goal)
        .limit(limit.clone())
        .print();
    }
    Ok(())
}

/// Waits for a node to be Ready, and answers when it was seen.
pub async fn node_ready(client: &Client, name: &str) -> Result<Instant> {
    let path = format!("/api/v1/nodes?watch=true&fieldSelector=metadata.name%3D{name}");
    let mut watch = client.watch(&path).await?;
    let ready = watch.until(|_, node| {
        let conditions = node["status"]["conditions"].as_array();
        conditions.is_some_and(|all| all.iter().any(|one| one["type"] == "Ready" && one["status"] == "True"))
    });
    tokio::time::timeout(PATIENCE, ready).await??;
    Ok(Instant::now())
}

/// Makes a pod as soon as that is possible, and answers when it was seen Running.
async fn pod_running(client: &Client) -> Result<Instant> {
    let begun = Instant::now();
    let body = runnable_pod("first", image::NAME).to_string();
    loop {
        let (status, answer) =
            client.ask(Method::POST, PODS, "application/json", body.clone().into()).await?;
        match status {
            StatusCode::CREATED => break,
            // The service account is being made.
            StatusCode::FORBIDDEN if begun.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            _ => anyhow::bail!("{status}: {}", String::from_utf8_lossy(&answer)),
        }
    }
    let mut watch = client.watch(&format!("{PODS}?watch=true")).await?;
    tokio::time::timeout(PATIENCE, watch.until(|_, pod| is_running(pod))).await??;
    Ok(Instant::now())
}

/// Whether a pod's phase is Running.
pub fn is_running(pod: &Value) -> bool {
    pod["status"]["phase"] == "Running"
}
