//! The bounds of the HTTP shell.

use std::time::Duration;

/// How large a request's body may be: upstream's 3 MiB.
pub const BODY_BYTES: usize = 3 << 20;

/// How many connections are open at once.
pub const CONNECTIONS: usize = 16_384;

/// How long a request other than a watch may take: upstream's `--request-timeout`.
pub const REQUEST: Duration = Duration::from_secs(60);

/// The shortest time that a watch without a time-out of its own lasts: upstream's `--min-request-timeout`.
pub const WATCH: Duration = Duration::from_secs(1_800);

/// How many requests that read run at once: upstream's `--max-requests-inflight`.
pub const REQUESTS_IN_FLIGHT: usize = 400;

/// How many requests that write run at once: upstream's `--max-mutating-requests-inflight`.
pub const MUTATING_REQUESTS_IN_FLIGHT: usize = 200;

/// How long the numbers of stored objects are shown before they are counted anew: upstream's `--etcd-count-metric-poll-period`.
pub const COUNTED: Duration = Duration::from_secs(60);

/// How large a message may be that whoever watches or reads a log over a WebSocket sends; none has a meaning.
pub const LISTENER_MESSAGE_BYTES: usize = 64 << 10;

/// How long a connection that has left HTTP may take to hear that the other end is gone.
pub const CLOSE: Duration = Duration::from_secs(5);

/// How large a tag of a page may be for its links to be looked for; a longer one passes as it is.
pub const TAG_BYTES: usize = 64 << 10;

/// How much of a packed page is unpacked at once: a thousand times as much, at most.
pub const PACKED_PIECE_BYTES: usize = 1 << 10;

/// How many connections to pods and endpoints may be open at once for clients that ask through the proxy.
pub const PROXIED: usize = 8_192;

/// From which size on answers are packed for clients that can unpack them: upstream's 128 KiB.
pub const PACKED_FROM_BYTES: u64 = 128 << 10;

/// How many messages of watches are kept for others who watch the same.
pub const ENCODED_EVENTS: usize = 256;

/// How large they may be together.
pub const ENCODED_EVENTS_BYTES: usize = 1 << 20;

/// How many connections of HTTP/1.1 to one API server are kept for the next request: client-go's.
pub const IDLE_CONNECTIONS: usize = 25;

/// How long they are kept: Go's default transport's.
pub const IDLE: Duration = Duration::from_secs(90);

/// After how long without a word another API server is asked over HTTP/2 whether it is still there, and how long it may take to answer:
/// client-go's.
pub const PING: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(15));
