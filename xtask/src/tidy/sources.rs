//! What sources look like: lengths, names, first lines, and what is left unfinished.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::tree;

/// The most lines of a file, of a file of tests, and of a crate; generated code is exempt.
const FILE_LINES: usize = 700;
const TEST_LINES: usize = 1_000;
const CRATE_LINES: usize = 12_000;

/// Names that say nothing.
const EMPTY_NAMES: [&str; 8] =
    ["utils.rs", "util.rs", "common.rs", "helpers.rs", "helper.rs", "manager.rs", "misc.rs", "mod.rs"];

/// What marks unfinished work. Written in two parts, or this file would report itself.
const UNFINISHED: [(&str, &str); 6] =
    [("todo", "!("), ("unimplemented", "!("), ("#[ign", "ore"), ("FIX", "ME"), ("TO", "DO"), ("XX", "X:")];

/// Crates and modules that may lift the ban on clocks, files and sockets.
const SHELLS: [&str; 19] = [
    "bench/",
    "crates/base/",
    "crates/cli/",
    "crates/client/remote/",
    "crates/host/",
    "crates/knarr/",
    "crates/net/dns/",
    "crates/net/gateway/",
    "crates/node/agent/",
    "crates/node/http/",
    "crates/node/image/",
    "crates/node/runtime/",
    "crates/node/stream/",
    "crates/node/volume/",
    "crates/server/admission/",
    "crates/server/authn/src/pki/directory.rs",
    "crates/server/http/",
    "crates/store/",
    "xtask/",
];

/// What lifts the ban on unsafe code; in two parts for the same reason.
const LIFTS_UNSAFE: (&str, &str) = ("allow(unsafe", "_code");

/// Crates that may use `unsafe`.
const UNSAFE: [&str; 4] = ["crates/host/", "crates/node/runtime/", "crates/store/tests/", "crates/knarr/"];

/// Everything that is wrong with the sources.
pub(super) fn problems() -> Result<Vec<String>> {
    let root = tree::root().canonicalize()?;
    let mut files = Vec::new();
    for folder in ["crates", "xtask", "tests", "bench", "examples"] {
        collect(&root.join(folder), &mut files)?;
    }
    files.sort();
    let mut problems = Vec::new();
    let mut crates: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for file in &files {
        let shown = file.strip_prefix(&root).unwrap_or(file);
        let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        *crates.entry(crate_of(file)).or_default() += text.lines().count();
        problems.extend(check(&shown.to_string_lossy(), &text));
    }
    for (path, lines) in crates {
        if lines > CRATE_LINES {
            let shown = path.strip_prefix(&root).unwrap_or(&path).display().to_string();
            problems.push(format!("{shown} has {lines} lines, and {CRATE_LINES} at most: split the crate"));
        }
    }
    Ok(problems)
}

/// The Rust sources below a folder, generated ones left out.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            if !path.ends_with("generated") && !path.ends_with("target") {
                collect(&path, files)?;
            }
        } else if path.extension().is_some_and(|ending| ending == "rs") {
            files.push(path);
        }
    }
    Ok(())
}

fn crate_of(file: &Path) -> PathBuf {
    let manifest = file.ancestors().find(|folder| folder.join("Cargo.toml").is_file());
    manifest.unwrap_or(file).to_owned()
}

fn check(path: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    let name = path.rsplit('/').next().unwrap_or(path);
    let lines = text.lines().count();
    let is_test = path.starts_with("tests/") || path.contains("/tests/") || name == "tests.rs";
    let most = if is_test { TEST_LINES } else { FILE_LINES };
    if lines > most && !path.ends_with("generated.rs") {
        problems.push(format!("{path} has {lines} lines, and {most} at most: is it one concept?"));
    }
    if EMPTY_NAMES.contains(&name) {
        problems.push(format!("{path}: a name that says what is inside"));
    }
    if !text.trim_start_matches("#!/").starts_with("//!") {
        problems.push(format!("{path} does not open with //!: what it is, who uses it, what it does not do"));
    }
    for (number, line) in text.lines().enumerate() {
        if UNFINISHED.iter().any(|(a, b)| line.contains(&format!("{a}{b}"))) {
            problems.push(format!("{path}:{}: unfinished by its own word", number + 1));
        }
        if line.contains("clippy::disallowed_") && !may(&SHELLS, path) && !is_test && name != "build.rs" {
            problems.push(format!("{path}:{}: only shells touch clocks, files and sockets", number + 1));
        }
        if line.contains(&format!("{}{}", LIFTS_UNSAFE.0, LIFTS_UNSAFE.1)) && !may(&UNSAFE, path) {
            problems.push(format!("{path}:{}: unsafe code has its places", number + 1));
        }
    }
    problems
}

fn may(places: &[&str], path: &str) -> bool {
    places.iter().any(|place| path.starts_with(place))
        || path.contains("/examples/")
        || path.starts_with("examples/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_is_seen() {
        let long = format!("//! x\n{}", "x\n".repeat(FILE_LINES));
        assert_eq!(check("crates/a/src/b.rs", "//! fine\n"), Vec::<String>::new());
        for (path, text, word) in [
            ("crates/a/src/b.rs", long.as_str(), "one concept"),
            ("crates/a/src/utils.rs", "//! x\n", "says what is inside"),
            ("crates/a/src/b.rs", "fn main() {}\n", "does not open"),
            ("crates/a/src/b.rs", &format!("//! x\n{}!()\n", "todo"), "unfinished"),
            ("crates/a/src/b.rs", "//! x\n#![allow(clippy::disallowed_types)]\n", "only shells"),
            (
                "crates/a/src/b.rs",
                &format!("//! x\n#![{}{})]\n", LIFTS_UNSAFE.0, LIFTS_UNSAFE.1),
                "unsafe code",
            ),
        ] {
            let problems = check(path, text);
            assert!(problems.iter().any(|problem| problem.contains(word)), "{path} {problems:?}");
        }
    }
}
