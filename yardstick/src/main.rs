//! Knarr measured by what others wrote: `cargo xtask stock`, `swap`, `conformance`, `oracle`, `suites`, `schemathesis` and `bench --with-peers`.
//!
//! Layer: above everything. Used by people. It builds Kubernetes' own components and its conformance suite from the Go module in
//! `tests/conformance`, and clients' suites by `tests/suites`, and runs them beside the binary of Knarr that lies beside this one in the build directory.
//! Everything runs on machines made of namespaces (`machine`), and leaves nothing behind but what is asked for.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a developer's tool that works on files and processes"
)]

mod cluster;
mod conformance;
mod go;
mod images;
mod interrupt;
mod machine;
mod oracle;
mod peers;
mod pki;
mod record;
mod registry;
mod scenario;
mod schemathesis;
mod suites;
mod swap;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, Subcommand};

use cluster::{Cluster, Maker, Parts, Programs};
use go::Go;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Knarr measured by what others wrote")]
struct Arguments {
    #[command(subcommand)]
    yardstick: Yardstick,
}

#[derive(Subcommand)]
enum Yardstick {
    /// A stock cluster on this machine
    Stock {
        #[command(subcommand)]
        verb: StockVerb,
    },
    /// The same load on Knarr and on Kubernetes' own parts in turn, and the ratios
    Peers {
        /// Clusters of each
        #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
        rounds: u8,
    },
    /// Kubernetes' conformance suite, against a cluster that it starts and stops
    Conformance(conformance::Options),
    /// Clients that others wrote, each against a cluster that it starts and stops
    Suites(suites::Options),
    /// Requests made at random of the published OpenAPI, against a cluster that it starts and stops
    Schemathesis(schemathesis::Options),
    /// Knarr's API server with each stock part, stock's with each part of Knarr: an application's life on each mixture
    Swap {
        /// Cells; all without
        names: Vec<String>,
        /// Stop at the first red cell, and leave its cluster running
        #[arg(long)]
        keep: bool,
    },
    /// Kubernetes' own functions and Knarr's, asked the same about random objects of every kind
    Oracle(oracle::Options),
}

#[derive(Subcommand)]
enum StockVerb {
    /// Build and start one, in the background
    Up {
        /// Machines with a node each
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=9))]
        nodes: u8,
    },
    /// End it, and delete what it wrote
    Down,
    /// Run a program on the link of its machines: `-- kubectl get nodes`
    Exec {
        /// The program and its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().yardstick) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(yardstick: Yardstick) -> Result<ExitCode> {
    let project = project();
    let directory = project.join("target/yardstick");
    let go = Go::new(&project, &directory.join("bin"));
    let knarr = std::env::current_exe()?.with_file_name("knarr");
    let programs = Programs { go: &go, knarr };
    if let Some((name, places)) = yardstick.clusters(&directory)
        && let Some(code) = interrupt::guarded(name, &places)?
    {
        return Ok(code);
    }
    match yardstick {
        Yardstick::Stock { verb } => return stock_verb(verb, &programs, &stock_place(&directory)),
        Yardstick::Peers { rounds } => peers::run(&programs, &project, &directory, rounds)?,
        Yardstick::Conformance(options) => conformance::run(&programs, &project, &directory, &options)?,
        Yardstick::Suites(options) => suites::run(&programs, &project, &directory, &options)?,
        Yardstick::Schemathesis(options) => schemathesis::run(&programs, &project, &directory, &options)?,
        Yardstick::Swap { names, keep } => swap::run(&programs, &directory, &names, keep)?,
        Yardstick::Oracle(options) => oracle::run(&go, &project, &options)?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Yardstick {
    /// The name of the clusters that it starts, and where the files of each lie: what is to be ended when it is interrupted.
    fn clusters(&self, directory: &Path) -> Option<(&'static str, Vec<PathBuf>)> {
        match self {
            Yardstick::Stock { verb: StockVerb::Up { .. } } => Some((STOCK, vec![stock_place(directory)])),
            Yardstick::Peers { .. } => Some((peers::CLUSTER, vec![peers::place(directory)])),
            Yardstick::Conformance(options) => {
                Some((conformance::CLUSTER, vec![options.own_place(directory)?]))
            }
            Yardstick::Suites(_) => Some((suites::CLUSTER, vec![suites::place(directory)])),
            Yardstick::Schemathesis(_) => Some((schemathesis::CLUSTER, vec![schemathesis::place(directory)])),
            Yardstick::Swap { .. } => Some((swap::CLUSTER, swap::places(directory))),
            Yardstick::Stock { .. } | Yardstick::Oracle(_) => None,
        }
    }
}

/// The name of the cluster that `stock` starts.
const STOCK: &str = "stock";

fn stock_place(directory: &Path) -> PathBuf {
    directory.join("stock")
}

fn stock_verb(verb: StockVerb, programs: &Programs<'_>, directory: &Path) -> Result<ExitCode> {
    match verb {
        StockVerb::Up { nodes } => {
            let cluster = match Cluster::up(programs, STOCK, directory, Parts::all(Maker::Stock, nodes)) {
                Err(error) => cluster::both(Err(error), cluster::down(STOCK, directory))?,
                Ok(cluster) => cluster,
            };
            println!("{}", cluster.kubectl(&["get", "nodes", "-o", "wide"])?.trim_end());
            println!(
                "cargo xtask stock exec -- kubectl get pods -A    # it can be reached from its own link only"
            );
            println!("cargo xtask stock down");
        }
        StockVerb::Down => cluster::down(STOCK, directory)?,
        StockVerb::Exec { words } => {
            // Entering a machine leads to its root; files are named from here.
            let mut command = cluster::hub(directory)?.command("env");
            command.arg(format!("--chdir={}", std::env::current_dir()?.display())).args(&words);
            command.env("KUBECONFIG", directory.join("admin.kubeconfig"));
            let status = command.status().with_context(|| format!("running {}", words[0]))?;
            return Ok(ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The root of this project: `cargo xtask` starts this program there.
fn project() -> PathBuf {
    std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."))
}
