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

/// The tests of the whole, which [`test`] runs too.
pub fn e2e(names: &[String]) -> Result<()> {
    let mut arguments = vec!["test", "--package", "knarr", "--test", "e2e", "--"];
    arguments.extend(names.iter().map(String::as_str));
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
