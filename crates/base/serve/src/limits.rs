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

/// How long a connection that has rested for too long may take to end, while nothing runs on it: the other end has to agree, and one that does
/// not would keep its place for ever.
pub const FAREWELL: Duration = Duration::from_secs(10);

/// How large the head of a request may be, in bytes, over HTTP/2: a URI of 64 KiB, which is the longest that can be read, and tokens and
/// certificates of proxies beside it. Go allows a megabyte.
pub const HEAD_BYTES: u32 = 256 << 10;

/// How many fields the head of a request of HTTP/1.1 may have. Go counts bytes alone.
pub const HEAD_FIELDS: usize = 1_000;

/// How much of an answer waits for the other end to read it, in bytes for each request of HTTP/2.
pub const UNREAD_BYTES: usize = 64 << 10;
