//! The bounds of this crate, all of them upstream's.

use std::time::Duration;

/// How often the status of a rule is written while pods are evicted because of it (`ruleStatusPeriod`).
pub const RULE_STATUS: Duration = Duration::from_secs(10);

/// How long the generated part of a claim's name may get before five letters are put behind it.
pub const NAME_BASE: usize = 57;
