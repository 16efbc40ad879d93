//! `cargo xtask bench`: builds the release binary and what measures it, and runs a benchmark by its name.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::steps::cargo;
use crate::{tree, yardstick};

/// The names, the figures of `docs/performance.md` that they print, and what these say.
const NAMES: [(&str, &str, &str); 10] = [
    (
        "idle",
        "11",
        "memory and processor time of a server with its node, and of an agent alone, while nothing happens",
    ),
    ("start", "12", "from nothing to a ready API, a Ready node, a Running pod"),
    ("pods", "13", "pod created to Running, image there; starts a second"),
    ("writes", "6", "durable writes of 1 KiB through the API"),
    ("memory", "8", "memory a stored pod"),
    ("reads", "9, 10", "events told to many watchers; lists of all pods; what either costs of memory"),
    ("scheduling", "1 to 4", "pods scheduled a second by one core"),
    ("size", "16", "the stripped binary"),
    ("build", "17", "a clean check; one controller edited, then its tests (minutes)"),
    ("all", "", "all of them"),
];

/// Runs the benchmarks of these names, or lists all if there are none.
pub fn run(names: &[String]) -> Result<()> {
    if names.is_empty() {
        println!("cargo xtask bench NAME... [--with-peers]");
        for (name, figures, what) in NAMES {
            println!("  {name:<11} {figures:>6}  {what}");
        }
        return Ok(());
    }
    if let Some(unknown) = names.iter().find(|name| NAMES.iter().all(|(known, ..)| known != name)) {
        bail!("there is no benchmark {unknown}: `cargo xtask bench` lists them");
    }
    build()?;
    let program = release_directory().join("bench");
    let status = Command::new(&program)
        .args(names)
        .current_dir(tree::root())
        .status()
        .with_context(|| format!("running {}", program.display()))?;
    if !status.success() {
        bail!("the benchmark failed");
    }
    Ok(())
}

/// Runs the benchmarks of these names, if any, and then the load that peers get too.
pub fn with_peers(names: &[String]) -> Result<()> {
    if !names.is_empty() {
        run(names)?;
    }
    build()?;
    yardstick::run("peers", &[])
}

/// Builds what is measured as users have it, and what measures it.
fn build() -> Result<()> {
    cargo(&["build", "--release", "--package", "knarr", "--package", "bench"])
}

/// Where the programs lie: this one was built for the same target, in the debug profile beside them.
fn release_directory() -> std::path::PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.ancestors().nth(2).map_or_else(|| Path::new("target").to_owned(), Path::to_owned).join("release")
}
