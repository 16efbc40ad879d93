//! The load of figures 5, 6 and 13 against a cluster that somebody else started: `bench against KUBECONFIG IMAGE` prints a line of JSON for
//! each figure. So that Knarr and its peers get the same (`cargo xtask bench --with-peers`).

mod bound;
pub mod names;
pub mod reads;

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use tokio::task::LocalSet;

use self::bound::Goal;
use crate::access::Access;
use crate::client::Client;
use crate::objects::PODS;
use crate::pods::batch;
use crate::report::Times;
use crate::writes::{Kind, RUN, WARM_UP, load};

const CLIENTS: [usize; 3] = [1, 16, 128];
const ONE_BY_ONE: usize = 20;
const BATCHES: usize = 3;
const BATCH: usize = 10;
const FIRST: usize = 3;

/// Loads the cluster, whose node has the image.
pub fn run(kubeconfig: &Path, image: &str) -> Result<()> {
    let access = Access::elsewhere(kubeconfig)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        for clients in CLIENTS {
            load(&access, clients, Kind::Create, WARM_UP).await?;
            let (rate, times) = load(&access, clients, Kind::Create, RUN).await?;
            let plural = if clients == 1 { "client" } else { "clients" };
            print(6, &format!("durable creates of 1 KiB, {clients} {plural}"), "/s", rate, true);
            print(6, &format!("their p99, {clients} {plural}"), " ms", times.ms(990), false);
        }
        let client = Client::connect(&access).await?;
        let mut watch = Client::connect(&access).await?.watch(&format!("{PODS}?watch=true")).await?;
        for number in 0..FIRST {
            batch(&client, &mut watch, image, &[format!("warm-{number}")]).await?;
        }
        let mut single = Vec::new();
        for number in 0..ONE_BY_ONE {
            single.extend(batch(&client, &mut watch, image, &[format!("one-{number}")]).await?.each);
        }
        let single = Times::of(single);
        print(13, "pod created to Running, one at a time, p50", " ms", single.ms(500), false);
        print(13, "the same, p99", " ms", single.ms(990), false);
        let mut all = Duration::ZERO;
        for number in 0..BATCHES {
            let names: Vec<String> = (0..BATCH).map(|index| format!("ten-{number}-{index}")).collect();
            all += batch(&client, &mut watch, image, &names).await?.all;
        }
        let rate = (BATCHES * BATCH) as f64 / all.as_secs_f64();
        print(13, "pods started a second, ten at once", "/s", rate, true);
        for goal in [Goal::Bound, Goal::Running] {
            print(5, &goal.what(), "/s", bound::run(&access, goal).await?, true);
        }
        Ok(())
    })
}

fn print(figure: u8, what: &str, unit: &str, value: f64, more_is_better: bool) {
    let line = json!({ "figure": figure, "what": what, "unit": unit, "value": value, "more_is_better": more_is_better });
    println!("{line}");
}
