//! Which crate may depend on which: dependencies point up the list in ARCHITECTURE.md only.

use anyhow::{Context, Result};
use serde_json::Value;

use crate::tree;

/// The layers from the lowest; a crate belongs to the first whose name or prefix fits, and may depend on its own layer
/// and those before it.
const LAYERS: [&[&str]; 25] = [
    &["base"],
    &["base-serve", "base-virtual"],
    &["api-record"],
    &["api-types"],
    &["api-codec", "api-cron", "api-meta"],
    &["api-patch", "api-cel", "api-volume"],
    &["api-device"],
    &["api-kind"],
    &["api-custom"],
    &["api-kinds-core"],
    &[
        "api-kinds-admission",
        "api-kinds-apps",
        "api-kinds-rbac",
        "api-kinds-resource",
        "api-kinds-more",
        "api-quota",
    ],
    &["api-kinds-all"],
    &["host", "store"],
    &["client"],
    &["client-remote"],
    &["server-"],
    &["control-base"],
    &["control-autoscale", "control-resource", "control-storage", "control-workload"],
    &["control", "scheduler", "scheduler-", "net-"],
    &["explain", "rehearse"],
    &["node-"],
    &["cli"],
    &["hello", "knarr", "sim"],
    &["bench", "yardstick"],
    &["xtask"],
];

/// Crates that never meet: the first must not depend on the second.
const APART: [(&str, &str); 12] = [
    ("control", "store"),
    ("control", "server-"),
    ("control-", "store"),
    ("control-", "server-"),
    ("scheduler", "store"),
    ("scheduler", "server-"),
    ("node-", "store"),
    ("node-", "server-"),
    ("explain", "store"),
    ("explain", "server-"),
    ("net-", "store"),
    ("net-", "server-"),
];

fn fits(name: &str, pattern: &str) -> bool {
    name == pattern || (pattern.ends_with('-') && name.starts_with(pattern))
}

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.iter().any(|pattern| fits(name, pattern)))
}

/// Every dependency that points the wrong way.
pub(super) fn problems() -> Result<Vec<String>> {
    let output = tree::cargo()
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .output()
        .context("running cargo metadata")?;
    let metadata: Value = serde_json::from_slice(&output.stdout).context("reading cargo's answer")?;
    let packages = metadata["packages"].as_array().context("cargo names no packages")?;
    let mut problems = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(own) = layer(name) else {
            problems.push(format!("crate {name} has no layer: give it one in xtask/src/tidy/layers.rs"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let on = dependency["name"].as_str().unwrap_or_default();
            if dependency["path"].is_null() || dependency["kind"] == "dev" {
                continue;
            }
            if layer(on).is_none_or(|other| other > own) {
                problems.push(format!("crate {name} depends on {on}, which stands above it"));
            }
            if APART.iter().any(|(from, to)| fits(name, from) && fits(on, to)) {
                problems.push(format!("crate {name} depends on {on}: they meet only in knarr and sim"));
            }
        }
    }
    Ok(problems)
}
