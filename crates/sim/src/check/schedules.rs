//! A CronJob makes one Job for a time, none before that time or long after, and none beside another that its policy forbids.

use std::collections::BTreeMap;
use std::time::Duration;

use api_meta::owners::controller_of;
use api_record::scalar;
use api_types::batch::v1::{CronJob, Job};
use base::time::Time;

use super::Check;
use super::bounds::lately;
use super::jobs::is_finished;
use crate::history::{Change, History};
use crate::profile::Profile;
use crate::world::JUMP_MILLIS;
use crate::world::resources::CRON_JOBS;

/// The annotation that says for which time a Job is.
const SCHEDULED: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";
/// How long it may take from a decision to the Job that comes of it.
const CARRIED_OUT: Duration = Duration::from_secs(30);

/// One Job a time.
pub struct Schedules {
    lag: Duration,
    /// How far the controller's clock is off at most.
    skew: Duration,
    /// The Jobs that were made, by the uid of who made them and the time that they were for.
    made: BTreeMap<(String, Time), String>,
}

impl Schedules {
    /// In worlds of a profile.
    pub fn new(profile: &Profile) -> Schedules {
        let jump = if profile.jumps > 0 { JUMP_MILLIS } else { 0 };
        let skew = Duration::from_millis(profile.skew_millis.max(jump));
        Schedules { lag: profile.longest_lag(), skew, made: BTreeMap::new() }
    }
}

/// The uid of a Job's CronJob.
pub(super) fn cron_of(job: &Job) -> Option<&str> {
    controller_of(&job.metadata).filter(|owner| owner.kind == "CronJob").map(|owner| owner.uid.as_str())
}

impl Check for Schedules {
    fn name(&self) -> &'static str {
        "schedules"
    }

    fn changed(&mut self, history: &History, change: &Change) -> Result<(), String> {
        let Some(job) = change.after::<Job>().filter(|_| change.before.is_none()) else { return Ok(()) };
        let Some(uid) = cron_of(job) else { return Ok(()) };
        let time = job.metadata.annotations.get(SCHEDULED).and_then(|it| it.parse::<scalar::Time>().ok());
        let Some(time) = time.map(Time::from) else { return Err("the job is for no time".into()) };
        if let Some(other) = self.made.insert((uid.to_owned(), time), job.metadata.uid.clone()) {
            return Err(format!("there was one for that time already, of uid {other}"));
        }
        if time > change.at + self.skew {
            return Err("the job is for a time to come".into());
        }
        let crons: Vec<&CronJob> = lately(history.of(&CRON_JOBS), uid, change.at, self.lag).collect();
        if crons.iter().all(|cron| cron.spec.suspend == Some(true)) {
            return Err("nobody wanted jobs for long".into());
        }
        let seconds =
            |cron: &&CronJob| cron.spec.starting_deadline_seconds.map_or(u64::MAX, |it| it.unsigned_abs());
        let deadline = crons.iter().map(seconds).max().filter(|seconds| *seconds < u64::MAX);
        if let Some(seconds) = deadline
            && time + Duration::from_secs(seconds) + self.skew + CARRIED_OUT < change.at
        {
            return Err(format!("the job was to begin within {seconds} s of its time"));
        }
        if crons.iter().any(|cron| cron.spec.concurrency_policy == "Allow") {
            return Ok(());
        }
        let mut others = history.all::<Job>().filter(|other| {
            other.metadata.uid != job.metadata.uid
                && cron_of(other) == Some(uid)
                && other.metadata.deletion_timestamp.is_none()
                && !is_finished(other)
        });
        match others.next() {
            Some(other) => Err(format!("{} is not over", other.metadata.name)),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
