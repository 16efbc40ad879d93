//! What a set's status should say.

use api_types::apps::v1::{StatefulSet, StatefulSetStatus};
use api_types::core::v1::Pod;
use base::time::Time;
use client::reconcile::Write;

use super::identity;
use super::replicas::is_running_and_ready;
use super::revisions::Revisions;
use control_base::pod;

/// A status that counts no pods yet.
pub(super) fn fresh(set: &StatefulSet, revisions: &Revisions) -> StatefulSetStatus {
    StatefulSetStatus {
        observed_generation: set.metadata.generation,
        current_revision: revisions.current.metadata.name.clone(),
        update_revision: revisions.update.metadata.name.clone(),
        collision_count: Some(revisions.collisions),
        conditions: set.status.conditions.clone(),
        ..StatefulSetStatus::default()
    }
}

/// Counts pods.
pub(super) fn count(
    status: &mut StatefulSetStatus,
    set: &StatefulSet,
    revisions: &Revisions,
    pods: &[&Pod],
    now: Time,
) {
    let of = |picks: &dyn Fn(&Pod) -> bool| {
        i32::try_from(pods.iter().filter(|pod| picks(pod)).count()).unwrap_or(i32::MAX)
    };
    let has = |pod: &Pod, revision: &str| {
        pod.metadata.deletion_timestamp.is_none() && identity::revision(pod) == revision
    };
    let min_ready = set.spec.min_ready_seconds;
    status.replicas = of(&|_| true);
    status.ready_replicas = of(&is_running_and_ready);
    status.available_replicas =
        of(&|pod| is_running_and_ready(pod) && pod::is_available(pod, min_ready, now));
    status.current_replicas = of(&|pod| has(pod, &revisions.current.metadata.name));
    status.updated_replicas = of(&|pod| has(pod, &revisions.update.metadata.name));
}

/// What writes the status, if it says something new. An update is complete once all pods that are wanted are ready and of its revision.
pub(super) fn news(set: &StatefulSet, mut status: StatefulSetStatus) -> Option<Write> {
    let wanted = set.spec.replicas.unwrap_or(1);
    if [status.updated_replicas, status.ready_replicas, status.replicas] == [wanted; 3] {
        status.current_replicas = status.updated_replicas;
        status.current_revision.clone_from(&status.update_revision);
    }
    let before = &set.status;
    let is_observed = status.observed_generation <= before.observed_generation;
    // A count of collisions is no news by itself.
    let same = StatefulSetStatus {
        observed_generation: before.observed_generation,
        collision_count: before.collision_count,
        ..status.clone()
    };
    if is_observed && same == *before {
        return None;
    }
    Some(Write::status(StatefulSet { status, ..set.clone() }))
}
