//! Figure 11: what a server with its node needs while nothing happens, and an agent that is alone on its machine.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use crate::client::Client;
use crate::cluster::{AGENTS_NODE, Agent, Cluster, OWN_NODE};
use crate::machine::{self, Memory};
use crate::report::Figure;
use crate::{limit, start};

const SETTLE: Duration = Duration::from_secs(15);
const WATCHED: Duration = Duration::from_secs(60);

/// What an idle process needed.
struct Idle {
    memory: Memory,
    /// Of one core.
    percent: f64,
}

impl Idle {
    /// Lets a process come to rest, and watches it.
    async fn of(pid: u32) -> Result<Idle> {
        tokio::time::sleep(SETTLE).await;
        let (begun, used) = (Instant::now(), machine::cpu(pid)?);
        tokio::time::sleep(WATCHED).await;
        let used = machine::cpu(pid)?.saturating_sub(used);
        let percent = used.as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0;
        Ok(Idle { memory: Memory::of(pid)?, percent })
    }

    /// Prints its figures; no goal of a share of the processor is set for an agent.
    fn print(&self, what: &str, memory_mib: u64, percent: Option<f64>) -> Result<()> {
        let Memory { resident, anonymous, peak } = self.memory;
        let [resident, anonymous, peak] = [resident, anonymous, peak].map(|kib| kib >> 10);
        Figure::new(
            11,
            format!("memory of {what}"),
            format!("{resident} MiB RSS, of which {anonymous} MiB are its own and the rest its binary's pages; {peak} MiB at the most"),
        )
        .goal(format!("{memory_mib} MiB"), resident.max(peak) <= memory_mib)
        .limit(format!("an empty process {} KiB", limit::empty_process()?.resident))
        .print();
        let used = format!("{:.2}% of a core over {} s", self.percent, WATCHED.as_secs());
        let figure = Figure::new(11, format!("processor time of {what}"), used).limit("an empty process 0%");
        let figure = match percent {
            Some(most) => figure.goal(format!("{most}%"), self.percent <= most),
            None => figure,
        };
        figure.print();
        Ok(())
    }
}

/// Prints the figures.
pub fn run() -> Result<()> {
    println!(
        "  no pods; the server with its node and DNS process, then an agent that joins it from a machine of its own"
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut cluster = Cluster::start(true)?;
        let access = cluster.ready().await?;
        let client = Client::connect(&access).await?;
        start::node_ready(&client, OWN_NODE).await?;
        Idle::of(cluster.pid()).await?.print("an idle server with its node", 64, Some(0.3))?;
        let agent = Agent::start(&cluster)?;
        let joined = start::node_ready(&client, AGENTS_NODE).await;
        joined.with_context(|| format!("the agent's node does not become Ready:\n{}", agent.log()))?;
        Idle::of(agent.pid()).await?.print("an idle agent", 20, None)
    })
}
