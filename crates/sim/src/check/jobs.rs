//! A Job makes no pod too many, for no index twice, and none once it is over; and what it says of its pods is what has become of them, each
//! counted once.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api_meta::owners::controller_of;
use api_types::batch::v1::{Job, JobStatus};
use api_types::core::v1::Pod;

use super::Check;
use super::bounds::lately;
use super::pods::is_active;
use crate::history::{Change, History};
use crate::profile::Profile;
use crate::world::resources::JOBS;

/// What keeps a pod until it is counted.
pub(super) const FINALIZER: &str = "batch.kubernetes.io/job-tracking";
const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// The uid of a pod's Job.
pub(super) fn job_of(pod: &Pod) -> Option<&str> {
    controller_of(&pod.metadata).filter(|owner| owner.kind == "Job").map(|owner| owner.uid.as_str())
}

/// Whether a pod is kept until it is counted.
pub(super) fn is_tracked(pod: &Pod) -> bool {
    pod.metadata.finalizers.iter().any(|finalizer| finalizer == FINALIZER)
}

fn holds(status: &JobStatus, types: &[&str]) -> bool {
    status.conditions.iter().any(|own| types.contains(&own.type_.as_str()) && own.status == "True")
}

/// Whether a Job is over.
pub(super) fn is_finished(job: &Job) -> bool {
    holds(&job.status, &["Complete", "Failed"])
}

fn is_indexed(job: &Job) -> bool {
    job.spec.completion_mode.as_deref() == Some("Indexed")
}

fn index_of(pod: &Pod) -> Option<i32> {
    pod.metadata.annotations.get(INDEX)?.parse().ok()
}

/// The indexes that a status names (`1,3-5`).
fn indexes(text: &str) -> BTreeSet<i32> {
    let parts = text.split(',').filter(|part| !part.is_empty());
    let ranges = parts.filter_map(|part| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        Some(first.parse::<i32>().ok()?..=last.parse().ok()?)
    });
    ranges.flatten().collect()
}

/// No pod too many.
pub struct Making {
    lag: Duration,
}

impl Making {
    /// In worlds of a profile.
    pub fn new(profile: &Profile) -> Making {
        Making { lag: profile.longest_lag() }
    }
}

impl Check for Making {
    fn name(&self) -> &'static str {
        "jobs' pods"
    }

    fn changed(&mut self, history: &History, change: &Change) -> Result<(), String> {
        let Some(pod) = change.after::<Pod>().filter(|_| change.before.is_none()) else { return Ok(()) };
        let Some(uid) = job_of(pod) else { return Ok(()) };
        let jobs: Vec<&Job> = lately(history.of(&JOBS), uid, change.at, self.lag).collect();
        let own = |other: &&Pod| is_active(other) && job_of(other) == Some(uid);
        let active: Vec<&Pod> = history.all::<Pod>().filter(own).collect();
        let most = jobs.iter().map(|job| job.spec.parallelism.unwrap_or(1)).max().unwrap_or(0);
        if active.len() > usize::try_from(most).unwrap_or(0) {
            return Err(format!(
                "the job has {} active pods, and never wanted more than {most}",
                active.len()
            ));
        }
        if !is_tracked(pod) {
            return Err("nothing keeps the pod until it is counted".into());
        }
        if !jobs.is_empty() && jobs.iter().all(|job| job.spec.suspend == Some(true)) {
            return Err("the job was suspended for long".into());
        }
        // Its status is written by nobody else than who makes the pods.
        let Some(job) = history.all::<Job>().find(|job| job.metadata.uid == uid) else { return Ok(()) };
        if holds(&job.status, &["Complete", "Failed", "FailureTarget", "SuccessCriteriaMet"]) {
            return Err("the job is over".into());
        }
        let limit = job.spec.backoff_limit.unwrap_or(i32::MAX);
        if job.status.failed > limit {
            return Err(format!("{} pods have failed, and {limit} may", job.status.failed));
        }
        if !is_indexed(job) {
            return Ok(());
        }
        let Some(index) = index_of(pod) else { return Err("the pod has no index".into()) };
        if jobs.iter().all(|job| job.spec.completions.unwrap_or(0) <= index) {
            return Err(format!("the job never had an index {index}"));
        }
        if active.iter().filter(|pod| index_of(pod) == Some(index)).count() > 1 {
            return Err(format!("two pods are active for the index {index}"));
        }
        let failed = job.status.failed_indexes.as_deref().unwrap_or_default();
        if indexes(&job.status.completed_indexes).contains(&index) || indexes(failed).contains(&index) {
            return Err(format!("the index {index} is over"));
        }
        Ok(())
    }
}

/// What has become of a pod.
#[derive(Default)]
struct Fate {
    index: Option<i32>,
    succeeded: bool,
    failed: bool,
    deleted: bool,
}

/// What there has been of a Job.
#[derive(Default)]
struct Account {
    pods: BTreeMap<String, Fate>,
    /// Pods that it took over, or let go.
    moved: bool,
    /// The pods that it has named as counted next, and names no more.
    counted: BTreeSet<String>,
}

/// Right counts.
#[derive(Default)]
pub struct Counting {
    accounts: BTreeMap<String, Account>,
}

impl Counting {
    fn note(&mut self, change: &Change, pod: &Pod) {
        let Some(uid) = job_of(pod) else {
            if let Some(uid) = change.before::<Pod>().and_then(job_of) {
                self.accounts.entry(uid.to_owned()).or_default().moved = true;
            }
            return;
        };
        let account = self.accounts.entry(uid.to_owned()).or_default();
        account.moved |= change.before::<Pod>().is_some_and(|before| job_of(before) != Some(uid));
        let fate = account.pods.entry(pod.metadata.uid.clone()).or_default();
        fate.index = index_of(pod);
        fate.succeeded |= pod.status.phase == "Succeeded";
        fate.failed |= pod.status.phase == "Failed";
        fate.deleted |= pod.metadata.deletion_timestamp.is_some();
    }

    fn count(&mut self, before: &Job, job: &Job) -> Result<(), String> {
        let account = self.accounts.entry(job.metadata.uid.clone()).or_default();
        let names = |job: &Job| -> BTreeSet<String> {
            let uncounted = job.status.uncounted_terminated_pods.as_deref();
            uncounted.iter().flat_map(|own| own.succeeded.iter().chain(own.failed.iter())).cloned().collect()
        };
        let (named, names) = (names(before), names(job));
        account.counted.extend(named.difference(&names).cloned());
        if let Some(twice) = names.iter().find(|uid| account.counted.contains(*uid)) {
            return Err(format!("the pod of uid {twice} is counted again"));
        }
        if let Some(unknown) = names.iter().find(|uid| !account.pods.contains_key(*uid)) {
            return Err(format!("a pod of uid {unknown} is counted, and there was none"));
        }
        account.within(job)?;
        if is_finished(before) && ended(before) != ended(job) {
            return Err(format!("it was over with {:?}, and is now with {:?}", ended(before), ended(job)));
        }
        if is_indexed(job) {
            return Ok(());
        }
        let (was, is) = (&before.status, &job.status);
        if is.succeeded < was.succeeded || is.failed < was.failed {
            return Err(format!(
                "{} succeeded and {} failed, and now {} and {}",
                was.succeeded, was.failed, is.succeeded, is.failed
            ));
        }
        Ok(())
    }
}

/// What a Job that is over says of how it ended.
fn ended(job: &Job) -> (i32, i32, bool, bool) {
    let status = &job.status;
    (status.succeeded, status.failed, holds(status, &["Complete"]), holds(status, &["Failed"]))
}

impl Account {
    /// Whether a Job counts no more than there was.
    fn within(&self, job: &Job) -> Result<(), String> {
        let status = &job.status;
        let many = |it: &dyn Fn(&Fate) -> bool| self.pods.values().filter(|fate| it(fate)).count();
        let said = |counter: i32, names: usize| usize::try_from(counter).unwrap_or(0) + names;
        let uncounted = status.uncounted_terminated_pods.as_deref();
        let failed = said(status.failed, uncounted.map_or(0, |own| own.failed.len()));
        // A Job that fails takes all its pods with it.
        let falls = holds(status, &["FailureTarget", "Failed"]);
        let may_have = many(&|fate| fate.failed || fate.deleted || falls);
        if failed > may_have {
            return Err(format!("{failed} pods are counted as failed, and {may_have} can have"));
        }
        if !is_indexed(job) {
            let succeeded = said(status.succeeded, uncounted.map_or(0, |own| own.succeeded.len()));
            let have = many(&|fate| fate.succeeded);
            if succeeded > have {
                return Err(format!("{succeeded} pods are counted as succeeded, and {have} have"));
            }
            return Ok(());
        }
        let completed = indexes(&status.completed_indexes);
        if usize::try_from(status.succeeded) != Ok(completed.len()) {
            return Err(format!("{} indexes succeeded, and {completed:?} are named", status.succeeded));
        }
        for index in completed {
            if many(&|fate| fate.succeeded && fate.index == Some(index)) == 0 {
                return Err(format!("no pod of the index {index} has succeeded"));
            }
        }
        Ok(())
    }

    /// Whether a Job that has ended undisturbed has counted all.
    fn complete(&self, job: &Job) -> Result<(), String> {
        let policy = job.spec.pod_failure_policy.is_some();
        let undisturbed = job.metadata.generation == 1
            && !self.moved
            && !policy
            && !is_indexed(job)
            && job.spec.completions.is_some()
            && self.pods.values().all(|fate| !fate.deleted);
        let all = i32::try_from(self.pods.len()).unwrap_or(i32::MAX);
        let (succeeded, failed) = (job.status.succeeded, job.status.failed);
        if undisturbed && succeeded + failed != all {
            return Err(format!("{succeeded} succeeded and {failed} failed, of {all} pods"));
        }
        let limit = job.spec.backoff_limit.unwrap_or(i32::MAX);
        let limited = job.spec.success_policy.is_none() && holds(&job.status, &["Complete"]);
        if limited && failed > limit {
            return Err(format!("it is complete with {failed} failed pods, and {limit} may fail"));
        }
        Ok(())
    }
}

impl Check for Counting {
    fn name(&self) -> &'static str {
        "jobs' counts"
    }

    fn changed(&mut self, history: &History, change: &Change) -> Result<(), String> {
        if let Some(pod) = change.after::<Pod>() {
            self.note(change, pod);
        }
        let (Some(before), Some(job)) = (change.before::<Job>(), change.after::<Job>()) else {
            return Ok(());
        };
        self.count(before, job)?;
        if !is_finished(job) || is_finished(before) {
            return Ok(());
        }
        if job
            .status
            .uncounted_terminated_pods
            .as_deref()
            .is_some_and(|own| !own.succeeded.is_empty() || !own.failed.is_empty())
        {
            return Err("it is over, and not all is counted".into());
        }
        let mut own = history.all::<Pod>().filter(|pod| job_of(pod) == Some(&job.metadata.uid));
        if let Some(pod) = own.find(|pod| is_active(pod)) {
            return Err(format!("it is over, and {} is active", pod.metadata.name));
        }
        self.accounts.entry(job.metadata.uid.clone()).or_default().complete(job)
    }
}

#[cfg(test)]
mod tests;
