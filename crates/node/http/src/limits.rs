//! The bounds of the node's server.

/// How many connections there may be at once; each exec, attachment, followed log and forwarded port is one.
pub const CONNECTIONS: usize = 4096;
