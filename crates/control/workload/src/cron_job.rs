//! CronJobs: jobs by a schedule.
//!
//! Upstream: `pkg/controller/cronjob`. A job's name is that of its cron job and the minute that it is for, so that none is made twice. The
//! status names a new job as soon as the view shows it, when its uid is known; upstream has that from the answer.
//!
//! What differs: upstream looks at a changed schedule only when its next time comes; here it is looked at at once, so
//! a time that the new schedule has had since the last start is made up for.

mod history;
mod start;
#[cfg(test)]
mod tests;
mod times;

use std::collections::BTreeSet;

use api_meta::gvk::GroupVersionKind;
use api_meta::owners;
use api_types::batch::v1::{CronJob, CronJobStatus, Job};
use api_types::core::v1::ObjectReference;
use base::time::Time;
use client::reconcile::{Controller, Guard, Name, Note, Op, Plan, Wires, World, Write, resource_of};
use client::{Propagation, Target, Verb};

use super::job;

/// The kind that its jobs name as their owner's.
const KIND: GroupVersionKind<'static> = GroupVersionKind { group: "batch", version: "v1", kind: "CronJob" };

/// When a job was to start, in its annotations.
const SCHEDULED: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// The controller of CronJobs.
pub struct CronJobs;

impl Controller for CronJobs {
    const NAME: &'static str = "cronjob-controller";
    type Key = Name;

    fn wire(&self, wires: &mut Wires<Name>) {
        wires.primary::<CronJob>();
        wires.owned::<Job>(KIND.group, KIND.kind, |_, _| Vec::new());
    }

    fn plan(&self, (namespace, name): &Name, world: &World, now: Time) -> Plan {
        let Some(own) = world.get::<CronJob>(namespace, name) else { return Plan::default() };
        let jobs =
            world.owned_by::<Job>(&own.metadata.uid).filter(|job| job.metadata.namespace == *namespace);
        let mut round = Round {
            own,
            jobs: jobs.collect(),
            world,
            now,
            status: own.status.clone(),
            gone: Vec::new(),
            deletions: Vec::new(),
            creation: None,
            told: Vec::new(),
            again: None,
        };
        round.clean_up();
        round.look();
        if own.metadata.deletion_timestamp.is_none() {
            round.start();
        }
        round.into_plan()
    }
}

/// One look at a cron job and its jobs.
struct Round<'a> {
    own: &'a CronJob,
    jobs: Vec<&'a Job>,
    world: &'a World,
    now: Time,
    /// The status as it is to be.
    status: CronJobStatus,
    /// Jobs that the status names and that are not there any more.
    gone: Vec<ObjectReference>,
    deletions: Vec<Write>,
    /// A job to be made, and the time that it is for.
    creation: Option<(Write, Time)>,
    told: Vec<Note>,
    again: Option<std::time::Duration>,
}

impl Round<'_> {
    /// Notes what has become of the jobs.
    fn look(&mut self) {
        let mut seen = BTreeSet::new();
        for job in self.jobs.clone() {
            let (meta, end) = (&job.metadata, job::finished(job));
            seen.insert(meta.uid.as_str());
            let listed = self.status.active.iter().any(|own| own.uid == meta.uid);
            let is_new = !listed && self.record(job, end.is_some());
            if end.is_none() && !listed && !is_new {
                let why = format!("Saw a job that the controller did not create or forgot: {}", meta.name);
                self.told.push(Note::warning(self.own, "UnexpectedJob", why));
            }
            if let Some(end) = end {
                if listed {
                    self.status.active.retain(|own| own.uid != meta.uid);
                    let what = format!("Saw completed job: {}, condition: {}", meta.name, end.type_);
                    self.told.push(Note::normal(self.own, "SawCompletedJob", what));
                }
                if job::is_complete(job) {
                    let last = &mut self.status.last_successful_time;
                    *last = (*last).max(job.status.completion_time);
                }
            }
        }
        let missing = |own: &&ObjectReference| {
            !seen.contains(own.uid.as_str()) && self.world.get::<Job>(&own.namespace, &own.name).is_none()
        };
        self.gone = self.status.active.iter().filter(missing).cloned().collect();
        for gone in &self.gone {
            self.status.active.retain(|own| own.uid != gone.uid);
            let what = format!("Active job went missing: {}", gone.name);
            self.told.push(Note::normal(self.own, "MissingJob", what));
        }
    }

    /// Names a job in the status that was made for the last start, or one after it; says whether it is one.
    fn record(&mut self, job: &Job, is_over: bool) -> bool {
        let Some(time) = started_for(self.own, job) else { return false };
        let last = self.status.last_schedule_time.map(Time::from);
        if last.is_some_and(|last| last.unix_seconds() > time.unix_seconds()) {
            return false;
        }
        self.status.last_schedule_time = Some(time.into());
        if !is_over && job.metadata.deletion_timestamp.is_none() {
            self.status.active.push(reference(job));
        }
        true
    }

    /// Deletes a job with all that it owns, and forgets it.
    fn delete(&mut self, job: &Job) {
        self.status.active.retain(|own| own.uid != job.metadata.uid);
        if job.metadata.deletion_timestamp.is_some() {
            return;
        }
        let background = Some(Propagation::Background);
        let op = Op::Delete { propagation: background, version: None, grace_seconds: None };
        let done = Note::normal(self.own, "SuccessfulDelete", format!("Deleted job {}", job.metadata.name));
        let failed = Note::warning(self.own, "FailedDelete", "Deleted job: {error}");
        let write = Write::of(resource_of::<Job>(), &job.metadata, "", op);
        self.deletions.push(write.telling(Some(done), Some(failed)));
    }

    fn into_plan(mut self) -> Plan {
        let mut plan = Plan { again: self.again, events: self.told, ..Plan::default() };
        let jobs = resource_of::<Job>();
        let failure = self.world.failure();
        let troubled = failure.is_some_and(|it| it.is_of(Verb::Create, jobs) || it.is_of(Verb::Delete, jobs));
        let creation = self.creation.map(|(write, time)| {
            if !troubled {
                self.status.last_schedule_time = Some(time.into());
            }
            write
        });
        let status = (self.status != self.own.status).then(|| {
            let mut own = self.own.clone();
            own.status = self.status;
            // The view of jobs may lag.
            self.gone.iter().fold(Write::status(own), |write, gone| write.guarded(absent(gone)))
        });
        // What failed does not keep from being said what can be: a job that is made is noticed when it shows.
        if troubled {
            plan.stage(status).stage(self.deletions).stage(creation);
        } else {
            plan.stage(self.deletions).stage(creation).stage(status);
        }
        plan
    }
}

fn absent(gone: &ObjectReference) -> Guard {
    let target = Target {
        resource: resource_of::<Job>().clone(),
        namespace: gone.namespace.clone(),
        name: gone.name.clone(),
        subresource: String::new(),
    };
    Guard::Absent(target, gone.uid.clone())
}

fn reference(job: &Job) -> ObjectReference {
    ObjectReference {
        api_version: "batch/v1".into(),
        kind: "Job".into(),
        namespace: job.metadata.namespace.clone(),
        name: job.metadata.name.clone(),
        uid: job.metadata.uid.clone(),
        resource_version: job.metadata.resource_version.clone(),
        ..ObjectReference::default()
    }
}

/// The time that a job was made for, if it was made by this controller.
fn started_for(own: &CronJob, job: &Job) -> Option<Time> {
    let time = job.metadata.annotations.get(SCHEDULED)?.parse::<api_record::scalar::Time>().ok()?;
    let time = Time::from(time);
    (job.metadata.name == job_name(own, time) && owners::is_controlled_by(&job.metadata, &own.metadata))
        .then_some(time)
}

/// The name of the job for a time: with its minute since the Unix epoch.
fn job_name(own: &CronJob, time: Time) -> String {
    format!("{}-{}", own.metadata.name, time.unix_seconds() / 60)
}
