//! Every bound of this crate.

use std::time::Duration;

/// How long records of the cluster may be kept by clients, in seconds; CoreDNS' default.
pub const TTL_SECONDS: u32 = 5;
/// The largest UDP answer in bytes, however much the client offers: above it packets of usual links are fragmented.
pub const UDP_ANSWER_MAX_BYTES: u16 = 1232;
/// The largest UDP query in bytes.
pub const UDP_QUERY_MAX_BYTES: usize = 4096;
/// How many queries wait for resolvers at once; more get SERVFAIL.
pub const FORWARDS_MAX: usize = 1024;
/// How many TCP connections are open at once; more are closed.
pub const TCP_CONNECTIONS_MAX: usize = 256;
/// How many queries one TCP connection may send before it is closed.
pub const TCP_QUERIES_MAX: usize = 1000;
/// How long a TCP connection may be silent, or take to send or receive one message.
pub const TCP_IDLE: Duration = Duration::from_secs(10);
/// How long one resolver may take.
pub const UPSTREAM_PATIENCE: Duration = Duration::from_secs(2);
/// How many resolvers are used; resolv.conf(5) has at most three.
pub const UPSTREAMS_MAX: usize = 3;
/// How many aliases are followed for one query.
pub const ALIASES_MAX: usize = 8;
/// How many tasks receive UDP queries.
pub const UDP_RECEIVERS: usize = 4;
/// How often a port that is free for UDP but taken for TCP is exchanged, when any port will do.
pub const BIND_ATTEMPTS_MAX: usize = 16;
/// How many bytes of the kernel's news about files are read at once; an event takes at most 272.
pub const INOTIFY_BYTES: usize = 4096;
