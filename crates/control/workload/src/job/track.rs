//! Counting each pod once: its uid goes into the status, then its finalizer goes, then the count goes up and the uid leaves.
//!
//! Upstream: `trackJobStatusAndRemoveFinalizers`. The status is written once a plan; what follows from finalizers that are gone is of a
//! later plan, which sees that they are.

use std::collections::BTreeSet;

use api_types::batch::v1::JobStatus;
use api_types::core::v1::Pod;
use client::reconcile::{Note, Plan, Write};

use super::condition::{self, COMPLETE, FAILED, FAILURE_TARGET, SUCCESS_CRITERIA_MET};
use super::indexes::index_of;
use super::sync::Sync;
use super::{failure_policy, has_failed, is_indexed, is_tracked, untrack};

/// How many uids the status holds, or about 20 KB (`MaxUncountedPods`).
const UNCOUNTED: usize = 500;

/// What a look at the pods adds to the status.
#[derive(Default)]
struct Found<'a> {
    /// Those whose finalizer may go once the status says what it is to say.
    free: Vec<&'a Pod>,
    succeeded_indexes: BTreeSet<i64>,
    /// Whether there are more than the status may hold.
    is_full: bool,
}

impl<'a> Sync<'a> {
    /// The plan, in the order that loses no count: what happens to pods, what is written down, what may be forgotten.
    pub(super) fn track(mut self) -> Plan {
        if is_indexed(self.job) {
            self.pods.all.sort_by_key(|pod| index_of(pod).unwrap_or(-1));
        }
        let tracked = self.pods.all.iter().filter(|pod| is_tracked(pod));
        let tracked: BTreeSet<&str> = tracked.map(|pod| pod.metadata.uid.as_str()).collect();
        settle(&mut self.status, &tracked);
        let found = self.find();
        if is_indexed(self.job) {
            let succeeded = self.indexes.succeeded.with(found.succeeded_indexes.iter().copied());
            self.status.succeeded = succeeded.total();
            self.status.completed_indexes = succeeded.to_string();
            self.status.failed_indexes = self.indexes.failed.as_ref().map(ToString::to_string);
        }
        let done = self.end(&found);
        let mut plan = Plan { again: self.again, events: self.told, ..Plan::default() };
        let status = (self.status != self.job.status).then(|| {
            let mut job = self.job.clone();
            job.status = self.status;
            Write::status(job).telling(done, None)
        });
        let forgetting = found.free.into_iter().map(untrack);
        if self.troubled {
            // What can be said is said before what failed is tried again.
            plan.stage(status).stage(forgetting);
        } else {
            self.managing.push(status.into_iter().collect());
            self.managing.push(forgetting.collect());
        }
        for stage in self.managing {
            plan.stage(stage);
        }
        plan
    }

    fn find(&mut self) -> Found<'a> {
        let mut found = Found::default();
        let indexed = is_indexed(self.job);
        let fails = self.ending.as_ref().is_some_and(|ending| ending.type_ != SUCCESS_CRITERIA_MET);
        let mut uncounted = self.status.uncounted_terminated_pods.take().unwrap_or_default();
        for pod in self.pods.all.iter().copied().filter(|pod| is_tracked(pod)) {
            let failed = has_failed(pod, self.job);
            if !self.may_go(pod, failed) {
                continue;
            }
            found.free.push(pod);
            let uid = &pod.metadata.uid;
            let [known_succeeded, known_failed] = &self.uncounted;
            let index = index_of(pod).filter(|index| *index < self.completions);
            if pod.status.phase == "Succeeded" && !known_failed.contains(uid) {
                if !indexed {
                    if !known_succeeded.contains(uid) {
                        uncounted.succeeded.push(uid.clone());
                    }
                } else if let Some(index) = index.filter(|index| !self.indexes.before.has(*index)) {
                    // The index says enough: no index is counted twice.
                    found.succeeded_indexes.insert(index);
                }
            } else if (failed || fails)
                && !known_failed.contains(uid)
                && (!indexed || index.is_some())
                && failure_policy::verdict(self.job, pod).counts()
            {
                uncounted.failed.push(uid.clone());
            }
            let many = found.succeeded_indexes.len() + uncounted.succeeded.len() + uncounted.failed.len();
            if many >= UNCOUNTED {
                found.is_full = true;
                break;
            }
        }
        self.status.uncounted_terminated_pods = Some(uncounted);
        found
    }

    /// Whether a pod's finalizer may go.
    fn may_go(&self, pod: &Pod, failed: bool) -> bool {
        if self.job.metadata.deletion_timestamp.is_some()
            || self.ending.is_some()
            || pod.status.phase == "Succeeded"
        {
            return true;
        }
        let is_delayed =
            |index| self.indexes.delayed.get(&index).is_some_and(|own| own.metadata.uid == pod.metadata.uid);
        failed && !index_of(pod).is_some_and(is_delayed)
    }

    /// Writes down how the job will end, or that it has, and answers what people should hear of that.
    fn end(&mut self, found: &Found<'_>) -> Option<Note> {
        let ending = self.ending.clone()?;
        let conditions = &mut self.status.conditions;
        let last = match ending.type_.as_str() {
            FAILURE_TARGET => {
                conditions.push(ending);
                return None;
            }
            SUCCESS_CRITERIA_MET if condition::holding(conditions, SUCCESS_CRITERIA_MET).is_none() => {
                conditions.push(ending);
                return None;
            }
            SUCCESS_CRITERIA_MET => COMPLETE,
            _ => FAILED,
        };
        let is_counted = self
            .status
            .uncounted_terminated_pods
            .as_ref()
            .is_none_or(|own| own.succeeded.is_empty() && own.failed.is_empty());
        if !found.free.is_empty() || found.is_full || !is_counted || self.terminating > 0 {
            return None;
        }
        let over = condition::new(last, &ending.reason, ending.message, self.now);
        let (reason, message) = (ending.reason, over.message.clone());
        condition::ensure(conditions, over);
        if last == FAILED {
            return Some(Note::warning(self.job, known(&reason), message));
        }
        self.status.completion_time = Some(self.now.into());
        if self.job.spec.completions.is_some_and(|completions| self.status.succeeded > completions) {
            let why = "Too many succeeded pods running after completion count reached";
            self.told.push(Note::warning(self.job, "TooManySucceededPods", why));
        }
        Some(Note::normal(self.job, "Completed", "Job completed"))
    }
}

/// Counts the pods whose finalizer is gone.
fn settle(status: &mut JobStatus, tracked: &BTreeSet<&str>) {
    let Some(uncounted) = &mut status.uncounted_terminated_pods else { return };
    for (uids, counter) in
        [(&mut uncounted.succeeded, &mut status.succeeded), (&mut uncounted.failed, &mut status.failed)]
    {
        let before = uids.len();
        uids.retain(|uid| tracked.contains(uid.as_str()));
        *counter += super::count(before - uids.len());
    }
}

/// The reasons for which jobs fail, which are those of the events as well.
fn known(reason: &str) -> &'static str {
    const REASONS: [&str; 5] = [
        "BackoffLimitExceeded",
        "DeadlineExceeded",
        "PodFailurePolicy",
        "MaxFailedIndexesExceeded",
        "FailedIndexes",
    ];
    REASONS.into_iter().find(|own| *own == reason).unwrap_or("Failed")
}
