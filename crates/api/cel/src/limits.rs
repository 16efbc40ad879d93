//! How much an expression may ask for.

/// How deeply expressions nest, so that they fit on the stack of any thread (cel-go: 250).
pub const DEPTH: usize = 100;

/// How long an expression is, in characters (cel-go's limit of code points).
pub const LENGTH: usize = 100_000;

/// What one evaluation may cost (`apis/cel/config.go`, `PerCallLimit`).
pub const PER_CALL: u64 = 1_000_000;

/// How large a list made by `lists.range` may be.
pub const RANGE: i64 = 1_000_000;
