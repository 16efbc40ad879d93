//! The bounds of custom resources.

/// How large a compiled pattern may be, in bytes: more than any pattern that people write by hand.
pub const PATTERN_BYTES: usize = 1 << 20;

/// How many errors are reported of one object; the rest would not be read.
pub const MAX_ERRORS: usize = 100;

/// How many unknown fields are reported of one object.
pub const MAX_UNKNOWN: usize = 100;

/// How many values a JSON path may lead to.
pub const MAX_FOUND: usize = 10_000;

/// How large a request is, as the costs of rules are estimated (`apis/cel/config.go`, `MaxRequestSizeBytes`).
pub const REQUEST_BYTES: u64 = 3 << 20;

/// What all rules of an object may cost together (`RuntimeCELCostBudget`).
pub const RULES_BUDGET: u64 = 10_000_000;

/// How long a message may be that an expression makes (`MaxEvaluatedMessageExpressionSizeBytes`).
pub const MESSAGE_BYTES: usize = 5 << 10;

/// What a rule may cost by its estimate (`StaticEstimatedCostLimit`).
pub const RULE_ESTIMATE: u64 = 10_000_000;

/// The same of all rules of a schema (`StaticEstimatedCRDCostLimit`).
pub const SCHEMA_ESTIMATE: u64 = 100_000_000;
