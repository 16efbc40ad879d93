//! The binary: the one place where Knarr's parts are wired together.
//!
//! `cli` says what a command line means; each module of `commands` does it with the parts. A shim is this same binary: it must
//! be one before any thread exists, so that is decided first.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the binary opens the sockets and files that it hands out"
)]

mod commands;
mod server;

use std::ffi::OsString;
use std::process::ExitCode;

use cli::invocation::{self, Invocation, InvocationError};
use cli::surroundings::ProcessSurroundings;

/// What a bad command line exits with, as clap has it.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    if words.get(1).is_some_and(|word| word == "shim") {
        return node_runtime::shim::main(&["shim"], words.into_iter().skip(2));
    }
    match invocation::read(words, &ProcessSurroundings) {
        Ok(invocation) => match carry_out(invocation) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("knarr: {error:#}");
                ExitCode::FAILURE
            }
        },
        Err(InvocationError::Words(error)) => {
            let code = if error.use_stderr() { USAGE } else { 0 };
            // Nothing is left to be said if even this cannot be written.
            let _ = error.print();
            ExitCode::from(code)
        }
        Err(error) => {
            eprintln!("knarr: {}", base::error::Chain(&error));
            ExitCode::from(USAGE)
        }
    }
}

fn carry_out(invocation: Invocation) -> anyhow::Result<()> {
    match invocation {
        Invocation::Server(config) => commands::server::run(*config),
        Invocation::Image(place, command) => commands::image::run(&place, *command),
        other => anyhow::bail!("{other:?} is not wired yet"),
    }
}
