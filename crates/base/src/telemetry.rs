//! Setting up where log lines go. Called once, by the binary.

use std::ffi::OsStr;
use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::EnvFilter;

/// Sends log lines of `filter` (the syntax of `RUST_LOG`) and above to standard error, in colours where a person looks at it.
///
/// # Errors
/// When the filter cannot be read, or a subscriber is already set.
pub fn init(filter: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let filter = EnvFilter::try_new(filter)?;
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(coloured(stderr().is_terminal(), std::env::var_os("NO_COLOR").as_deref()))
        // Nobody may read them any more; complaining of that to the same closed pipe would be a panic.
        .log_internal_errors(false)
        .try_init()
}

/// Whether lines have colours: on a terminal whose user has not said `NO_COLOR` (no-color.org: set, and not empty).
fn coloured(terminal: bool, no_color: Option<&OsStr>) -> bool {
    terminal && no_color.is_none_or(OsStr::is_empty)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_for_terminals_whose_users_want_them() {
        for (terminal, no_color, expected) in [
            (true, None, true),
            (true, Some(""), true),
            (true, Some("1"), false),
            (false, None, false),
            (false, Some("1"), false),
        ] {
            assert_eq!(coloured(terminal, no_color.map(OsStr::new)), expected, "{terminal} {no_color:?}");
        }
    }
}
