//! Figure 17: how long the compiler takes: a check of everything from nothing, and the tests of one controller after an edit to it.
//!
//! Works on a copy of the tree's committed and staged files in the build directory, so that the edit is a real one and the tree stays as it is.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::report::Figure;

const CONTROLLER: &str = "crates/control/src/workload/replica_set.rs";
const TESTS: &str = "workload::replica_set";
const EDITS: usize = 3;

/// Prints the figures.
pub fn run() -> Result<()> {
    println!("  cargo --offline, debug profile, sources already downloaded");
    let directory = std::env::current_exe()?.with_file_name("bench-build");
    let work = Work::new(directory)?;
    let check = work.cargo(&["check", "--workspace"])?;
    Figure::new(17, "a check of the workspace from nothing", format!("{:.0} s", check.as_secs_f64()))
        .goal("240 s", check.as_secs() <= 240)
        .print();
    work.cargo(&["test", "-p", "control", TESTS])?;
    let unchanged = work.cargo(&["test", "-p", "control", TESTS])?;
    let mut edits = Vec::new();
    for number in 0..EDITS {
        work.edit(number)?;
        edits.push(work.cargo(&["test", "-p", "control", TESTS])?);
    }
    edits.sort_unstable();
    let median = edits[EDITS / 2].as_secs_f64();
    Figure::new(17, "one controller edited, then its tests", format!("{median:.1} s, the median of {EDITS}"))
        .goal("10 s", median <= 10.0)
        .limit(format!("the same without an edit {:.1} s", unchanged.as_secs_f64()))
        .print();
    Ok(())
}

/// A copy of the tree with a build directory of its own; both end with the value.
struct Work(PathBuf);

impl Work {
    fn new(directory: PathBuf) -> Result<Work> {
        // A run that was interrupted has left it.
        if directory.exists() {
            std::fs::remove_dir_all(&directory)?;
        }
        // Where it is run, by xtask the root: not where it was compiled.
        let root = std::env::current_dir()?;
        ensure!(
            root.join("bench/Cargo.toml").is_file(),
            "run it in the root of the tree: cargo xtask bench build"
        );
        let work = Work(directory);
        let files = Command::new("git").args(["ls-files", "-z"]).output()?;
        ensure!(files.status.success(), "git ls-files: {}", String::from_utf8_lossy(&files.stderr));
        for file in String::from_utf8(files.stdout)?.split_terminator('\0') {
            let (from, to) = (root.join(file), work.tree().join(file));
            std::fs::create_dir_all(to.parent().context("a file lies in a directory")?)?;
            // What is deleted but not staged is listed and not there.
            if from.is_file() {
                std::fs::copy(from, to)?;
            }
        }
        Ok(work)
    }

    fn tree(&self) -> PathBuf {
        self.0.join("tree")
    }

    /// How long a command of cargo takes.
    fn cargo(&self, arguments: &[&str]) -> Result<Duration> {
        let begun = Instant::now();
        let output = Command::new("cargo")
            .args(arguments)
            .arg("--offline")
            .current_dir(self.tree())
            .env("CARGO_TARGET_DIR", self.0.join("target"))
            .stdin(Stdio::null())
            .output()
            .context("running cargo")?;
        let took = begun.elapsed();
        if !output.status.success() {
            bail!("cargo {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(took)
    }

    /// Changes the controller's code: a function more, each time another one, which the compiler has to look at and to generate.
    fn edit(&self, number: usize) -> Result<()> {
        let path = self.tree().join(CONTROLLER);
        let mut file = std::fs::OpenOptions::new().append(true).open(&path)?;
        writeln!(
            file,
            "\n/// An edit.\npub fn edit_{number}(replicas: i32) -> i32 {{\n    replicas + {number}\n}}"
        )?;
        Ok(())
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        // A build directory that is left behind harms nobody.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
