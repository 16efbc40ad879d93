//! Setting up where log lines go. Called once, by the binary.

use tracing_subscriber::EnvFilter;

/// Sends log lines of `filter` (the syntax of `RUST_LOG`) and above to standard error.
///
/// # Errors
/// When the filter cannot be read, or a subscriber is already set.
pub fn init(filter: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let filter = EnvFilter::try_new(filter)?;
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init()
}
