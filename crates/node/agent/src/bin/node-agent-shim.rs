//! A shim by itself, for this crate's tests. The product's shims are `knarr shim`.

use std::process::ExitCode;

fn main() -> ExitCode {
    node_runtime::shim::main(&[], std::env::args_os().skip(1))
}
