//! Figures 9 and 10: how fast changes reach many watchers and how fast everything is listed, and what either costs the server of
//! memory. In protobuf, as the informers of Kubernetes' own parts ask.

use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use bytes::Bytes;
use http::{Method, StatusCode};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, LocalSet, spawn_local};

use crate::access::Access;
use crate::client::{Client, Frames, PROTOBUF};
use crate::cluster::{Cluster, PATIENCE};
use crate::machine::Memory;
use crate::memory::account;
use crate::objects::{CONFIG_MAPS, PODS, config_map, node, typical_pod};
use crate::report::{Figure, Times, count};

/// Who watches.
pub const WATCHERS: usize = 256;
/// So many share a connection.
const WATCHERS_A_CONNECTION: usize = 32;
/// Changes are made in rounds, each once all have heard of the last: Kubernetes' own API server ends the watch of whoever falls further behind
/// than its buffers hold, and he begins anew.
const ROUNDS: usize = 25;
const CHANGES_A_ROUND: usize = 40;
const CLIENTS: usize = 16;
const PODS_A_NODE: usize = 100;
const LISTS: usize = 5;
/// So many list everything at once when the memory for it is measured.
const LISTED_AT_ONCE: usize = 4;
/// How many pods are listed, unless the environment says otherwise.
const PODS_LISTED: usize = 30_000;
const PODS_LISTED_VARIABLE: &str = "KNARR_BENCH_PODS";

/// Prints the figures.
pub fn run() -> Result<()> {
    let pods = match std::env::var(PODS_LISTED_VARIABLE) {
        Ok(number) => number.parse().with_context(|| format!("{PODS_LISTED_VARIABLE}={number}"))?,
        Err(_) => PODS_LISTED,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let mut cluster = Cluster::start(false)?;
        let access = cluster.ready().await?;
        let client = Client::connect(&access).await?;
        account(&client).await?;
        watched(&cluster, &access).await?;
        fill(&access, pods).await?;
        listed(&cluster, &access, pods).await
    })
}

async fn watched(cluster: &Cluster, access: &Access) -> Result<()> {
    let before = Memory::of(cluster.pid())?.anonymous;
    let watchers = Watchers::open(access).await?;
    let each = (Memory::of(cluster.pid())?.anonymous.saturating_sub(before)) as f64 / WATCHERS as f64;
    let rate = tokio::time::timeout(PATIENCE, watchers.told()).await.context("waiting for watchers")??;
    Figure::new(9, format!("events told to {WATCHERS} watchers"), format!("{}/s", count(rate)))
        .goal("205,000/s", rate >= 205_000.0)
        .print();
    Figure::new(9, "memory of the server for each watcher, connections included", format!("{each:.1} KiB"))
        .goal("4 KiB", each <= 4.0)
        .print();
    Ok(())
}

async fn listed(cluster: &Cluster, access: &Access, pods: usize) -> Result<()> {
    for (media, name) in [(PROTOBUF, "protobuf"), ("application/json", "JSON")] {
        let (times, size) = list(access, media).await?;
        let rate = pods as f64 / (times.ms(500) / 1_000.0);
        let what = format!("{} pods listed in {name}, {} MiB", count(pods as f64), size >> 20);
        Figure::new(10, what, format!("{}/s, {}", count(rate), times.shown()))
            .goal("375,000/s", rate >= 375_000.0)
            .print();
    }
    Memory::forget_peak(cluster.pid())?;
    let before = Memory::of(cluster.pid())?.resident;
    let mut clients = JoinSet::new();
    for _ in 0..LISTED_AT_ONCE {
        let client = Client::connect(access).await?;
        clients.spawn_local(async move { client.proto(Method::GET, "/api/v1/pods", Bytes::new()).await });
    }
    while let Some(client) = clients.join_next().await {
        client??;
    }
    let more = Memory::of(cluster.pid())?.peak.saturating_sub(before) >> 10;
    let what = format!("memory of the server while {LISTED_AT_ONCE} list them at once");
    Figure::new(10, what, format!("{more} MiB more")).goal("50 MiB", more <= 50).print();
    Ok(())
}

/// Many who watch the same.
pub struct Watchers {
    client: Client,
    /// Who has heard of a round, and whose watch failed.
    told: mpsc::Receiver<Result<()>>,
}

impl Watchers {
    /// Opens their watches.
    pub async fn open(access: &Access) -> Result<Watchers> {
        let client = Client::connect(access).await?;
        let path = format!("{CONFIG_MAPS}?limit=1");
        let list = client.json(Method::GET, &path, &serde_json::Value::Null).await?;
        let version = list["metadata"]["resourceVersion"].as_str().context("a list without a version")?;
        let path = format!("{CONFIG_MAPS}?watch=true");
        let (done, told) = mpsc::channel(WATCHERS);
        for connection in 0..WATCHERS / WATCHERS_A_CONNECTION {
            let client = Client::connect(access).await.with_context(|| format!("connection {connection}"))?;
            for _ in 0..WATCHERS_A_CONNECTION {
                let (watch, done) = (client.frames(&path, version).await?, done.clone());
                spawn_local(async move {
                    if let Err(error) = hear(watch, &done).await {
                        let _ = done.send(Err(error)).await;
                    }
                });
            }
        }
        Ok(Watchers { client, told })
    }

    /// How many events a second reach them.
    pub async fn told(mut self) -> Result<f64> {
        let begun = Instant::now();
        for round in 0..ROUNDS {
            let mut clients = JoinSet::new();
            for first in 0..CLIENTS {
                let client = self.client.clone();
                clients.spawn_local(async move {
                    for number in (first..CHANGES_A_ROUND).step_by(CLIENTS) {
                        let body = config_map(&format!("seen-{round}-{number}"));
                        client.proto(Method::POST, CONFIG_MAPS, body).await?;
                    }
                    anyhow::Ok(())
                });
            }
            while let Some(client) = clients.join_next().await {
                client??;
            }
            for heard in 0..WATCHERS {
                let told = self.told.recv().await.context("no watch is open")?;
                told.with_context(|| format!("{heard} of {WATCHERS} watches have heard of round {round}"))?;
            }
        }
        Ok((WATCHERS * ROUNDS * CHANGES_A_ROUND) as f64 / begun.elapsed().as_secs_f64())
    }
}

/// Says of each round that a watch has told all of it.
async fn hear(mut watch: Frames, done: &mpsc::Sender<Result<()>>) -> Result<()> {
    for _ in 0..ROUNDS {
        for _ in 0..CHANGES_A_ROUND {
            watch.next().await?;
        }
        done.send(Ok(())).await?;
    }
    Ok(())
}

/// Makes so many pods, and the nodes that they are bound to.
pub async fn fill(access: &Access, pods: usize) -> Result<()> {
    let client = Client::connect(access).await?;
    let name = |number: usize| format!("listed-{number}");
    for number in 0..pods.div_ceil(PODS_A_NODE) {
        client.json(Method::POST, "/api/v1/nodes", &node(&name(number))).await?;
    }
    let mut clients = JoinSet::new();
    for first in 0..CLIENTS {
        let client = client.clone();
        clients.spawn_local(async move {
            for number in (first..pods).step_by(CLIENTS) {
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
pub async fn list(access: &Access, media: &str) -> Result<(Times, usize)> {
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
