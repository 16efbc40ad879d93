//! How long is rehearsed, in virtual time, and how much is told.

use std::time::Duration;

/// Nothing has been written for so long: all that follows from what was applied has happened, but for what waits on purpose.
pub const QUIET: Duration = Duration::from_secs(40);

/// How long at most until the copy as it is has come to rest. A cluster that is busy with something else is taken as it is then.
pub const SETTLE: Duration = Duration::from_secs(300);

/// How long at most until what was applied has come to rest.
pub const HORIZON: Duration = Duration::from_secs(3600);

/// How many steps are told in text unless all are wanted.
pub const SHOWN_STEPS: usize = 30;

/// How many fields of one change are told in text unless all are wanted.
pub const SHOWN_FIELDS: usize = 12;
