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

/// How large a message may be that whoever watches over a WebSocket sends; none has a meaning.
pub const WATCHER_MESSAGE_BYTES: usize = 64 << 10;
