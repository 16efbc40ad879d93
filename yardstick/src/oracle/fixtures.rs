//! Questions with upstream's answers, kept below `yardstick/oracle` and replayed by this crate's tests without Go.
//!
//! `differences.jsonl` holds what Knarr once answered otherwise, as small as it could be made; `samples-*.jsonl` what was answered alike.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use super::question::{Answer, Op, Question};

/// A question with upstream's answer: a line of a file.
#[derive(Serialize, Deserialize)]
pub struct Fixture {
    /// The question.
    pub question: Question,
    /// Upstream's answer.
    pub answer: Answer,
}

/// The file of what once differed.
pub fn differences(directory: &Path) -> PathBuf {
    directory.join("differences.jsonl")
}

/// The file of an operation's samples.
pub fn samples(directory: &Path, op: Op) -> PathBuf {
    directory.join(format!("samples-{}.jsonl", op.name()))
}

/// Reads the fixtures of a file; none if it is not there.
///
/// # Errors
/// When a line is no fixture.
pub fn read(path: &Path) -> Result<Vec<Fixture>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| path.display().to_string()),
    };
    let parse = |(number, line): (usize, &str)| {
        serde_json::from_str(line).with_context(|| format!("{}:{}", path.display(), number + 1))
    };
    text.lines().enumerate().map(parse).collect()
}

/// Writes the fixtures of a file, one a line.
///
/// # Errors
/// When it cannot be written.
pub fn write(path: &Path, fixtures: &[Fixture]) -> Result<()> {
    let mut text = Vec::new();
    for fixture in fixtures {
        serde_json::to_writer(&mut text, fixture)?;
        text.push(b'\n');
    }
    std::fs::write(path, text).with_context(|| path.display().to_string())
}

/// Adds one to a file.
///
/// # Errors
/// When it cannot be written.
pub fn append(path: &Path, fixture: &Fixture) -> Result<()> {
    let mut line = serde_json::to_vec(fixture)?;
    line.push(b'\n');
    let mut options = std::fs::OpenOptions::new();
    let mut file =
        options.create(true).append(true).open(path).with_context(|| path.display().to_string())?;
    Ok(file.write_all(&line)?)
}
