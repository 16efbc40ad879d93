//! Cron schedules: read, and asked for the next time.
//!
//! Layer: beside `api/meta`; the rows of the group `batch` check schedules with it, the controller of CronJobs follows them.
//! Entry points: [`parse`], [`Schedule::next`], [`Zone::named`].
//!
//! Invariants: pure; the same schedule and time lead to the same next time, to the second.
//! State: none; the time zones' database is part of the program. Failure: a schedule or a zone that cannot be read is
//! refused in upstream's words. Limits: no time is looked for more than five years ahead.
//! Upstream: `ParseStandard` and `Next` of `robfig/cron` v3, with Go's `time.Date` where clocks change. A schedule
//! without a zone is one of UTC, as it is in the images that Kubernetes comes in.
//! How to test: `cargo test -p api-cron`.

mod every;
mod field;
mod parse;
mod spec;
#[cfg(test)]
mod tests;
mod zone;

use base::time::Time;

pub use parse::parse;
pub use zone::Zone;

/// When something is to happen again and again.
#[derive(Clone, Debug)]
pub struct Schedule(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Spec(spec::Spec),
    Every(every::Every),
}

impl Schedule {
    /// The next time after this one; `None` if there is none within five years.
    pub fn next(&self, after: Time) -> Option<Time> {
        match &self.0 {
            Kind::Spec(spec) => spec.next(after),
            Kind::Every(every) => Some(every.next(after)),
        }
    }
}
