//! How long new pods wait after failures: ten seconds, doubled with each failure since the last success, ten minutes at most.
//!
//! Upstream: `backoff_utils.go`.

use std::time::Duration;

use api_record::scalar;
use api_types::batch::v1::Job;
use api_types::core::v1::{ContainerStatus, Pod};
use base::time::Time;

use super::{has_failed, is_tracked};
use control_base::pod;

const FIRST: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(600);

/// How long until a job's pods may be made, by those that have ended.
pub(super) fn remaining<'a>(job: &Job, pods: impl Iterator<Item = &'a Pod> + Clone, now: Time) -> Duration {
    let succeeded = pods.clone().filter(|pod| pod.status.phase == "Succeeded").map(ended_at).max();
    let failed = pods.filter(|pod| counts_as_failure(pod, job)).map(ended_at);
    let (mut failures, mut last) = (0, None);
    for at in failed.filter(|at| succeeded.is_none_or(|succeeded| *at > succeeded)) {
        failures += 1;
        last = last.max(Some(at));
    }
    last.map_or(Duration::ZERO, |last| after(failures, last, now))
}

/// A pod that is being deleted and waits for nothing was deleted by this controller, or has been counted already.
fn counts_as_failure(pod: &Pod, job: &Job) -> bool {
    if is_tracked(pod) {
        return has_failed(pod, job);
    }
    pod.status.phase == "Failed" && pod.metadata.deletion_timestamp.is_none()
}

/// How long until the successor of a pod may be made that was the last of so many failures.
pub(super) fn after(failures: i32, last: Time, now: Time) -> Duration {
    if failures == 0 {
        return Duration::ZERO;
    }
    let doublings = u32::try_from(failures - 1).unwrap_or(0);
    let wait = 1u32.checked_shl(doublings).and_then(|factor| FIRST.checked_mul(factor));
    (last + wait.unwrap_or(LONGEST).min(LONGEST)).since(now)
}

/// When a pod ended, as well as can be told.
pub(super) fn ended_at(pod: &Pod) -> Time {
    let not_ready = || pod::ready_condition(pod).filter(|own| own.status == "False")?.last_transition_time;
    let told = containers_ended_at(pod).or_else(not_ready).map(Time::from);
    let deleted = || {
        let grace = u64::try_from(pod.metadata.deletion_grace_period_seconds.unwrap_or(0)).unwrap_or(0);
        Some(Time::from(pod.metadata.deletion_timestamp?) - Duration::from_secs(grace))
    };
    let created = || pod.metadata.creation_timestamp.map_or(Time::EPOCH, Time::from);
    told.or_else(deleted).unwrap_or_else(created)
}

/// When the last container ended, sidecars included; `None` if one has not.
fn containers_ended_at(pod: &Pod) -> Option<scalar::Time> {
    let is_sidecar = |name: &str| {
        let mut init = pod.spec.init_containers.iter();
        init.any(|own| own.name == name && own.restart_policy.as_deref() == Some("Always"))
    };
    let ended = |status: &ContainerStatus| status.state.terminated.as_ref().and_then(|it| it.finished_at);
    // As upstream: a container that has not ended makes the others' times unknown, but not the sidecars'.
    let containers: Option<Vec<_>> = pod.status.container_statuses.iter().map(ended).collect();
    let sidecars = pod.status.init_container_statuses.iter().filter(|status| is_sidecar(&status.name));
    let sidecars: Vec<_> = sidecars.map(ended).collect();
    if sidecars.is_empty() {
        return containers?.into_iter().max();
    }
    let sidecars: Vec<_> = sidecars.into_iter().collect::<Option<_>>()?;
    containers.unwrap_or_default().into_iter().chain(sidecars).max()
}
