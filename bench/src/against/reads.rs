//! Figures 9 and 10 against a cluster that somebody else started. What it makes stays: the cluster is ended after it.

use std::path::Path;

use anyhow::{Context as _, Result};
use tokio::task::LocalSet;

use super::print;
use crate::access::Access;
use crate::client::PROTOBUF;
use crate::cluster::PATIENCE;
use crate::reads::{WATCHERS, Watchers, fill, list};

const PODS_LISTED: usize = 20_000;

/// Prints a line of JSON for each figure.
pub fn run(kubeconfig: &Path) -> Result<()> {
    let access = Access::elsewhere(kubeconfig)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let told = async { Watchers::open(&access).await?.told().await };
        let rate = tokio::time::timeout(PATIENCE, told).await.context("waiting for watchers")??;
        let what = format!("events delivered to {WATCHERS} watchers of one namespace");
        print(9, &what, "/s", rate, true);
        fill(&access, PODS_LISTED).await?;
        for (media, name) in [(PROTOBUF, "protobuf"), ("application/json", "JSON")] {
            let (times, size) = list(&access, media).await?;
            let rate = PODS_LISTED as f64 / (times.ms(500) / 1_000.0);
            print(10, &format!("pods listed, {PODS_LISTED} at once in {name}"), "/s", rate, true);
            eprintln!("  {name}: {} MiB, p50 {} ms", size >> 20, times.ms(500));
        }
        Ok(())
    })
}
