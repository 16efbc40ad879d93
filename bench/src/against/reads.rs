//! Figures 9 and 10 against a cluster that somebody else started: how fast changes reach many watchers, and how fast everything is listed.
//! In protobuf, as the informers of Kubernetes' own parts ask. What it makes stays: the cluster is ended after it.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::{Method, StatusCode};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet, spawn_local};

use super::print;
use crate::access::Access;
use crate::client::{Client, PROTOBUF};
use crate::cluster::PATIENCE;
use crate::objects::{CONFIG_MAPS, PODS, config_map, node, typical_pod};
use crate::report::Times;

const WATCHERS: usize = 256;
/// So many share a connection.
const WATCHERS_A_CONNECTION: usize = 32;
const CHANGES: usize = 1_000;
const CLIENTS: usize = 16;
const PODS_LISTED: usize = 20_000;
const PODS_A_NODE: usize = 100;
const LISTS: usize = 5;

/// Prints a line of JSON for each figure.
pub fn run(kubeconfig: &Path) -> Result<()> {
    let access = Access::elsewhere(kubeconfig)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let rate =
            tokio::time::timeout(PATIENCE, fan_out(&access)).await.context("waiting for watchers")??;
        let what = format!("events delivered to {WATCHERS} watchers of one namespace");
        print(9, &what, "/s", rate, true);
        fill(&access).await?;
        for (media, name) in [(PROTOBUF, "protobuf"), ("application/json", "JSON")] {
            let (times, size) = list(&access, media).await?;
            let rate = PODS_LISTED as f64 / (times.ms(500) / 1_000.0);
            print(10, &format!("pods listed, {PODS_LISTED} at once in {name}"), "/s", rate, true);
            eprintln!("  {name}: {} MiB, p50 {} ms", size >> 20, times.ms(500));
        }
        Ok(())
    })
}

/// How many events a second reach watchers who all watch the same.
async fn fan_out(access: &Access) -> Result<f64> {
    let client = Client::connect(access).await?;
    let path = format!("{CONFIG_MAPS}?limit=1");
    let list = client.json(Method::GET, &path, &serde_json::Value::Null).await?;
    let version = list["metadata"]["resourceVersion"].as_str().context("a list without a version")?;
    let path = format!("{CONFIG_MAPS}?watch=true&resourceVersion={version}");
    let (done, mut all) = mpsc::channel(WATCHERS);
    for connection in 0..WATCHERS / WATCHERS_A_CONNECTION {
        let client = Client::connect(access).await.with_context(|| format!("connection {connection}"))?;
        for _ in 0..WATCHERS_A_CONNECTION {
            let mut watch = client.frames(&path).await?;
            let done = done.clone();
            spawn_local(async move {
                for _ in 0..CHANGES {
                    watch.next().await?;
                }
                done.send(()).await?;
                anyhow::Ok(())
            });
        }
    }
    drop(done);
    let begun = Instant::now();
    let mut clients = JoinSet::new();
    for first in 0..CLIENTS {
        let client = client.clone();
        clients.spawn_local(async move {
            for number in (first..CHANGES).step_by(CLIENTS) {
                let body = config_map(&format!("seen-{number}"));
                client.proto(Method::POST, CONFIG_MAPS, body).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }
    let mut ended = 0;
    while all.recv().await.is_some() {
        ended += 1;
    }
    if ended != WATCHERS {
        bail!("{} of {WATCHERS} watches ended early", WATCHERS - ended);
    }
    Ok((WATCHERS * CHANGES) as f64 / begun.elapsed().as_secs_f64())
}

async fn fill(access: &Access) -> Result<()> {
    let client = Client::connect(access).await?;
    let name = |number: usize| format!("listed-{number}");
    for number in 0..PODS_LISTED / PODS_A_NODE {
        client.json(Method::POST, "/api/v1/nodes", &node(&name(number))).await?;
    }
    let mut clients = JoinSet::new();
    for first in 0..CLIENTS {
        let client = client.clone();
        clients.spawn_local(async move {
            for number in (first..PODS_LISTED).step_by(CLIENTS) {
                let pod = typical_pod(&name(number), &name(number / PODS_A_NODE));
                client.json(Method::POST, PODS, &pod).await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }
    Ok(())
}

/// How long lists of all pods take until their last byte is there, and how many bytes they are.
async fn list(access: &Access, media: &str) -> Result<(Times, usize)> {
    let client = Client::connect(access).await?;
    let (mut each, mut size) = (Vec::new(), 0);
    for _ in 0..LISTS {
        let begun = Instant::now();
        let (status, body) = client.ask(Method::GET, "/api/v1/pods", media, Bytes::new()).await?;
        if status != StatusCode::OK {
            bail!("the list: {status}: {}", String::from_utf8_lossy(&body));
        }
        each.push(begun.elapsed());
        size = body.len();
    }
    Ok((Times::of(each), size))
}
