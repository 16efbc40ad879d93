//! How many jobs that are over are kept. Upstream: `cleanupFinishedJobs`.

use api_types::batch::v1::Job;

use super::Round;
use crate::job;

impl Round<'_> {
    /// Deletes the oldest of the jobs that are over and more than are to be kept.
    pub(super) fn clean_up(&mut self) {
        let spec = &self.own.spec;
        let limits = [(true, spec.successful_jobs_history_limit), (false, spec.failed_jobs_history_limit)];
        for (complete, limit) in limits {
            let Some(limit) = limit.and_then(|limit| usize::try_from(limit).ok()) else { continue };
            let is_meant =
                |job: &&Job| job::finished(job).is_some_and(|end| (end.type_ == "Complete") == complete);
            let mut over: Vec<&Job> = self.jobs.iter().copied().filter(is_meant).collect();
            over.sort_by_key(|job| {
                let start = job.status.start_time;
                (start.is_none(), start, &job.metadata.name)
            });
            let surplus = over.len().saturating_sub(limit);
            for job in over.into_iter().take(surplus) {
                self.delete(job);
            }
        }
    }
}
