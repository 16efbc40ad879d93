//! The bounds of asking extenders.

/// How large an answer may be, in bytes: one may hold all nodes of a cluster.
pub const ANSWER_BYTES: usize = 128 << 20;

/// How many connections to an extender are kept for the next call: Go's default transport's.
pub const IDLE_CONNECTIONS: usize = 2;
