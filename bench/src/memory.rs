//! Figure 8: what a stored pod costs the server of memory, store and caches together.

use std::time::Duration;

use anyhow::{Context as _, Result};
use api_codec::proto;
use api_types::core::v1::Pod;
use bytes::Bytes;
use http::Method;
use serde_json::Value;

use crate::client::Client;
use crate::cluster::Cluster;
use crate::machine::Memory;
use crate::objects::{PODS, node, typical_pod, typical_status};
use crate::report::{Figure, count};

const PODS_MADE: usize = 30_000;
const WRITERS: usize = 32;
const PODS_A_NODE: usize = 100;

/// How long the server is left alone before its memory is read: its views and its compaction come to rest.
const SETTLE: Duration = Duration::from_secs(10);

/// Prints the figure.
pub fn run() -> Result<()> {
    println!(
        "  control plane alone; each pod is created as bound to one of 300 nodes that nobody runs, and given the status of a running pod"
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut cluster = Cluster::start(false)?;
        let access = cluster.ready().await?;
        let client = Client::connect(&access).await?;
        for number in 0..PODS_MADE / PODS_A_NODE {
            client.json(Method::POST, "/api/v1/nodes", &node(&format!("node-{number}"))).await?;
        }
        account(&client).await?;
        tokio::time::sleep(SETTLE).await;
        let before = Memory::of(cluster.pid())?;
        let writers: Vec<_> = (0..WRITERS).map(|first| tokio::spawn(make(client.clone(), first))).collect();
        for writer in writers {
            writer.await??;
        }
        tokio::time::sleep(SETTLE).await;
        let after = Memory::of(cluster.pid())?;
        let body = client.proto(Method::GET, &format!("{PODS}/pod-0"), Bytes::new()).await?;
        let a_pod = |more: u64, less: u64| (more.saturating_sub(less)) as f64 / PODS_MADE as f64;
        let each = a_pod(after.resident, before.resident);
        Figure::new(
            8,
            format!("memory of the server for each of {} stored pods", count(PODS_MADE as f64)),
            format!(
                "{each:.1} KiB ({} MiB before, {} MiB after)",
                before.resident >> 10,
                after.resident >> 10
            ),
        )
        .goal("4 KiB", each <= 4.0)
        .limit(format!(
            "{:.1} KiB as protobuf, {:.1} KiB as one decoded object",
            body.len() as f64 / 1_024.0,
            decoded(&body)?
        ))
        .print();
        Ok(())
    })
}

/// Waits until pods can be made: admission wants their service account.
pub async fn account(client: &Client) -> Result<()> {
    let path = "/api/v1/namespaces/default/serviceaccounts/default";
    while client.json(Method::GET, path, &Value::Null).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

async fn make(client: Client, first: usize) -> Result<()> {
    for number in (first..PODS_MADE).step_by(WRITERS) {
        let name = format!("pod-{number}");
        let pod = typical_pod(&name, &format!("node-{}", number / PODS_A_NODE));
        let mut made = client.json(Method::POST, PODS, &pod).await?;
        made["status"] = typical_status(number);
        client.json(Method::PUT, &format!("{PODS}/{name}/status"), &made).await?;
    }
    Ok(())
}

/// What this process grows by for a pod that it decodes, in KiB.
fn decoded(body: &[u8]) -> Result<f64> {
    const COPIES: usize = 5_000;
    let envelope =
        proto::open(body, api_codec::limits::Limits::RESPONSE).context("the answer is no protobuf")?;
    let mut all = Vec::with_capacity(COPIES);
    let before = Memory::own()?;
    for _ in 0..COPIES {
        let mut pod = Box::new(Pod::default());
        proto::decode(envelope.raw, &mut *pod).context("the answer is no pod")?;
        all.push(pod);
    }
    let after = Memory::own()?;
    drop(all);
    Ok(after.resident.saturating_sub(before.resident) as f64 / COPIES as f64)
}
