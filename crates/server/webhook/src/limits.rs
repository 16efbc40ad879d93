//! The bounds of asking webhooks.

use std::time::Duration;

/// How long a hook may take whose caller does not say: upstream's for conversions, and for what kubeconfigs lead to.
pub const CALL: Duration = Duration::from_secs(30);

/// How much of the answer of a receiver is read, in bytes: none of it matters but why something was not taken.
pub const ANSWER_BYTES: usize = 64 << 10;

/// How many calls go on at once; more wait for their turn, in the time that they have.
pub const CALLS: usize = 2048;

/// How many hooks' connections are kept (upstream's `defaultCacheSize`).
pub const HOOKS: usize = 200;

/// How many connections to one address are kept for the next call: client-go's.
pub const IDLE_CONNECTIONS: usize = 25;

/// How much of an answer that is none an error repeats, in bytes: client-go's.
pub const TEXT_BYTES: usize = 2048;
