//! What a set of pods should say of itself.

use api_meta::conditions;
use api_meta::labels::Selector;
use api_types::apps::v1::{ReplicaSetCondition, ReplicaSetStatus};
use api_types::core::v1::Pod;
use base::time::Time;

use super::Replicated;
use control_base::pod;

const FAILURE: &str = "ReplicaFailure";

fn count<'a>(pods: impl Iterator<Item = &'a &'a Pod>) -> i32 {
    i32::try_from(pods.count()).unwrap_or(i32::MAX)
}

/// The set as it should be after an attempt that failed, or did not; `None` if that is what it says.
pub(super) fn news<S: Replicated>(
    set: &S,
    active: &[&Pod],
    terminating: usize,
    failure: Option<&str>,
    now: Time,
) -> Option<S> {
    let old = set.status();
    let generation = set.metadata().generation;
    let mut status = calculate(set, &old, active, failure, now);
    status.terminating_replicas = Some(i32::try_from(terminating).unwrap_or(i32::MAX));
    // Compared as its kind can say it.
    if set.with_status(status.clone()).status() == old && generation == old.observed_generation {
        return None;
    }
    status.observed_generation = generation;
    Some(set.with_status(status))
}

fn calculate<S: Replicated>(
    set: &S,
    old: &ReplicaSetStatus,
    active: &[&Pod],
    failure: Option<&str>,
    now: Time,
) -> ReplicaSetStatus {
    let labels = set.template().map(|template| Selector::from_labels(&template.metadata.labels));
    let labeled = |pod: &&&Pod| labels.as_ref().is_some_and(|labels| labels.matches(&pod.metadata.labels));
    let (wanted, min_ready) = (set.wanted(), set.min_ready_seconds());
    let replicas = count(active.iter());
    let mut status = ReplicaSetStatus {
        replicas,
        fully_labeled_replicas: count(active.iter().filter(labeled)),
        ready_replicas: count(active.iter().filter(|pod| pod::is_ready(pod))),
        available_replicas: count(active.iter().filter(|pod| pod::is_available(pod, min_ready, now))),
        ..old.clone()
    };
    if replicas == wanted {
        conditions::remove(&mut status.conditions, FAILURE);
    } else if let Some(message) = failure
        && conditions::find(&status.conditions, FAILURE).is_none()
    {
        let reason = if replicas < wanted { "FailedCreate" } else { "FailedDelete" };
        status.conditions.push(ReplicaSetCondition {
            type_: FAILURE.into(),
            status: conditions::TRUE.into(),
            last_transition_time: Some(now.into()),
            reason: reason.into(),
            message: message.to_owned(),
        });
    }
    status
}
