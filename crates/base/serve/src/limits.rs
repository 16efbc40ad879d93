//! The bounds of every socket.

use std::time::Duration;

/// How many requests of one HTTP/2 connection run at once: Go's default, and upstream's.
pub const STREAMS: u32 = 250;

/// How long either end may take to finish the TLS handshake; Go's default transport's, too.
pub const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long connections may go on once the server is to end.
pub const DRAIN: Duration = Duration::from_secs(1);

/// How long it takes until descriptors may have come back after a connection could not be accepted.
pub const ACCEPT_AGAIN: Duration = Duration::from_millis(100);

/// How long an address may take to accept a connection: Go's default transport's, and so upstream's.
pub const DIAL: Duration = Duration::from_secs(30);

/// How long a connection may rest between requests: upstream's. Many clients keep theirs for about as long, and would ask on one that is gone.
pub const IDLE: Duration = Duration::from_secs(90);

/// How long the head of a request of HTTP/1.1 may take. hyper counts from the end of the request before, so it is longer than a rest.
pub const HEAD: Duration = Duration::from_secs(122);
