//! Every Job that can be over is, and nothing keeps pods that nobody counts; CronJobs keep no more of their Jobs than they are to.

use api_types::batch::v1::{CronJob, Job};
use api_types::core::v1::Pod;

use super::active_of;
use crate::check::jobs::{is_finished, is_tracked};
use crate::check::schedules::cron_of;
use crate::history::History;

/// Looks at a Job.
///
/// # Errors
/// What is not as it was asked for.
pub(super) fn job(history: &History, job: &Job) -> Result<(), String> {
    let (meta, spec, status) = (&job.metadata, &job.spec, &job.status);
    let rests = spec.suspend == Some(true) || spec.parallelism == Some(0);
    if !is_finished(job) && !rests {
        return Err(format!("job {} is not over", meta.name));
    }
    if let Some(pod) = active_of(history, &meta.uid).next() {
        return Err(format!("job {} still has pod {}", meta.name, pod.metadata.name));
    }
    let told = (status.active, status.ready.unwrap_or(0), status.terminating.unwrap_or(0));
    if told != (0, 0, 0) {
        return Err(format!("job {} has no pods and says {told:?}", meta.name));
    }
    match status.uncounted_terminated_pods.as_deref() {
        Some(own) if !own.succeeded.is_empty() || !own.failed.is_empty() => {
            Err(format!("job {} has not counted all pods", meta.name))
        }
        _ if is_finished(job) && spec.ttl_seconds_after_finished.is_some() => {
            Err(format!("job {} has not been deleted after its time", meta.name))
        }
        _ => Ok(()),
    }
}

/// Looks at a pod.
///
/// # Errors
/// If it waits for a Job to count it, and it has ended.
pub(super) fn counted(pod: &Pod) -> Result<(), String> {
    if is_tracked(pod) {
        return Err(format!("pod {} has not been counted", pod.metadata.name));
    }
    Ok(())
}

/// Looks at a CronJob.
///
/// # Errors
/// What is not as it was asked for.
pub(super) fn cron_job(history: &History, cron: &CronJob) -> Result<(), String> {
    let (meta, spec) = (&cron.metadata, &cron.spec);
    let own = history.all::<Job>().filter(|job| cron_of(job) == Some(&meta.uid));
    let own: Vec<&Job> = own.collect();
    let mut active: Vec<&str> =
        own.iter().filter(|job| !is_finished(job)).map(|job| job.metadata.uid.as_str()).collect();
    let mut told: Vec<&str> = cron.status.active.iter().map(|job| job.uid.as_str()).collect();
    active.sort_unstable();
    told.sort_unstable();
    if active != told {
        return Err(format!("cron job {} has {active:?} active and says {told:?}", meta.name));
    }
    let ended = |type_: &str| {
        let is =
            |job: &&&Job| job.status.conditions.iter().any(|it| it.type_ == type_ && it.status == "True");
        own.iter().filter(is).count()
    };
    let limit =
        |limit: Option<i32>| limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
    let (complete, failed) = (ended("Complete"), ended("Failed"));
    if complete > limit(spec.successful_jobs_history_limit) || failed > limit(spec.failed_jobs_history_limit)
    {
        return Err(format!("cron job {} keeps {complete} complete and {failed} failed jobs", meta.name));
    }
    Ok(())
}
