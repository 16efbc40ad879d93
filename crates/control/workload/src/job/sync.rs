//! One look at a job: how it stands, what becomes of it, and what is to be done. Upstream: `syncJob`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api_types::batch::v1::{Job, JobCondition, JobStatus};
use api_types::core::v1::Pod;
use base::time::Time;
use client::Verb;
use client::reconcile::{Note, Plan, World, Write, resource_of};

use super::condition::{self, FAILURE_TARGET, SUCCESS_CRITERIA_MET, SUSPENDED};
use super::failure_policy::{self, Verdict};
use super::indexes::{Indexes, index_of};
use super::{back_off, count, has_failed, is_indexed, is_suspended, is_tracked, making, success_policy};
use control_base::pod;

/// A job's pods.
pub(super) struct Pods<'a> {
    pub(super) all: Vec<&'a Pod>,
    pub(super) active: Vec<&'a Pod>,
}

/// The indexes of an indexed job.
#[derive(Default)]
pub(super) struct IndexSets<'a> {
    /// Those that the status says.
    pub(super) before: Indexes,
    /// Those that have succeeded by now.
    pub(super) succeeded: Indexes,
    /// Those that have failed by now, if each has a limit of its own.
    pub(super) failed: Option<Indexes>,
    /// Pods that failed and stay until their successor is made, which takes over their count of failures.
    pub(super) delayed: BTreeMap<i64, &'a Pod>,
}

/// A job as it is, and as it is to be.
pub(super) struct Sync<'a> {
    pub(super) job: &'a Job,
    pub(super) pods: Pods<'a>,
    pub(super) now: Time,
    pub(super) status: JobStatus,
    pub(super) completions: i64,
    pub(super) indexes: IndexSets<'a>,
    pub(super) uncounted: [BTreeSet<String>; 2],
    pub(super) succeeded: i32,
    pub(super) failed: i32,
    pub(super) active: i32,
    pub(super) ready: i32,
    pub(super) terminating: i32,
    /// How it will end: a condition that says what is wanted, or the last one.
    pub(super) ending: Option<JobCondition>,
    /// Stages that make and delete pods.
    pub(super) managing: Vec<Vec<Write>>,
    pub(super) told: Vec<Note>,
    pub(super) again: Option<Duration>,
    /// Whether pods could not be made or deleted the last time.
    pub(super) troubled: bool,
}

impl<'a> Sync<'a> {
    pub(super) fn new(job: &'a Job, all: Vec<&'a Pod>, world: &World, now: Time) -> Sync<'a> {
        let mut status = job.status.clone();
        let uncounted = status.uncounted_terminated_pods.get_or_insert_default();
        let set = |uids: &[String]| uids.iter().cloned().collect();
        let uncounted = [set(&uncounted.succeeded), set(&uncounted.failed)];
        let active: Vec<&Pod> = all.iter().copied().filter(|pod| pod::is_active(pod)).collect();
        let pods = resource_of::<Pod>();
        let failure = world.failure();
        let troubled = failure.is_some_and(|it| it.is_of(Verb::Create, pods) || it.is_of(Verb::Delete, pods));
        Sync {
            job,
            now,
            status,
            completions: job.spec.completions.map_or(0, i64::from),
            indexes: IndexSets::default(),
            uncounted,
            succeeded: 0,
            failed: 0,
            active: count(active.len()),
            ready: count(active.iter().filter(|pod| pod::is_ready(pod)).count()),
            terminating: count(all.iter().filter(|pod| pod::is_terminating(pod)).count()),
            pods: Pods { all, active },
            ending: None,
            managing: Vec::new(),
            told: Vec::new(),
            again: None,
            troubled,
        }
    }

    /// What is to be done.
    pub(super) fn plan(mut self) -> Plan {
        self.count();
        if self.status.start_time.is_none() && !is_suspended(self.job) {
            self.status.start_time = Some(self.now.into());
        }
        self.judge_as_before();
        self.judge_limits();
        self.judge_indexes();
        let observed = (self.active, self.ready, self.terminating);
        if self.ending.is_some() {
            let active = self.pods.active.clone();
            self.delete(&active);
            if self.troubled && !active.is_empty() {
                // It is over when its pods are known to go.
                self.ending = None;
            }
        } else {
            self.carry_on();
        }
        if self.troubled {
            (self.active, self.ready, self.terminating) = observed;
        }
        self.status.active = self.active;
        self.status.ready = Some(self.ready);
        self.status.terminating = Some(self.terminating);
        self.track()
    }

    pub(super) fn again_in(&mut self, wait: Duration) {
        self.again = Some(self.again.map_or(wait, |own| own.min(wait)));
    }

    /// The pods that count, if they end: those of an indexed job with an index that it has.
    pub(super) fn valid(&self) -> impl Iterator<Item = &'a Pod> + Clone + use<'a> {
        let bound = is_indexed(self.job).then_some(self.completions);
        let all = self.pods.all.clone().into_iter();
        all.filter(move |pod| bound.is_none_or(|end| index_of(pod).is_some_and(|index| index < end)))
    }

    /// The pods that have ended and are not in the status yet.
    fn count(&mut self) {
        let [succeeded, failed] = &self.uncounted;
        let tracked = self.valid().filter(|pod| is_tracked(pod));
        let new_succeeded = tracked
            .clone()
            .filter(|pod| pod.status.phase == "Succeeded" && !succeeded.contains(&pod.metadata.uid));
        let new_failed = tracked
            .filter(|pod| has_failed(pod, self.job) && !failed.contains(&pod.metadata.uid))
            .filter(|pod| failure_policy::verdict(self.job, pod).counts());
        let totals = (
            self.status.succeeded + count(new_succeeded.count()) + count(succeeded.len()),
            self.status.failed + count(new_failed.count()) + count(failed.len()),
        );
        (self.succeeded, self.failed) = totals;
    }

    /// What has been decided before, or what the policy of failures says: the job fails.
    fn judge_as_before(&mut self) {
        let conditions = &self.job.status.conditions;
        self.ending = if let Some(met) = condition::holding(conditions, SUCCESS_CRITERIA_MET) {
            Some(met.clone())
        } else if let Some(target) = condition::holding(conditions, FAILURE_TARGET) {
            Some(condition::new(condition::FAILED, &target.reason, &target.message, self.now))
        } else {
            let mut failed = self.pods.all.iter().filter(|pod| has_failed(pod, self.job));
            let message = failed.find_map(|pod| match failure_policy::verdict(self.job, pod) {
                Verdict::FailsJob(message) => Some(message),
                _ => None,
            });
            message.map(|message| condition::new(FAILURE_TARGET, "PodFailurePolicy", message, self.now))
        };
    }

    fn judge_limits(&mut self) {
        if self.ending.is_some() {
            return;
        }
        let limit = self.job.spec.backoff_limit.unwrap_or(i32::MAX);
        if self.failed > limit || self.restarts_exceed(limit) {
            return self.fail("BackoffLimitExceeded", "Job has reached the specified backoff limit");
        }
        let Some(seconds) = self.job.spec.active_deadline_seconds.filter(|_| !is_suspended(self.job)) else {
            return;
        };
        let Some(start) = self.status.start_time else { return };
        let deadline = Time::from(start) + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        if deadline <= self.now {
            self.fail("DeadlineExceeded", "Job was active longer than specified deadline");
        } else {
            self.again_in(deadline.since(self.now));
        }
    }

    fn fail(&mut self, reason: &str, message: &str) {
        self.ending = Some(condition::new(FAILURE_TARGET, reason, message, self.now));
    }

    /// Whether the containers that are restarted in place have been too often.
    fn restarts_exceed(&self, limit: i32) -> bool {
        if self.job.spec.template.spec.restart_policy != "OnFailure" {
            return false;
        }
        let running =
            self.pods.all.iter().filter(|pod| matches!(pod.status.phase.as_str(), "Running" | "Pending"));
        let statuses = running
            .flat_map(|pod| pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses));
        let restarts = statuses.fold(0i32, |sum, status| sum.saturating_add(status.restart_count));
        if limit == 0 { restarts > 0 } else { restarts >= limit }
    }

    fn judge_indexes(&mut self) {
        if !is_indexed(self.job) {
            return;
        }
        let before = Indexes::parse(&self.job.status.completed_indexes, self.completions);
        let tracked = self.valid().filter(|pod| is_tracked(pod));
        let new: BTreeSet<i64> =
            tracked.clone().filter(|pod| pod.status.phase == "Succeeded").filter_map(index_of).collect();
        let mut sets = IndexSets { succeeded: before.with(new), before, ..IndexSets::default() };
        self.succeeded = sets.succeeded.total();
        if self.job.spec.backoff_limit_per_index.is_some() {
            let text = self.job.status.failed_indexes.as_deref().unwrap_or("");
            let new: BTreeSet<i64> =
                tracked.filter(|pod| self.fails_index(pod)).filter_map(index_of).collect();
            sets.failed = Some(Indexes::parse(text, self.completions).with(new));
            sets.delayed = self.delayed(&sets);
        }
        self.indexes = sets;
        if self.ending.is_none()
            && let Some(failed) = self.indexes.failed.as_ref().map(Indexes::total)
        {
            if self.job.spec.max_failed_indexes.is_some_and(|limit| failed > limit) {
                let why = "Job has exceeded the specified maximal number of failed indexes";
                self.fail("MaxFailedIndexesExceeded", why);
            } else if failed > 0 && i64::from(failed) + i64::from(self.succeeded) >= self.completions {
                self.fail("FailedIndexes", "Job has failed indexes");
            }
        }
        if self.ending.is_none() {
            let met = success_policy::met(self.job, self.completions, &self.indexes.succeeded);
            let condition =
                met.map(|message| condition::new(SUCCESS_CRITERIA_MET, "SuccessPolicy", message, self.now));
            self.ending = condition;
        }
    }

    fn fails_index(&self, pod: &Pod) -> bool {
        let limit = self.job.spec.backoff_limit_per_index.unwrap_or(i32::MAX);
        has_failed(pod, self.job)
            && match failure_policy::verdict(self.job, pod) {
                Verdict::FailsIndex => true,
                verdict => verdict.counts() && making::failures(pod) >= limit,
            }
    }

    fn delayed(&self, sets: &IndexSets<'a>) -> BTreeMap<i64, &'a Pod> {
        let active = super::indexes::indexes_of(self.pods.active.iter().copied());
        let mut delayed: BTreeMap<i64, &Pod> = BTreeMap::new();
        let failed = self.valid().filter(|pod| is_tracked(pod) && has_failed(pod, self.job));
        for (pod, index) in failed.filter_map(|pod| Some((pod, index_of(pod)?))) {
            let is_over = sets.succeeded.has(index) || sets.failed.as_ref().is_some_and(|set| set.has(index));
            if is_over || active.contains(&index) {
                continue;
            }
            let rank = |pod: &Pod| (making::absolute_failures(pod), back_off::ended_at(pod));
            let replaces = delayed.get(&index).is_none_or(|last| {
                let ((many, ended), (last_many, last_ended)) = (rank(pod), rank(last));
                last_many <= many && ended >= last_ended
            });
            if replaces {
                delayed.insert(index, pod);
            }
        }
        delayed
    }

    /// Goes on with a job that is not over, and says whether it is suspended.
    fn carry_on(&mut self) {
        let managed = self.job.metadata.deletion_timestamp.is_none();
        let observed = self.active;
        if managed {
            self.manage();
        }
        // What could not be done the last time is not taken for done.
        let active = if self.troubled { observed } else { self.active };
        let complete = match self.job.spec.completions {
            None => self.succeeded > 0,
            Some(completions) => self.succeeded >= completions,
        };
        if complete && active == 0 {
            let why = "Reached expected number of succeeded pods";
            self.ending = Some(condition::new(SUCCESS_CRITERIA_MET, "CompletionsReached", why, self.now));
        } else if managed {
            self.tell_suspension();
        }
    }

    fn tell_suspension(&mut self) {
        let mut new = condition::new(SUSPENDED, "JobSuspended", "Job suspended", self.now);
        if is_suspended(self.job) {
            if condition::ensure(&mut self.status.conditions, new) {
                self.told.push(Note::normal(self.job, "Suspended", "Job suspended"));
                self.status.start_time = None;
            }
            return;
        }
        (new.status, new.reason, new.message) = ("False".into(), "JobResumed".into(), "Job resumed".into());
        if condition::ensure(&mut self.status.conditions, new) {
            self.told.push(Note::normal(self.job, "Resumed", "Job resumed"));
            // The deadline counts from here.
            self.status.start_time = Some(self.now.into());
        }
    }
}
