//! kube-rs: the tests of its published crates that need a cluster and that it therefore leaves out by default.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};

use super::report;
use super::workshop::Workshop;
use crate::cluster::Cluster;
use crate::go::is_newer;
use crate::machine;
use crate::record::Test;

const VERSION: &str = "5.0.0";

/// Crates with such tests, and the features that they need.
const CRATES: [(&str, &[&str]); 3] = [
    ("kube", &["client", "config", "derive", "rustls-tls", "ring", "runtime", "ws"]),
    ("kube-client", &["client", "config", "jsonpatch", "rustls-tls", "ring", "ws"]),
    ("kube-runtime", &[]),
];

pub fn build(workshop: &Workshop<'_>) -> Result<()> {
    let sources = [workshop.source("kube-rs/Cargo.toml"), workshop.source("kube-rs/Cargo.lock")];
    if CRATES.iter().all(|(name, _)| is_newer(&program(workshop, name), &sources)) {
        return Ok(());
    }
    let directory = workshop.of("kube-rs");
    let workspace = directory.join("src");
    bring(workshop, &directory.join("bring"), &workspace)?;
    for source in &sources {
        std::fs::copy(source, workspace.join(source.file_name().unwrap_or_default()))?;
    }
    // All at once, so that what they share is built once: with the features of all.
    let mut build = cargo(&["test", "--no-run", "--lib", "--locked", "--no-default-features"]);
    for (name, features) in CRATES {
        build.args(["--package", name]);
        build.args(features.iter().map(|feature| format!("--features={name}/{feature}")));
    }
    build.arg("--message-format=json").current_dir(&workspace);
    build.env("CARGO_TARGET_DIR", directory.join("target"));
    let log = workshop.make("the tests of kube-rs (minutes, the first time)", &mut build)?;
    let said = std::fs::read_to_string(log)?;
    let said = said.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let built: Vec<serde_json::Value> = said.filter(|one| one["executable"].is_string()).collect();
    for (name, _) in CRATES {
        let library = name.replace('-', "_");
        let one = built.iter().find(|one| one["target"]["name"] == library.as_str());
        let one = one.and_then(|one| one["executable"].as_str());
        std::fs::copy(
            one.with_context(|| format!("cargo built no tests of {name}"))?,
            program(workshop, name),
        )?;
    }
    Ok(())
}

pub fn run(workshop: &Workshop<'_>, cluster: &Cluster) -> Result<Vec<Test>> {
    let mut tests = Vec::new();
    for (name, _) in CRATES {
        let (_, log) = workshop.run("kube-rs", cluster, &program(workshop, name), |command| {
            // They use names of objects in common.
            command.args(["--ignored", "--test-threads=1"]).args(workshop.only).env("RUST_BACKTRACE", "0");
        })?;
        tests.extend(report::rust(name, &std::fs::read_to_string(log)?)?);
    }
    Ok(tests)
}

fn program(workshop: &Workshop<'_>, name: &str) -> PathBuf {
    workshop.of("kube-rs").join(name)
}

/// Copies the sources of the crates into a workspace: cargo builds tests only of packages that are its members.
fn bring(workshop: &Workshop<'_>, scratch: &Path, workspace: &Path) -> Result<()> {
    std::fs::create_dir_all(scratch.join("src"))?;
    std::fs::write(scratch.join("src/lib.rs"), "")?;
    let dependencies: String = CRATES.iter().map(|(name, _)| format!("{name} = \"={VERSION}\"\n")).collect();
    let list = scratch.join("Cargo.toml");
    std::fs::write(
        &list,
        format!(
            "[package]\nname = \"bring\"\nversion = \"0.0.0\"\n[workspace]\n[dependencies]\n{dependencies}"
        ),
    )?;
    let mut fetch = cargo(&["fetch", "--manifest-path"]);
    workshop.make("the sources of kube-rs", fetch.arg(&list))?;
    let mut metadata = cargo(&["metadata", "--offline", "--format-version=1", "--manifest-path"]);
    let metadata: serde_json::Value = serde_json::from_str(&machine::run(metadata.arg(&list))?)?;
    let packages = metadata["packages"].as_array().context("cargo names no packages")?;
    let _ = std::fs::remove_dir_all(workspace);
    std::fs::create_dir_all(workspace)?;
    for (name, _) in CRATES {
        let package = packages.iter().find(|package| package["name"] == name);
        let manifest = package.and_then(|package| package["manifest_path"].as_str());
        let source = Path::new(manifest.with_context(|| format!("cargo knows no crate {name}"))?).parent();
        let source = source.with_context(|| format!("{name} lies nowhere"))?;
        let mut copy = Command::new("cp");
        workshop.make(&format!("a copy of {name}"), copy.arg("-r").arg(source).arg(workspace.join(name)))?;
    }
    // Their tests use the crate that stands above them; publishing drops that.
    for name in ["kube-client", "kube-runtime"] {
        let list = workspace.join(name).join("Cargo.toml");
        let text = std::fs::read_to_string(&list)?;
        std::fs::write(
            list,
            text + "\n[dev-dependencies.kube]\npath = \"../kube\"\nfeatures = [\"derive\"]\n",
        )?;
    }
    Ok(())
}

fn cargo(words: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // What an outer cargo says of its own package is not theirs.
    command.args(words).env_remove("CARGO_MANIFEST_DIR").env_remove("RUSTFLAGS");
    command
}
