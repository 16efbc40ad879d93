//! The project's habits, each as one command: `cargo xtask --help` lists them.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "a developer's tool that works on files"
)]

mod codegen;

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
}

fn main() -> anyhow::Result<()> {
    match Args::parse().habit {
        Habit::Codegen => codegen::run(),
    }
}
