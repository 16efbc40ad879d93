//! The bounds of this crate, all of them upstream's.

/// The bytes of all values of a config map or a secret.
pub const DATA_BYTES: usize = 1 << 20;

/// The bytes of an event's message.
pub const EVENT_MESSAGE_BYTES: usize = 1024;
