//! The bounds of the registry.

/// How often a write that lost a race is tried again before the caller is told.
pub const WRITE_ATTEMPTS: usize = 16;

/// How many decoded objects are remembered.
pub const DECODED_OBJECTS: usize = 8_192;

/// How many objects one read of the store fetches for a list.
pub const LIST_PAGE: usize = 2_000;
