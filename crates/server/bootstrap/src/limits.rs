//! The bounds of bootstrapping.

/// How often one object is tried again that another server writes at the same time.
pub const ATTEMPTS: usize = 8;
