//! Why a request that was handed on was not answered, in Go's words.

pub use base_serve::words::{of_dial, of_io};

use crate::relay::RelayError;

/// Why a request over a connection was not answered.
pub fn of_relay(error: &RelayError) -> String {
    match error {
        RelayError::Connection(error) => base_serve::words::of_exchange(error),
        other => other.to_string(),
    }
}
