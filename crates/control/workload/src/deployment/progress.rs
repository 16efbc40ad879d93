//! Whether a rollout moves: upstream's `syncRolloutStatus`.

use std::time::Duration;

use api_meta::{Status, conditions};
use api_types::apps::v1::{Deployment, DeploymentCondition, DeploymentStatus, ReplicaSet};
use base::time::Time;
use client::Verb;
use client::reconcile::{World, resource_of};

use super::{Rollout, condition, limits, status};

/// The type of the condition.
pub(super) const PROGRESSING: &str = "Progressing";
const FAILURE: &str = "ReplicaFailure";
const AVAILABLE: &str = "NewReplicaSetAvailable";
const TIMED_OUT: &str = "ProgressDeadlineExceeded";

/// Why the new set could not be made, if that was tried.
pub(super) fn failed_create(world: &World) -> Option<&Status> {
    let failure = world.failure().filter(|it| it.is_of(Verb::Create, resource_of::<ReplicaSet>()))?;
    (!failure.status.is_already_exists()).then_some(&failure.status)
}

impl Rollout<'_> {
    /// Writes down what is, and whether that is progress.
    pub(super) fn sync_rollout(&mut self) {
        let mut new = self.calculate();
        if limits::progress_deadline(&self.deployment).is_none() {
            conditions::remove(&mut new.conditions, PROGRESSING);
        }
        let settled = new.replicas == new.updated_replicas
            && self.progressing().is_some_and(|condition| condition.reason == AVAILABLE);
        if limits::progress_deadline(&self.deployment).is_some()
            && !settled
            && failed_create(self.world).is_none()
        {
            self.judge(&mut new);
        }
        match self.failure() {
            Some(failure) => {
                conditions::set_unless_same_reason(&mut new.conditions, failure, self.now.into());
            }
            None => {
                conditions::remove(&mut new.conditions, FAILURE);
            }
        }
        self.again = self.next_check(&new);
        self.deployment.status = new;
    }

    fn judge(&self, new: &mut DeploymentStatus) {
        let deployment = &self.deployment;
        let subject = match &self.new {
            Some(set) => format!("ReplicaSet {:?}", set.metadata.name),
            None => format!("Deployment {:?}", deployment.metadata.name),
        };
        let condition = |holds, reason, what| {
            condition(PROGRESSING, holds, reason, format!("{subject} {what}"), self.now)
        };
        let conditions = &mut new.conditions.clone();
        if status::is_complete(deployment, new) {
            let done = condition(conditions::TRUE, AVAILABLE, "has successfully progressed.");
            conditions::set_unless_same_reason(conditions, done, self.now.into());
        } else if is_progress(&deployment.status, new) {
            let mut moving = condition(conditions::TRUE, "ReplicaSetUpdated", "is progressing.");
            // Set anew even for the same reason: its update time says when there was progress last.
            let before = self.progressing().filter(|before| before.status == conditions::TRUE);
            moving.last_transition_time = before.and_then(|before| before.last_transition_time);
            conditions::remove(conditions, PROGRESSING);
            conditions::set_unless_same_reason(conditions, moving, self.now.into());
        } else if has_timed_out(deployment, conditions::find(conditions, PROGRESSING), self.now) {
            let stuck = condition(conditions::FALSE, TIMED_OUT, "has timed out progressing.");
            conditions::set_unless_same_reason(conditions, stuck, self.now.into());
        }
        new.conditions = std::mem::take(conditions);
    }

    /// The failure of the new set, or of any.
    fn failure(&self) -> Option<DeploymentCondition> {
        let mut sets = self.new.iter().chain(&self.old);
        let failure = sets.find_map(|set| conditions::find(&set.status.conditions, FAILURE))?;
        Some(DeploymentCondition {
            type_: failure.type_.clone(),
            status: failure.status.clone(),
            last_update_time: failure.last_transition_time,
            last_transition_time: failure.last_transition_time,
            reason: failure.reason.clone(),
            message: failure.message.clone(),
        })
    }

    /// When to look whether the rollout is stuck.
    fn next_check(&self, new: &DeploymentStatus) -> Option<Duration> {
        let deadline = limits::progress_deadline(&self.deployment)?;
        let condition = conditions::find(&new.conditions, PROGRESSING)?;
        if status::is_complete(&self.deployment, new)
            || matches!(condition.reason.as_str(), TIMED_OUT | AVAILABLE)
        {
            return None;
        }
        // A second more, because times are written down in whole seconds.
        Some(ends(condition, deadline)?.since(self.now) + Duration::from_secs(1))
    }
}

fn ends(condition: &DeploymentCondition, deadline: i32) -> Option<Time> {
    let deadline = Duration::from_secs(u64::try_from(deadline).unwrap_or(0));
    Some(Time::from(condition.last_update_time?) + deadline)
}

fn is_progress(old: &DeploymentStatus, new: &DeploymentStatus) -> bool {
    new.updated_replicas > old.updated_replicas
        || new.replicas - new.updated_replicas < old.replicas - old.updated_replicas
        || new.ready_replicas > old.ready_replicas
        || new.available_replicas > old.available_replicas
}

fn has_timed_out(deployment: &Deployment, condition: Option<&DeploymentCondition>, now: Time) -> bool {
    let (Some(condition), Some(deadline)) = (condition, limits::progress_deadline(deployment)) else {
        return false;
    };
    match condition.reason.as_str() {
        AVAILABLE => false,
        TIMED_OUT => true,
        _ => ends(condition, deadline).is_some_and(|end| end < now),
    }
}
