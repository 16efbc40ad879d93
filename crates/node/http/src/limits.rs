//! The bounds of the node's server.

use std::time::Duration;

/// How many connections there may be at once; each exec, attachment, followed log and forwarded port is one.
pub const CONNECTIONS: usize = 4096;

/// How long a TLS handshake may take.
pub const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long connections may go on once the server is to end.
pub const DRAIN: Duration = Duration::from_secs(1);
