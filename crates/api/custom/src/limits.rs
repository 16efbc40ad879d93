//! The bounds of custom resources.

/// How large a compiled pattern may be, in bytes: more than any pattern that people write by hand.
pub const PATTERN_BYTES: usize = 1 << 20;

/// How many errors are reported of one object; the rest would not be read.
pub const MAX_ERRORS: usize = 100;

/// How many unknown fields are reported of one object.
pub const MAX_UNKNOWN: usize = 100;

/// How many values a JSON path may lead to.
pub const MAX_FOUND: usize = 10_000;
