//! Figure 11: what a server with its node needs while nothing happens.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::client::Client;
use crate::cluster::Cluster;
use crate::machine::{self, Memory};
use crate::report::Figure;
use crate::{limit, start};

const SETTLE: Duration = Duration::from_secs(15);
const WATCHED: Duration = Duration::from_secs(60);

/// Prints the figures.
pub fn run() -> Result<()> {
    println!("  control plane, node and DNS process, no pods; an agent alone is not measured by this yet");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut cluster = Cluster::start(true)?;
        let access = cluster.ready().await?;
        start::node_ready(&Client::connect(&access).await?).await?;
        tokio::time::sleep(SETTLE).await;
        let (begun, used) = (Instant::now(), machine::cpu(cluster.pid())?);
        tokio::time::sleep(WATCHED).await;
        let used = machine::cpu(cluster.pid())?.saturating_sub(used);
        let percent = used.as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0;
        let memory = Memory::of(cluster.pid())?;
        let [resident, anonymous, peak] = [memory.resident, memory.anonymous, memory.peak].map(|kib| kib >> 10);
        Figure::new(
            11,
            "memory of an idle server with its node",
            format!("{resident} MiB RSS, of which {anonymous} MiB are its own and the rest its binary's pages; {peak} MiB at the most"),
        )
        .goal("64 MiB", resident.max(peak) <= 64)
        .limit(format!("an empty process {} KiB", limit::empty_process()?.resident))
        .print();
        Figure::new(
            11,
            "processor time of an idle server with its node",
            format!("{percent:.2}% of a core over {} s", WATCHED.as_secs()),
        )
        .goal("0.3%", percent <= 0.3)
        .limit("an empty process 0%")
        .print();
        Ok(())
    })
}
