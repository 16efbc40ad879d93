//! Tells the crate which commit it is built from, in `KNARR_COMMIT`: what the build's environment says, what git says, or nothing.
//!
//! Nothing but a commit or a checkout makes this run again: whether files were changed since is not told, for that would compile the
//! crate anew at every edit of any other.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=KNARR_COMMIT");
    let given = std::env::var("KNARR_COMMIT").ok().filter(|commit| !commit.is_empty());
    let commit = given.or_else(|| of_git(&root()?)).unwrap_or_else(|| "unknown".to_owned());
    println!("cargo::rustc-env=KNARR_COMMIT={commit}");
}

/// The root of the tree, if it is one of git's own: sources that merely lie in somebody's repository are not its commit's.
fn root() -> Option<PathBuf> {
    let package = std::env::var_os("CARGO_MANIFEST_DIR")?;
    let root = Path::new(&package).join("../..").canonicalize().ok()?;
    let top = git(&root, &["rev-parse", "--show-toplevel"])?;
    (Path::new(&top).canonicalize().ok()? == root).then_some(root)
}

fn of_git(root: &Path) -> Option<String> {
    let path = |name: &str| Some(root.join(git(root, &["rev-parse", "--git-path", name])?));
    // The log of HEAD grows whenever HEAD moves, be the branch a file of its own or packed. Who keeps no logs has the branches.
    let moves = path("logs/HEAD").filter(|log| log.is_file());
    let branches = || ["refs/heads", "packed-refs"].into_iter().filter_map(path).collect();
    let watched: Vec<PathBuf> = moves.map_or_else(branches, |log| vec![log]);
    for file in path("HEAD").into_iter().chain(watched).filter(|file| file.exists()) {
        println!("cargo::rerun-if-changed={}", file.display());
    }
    git(root, &["rev-parse", "--verify", "HEAD"])
}

fn git(root: &Path, words: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(root).args(words).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
