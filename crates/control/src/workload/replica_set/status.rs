//! What a ReplicaSet's status should say.

use api_meta::conditions;
use api_meta::labels::Selector;
use api_types::apps::v1::{ReplicaSet, ReplicaSetCondition, ReplicaSetStatus};
use api_types::core::v1::Pod;
use base::time::Time;

use super::wanted;
use crate::pod;

const FAILURE: &str = "ReplicaFailure";

fn count<'a>(pods: impl Iterator<Item = &'a &'a Pod>) -> i32 {
    i32::try_from(pods.count()).unwrap_or(i32::MAX)
}

/// The status for these pods, after an attempt that failed, or did not.
pub(super) fn calculate(
    set: &ReplicaSet,
    active: &[&Pod],
    terminating: usize,
    failure: Option<&str>,
    now: Time,
) -> ReplicaSetStatus {
    let template = Selector::from_labels(&set.spec.template.metadata.labels);
    let min_ready = set.spec.min_ready_seconds;
    let replicas = count(active.iter());
    let mut status = ReplicaSetStatus {
        replicas,
        fully_labeled_replicas: count(active.iter().filter(|pod| template.matches(&pod.metadata.labels))),
        ready_replicas: count(active.iter().filter(|pod| pod::is_ready(pod))),
        available_replicas: count(active.iter().filter(|pod| pod::is_available(pod, min_ready, now))),
        terminating_replicas: Some(i32::try_from(terminating).unwrap_or(i32::MAX)),
        observed_generation: set.status.observed_generation,
        conditions: set.status.conditions.clone(),
    };
    if replicas == wanted(set) {
        conditions::remove(&mut status.conditions, FAILURE);
    } else if let Some(message) = failure
        && conditions::find(&status.conditions, FAILURE).is_none()
    {
        let reason = if replicas < wanted(set) { "FailedCreate" } else { "FailedDelete" };
        status.conditions.push(ReplicaSetCondition {
            type_: FAILURE.into(),
            status: conditions::TRUE.into(),
            last_transition_time: Some(now.into()),
            reason: reason.into(),
            message: message.to_owned(),
        });
    }
    if is_news(set, &status) {
        status.observed_generation = set.metadata.generation;
    }
    status
}

/// Whether the status says something new.
pub(super) fn is_news(set: &ReplicaSet, status: &ReplicaSetStatus) -> bool {
    *status != set.status || set.metadata.generation != set.status.observed_generation
}
