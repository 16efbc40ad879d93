//! `cargo xtask tidy`: the invariants of the tree that no compiler checks.
//!
//! Runs as a test too. What it refuses, and why, is in CONTRIBUTING.md.

mod layers;
mod sources;

use anyhow::{Result, bail};

/// Checks everything, and reports all that is wrong at once.
pub fn run() -> Result<()> {
    let problems = problems()?;
    if problems.is_empty() {
        println!("tidy: all is well");
        return Ok(());
    }
    for problem in &problems {
        eprintln!("tidy: {problem}");
    }
    bail!("{} things are not tidy", problems.len())
}

fn problems() -> Result<Vec<String>> {
    let mut problems = layers::problems()?;
    problems.extend(sources::problems()?);
    Ok(problems)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tree_is_tidy() {
        let problems = super::problems().expect("the tree can be read");
        assert!(problems.is_empty(), "{}", problems.join("\n"));
    }
}
