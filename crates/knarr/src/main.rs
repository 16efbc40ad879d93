//! The binary: the one place where Knarr's parts are wired together.
//!
//! `cli` says what a command line means; each module of `commands` does it with the parts. A shim is this same binary: it must
//! be one before any thread exists, so that is decided first.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the binary opens the sockets and files that it hands out"
)]

mod agent;
mod commands;
mod component;
mod dns;
mod node;
mod server;

use std::ffi::OsString;
use std::process::ExitCode;

use base::error::Chain;
use cli::surroundings::ProcessSurroundings;
use cli::{invocation, privilege};
use commands::output::{CLOSED, complain, is_closed};

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    if words.get(1).is_some_and(|word| word == "shim") {
        return node_runtime::shim::main(&["shim"], words.into_iter().skip(2));
    }
    let invocation = match invocation::read(words, &ProcessSurroundings) {
        Ok(invocation) => invocation,
        Err(error) => return ExitCode::from(error.print()),
    };
    if let Err(error) = privilege::check(&invocation) {
        complain(Chain(&error));
        return ExitCode::FAILURE;
    }
    match commands::carry_out(invocation) {
        Ok(code) => code,
        Err(error) if is_closed(&error) => ExitCode::from(CLOSED),
        Err(error) => {
            complain(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}
