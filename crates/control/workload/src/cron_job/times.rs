//! Which start is due, and when the next will be. Upstream: `utils.go`.

use std::time::Duration;

use api_cron::Schedule;
use api_types::batch::v1::CronJob;
use base::time::Time;

/// How much later than its time a start is looked at, for clocks that differ (`nextScheduleDelta`).
const DELTA: Duration = Duration::from_millis(100);
/// From how many missed starts on people hear of them.
const MANY: i64 = 100;

/// How starts have been missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Missed {
    None,
    Few,
    Many,
}

/// What is due.
#[derive(Debug)]
pub(super) struct Recent {
    /// The last start, or when the cron job was made, or before when no start counts.
    earliest: Time,
    /// The last time since then, if there was one.
    pub(super) time: Option<Time>,
    pub(super) missed: Missed,
}

/// The last time that the schedule has had.
///
/// # Errors
/// If the schedule has no times that follow one another.
pub(super) fn recent(
    own: &CronJob,
    now: Time,
    schedule: &Schedule,
    deadline: bool,
) -> Result<Recent, String> {
    let made = own.metadata.creation_timestamp.map_or(now, Time::from);
    let mut earliest = own.status.last_schedule_time.map_or(made, Time::from);
    if deadline && let Some(seconds) = own.spec.starting_deadline_seconds {
        earliest = earliest.max(now - Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
    }
    let first = schedule.next(earliest);
    let second = first.and_then(|first| schedule.next(first));
    if first.is_some_and(|first| now < first) {
        return Ok(Recent { earliest, time: None, missed: Missed::None });
    }
    if first.is_some() && second.is_some_and(|second| now < second) {
        return Ok(Recent { earliest, time: first, missed: Missed::None });
    }
    let between = first.zip(second).map_or(0, |(first, second)| seconds(first, second));
    let Some(first) = first.filter(|_| between >= 1) else {
        return Err("time difference between two schedules is less than 1 second".to_owned());
    };
    let many = seconds(first, now) / between + 1;
    // Not all the times are gone through, which could be any number; from one before the last, the schedule tells.
    let start =
        first.unix_nanos().saturating_add((many - 2).saturating_mul(between).saturating_mul(1_000_000_000));
    let mut time = None;
    let mut next = schedule.next(Time::from_unix_nanos(start));
    while let Some(at) = next.filter(|at| *at <= now) {
        time = Some(at);
        next = schedule.next(at);
    }
    let missed = if many > MANY { Missed::Many } else { Missed::Few };
    Ok(Recent { earliest, time, missed })
}

/// How long until the next time; `None` if there is none.
pub(super) fn until_next(own: &CronJob, now: Time, schedule: &Schedule) -> Option<Duration> {
    let from = match recent(own, now, schedule, false) {
        Err(_) => now,
        Ok(Recent { time: Some(time), .. }) => time,
        Ok(Recent { earliest, missed: Missed::None, .. }) => earliest,
        Ok(_) => now,
    };
    Some((schedule.next(from)? + DELTA).since(now))
}

fn seconds(from: Time, to: Time) -> i64 {
    (to.unix_nanos() - from.unix_nanos()) / 1_000_000_000
}
