//! The project's habits, each as one command: `cargo xtask --help` lists them.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a developer's tool that works on files"
)]

mod bench;
mod codegen;
mod steps;
mod tidy;
mod tree;
mod yardstick;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "The project's habits, each as one command")]
struct Args {
    #[command(subcommand)]
    habit: Habit,
}

#[derive(Subcommand)]
enum Habit {
    /// Generate the API types from the Go modules of the Kubernetes release that is aimed at (needs go)
    Codegen,
    /// Check what no compiler checks: layers, lengths, names, unfinished work
    Tidy,
    /// Format check, tidy, licences, and clippy with warnings denied
    Check,
    /// Every test (needs root for those of the node)
    Test,
    /// The whole, driven by the real kubectl; tests by parts of their names, or all (needs root and kubectl)
    E2e {
        /// Parts of names
        names: Vec<String>,
    },
    /// Check, test, and the selection of Kubernetes' conformance suite: what CI runs (needs root, kubectl and go)
    Ci,
    /// Measure: benchmarks by their names, or the list of them (most need root)
    Bench {
        /// Which
        names: Vec<String>,
        /// Then the same load on Knarr and on Kubernetes' own parts, in turn (needs go)
        #[arg(long)]
        with_peers: bool,
    },
    /// A stock Kubernetes cluster on this machine, for comparison: `up`, `down`, `exec` (needs root and go)
    #[command(disable_help_flag = true)]
    Stock(Words),
    /// Stock parts with Knarr's API server, Knarr's parts with a stock one (needs root and go)
    #[command(disable_help_flag = true)]
    Swap(Words),
    /// Kubernetes' conformance suite (needs root and go)
    #[command(disable_help_flag = true)]
    Conformance(Words),
    /// Clients that others wrote: libraries' own tests, programs of ours that use them, helm (needs root, go, Python and Java)
    #[command(disable_help_flag = true)]
    Suites(Words),
    /// Requests made at random of the published OpenAPI: none may be answered by a fault of the server's (needs root and Python)
    #[command(disable_help_flag = true)]
    Schemathesis(Words),
    /// Kubernetes' controllers and Knarr's, on both API servers, given the same scripts (needs root and go)
    #[command(disable_help_flag = true)]
    Differ(Words),
    /// Kubernetes' own functions and Knarr's, asked the same about random objects of every kind (needs go)
    #[command(disable_help_flag = true)]
    Oracle(Words),
}

/// Words for `yardstick`, which explains them with `--help`.
#[derive(clap::Args)]
struct Words {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

fn main() -> ExitCode {
    match run(Args::parse().habit) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // What people did wrong has no stack.
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(habit: Habit) -> anyhow::Result<()> {
    match habit {
        Habit::Codegen => codegen::run(),
        Habit::Tidy => tidy::run(),
        Habit::Check => steps::check(),
        Habit::Test => steps::test(),
        Habit::E2e { names } => steps::e2e(&names),
        Habit::Bench { names, with_peers: false } => bench::run(&names),
        Habit::Bench { names, with_peers: true } => bench::with_peers(&names),
        Habit::Stock(words) => yardstick::run("stock", &words.words),
        Habit::Swap(words) => yardstick::run("swap", &words.words),
        Habit::Conformance(words) => yardstick::run("conformance", &words.words),
        Habit::Suites(words) => yardstick::run("suites", &words.words),
        Habit::Schemathesis(words) => yardstick::run("schemathesis", &words.words),
        Habit::Differ(words) => yardstick::run("differ", &words.words),
        Habit::Oracle(words) => yardstick::run("oracle", &words.words),
        Habit::Ci => {
            steps::check()?;
            steps::test()?;
            yardstick::run("conformance", &["--selection".to_owned()])
        }
    }
}
