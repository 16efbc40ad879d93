//! The habits that run cargo.

use anyhow::{Context, Result, bail};

use crate::{tidy, tree};

/// Formatting, tidiness, licences, and clippy.
pub fn check() -> Result<()> {
    cargo(&["fmt", "--all", "--check"])?;
    tidy::run()?;
    cargo(&["deny", "--offline", "check", "bans", "licenses", "sources"])?;
    cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
}

/// Every test. The facts about Kubernetes must lie beside the project, or the fixtures' tests fail and say so.
pub fn test() -> Result<()> {
    cargo(&["test", "--workspace", "--no-fail-fast"])
}

/// The tests of the whole, which [`test`] runs too: those with one of the names as part of theirs, or all.
pub fn e2e(names: &[String]) -> Result<()> {
    let whole = ["test", "--package", "knarr", "--test", "e2e", "--"];
    if !names.is_empty() {
        let listed = tree::cargo().args(whole).args(["--list", "--format=terse"]).output();
        let listed = listed.context("running cargo")?;
        let tests = String::from_utf8_lossy(&listed.stdout);
        // What does not build is told by the run.
        let is_none = |name: &&String| !tests.lines().any(|test| test.contains(name.as_str()));
        if let Some(name) = names.iter().find(is_none).filter(|_| listed.status.success()) {
            bail!(
                "no end-to-end test has {name:?} in its name; `cargo test -p knarr --test e2e -- --list` names them all"
            );
        }
    }
    let arguments: Vec<&str> = whole.into_iter().chain(names.iter().map(String::as_str)).collect();
    cargo(&arguments)
}

/// Runs cargo in the workspace.
pub fn cargo(arguments: &[&str]) -> Result<()> {
    println!("==> cargo {}", arguments.join(" "));
    let status = tree::cargo().args(arguments).status().context("running cargo")?;
    if !status.success() {
        bail!("cargo {} failed", arguments.join(" "));
    }
    Ok(())
}
