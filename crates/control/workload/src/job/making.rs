//! Making the pods of a job that are too few, deleting those that are too many. Upstream: `manageJob`.

use std::time::Duration;

use api_meta::owners;
use api_types::batch::v1::Job;
use api_types::core::v1::{Container, EnvVar, EnvVarSource, ObjectFieldSelector, Pod, PodTemplateSpec};
use client::reconcile::{Note, Write};

use super::indexes::{INDEX, indexes_of};
use super::sync::Sync;
use super::{
    FINALIZER, KIND, back_off, count, failure_policy, is_indexed, is_suspended, is_tracked, removal,
    replaces_only_failed, untrack,
};
use control_base::pod;

/// How many pods are made or deleted at once (`MaxPodCreateDeletePerSync`).
const BURST: usize = 500;
/// The least wait for a back-off to end (`SyncJobBatchPeriod`).
const LEAST_WAIT: Duration = Duration::from_secs(1);
/// How long a name may be for a suffix to be made (`MaxGeneratedNameLength`).
const GENERATED_NAME_BYTES: usize = 58;

const FAILURES: &str = "batch.kubernetes.io/job-index-failure-count";
const IGNORED_FAILURES: &str = "batch.kubernetes.io/job-index-ignored-failure-count";
const INDEX_VARIABLE: &str = "JOB_COMPLETION_INDEX";

impl<'a> Sync<'a> {
    /// Brings the number of pods to what is wanted now.
    pub(super) fn manage(&mut self) {
        let job = self.job;
        let bound = is_indexed(job).then_some(self.completions);
        if is_suspended(job) {
            return self.remove(&removal::chosen(&self.pods.active, self.pods.active.len(), bound));
        }
        let active = count(self.pods.active.len());
        let wanted = self.wanted(active);
        let surplus = usize::try_from(active - wanted).unwrap_or(0);
        let mut doomed = removal::chosen(&self.pods.active, surplus, bound);
        doomed.truncate(BURST);
        if !doomed.is_empty() {
            return self.remove(&doomed);
        }
        let ending = if replaces_only_failed(job) { self.terminating } else { 0 };
        if let Some(missing) = usize::try_from(wanted - ending - active).ok().filter(|missing| *missing > 0) {
            self.make(missing.min(BURST));
        }
    }

    /// How many pods are to be active.
    fn wanted(&self, active: i32) -> i32 {
        let parallelism = self.job.spec.parallelism.unwrap_or(1);
        match self.job.spec.completions {
            // One that succeeded says that all is done; the others may finish.
            None if self.succeeded > 0 => active,
            None => parallelism,
            Some(completions) => (completions - self.succeeded).min(parallelism).max(0),
        }
    }

    /// Deletes pods that do not count: without their finalizer, so that nothing counts them later.
    fn remove(&mut self, doomed: &[&'a Pod]) {
        let tracked = doomed.iter().filter(|pod| is_tracked(pod));
        self.managing.push(tracked.map(|pod| untrack(pod)).collect());
        self.delete(doomed);
    }

    /// Deletes active pods.
    pub(super) fn delete(&mut self, doomed: &[&'a Pod]) {
        self.managing.push(doomed.iter().map(|pod| delete(self.job, pod)).collect());
        self.active -= count(doomed.len());
        self.terminating += count(doomed.len());
        self.ready -= count(doomed.iter().filter(|pod| pod::is_ready(pod)).count());
    }

    fn make(&mut self, missing: usize) {
        let job = self.job;
        let per_index = job.spec.backoff_limit_per_index.is_some();
        if !per_index {
            let wait = back_off::remaining(job, self.valid(), self.now);
            if !wait.is_zero() {
                return self.again_in(wait.max(LEAST_WAIT));
            }
        }
        let template = template(job);
        if !is_indexed(job) {
            let pod = from_template(job, &template);
            self.managing.push((0..missing).map(|_| create(job, pod.clone())).collect());
            self.active += count(missing);
            return;
        }
        let mut indexes = self.pending(missing);
        if per_index {
            let waits: Vec<Duration> = indexes.iter().map(|index| self.wait_of(*index)).collect();
            let least = waits.iter().min().copied().unwrap_or_default();
            if !least.is_zero() {
                return self.again_in(least.max(LEAST_WAIT));
            }
            let later = waits.iter().filter(|wait| !wait.is_zero()).min();
            if let Some(wait) = later {
                self.again_in((*wait).max(LEAST_WAIT));
            }
            let mut due = waits.iter().map(Duration::is_zero);
            indexes.retain(|_| due.next() == Some(true));
        }
        let made = indexes.iter().map(|index| create(job, self.of_index(&template, *index))).collect();
        self.managing.push(made);
        self.active += count(indexes.len());
    }

    /// The first indexes that nothing has been done about, or is being done.
    fn pending(&self, many: usize) -> Vec<i64> {
        let mut taken = self.indexes.succeeded.with(indexes_of(self.pods.active.iter().copied()));
        if replaces_only_failed(self.job) {
            let ending = self.pods.all.iter().copied().filter(|pod| pod::is_terminating(pod));
            taken = taken.with(indexes_of(ending));
        }
        if let Some(failed) = &self.indexes.failed {
            taken = taken.union(failed);
        }
        taken.missing(many, self.completions)
    }

    /// How long an index waits for its next pod.
    fn wait_of(&self, index: i64) -> Duration {
        let Some(last) = self.indexes.delayed.get(&index) else { return Duration::ZERO };
        back_off::after(absolute_failures(last).saturating_add(1), back_off::ended_at(last), self.now)
    }

    fn of_index(&self, template: &PodTemplateSpec, index: i64) -> Pod {
        let job = self.job;
        let mut pod = from_template(job, template);
        pod.metadata.annotations.insert(INDEX.into(), index.to_string());
        pod.metadata.labels.insert(INDEX.into(), index.to_string());
        pod.spec.hostname = format!("{}-{index}", job.metadata.name);
        pod.metadata.generate_name = name_with_index(&job.metadata.name, index);
        if job.spec.backoff_limit_per_index.is_some() {
            let (mut counted, mut ignored) = (0, 0);
            if let Some(last) = self.indexes.delayed.get(&index) {
                (counted, ignored) = (failures(last), ignored_failures(last));
                match failure_policy::verdict(job, last).counts() {
                    true => counted += 1,
                    false => ignored += 1,
                }
            }
            pod.metadata.annotations.insert(FAILURES.into(), counted.to_string());
            if ignored > 0 {
                pod.metadata.annotations.insert(IGNORED_FAILURES.into(), ignored.to_string());
            }
        }
        pod
    }
}

fn template(job: &Job) -> PodTemplateSpec {
    let mut template = job.spec.template.clone();
    if is_indexed(job) {
        let spec = &mut template.spec;
        spec.init_containers.iter_mut().chain(spec.containers.iter_mut()).for_each(tell_index);
    }
    if !template.metadata.finalizers.iter().any(|own| own == FINALIZER) {
        template.metadata.finalizers.push(FINALIZER.into());
    }
    template
}

fn tell_index(container: &mut Container) {
    if container.env.iter().any(|variable| variable.name == INDEX_VARIABLE) {
        return;
    }
    let field = ObjectFieldSelector {
        field_path: format!("metadata.labels['{INDEX}']"),
        ..ObjectFieldSelector::default()
    };
    let source = EnvVarSource { field_ref: Some(Box::new(field)), ..EnvVarSource::default() };
    container.env.push(EnvVar {
        name: INDEX_VARIABLE.into(),
        value_from: Some(Box::new(source)),
        ..EnvVar::default()
    });
}

fn from_template(job: &Job, template: &PodTemplateSpec) -> Pod {
    pod::from_template(template, &job.metadata, owners::controller_reference(&job.metadata, KIND))
}

fn name_with_index(job: &str, index: i64) -> String {
    let suffix = format!("-{index}-");
    let end = job.floor_char_boundary(GENERATED_NAME_BYTES.saturating_sub(suffix.len()));
    format!("{}{suffix}", &job[..end])
}

/// How many pods of its index have failed before a pod, as it says itself; those that do not count are left out.
pub(super) fn failures(pod: &Pod) -> i32 {
    number(pod, FAILURES)
}

fn ignored_failures(pod: &Pod) -> i32 {
    number(pod, IGNORED_FAILURES)
}

/// How many pods of its index have failed before a pod.
pub(super) fn absolute_failures(pod: &Pod) -> i32 {
    failures(pod).saturating_add(ignored_failures(pod))
}

fn number(pod: &Pod, annotation: &str) -> i32 {
    let number = pod.metadata.annotations.get(annotation).and_then(|text| text.parse().ok());
    number.filter(|number| *number >= 0).unwrap_or(0)
}

fn create(job: &Job, pod: Pod) -> Write {
    let done = Note::normal(job, "SuccessfulCreate", "Created pod: {name}");
    let failed = Note::warning(job, "FailedCreate", "Error creating: {error}");
    Write::create(pod).telling(Some(done), Some(failed))
}

fn delete(job: &Job, pod: &Pod) -> Write {
    let done = Note::normal(job, "SuccessfulDelete", "Deleted pod: {name}");
    let failed = Note::warning(job, "FailedDelete", "Error deleting: {error}");
    Write::delete(pod).telling(Some(done), Some(failed))
}
