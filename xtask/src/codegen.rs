//! `cargo xtask codegen`: writes `crates/api/types/src/generated` from upstream's Go type declarations.
//!
//! What is read are facts: type and field names, struct tags and markers. What is written is a Rust struct and a static
//! schema for every type that a served kind reaches.

mod go;
mod names;
mod render;
mod resolve;
mod roots;
mod rules;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// The release whose types are generated.
const VERSION: &str = "v0.37.1";

/// Reads the modules and writes the generated folder anew.
pub fn run() -> Result<()> {
    let root = crate::tree::root();
    let facts = root.join("../shared/kubernetes/api.tsv");
    let resources = roots::resources(&facts)?;
    let mut sources = go::Sources::default();
    for module in ["api", "apimachinery", "apiextensions-apiserver", "kube-aggregator", "metrics"] {
        sources.add_module(&format!("k8s.io/{module}"), &download(module)?);
    }
    let program = resolve::program(&mut sources, &roots::kinds(&resources))?;
    let out = root.join("crates/api/types/src/generated");
    render::write(&program, &resources, &out)?;
    println!("{} types in {} packages", program.types.len(), program.packages().len());
    Ok(())
}

fn download(module: &str) -> Result<PathBuf> {
    let name = format!("k8s.io/{module}@{VERSION}");
    let output = Command::new("go")
        .args(["mod", "download", "-json", &name])
        .current_dir(std::env::temp_dir())
        .output()
        .context("running `go mod download`: is Go installed?")?;
    let answer: serde_json::Value = serde_json::from_slice(&output.stdout).context("reading go's answer")?;
    match answer["Dir"].as_str() {
        Some(dir) => Ok(dir.into()),
        None => bail!("downloading {name}: {}", answer["Error"].as_str().unwrap_or("no reason given")),
    }
}
