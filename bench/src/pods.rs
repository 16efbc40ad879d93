//! Figure 13: the start of a pod whose image is there, from the request that creates it until a watcher sees it Running.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use http::Method;
use serde_json::Value;
use tokio::task::JoinSet;

use crate::client::{Client, Watch};
use crate::cluster::{OWN_NODE, PATIENCE, Place};
use crate::objects::{PODS, runnable_pod};
use crate::report::{Figure, Times};
use crate::{image, limit, machine, start};

const ONE_BY_ONE: usize = 100;
const BATCHES: usize = 10;
const BATCH: usize = 10;
const WARM_UP: usize = 5;

/// Prints the figures.
pub fn run() -> Result<()> {
    println!(
        "  one container of busybox; a pod is deleted and gone before the next is made, which is not counted; fsync before every answer"
    );
    let place = Place::new()?;
    image::put_in(&place)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut cluster = place.start(true)?;
        let access = cluster.ready().await?;
        let client = Client::connect(&access).await?;
        start::node_ready(&client, OWN_NODE).await?;
        // A connection of its own, as a watcher elsewhere would have.
        let mut watch = Client::connect(&access).await?.watch(&format!("{PODS}?watch=true")).await?;
        for number in 0..WARM_UP {
            batch(&client, &mut watch, image::NAME, &[format!("warm-{number}")]).await?;
        }
        let bare = limit::containers(50)?.ms(500);
        let limit = format!("the kernel's share (namespaces, overlay, exec) {bare:.1} ms");
        let (mut single, mut bound, mut sandbox) = (Vec::new(), Vec::new(), Vec::new());
        let used = machine::cpu(cluster.pid())?;
        for number in 0..ONE_BY_ONE {
            let done = batch(&client, &mut watch, image::NAME, &[format!("one-{number}")]).await?;
            single.extend(done.each);
            bound.extend(done.bound);
            sandbox.extend(done.sandbox);
        }
        let used = machine::cpu(cluster.pid())?.saturating_sub(used).as_secs_f64() * 1e3 / ONE_BY_ONE as f64;
        let single = Times::of(single);
        let (bound, sandbox) = (Times::of(bound).ms(500), Times::of(sandbox).ms(500));
        let met = single.ms(500) <= 40.0 && single.ms(990) <= 150.0;
        Figure::new(
            13,
            "created to Running, one at a time",
            format!(
                "{}; seen bound after {bound:.0} ms, with its sandbox after {sandbox:.0} ms; {used:.0} ms of the server's \
                 processor time for making and deleting each",
                single.shown()
            ),
        )
        .goal("p50 40 ms, p99 150 ms", met)
        .limit(&limit)
        .print();
        let (mut each, mut all) = (Vec::new(), Duration::ZERO);
        for number in 0..BATCHES {
            let names: Vec<String> = (0..BATCH).map(|index| format!("ten-{number}-{index}")).collect();
            let done = batch(&client, &mut watch, image::NAME, &names).await?;
            each.extend(done.each);
            all += done.all;
        }
        let rate = (BATCHES * BATCH) as f64 / all.as_secs_f64();
        Figure::new(13, "created to Running, ten at once", Times::of(each).shown()).limit(&limit).print();
        Figure::new(13, "starts a second, ten at once", format!("{rate:.0}/s"))
            .goal("60/s", rate >= 60.0)
            .limit(format!("{:.0}/s one after the other by the kernel alone", 1e3 / bare))
            .print();
        Ok(())
    })
}

/// What became of pods that were made at once.
pub struct Done {
    /// How long each took to run.
    pub each: Vec<Duration>,
    /// How long all of them took.
    pub all: Duration,
    /// When the first of them was seen bound, and with its sandbox.
    bound: Option<Duration>,
    sandbox: Option<Duration>,
}

/// Makes pods of this image at once, waits until all run, and takes them away again.
pub async fn batch(client: &Client, watch: &mut Watch, image: &str, names: &[String]) -> Result<Done> {
    let begun = Instant::now();
    let mut requests = JoinSet::new();
    for name in names {
        let (client, pod) = (client.clone(), runnable_pod(name, image));
        requests.spawn(async move { client.json(Method::POST, PODS, &pod).await });
    }
    let mut each = Vec::new();
    let (bound, sandbox) = (Cell::new(None), Cell::new(None));
    let runs = |pod: &Value| {
        if pod["spec"]["nodeName"].is_string() && bound.get().is_none() {
            bound.set(Some(begun.elapsed()));
        }
        if has_sandbox(pod) && sandbox.get().is_none() {
            sandbox.set(Some(begun.elapsed()));
        }
        start::is_running(pod)
    };
    seen(watch, names, runs, |kind| kind != "DELETED", || each.push(begun.elapsed())).await?;
    let all = begun.elapsed();
    while let Some(answer) = requests.join_next().await {
        answer??;
    }
    for name in names {
        client.json(Method::DELETE, &format!("{PODS}/{name}"), &Value::Null).await?;
    }
    seen(watch, names, |_| true, |kind| kind == "DELETED", || ()).await?;
    Ok(Done { each, all, bound: bound.get(), sandbox: sandbox.get() })
}

fn has_sandbox(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.is_some_and(|all| {
        all.iter().any(|one| one["type"] == "PodReadyToStartContainers" && one["status"] == "True")
    })
}

/// Watches until each of these pods has been seen in a state.
async fn seen(
    watch: &mut Watch,
    names: &[String],
    state: impl Fn(&Value) -> bool,
    kinds: impl Fn(&str) -> bool,
    mut each: impl FnMut(),
) -> Result<()> {
    let mut missing: BTreeSet<&str> = names.iter().map(String::as_str).collect();
    while !missing.is_empty() {
        let next = tokio::time::timeout(PATIENCE, watch.next()).await;
        let (kind, pod) = next.with_context(|| format!("waiting for {missing:?}"))??;
        let name = pod["metadata"]["name"].as_str().unwrap_or_default();
        if kinds(&kind) && state(&pod) && missing.remove(name) {
            each();
        }
    }
    Ok(())
}
