//! Measures what a view costs: `cargo run --release -p client --example view [pods]`.
//!
//! Shows a view pods as a Deployment's are, one after the other, each twice: as made and as running. Prints a line for each figure: the
//! memory that a pod takes, and the processor time of showing, reading and picking. Sizes are the same in a build that is not optimised.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "it measures time and memory")]

use std::error::Error;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use api_codec::{json, limits::Limits, proto};
use api_meta::{field::Path, labels::Selector};
use api_record::Record;
use api_types::core::v1::Pod;
use client::Revision;
use client::view::{Follower, Publisher, RawView, channel};

const PODS: usize = 30_000;
const PODS_A_NODE: usize = 100;

fn main() -> Result<(), Box<dyn Error>> {
    let pods = std::env::args().nth(1).map_or(Ok(PODS), |number| number.parse())?;
    let mut template = Pod::default();
    json::decode(include_bytes!("pod.json"), &mut template, None, Limits::RESPONSE)?;
    println!("a pod's message          {:>8} bytes", proto::encode_message(&template).len());
    let before = resident()?;
    let (mut publisher, view) = channel();
    publisher.replace([], Revision(1));
    let mut follower = Follower::new(view.clone());
    let begun = Instant::now();
    for number in 0..pods {
        for phase in ["Pending", "Running"] {
            show(&mut publisher, &template, number, phase);
            black_box(follower.catch_up());
        }
    }
    told("show", begun, 2 * pods);
    println!("memory a pod             {:>8} bytes", (resident()? - before) / pods);
    reads(&view, pods)?;
    println!("memory a pod, all read   {:>8} bytes", (resident()? - before) / pods);
    Ok(())
}

fn show(publisher: &mut Publisher, template: &Pod, number: usize, phase: &str) {
    let mut pod = template.clone();
    pod.metadata.name = format!("web-{number}");
    pod.metadata.uid = format!("8c6a1a5e-9d0c-4c1b-8a51-{number:012}");
    pod.spec.node_name = format!("node-{}", number / PODS_A_NODE);
    pod.status.phase = phase.to_owned();
    publisher.put(Arc::new(pod) as Arc<dyn Record>);
    publisher.advance(Revision(2));
}

fn reads(view: &RawView, pods: usize) -> Result<(), Box<dyn Error>> {
    let snapshot = view.snapshot();
    let recent = format!("web-{}", pods - 1);
    let begun = Instant::now();
    for _ in 0..pods {
        black_box(snapshot.get("shop", &recent));
    }
    told("get, decoded", begun, pods);
    let selector = Selector::parse("app=none", &Path::NONE)?;
    let begun = Instant::now();
    black_box(snapshot.glances_in("shop").filter(|glance| glance.is_picked_by(&selector)).count());
    told("ask for a label", begun, pods);
    let begun = Instant::now();
    let on_node = |name: &str| name == "none";
    black_box(snapshot.glances().filter(|glance| on_node(glance.text(&["spec", "nodeName"]))).count());
    told("ask for a node", begun, pods);
    let begun = Instant::now();
    black_box(snapshot.glimpses(None).count());
    told("look once", begun, pods);
    let begun = Instant::now();
    black_box(snapshot.iter().count());
    told("get, not decoded", begun, pods);
    Ok(())
}

fn told(what: &str, begun: Instant, times: usize) {
    println!("{what:<24} {:>8} ns", begun.elapsed().as_nanos() / times as u128);
}

/// This process's memory, in bytes.
fn resident() -> Result<usize, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/self/status")?;
    let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or_default();
    Ok(line.trim().trim_end_matches(" kB").parse::<usize>()? * 1_024)
}
