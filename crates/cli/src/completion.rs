//! `knarr completion`: the script that completes command lines of Knarr in a shell. Used by the binary.

use std::io::{self, Write};

use clap_complete::{Shell, generate};

use crate::{arguments, version};

/// Writes the script.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write(shell: Shell, out: &mut dyn Write) -> io::Result<()> {
    let whole = arguments::command();
    // The generators would offer hidden commands too.
    let shown = whole.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let mut command = clap::Command::new("knarr").version(version::text()).subcommands(shown);
    // Into memory first: clap's generators panic where a pipe is closed.
    let mut script = Vec::new();
    generate(shell, &mut command, "knarr", &mut script);
    out.write_all(&script)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_gets_a_script_without_the_hidden_commands() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
            let mut script = Vec::new();
            write(shell, &mut script).unwrap();
            let script = String::from_utf8(script).unwrap();
            assert!(script.contains("https-listen-port"), "{shell}");
            assert!(!script.contains("shim"), "{shell}");
        }
    }
}
