//! The official Python client: the tests of ours in `tests/suites/python`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use super::report;
use super::workshop::Workshop;
use crate::cluster::Cluster;
use crate::record::Test;

pub fn build(workshop: &Workshop<'_>) -> Result<()> {
    environment(workshop, "python").map(drop)
}

pub fn run(workshop: &Workshop<'_>, cluster: &Cluster) -> Result<Vec<Test>> {
    pytest(workshop, "python", cluster, &workshop.source("python"), &[])
}

/// An environment with what the suite's `requirements.txt` says; answers its Python.
pub fn environment(workshop: &Workshop<'_>, suite: &str) -> Result<PathBuf> {
    let directory = workshop.of(suite).join("venv");
    let (python, wanted) = (directory.join("bin/python3"), workshop.source(suite).join("requirements.txt"));
    let done = directory.join("requirements.txt");
    if std::fs::read(&done).ok() == Some(std::fs::read(&wanted)?) {
        return Ok(python);
    }
    workshop.make(
        "an environment for Python",
        Command::new("python3").args(["-m", "venv", "--clear"]).arg(&directory),
    )?;
    let mut install = Command::new(&python);
    install
        .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"])
        .arg(&wanted);
    workshop.make(&format!("the packages of {suite}"), &mut install)?;
    std::fs::copy(&wanted, done)?;
    Ok(python)
}

/// Runs the tests below a directory, with more arguments.
pub fn pytest(
    workshop: &Workshop<'_>,
    suite: &str,
    cluster: &Cluster,
    tests: &Path,
    more: &[&str],
) -> Result<Vec<Test>> {
    let python = workshop.of(suite).join("venv/bin/python3");
    let report = workshop.of(suite).join("report.jsonl");
    let _ = std::fs::remove_file(&report);
    let plugin = workshop.source("").canonicalize()?;
    let tests = tests.canonicalize()?;
    let (status, log) = workshop.run(suite, cluster, &python, |command| {
        command.args(["-m", "pytest", "-p", "report", "-p", "no:cacheprovider"]).args(more);
        if let Some(only) = workshop.only {
            command.args(["-k", only]);
        }
        command.arg(&tests).current_dir(&tests);
        command.env("PYTHONPATH", plugin).env("PYTHONDONTWRITEBYTECODE", "1").env("SUITE_REPORT", &report);
    })?;
    // One says that tests failed; the others, that it could not go on.
    if !matches!(status.code(), Some(0 | 1)) {
        bail!("pytest ended with {status}: see {}", log.display());
    }
    report::lines(&report)
}
