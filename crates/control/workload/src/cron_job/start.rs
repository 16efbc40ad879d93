//! Making the job whose time has come. Upstream: `syncCronJob`.

use std::time::Duration;

use api_cron::{Schedule, Zone};
use api_meta::owners;
use api_record::scalar;
use api_types::batch::v1::Job;
use api_types::meta::v1::ObjectMeta;
use base::time::Time;
use client::reconcile::{Note, Write};

use super::times::{self, Missed};
use super::{KIND, Round, SCHEDULED, job_name};

impl Round<'_> {
    /// Makes the job that is due, if any is, and says when to look again.
    pub(super) fn start(&mut self) {
        let own = self.own;
        if let Some(name) = &own.spec.time_zone
            && let Err(why) = Zone::named(name)
        {
            return self.warn("UnknownTimeZone", format!("invalid timeZone: {name:?}: {why}"));
        }
        if own.spec.suspend == Some(true) {
            return;
        }
        let text = &own.spec.schedule;
        let schedule = match api_cron::parse(&self.zoned()) {
            Ok(schedule) => schedule,
            Err(why) => {
                return self.warn("UnparseableSchedule", format!("unparseable schedule: {text:?} : {why}"));
            }
        };
        let recent = match times::recent(own, self.now, &schedule, true) {
            Ok(recent) => recent,
            Err(why) => return self.warn("InvalidSchedule", format!("invalid schedule: {text} : {why}")),
        };
        if let Some(time) = recent.time {
            if recent.missed == Missed::Many {
                let why = "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew";
                self.warn("TooManyMissedTimes", why.to_owned());
            }
            self.start_for(time);
        }
        self.again = self.until_next(&schedule);
    }

    /// When to look again: a job that is about to be made counts as made.
    fn until_next(&self, schedule: &Schedule) -> Option<Duration> {
        let mut own = self.own.clone();
        if let Some((_, time)) = &self.creation {
            own.status.last_schedule_time = Some((*time).into());
        }
        times::until_next(&own, self.now, schedule)
    }

    fn warn(&mut self, reason: &'static str, message: String) {
        self.told.push(Note::warning(self.own, reason, message));
    }

    /// The schedule with its zone before it.
    fn zoned(&mut self) -> String {
        let spec = &self.own.spec;
        if spec.schedule.contains("TZ") {
            let schedule = &spec.schedule;
            self.warn("UnsupportedSchedule", format!("CRON_TZ or TZ used in schedule {schedule:?} is not officially supported, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"));
            return spec.schedule.clone();
        }
        match &spec.time_zone {
            Some(zone) => format!("TZ={zone} {}", spec.schedule),
            None => spec.schedule.clone(),
        }
    }

    fn start_for(&mut self, time: Time) {
        let own = self.own;
        let deadline =
            own.spec.starting_deadline_seconds.map(|it| Duration::from_secs(u64::try_from(it).unwrap_or(0)));
        if deadline.is_some_and(|deadline| time + deadline < self.now) {
            let why = format!("Missed scheduled time to start a job: {}", shown(time));
            return self.warn("MissSchedule", why);
        }
        let name = job_name(own, time);
        let is_listed =
            self.status.active.iter().any(|it| it.name == name && it.namespace == own.metadata.namespace);
        let last = self.status.last_schedule_time.map(Time::from);
        // A job of that name that is not ours is left to whoever made it.
        if is_listed || last == Some(time) || self.world.get::<Job>(&own.metadata.namespace, &name).is_some()
        {
            return;
        }
        match own.spec.concurrency_policy.as_str() {
            "Forbid" if !self.status.active.is_empty() => {
                let why =
                    "Not starting job because prior execution is running and concurrency policy is Forbid";
                self.told.push(Note::normal(own, "JobAlreadyActive", why));
                return;
            }
            "Replace" => {
                for active in self.status.active.clone() {
                    if let Some(job) = self.world.get::<Job>(&active.namespace, &active.name) {
                        self.delete(job);
                    }
                }
            }
            _ => {}
        }
        let done = Note::normal(own, "SuccessfulCreate", format!("Created job {name}"));
        let failed = Note::warning(own, "FailedCreate", "Error creating job: {error}");
        let write = Write::create(self.job(name, time)).telling(Some(done), Some(failed)).or_exists();
        self.creation = Some((write, time));
    }

    fn job(&self, name: String, time: Time) -> Job {
        let (own, template) = (self.own, &self.own.spec.job_template);
        let mut annotations = template.metadata.annotations.clone();
        annotations.insert(SCHEDULED.into(), stamp(time, own.spec.time_zone.as_deref()));
        let metadata = ObjectMeta {
            name,
            namespace: own.metadata.namespace.clone(),
            labels: template.metadata.labels.clone(),
            annotations,
            creation_timestamp: Some(time.into()),
            owner_references: vec![owners::controller_reference(&own.metadata, KIND)],
            ..ObjectMeta::default()
        };
        Job { metadata, spec: template.spec.clone(), ..Job::default() }
    }
}

/// A time as RFC 3339 has it, in a zone.
fn stamp(time: Time, zone: Option<&str>) -> String {
    let offset = Zone::named(zone.unwrap_or("")).map_or(0, |zone| zone.offset_seconds(time.unix_seconds()));
    let clock = scalar::Time { seconds: time.unix_seconds() + offset }.to_string();
    if offset == 0 {
        return clock;
    }
    let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
    format!("{}{sign}{:02}:{:02}", clock.trim_end_matches('Z'), minutes / 60, minutes % 60)
}

/// A time as RFC 1123 has it, in UTC.
fn shown(time: Time) -> String {
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let seconds = time.unix_seconds();
    // Thursday was the first day of the epoch.
    let weekday = usize::try_from(seconds.div_euclid(86_400).rem_euclid(7)).map_or("", |day| DAYS[day]);
    let text = scalar::Time { seconds }.to_string();
    let month = text.get(5..7).and_then(|month| month.parse::<usize>().ok()).unwrap_or(1);
    let month = MONTHS.get(month - 1).copied().unwrap_or_default();
    let part = |range: std::ops::Range<usize>| text.get(range).unwrap_or_default();
    format!("{weekday}, {} {month} {} {} +0000", part(8..10), part(0..4), part(11..19))
}
