//! Jobs: why one does not get on, or has failed.

use api_meta::conditions;
use api_types::batch::v1::Job;
use api_types::core::v1::Pod;
use control_workload::{JobKey, Jobs};

use super::{failed_creations, next_step};
use crate::evidence::Evidence;
use crate::finding::{Finding, counted};
use crate::pod;

/// How a job is, in a few words.
pub(crate) fn state(job: &Job) -> String {
    let status = &job.status;
    let holds = |type_| conditions::is_true(&status.conditions, type_);
    let of = job.spec.completions.map_or_else(String::new, |completions| format!(" of {completions}"));
    let counts =
        format!("{}{of} succeeded, {} failed, {} at work", status.succeeded, status.failed, status.active);
    let word = match () {
        () if holds("Complete") => "complete",
        () if holds("Failed") => "failed",
        () if holds("Suspended") => "suspended",
        () => "at work",
    };
    format!("{word}: {counts}")
}

/// Why it is so.
pub(crate) fn explain(job: &Job, evidence: &Evidence) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(failed) =
        conditions::find(&job.status.conditions, "Failed").filter(|said| said.status == "True")
    {
        findings.push(
            failure(job, &failed.reason, &failed.message)
                .since(failed.last_transition_time)
                .because(ends(job, evidence)),
        );
        return findings;
    }
    if conditions::is_true(&job.status.conditions, "Complete") {
        return findings;
    }
    if job.spec.suspend == Some(true) {
        let remedy = format!(
            "kubectl -n {} patch job {} -p '{{\"spec\":{{\"suspend\":false}}}}', or whoever queues jobs starts it",
            job.metadata.namespace, job.metadata.name
        );
        findings.push(
            Finding::new("Suspended", "it is suspended (spec.suspend): no pods are made").remedy(remedy),
        );
    }
    if job.spec.managed_by.as_deref().is_some_and(|by| by != "kubernetes.io/job-controller") {
        let by = job.spec.managed_by.as_deref().unwrap_or_default();
        findings
            .push(Finding::new("ManagedBy", format!("it is managed by {by}, and not by the job controller")));
    }
    findings.extend(failures(job, evidence));
    findings.extend(at_work(job, evidence));
    if evidence.knows::<Pod>() && job.spec.managed_by.is_none() {
        let key = JobKey::Job(job.metadata.namespace.clone(), job.metadata.name.clone());
        findings.extend(next_step(&Jobs, &key, evidence));
    }
    findings
}

fn failure(job: &Job, reason: &str, message: &str) -> Finding {
    let finding = Finding::new(reason, format!("it has failed: {message}"));
    match reason {
        "BackoffLimitExceeded" => {
            let limit = job.spec.backoff_limit.unwrap_or(6);
            finding.remedy(format!("mend what its pods do; spec.backoffLimit ({limit}) says how often they may fail. A job that has failed is made anew, not started again"))
        }
        "DeadlineExceeded" => finding.remedy("raise spec.activeDeadlineSeconds, and make the job anew"),
        _ => finding,
    }
}

/// Pods that failed while the job goes on.
fn failures(job: &Job, evidence: &Evidence) -> Option<Finding> {
    let status = &job.status;
    let indexes = status.failed_indexes.as_deref().filter(|indexes| !indexes.is_empty());
    if status.failed == 0 && indexes.is_none() {
        return None;
    }
    let mut message =
        format!("{} failed", counted(usize::try_from(status.failed).unwrap_or(0), "pod has", "pods have"));
    if let Some(indexes) = indexes {
        message.push_str(&format!(", with all tries of the indexes {indexes}"));
    }
    match (job.spec.backoff_limit_per_index, job.spec.backoff_limit) {
        (Some(limit), _) => {
            message.push_str(&format!("; each index may fail {limit} times (backoffLimitPerIndex)"))
        }
        (None, Some(limit)) => message.push_str(&format!(
            "; the job fails when more than {limit} have (backoffLimit), and waits longer after each"
        )),
        (None, None) => {}
    }
    Some(Finding::new("PodsFailed", message).because(ends(job, evidence)))
}

/// How its pods that failed ended.
fn ends(job: &Job, evidence: &Evidence) -> Vec<Finding> {
    let own = evidence.world.owned_by::<Pod>(&job.metadata.uid);
    own.filter(|own| own.status.phase == "Failed").filter_map(|own| pod::brief(own, evidence)).collect()
}

/// Pods that are there and are not ready, and those that could not be made.
fn at_work(job: &Job, evidence: &Evidence) -> Vec<Finding> {
    let own = evidence.world.owned_by::<Pod>(&job.metadata.uid);
    let living = own.filter(|own| !control_base::pod::is_terminal(own));
    let mut findings: Vec<Finding> = living.filter_map(|own| pod::brief(own, evidence)).collect();
    if job.status.active == 0 && job.spec.suspend != Some(true) {
        findings.extend(failed_creations(&job.metadata, "Job", evidence));
    }
    findings
}
