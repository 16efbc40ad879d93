//! Scripts: what is done to a cluster, step by step. `yardstick/differ/NAME.yaml` holds one each.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use api_codec::limits::Limits;
use serde::Deserialize;
use serde_json::Value;

/// What is done in a namespace of its own.
#[derive(Debug, PartialEq)]
pub struct Script {
    /// Its name.
    pub name: String,
    /// In their order.
    pub steps: Vec<Step>,
}

/// One thing that is done.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Step {
    /// Objects are made.
    Create(Vec<Value>),
    /// An object is patched.
    Patch {
        /// Which.
        of: Target,
        /// With what; what is null goes.
        with: Value,
    },
    /// An object is deleted.
    Delete {
        /// Which.
        of: Target,
        /// `Background`, `Foreground` or `Orphan`.
        #[serde(default)]
        propagation: Option<String>,
        /// For how many seconds nothing may move before it has settled, where that takes longer than usual.
        #[serde(default)]
        quiet: Option<u64>,
    },
    /// A pod is asked to go, as far as budgets allow.
    Evict {
        /// Its number among the pods that are there, by their age.
        pod: usize,
    },
    /// The node says what has become of a pod.
    Pod {
        /// Its number among the pods that are there, by their age.
        number: usize,
        /// Its phase.
        phase: Phase,
        /// With what its program ended.
        #[serde(default)]
        exit: i32,
    },
    /// Nothing, for so many seconds: for what waits.
    Wait(u64),
}

/// An object: `GROUP/VERSION/RESOURCE/NAME`, or a pod by its number.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub enum Target {
    /// By its number among the pods that are there, by their age.
    Pod {
        /// The number.
        pod: usize,
    },
    /// By its name.
    Named(String),
}

/// What a node says of a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum Phase {
    /// It runs, and is ready.
    Running,
    /// It runs, and is not ready.
    Unready,
    /// It ended well.
    Succeeded,
    /// It ended ill.
    Failed,
}

/// The scripts of these names, or all, that lie in a directory.
///
/// # Errors
/// When there is none of a name, or one cannot be read.
pub fn choose(directory: &Path, names: &[String]) -> Result<Vec<Script>> {
    let entries = std::fs::read_dir(directory).with_context(|| format!("reading {}", directory.display()))?;
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    paths.sort();
    let scripts = paths.iter().map(|path| read(path)).collect::<Result<Vec<_>>>()?;
    if let Some(unknown) = names.iter().find(|name| scripts.iter().all(|script| script.name != **name)) {
        let known: Vec<&str> = scripts.iter().map(|script| script.name.as_str()).collect();
        bail!("there is no script {unknown}; there are {}", known.join(", "));
    }
    Ok(scripts.into_iter().filter(|script| names.is_empty() || names.contains(&script.name)).collect())
}

fn read(path: &Path) -> Result<Script> {
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let text = std::fs::read(path).with_context(|| format!("reading {}", path.display()))?;
    let steps = parse(&text).with_context(|| format!("reading {}", path.display()))?;
    Ok(Script { name, steps })
}

fn parse(text: &[u8]) -> Result<Vec<Step>> {
    let text = api_codec::yaml::to_json(text, Limits::REQUEST)?;
    Ok(serde_json::from_slice(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_can_be_read() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("differ");
        assert!(choose(&directory, &[]).expect("scripts").len() > 10);
        let error = choose(&directory, &["deploymint".to_owned()]).expect_err("there is none").to_string();
        assert!(error.starts_with("there is no script deploymint; there are "), "{error}");
    }

    #[test]
    fn steps_are_what_they_say() {
        let steps = parse(b"- wait: 3\n- delete: {of: {pod: 1}, propagation: Orphan}\n- evict: {pod: 0}\n");
        let target = Target::Pod { pod: 1 };
        let propagation = Some("Orphan".to_owned());
        let wanted =
            [Step::Wait(3), Step::Delete { of: target, propagation, quiet: None }, Step::Evict { pod: 0 }];
        assert_eq!(steps.expect("steps"), wanted);
        assert!(parse(b"- dance: 3\n").is_err());
    }
}
