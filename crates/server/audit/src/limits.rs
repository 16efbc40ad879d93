//! The bounds of the audit log.

use std::time::Duration;

/// How many bytes of events wait for a backend, or are on their way to it, at most. Upstream counts events alone, of which each may hold the
/// largest request and what was answered.
pub const WAITING_BYTES: usize = 64 << 20;

/// How many batches are written to the log at once.
pub const BATCHES: usize = 400;

/// How often a batch is sent to a webhook that does not take it (`DefaultRetryBackoffWithInitialDelay`).
pub const TRIES: u32 = 5;

/// How much of what a client calls itself is kept, in bytes (upstream's `maxUserAgentLength`).
pub const USER_AGENT_BYTES: usize = 1024;

/// How large the objects of an event are at most that are logged whole, in bytes of JSON: those of the largest request.
pub const OBJECT_BYTES: usize = 8 << 20;

/// How long the end of the log is waited for when the server finishes.
pub const END: Duration = Duration::from_secs(10);
