//! The figures of `docs/performance.md`, each measured by one command: `cargo xtask bench NAME`.
//!
//! Layer: above everything. Used by people. It drives the release binary that lies beside it in the build directory, as a user
//! would: by its command line and its API.
//! Each figure is one line: what was measured, the goal and whether it is met, and the physical limit as the same run found it.
//! A cluster runs in a network namespace and a directory of its own; nothing of it is left behind, be the run interrupted. The load generator shares the
//! cores with what it loads.
//! It deliberately judges nothing: no figure makes it fail, because a time on a shared machine proves nothing.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "it measures time, files and processes"
)]

mod access;
mod against;
mod build;
mod client;
mod cluster;
mod held;
mod idle;
mod image;
mod limit;
mod machine;
mod memory;
mod network;
mod objects;
mod pods;
mod reads;
mod report;
mod scheduling;
mod size;
mod start;
mod writes;

use std::process::ExitCode;

use anyhow::{Result, bail};

/// A benchmark's name, and what runs it.
type Bench = (&'static str, fn() -> Result<()>);

/// In the order in which `all` runs them: what needs a calm machine first, what makes it busy last.
const BENCHES: [Bench; 9] = [
    ("idle", idle::run),
    ("start", start::run),
    ("pods", pods::run),
    ("writes", writes::run),
    ("memory", memory::run),
    ("reads", reads::run),
    ("scheduling", scheduling::run),
    ("size", size::run),
    ("build", build::run),
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let names: Vec<String> = std::env::args().skip(1).collect();
    if let [word, kubeconfig, image] = names.as_slice()
        && word == "against"
    {
        return against::run(kubeconfig.as_ref(), image);
    }
    if let [word, address] = names.as_slice()
        && word == "names"
    {
        return against::names::run(address);
    }
    if let [word, kubeconfig] = names.as_slice()
        && word == "reads"
    {
        return against::reads::run(kubeconfig.as_ref());
    }
    let all = names == ["all"];
    for name in names.iter().filter(|_| !all) {
        if !BENCHES.iter().any(|(known, _)| known == name) {
            bail!("there is no benchmark {name}: `cargo xtask bench` lists them");
        }
    }
    println!("{}", machine::described());
    for (name, run) in BENCHES {
        if all || names.iter().any(|wanted| wanted == name) {
            println!("{name}:");
            run()?;
        }
    }
    println!("load average at the end: {}", machine::load());
    Ok(())
}
