//! Knarr measured by what others wrote: `cargo xtask stock`, `swap`, `differ`, `conformance`, `oracle`, `suites`, `schemathesis` and
//! `bench --with-peers`.
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
mod differ;
mod go;
mod images;
mod interrupt;
mod known;
mod machine;
mod needs;
mod oracle;
mod peers;
mod pki;
mod record;
mod registry;
mod scenario;
mod schemathesis;
mod suites;
mod swap;
mod turn;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::{Parser, Subcommand};

use cluster::{Cluster, Maker, Parts, Programs};
use go::Go;
use images::{Images, PAUSE};
use interrupt::{Clusters, Role};

#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", about = "Knarr measured by what others wrote")]
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
    /// Kubernetes' controllers and Knarr's, on both API servers, given the same scripts
    Differ(differ::Options),
    /// Kubernetes' own functions and Knarr's, asked the same about random objects of every kind
    Oracle(oracle::Options),
}

#[derive(Subcommand)]
enum StockVerb {
    /// Build and start one, in the background
    Up {
        /// Machines with a node each, nine at most
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=9))]
        nodes: u8,
    },
    /// End it, and delete what it wrote
    Down,
    /// Run a program on the link of its machines, in the root of the project, with `KUBECONFIG` set: `-- kubectl get nodes`
    Exec {
        /// The program and its arguments
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
}

fn main() -> ExitCode {
    interrupt::end_when_unread();
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
    if yardstick.needs_root() && !rustix::process::geteuid().is_root() {
        bail!("needs root: it makes namespaces, control groups and mounts");
    }
    if let Some(clusters) = yardstick.clusters(&directory) {
        match Role::own()? {
            Role::Guard => {
                yardstick.judge(&project)?;
                let turns = clusters.places.iter().map(|place| turn::take(place));
                let _turns = turns.collect::<Result<Vec<_>>>()?;
                yardstick.prepare()?;
                return interrupt::guard(&clusters);
            }
            Role::Run(guard) => interrupt::follow(guard)?,
            Role::End(group) => return interrupt::finish(group, &clusters),
        }
    }
    let go = Go::new(&project, &directory.join("bin"));
    let knarr = std::env::current_exe()?.with_file_name("knarr");
    let programs = Programs { go: &go, knarr };
    match yardstick {
        Yardstick::Stock { verb } => return stock_verb(verb, &programs, &directory),
        Yardstick::Peers { rounds } => peers::run(&programs, &project, &directory, rounds)?,
        Yardstick::Conformance(options) => conformance::run(&programs, &project, &directory, &options)?,
        Yardstick::Suites(options) => suites::run(&programs, &project, &directory, &options)?,
        Yardstick::Schemathesis(options) => schemathesis::run(&programs, &project, &directory, &options)?,
        Yardstick::Swap { names, keep } => swap::run(&programs, &directory, &names, keep)?,
        Yardstick::Differ(options) => differ::run(&programs, &project, &directory, &options)?,
        Yardstick::Oracle(options) => oracle::run(&go, &project, &options)?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Yardstick {
    /// The clusters that it starts: what is to be ended however it ends.
    fn clusters(&self, directory: &Path) -> Option<Clusters> {
        let (name, places) = match self {
            Yardstick::Stock { verb: StockVerb::Up { .. } } => (STOCK, vec![stock_place(directory)]),
            Yardstick::Peers { .. } => (peers::CLUSTER, vec![peers::place(directory)]),
            Yardstick::Conformance(options) => {
                (conformance::CLUSTER, Vec::from_iter(options.own_place(directory)))
            }
            Yardstick::Suites(_) => (suites::CLUSTER, vec![suites::place(directory)]),
            Yardstick::Schemathesis(_) => (schemathesis::CLUSTER, vec![schemathesis::place(directory)]),
            Yardstick::Swap { names, .. } => (swap::CLUSTER, swap::places(directory, names)),
            Yardstick::Differ(_) => (differ::CLUSTER, vec![differ::place(directory)]),
            Yardstick::Stock { .. } | Yardstick::Oracle(_) => return None,
        };
        Some(Clusters { name, places })
    }

    fn needs_root(&self) -> bool {
        match self {
            Yardstick::Oracle(_) => false,
            Yardstick::Conformance(options) => !options.is_against_another(),
            _ => true,
        }
    }

    /// Refuses arguments that name what is not there, before anything is touched.
    fn judge(&self, project: &Path) -> Result<()> {
        match self {
            Yardstick::Conformance(options) => conformance::Plan::new(project, options).map(drop),
            Yardstick::Suites(options) => suites::Plan::new(project, options).map(drop),
            Yardstick::Swap { names, .. } => swap::choose(names).map(drop),
            Yardstick::Differ(options) => differ::choose(project, options).map(drop),
            _ => Ok(()),
        }
    }

    /// Brings what its clusters are made of, but for what Go builds.
    fn prepare(&self) -> Result<()> {
        let builds_clients = matches!(self, Yardstick::Suites(_) | Yardstick::Schemathesis(_));
        needs::install(if builds_clients { &needs::OF_CLIENTS } else { &[] })?;
        needs::knarr().map(drop)
    }
}

/// The name of the cluster that `stock` starts.
const STOCK: &str = "stock";

fn stock_place(directory: &Path) -> PathBuf {
    directory.join("stock")
}

fn stock_verb(verb: StockVerb, programs: &Programs<'_>, directory: &Path) -> Result<ExitCode> {
    let place = stock_place(directory);
    match verb {
        StockVerb::Up { nodes } => {
            if cluster::hub(&place).is_ok() {
                println!("==> the stock cluster that runs is ended first");
            }
            let cluster = match stock_up(programs, directory, &place, nodes) {
                Err(error) => cluster::both(Err(error), cluster::down(STOCK, &place))?,
                Ok(cluster) => cluster,
            };
            println!("{}", cluster.kubectl(&["get", "nodes", "-o", "wide"])?.trim_end());
            println!(
                "cargo xtask stock exec -- kubectl get pods -A    # it can be reached from its own link only"
            );
            println!("cargo xtask stock down");
        }
        StockVerb::Down => {
            let runs = cluster::hub(&place).is_ok();
            cluster::down(STOCK, &place)?;
            println!("{}", if runs { "the stock cluster has ended" } else { "no stock cluster ran" });
        }
        StockVerb::Exec { words } => {
            // Entering a machine leads to its root; files are named from here.
            let hub = cluster::hub(&place).context("`cargo xtask stock up` starts the stock cluster")?;
            let mut command = hub.command("env");
            command.arg(format!("--chdir={}", std::env::current_dir()?.display())).args(&words);
            command.env("KUBECONFIG", place.join("admin.kubeconfig"));
            let status = command.status().with_context(|| format!("running {}", words[0]))?;
            return Ok(ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Starts one whose nodes have what every pod needs, so that nothing is pulled but what a user asks for.
fn stock_up(programs: &Programs<'_>, directory: &Path, place: &Path, nodes: u8) -> Result<Cluster> {
    let images = Images::build(programs, &directory.join("images"), &[PAUSE])?;
    let cluster = Cluster::up(programs, STOCK, place, Parts::all(Maker::Stock, nodes))?;
    for machine in &cluster.machines {
        cluster.load(machine, &images, &[PAUSE])?;
    }
    Ok(cluster)
}

/// The root of this project: `cargo xtask` starts this program there.
fn project() -> PathBuf {
    std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."))
}
