//! The bounds of what goes over the wire, and of waiting for it.

use std::time::Duration;

/// How long a connection may take to come about, TLS included.
pub const CONNECT: Duration = Duration::from_secs(10);

/// How long an answer may take to come whole; upstream's servers end a request after a minute.
pub const REQUEST: Duration = Duration::from_secs(65);

/// How long nothing may come over a connection before the other end is asked whether it lives, and how long it may take
/// to say so: client-go's.
pub const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(15));

/// How long connections that nobody uses are kept where requests share them: Go's default transport's.
pub const IDLE: Duration = Duration::from_secs(90);

/// The largest answer, and the largest event of a watch, in bytes.
pub const ANSWER_BYTES: usize = 1 << 30;

/// How long a watch is asked to last, in seconds, before a new one takes its place; client-go asks for five to ten
/// minutes.
pub const WATCH_SECONDS: u32 = 480;
