//! The bounds of the HTTP shell.

use std::time::Duration;

/// How large a request's body may be: upstream's 3 MiB.
pub const BODY_BYTES: usize = 3 << 20;

/// How many connections are open at once.
pub const CONNECTIONS: usize = 16_384;

/// How many requests of one HTTP/2 connection run at once: upstream's default.
pub const STREAMS: u32 = 250;

/// How long a client may take to finish the TLS handshake.
pub const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long a request other than a watch may take: upstream's `--request-timeout`.
pub const REQUEST: Duration = Duration::from_secs(60);

/// The shortest time that a watch without a time-out of its own lasts: upstream's `--min-request-timeout`.
pub const WATCH: Duration = Duration::from_secs(1_800);
