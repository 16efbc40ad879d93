//! `@every 1h30m`: at a distance from the time before.

use std::time::Duration;

use base::time::Time;

/// A distance in whole seconds, one at least.
#[derive(Clone, Debug)]
pub(crate) struct Every {
    seconds: u64,
}

impl Every {
    /// The distance of so many nanoseconds; what is less than a second of it is left out.
    pub(crate) fn nanos(nanos: i64) -> Every {
        Every { seconds: u64::try_from(nanos / 1_000_000_000).unwrap_or(0).max(1) }
    }

    pub(crate) fn next(&self, after: Time) -> Time {
        Time::from_unix_seconds(after.unix_seconds()) + Duration::from_secs(self.seconds)
    }
}
