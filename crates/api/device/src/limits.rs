//! The bounds of this crate, upstream's where upstream has one.

/// How many devices a claim can have (`AllocationResultsMaxSize`).
pub const RESULTS: usize = 32;

/// How many alternatives a request can have (`FirstAvailableDeviceRequestMaxSize`).
pub const ALTERNATIVES: usize = 8;

/// How many devices the search for one node tries before it is given up. Upstream gives up after a time (`filterTimeout`, ten seconds); a
/// number of steps says the same of every run.
pub const STEPS: usize = 200_000;

/// How many compiled expressions are kept.
pub const EXPRESSIONS: usize = 256;

/// What the evaluation of one expression may cost (`CELSelectorExpressionMaxCost`).
pub const EXPRESSION_COST: u64 = 1_000_000;
