//! What a Deployment's status should say of its sets.

use api_meta::conditions;
use api_types::apps::v1::{Deployment, DeploymentStatus, ReplicaSet};

use super::{Rollout, condition, limits, size, wanted};

/// Whether all pods are of the new template and available, and nothing has changed since.
pub(super) fn is_complete(deployment: &Deployment, status: &DeploymentStatus) -> bool {
    let wanted = wanted(deployment);
    status.updated_replicas == wanted
        && status.replicas == wanted
        && status.available_replicas == wanted
        && status.observed_generation >= deployment.metadata.generation
}

impl Rollout<'_> {
    /// Writes down what is, without looking for progress.
    pub(super) fn sync_status(&mut self) {
        self.deployment.status = self.calculate();
    }

    /// The status that the sets lead to.
    pub(super) fn calculate(&self) -> DeploymentStatus {
        let deployment = &self.deployment;
        let sum = |count: fn(&ReplicaSet) -> i32| self.sets().map(count).sum::<i32>();
        let available = sum(|set| set.status.available_replicas);
        let mut status = DeploymentStatus {
            observed_generation: deployment.metadata.generation,
            replicas: sum(|set| set.status.replicas),
            updated_replicas: self.new.as_ref().map_or(0, |new| new.status.replicas),
            ready_replicas: sum(|set| set.status.ready_replicas),
            available_replicas: available,
            unavailable_replicas: (sum(size) - available).max(0),
            terminating_replicas: self.terminating(),
            conditions: deployment.status.conditions.clone(),
            collision_count: deployment.status.collision_count,
        };
        let enough = available >= wanted(deployment) - limits::max_unavailable(deployment);
        let (holds, reason, message) = match enough {
            true => (conditions::TRUE, "MinimumReplicasAvailable", "Deployment has minimum availability."),
            false => (
                conditions::FALSE,
                "MinimumReplicasUnavailable",
                "Deployment does not have minimum availability.",
            ),
        };
        let new = condition("Available", holds, reason, message.to_owned(), self.now);
        conditions::set_unless_same_reason(&mut status.conditions, new, self.now.into());
        status
    }

    /// The pods that are going; unknown as long as a set that has been looked at does not say.
    fn terminating(&self) -> Option<i32> {
        let looked_at = self
            .sets()
            .filter(|set| set.status.observed_generation != 0 || set.status.terminating_replicas.is_some());
        looked_at.map(|set| set.status.terminating_replicas).sum()
    }
}
