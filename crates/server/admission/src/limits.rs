//! The bounds of admission.

use std::time::Duration;

/// How often the service account `default` is looked for before a pod is refused.
pub const DEFAULT_ACCOUNT_ATTEMPTS: usize = 10;

/// How long to wait between two of these looks; upstream draws from 100 to 200 ms.
pub const DEFAULT_ACCOUNT_WAIT: Duration = Duration::from_millis(150);
