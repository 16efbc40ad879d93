//! What measures Knarr by what others wrote: builds it, and hands over to it. It judges the words, and has the rest be built that these need.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::steps::cargo;
use crate::tree;

/// Runs a yardstick with these words.
pub fn run(name: &str, words: &[String]) -> Result<()> {
    // With Knarr's package named, too: what both are made of has the same features then, and is built once.
    cargo(&["build", "--package", "knarr", "--package", "yardstick", "--bin", "yardstick"])?;
    let own = std::env::current_exe().context("this program's own path")?;
    // This program was built for the same target and in the same profile.
    let program = own.with_file_name("yardstick");
    let mut command = Command::new(&program);
    command.arg(name).args(words).current_dir(tree::root()).env("CARGO", tree::cargo().get_program());
    tree::forget_package(&mut command);
    bail!("{}: {}", program.display(), command.exec());
}
