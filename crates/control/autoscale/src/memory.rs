//! What was recommended and done of late.

use std::time::Duration;

use base::time::Time;

use crate::limits::{LONGEST, REMEMBERED};

/// The recent past of one autoscaler.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    recommended: Recent,
    added: Recent,
    removed: Recent,
}

/// Numbers with their times, oldest first; bounded in time and in number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Recent(Vec<(Time, i32)>);

impl Recent {
    fn push(&mut self, number: i32, now: Time) {
        self.0.retain(|(at, _)| now.since(*at) <= LONGEST);
        if self.0.len() >= REMEMBERED {
            self.0.remove(0);
        }
        self.0.push((now, number));
    }

    fn sum(&self, period: Duration, now: Time) -> i32 {
        let within = self.0.iter().filter(|(at, _)| *at > now - period);
        within.fold(0i32, |sum, (_, number)| sum.saturating_add(*number))
    }
}

impl Memory {
    /// What the target had when it was first looked at counts as recommended.
    pub(crate) fn begin(&mut self, replicas: i32, now: Time) {
        if self.recommended.0.is_empty() {
            self.recommended.push(replicas, now);
        }
    }

    /// Remembers what would be best by itself.
    pub(crate) fn recommend(&mut self, replicas: i32, now: Time) {
        self.recommended.push(replicas, now);
    }

    /// What was recommended, with its time.
    pub(crate) fn recommended(&self) -> impl Iterator<Item = (Time, i32)> {
        self.recommended.0.iter().copied()
    }

    /// Remembers that a target was scaled.
    pub(crate) fn scaled(&mut self, from: i32, to: i32, at: Time) {
        let change = from.abs_diff(to).try_into().unwrap_or(i32::MAX);
        if to > from { self.added.push(change, at) } else { self.removed.push(change, at) }
    }

    /// How many replicas a target had at the beginning of a period, as far as this has changed them since.
    pub(crate) fn replicas_before(&self, now_there: i32, period_seconds: i32, now: Time) -> i32 {
        let period = Duration::from_secs(u64::try_from(period_seconds).unwrap_or_default());
        let (added, removed) = (self.added.sum(period, now), self.removed.sum(period, now));
        now_there.saturating_sub(added).saturating_add(removed)
    }
}
