//! The bounds of the audit log.

use std::time::Duration;

/// How many events wait to be written (upstream's `defaultBatchBufferSize`).
pub const QUEUED_EVENTS: usize = 10_000;

/// How many of them are written, or sent, at once (upstream's `defaultBatchMaxSize`).
pub const BATCH_EVENTS: usize = 400;

/// How much of what a client calls itself is kept, in bytes (upstream's `maxUserAgentLength`).
pub const USER_AGENT_BYTES: usize = 1024;

/// How large the objects of an event are at most that are logged whole, in bytes of JSON: those of the largest request.
pub const OBJECT_BYTES: usize = 8 << 20;

/// How long the end of the log is waited for when the server finishes.
pub const END: Duration = Duration::from_secs(10);
