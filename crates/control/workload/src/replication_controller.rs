//! ReplicationControllers: ReplicaSets as they were first, with labels for a selector.
//!
//! Upstream: `pkg/controller/replication`.

#[cfg(test)]
mod tests;

use api_meta::gvk::GroupVersionKind;
use api_meta::labels::Selector;
use api_types::apps::v1::{ReplicaSetCondition, ReplicaSetStatus};
use api_types::core::v1::{
    PodTemplateSpec, ReplicationController, ReplicationControllerCondition, ReplicationControllerStatus,
};
use api_types::meta::v1::ObjectMeta;
use base::time::Time;
use client::reconcile::{Controller, Name, Plan, Wires, World};

use super::replicas::{self, Replicated};

/// The controller of ReplicationControllers.
pub struct ReplicationControllers;

impl Controller for ReplicationControllers {
    const NAME: &'static str = "replication-controller";
    type Key = Name;

    fn wire(&self, wires: &mut Wires<Name>) {
        replicas::wire::<ReplicationController>(wires);
    }

    fn plan(&self, key: &Name, world: &World, now: Time) -> Plan {
        replicas::plan::<ReplicationController>(key, world, now)
    }
}

impl Replicated for ReplicationController {
    const KIND: GroupVersionKind<'static> =
        GroupVersionKind { group: "", version: "v1", kind: "ReplicationController" };

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn selector(&self) -> Option<Selector> {
        Some(Selector::from_labels(&self.spec.selector))
    }

    fn wanted(&self) -> i32 {
        self.spec.replicas.unwrap_or(1)
    }

    fn template(&self) -> Option<&PodTemplateSpec> {
        self.spec.template.as_deref()
    }

    fn min_ready_seconds(&self) -> i32 {
        self.spec.min_ready_seconds
    }

    fn status(&self) -> ReplicaSetStatus {
        let status = &self.status;
        ReplicaSetStatus {
            replicas: status.replicas,
            fully_labeled_replicas: status.fully_labeled_replicas,
            ready_replicas: status.ready_replicas,
            available_replicas: status.available_replicas,
            // It does not say how many of its pods are ending.
            terminating_replicas: None,
            observed_generation: status.observed_generation,
            conditions: status.conditions.iter().cloned().map(of_set).collect(),
        }
    }

    fn with_status(&self, status: ReplicaSetStatus) -> ReplicationController {
        let status = ReplicationControllerStatus {
            replicas: status.replicas,
            fully_labeled_replicas: status.fully_labeled_replicas,
            ready_replicas: status.ready_replicas,
            available_replicas: status.available_replicas,
            observed_generation: status.observed_generation,
            conditions: status.conditions.into_iter().map(of_controller).collect(),
        };
        ReplicationController { status, ..self.clone() }
    }
}

fn of_set(own: ReplicationControllerCondition) -> ReplicaSetCondition {
    ReplicaSetCondition {
        type_: own.type_,
        status: own.status,
        last_transition_time: own.last_transition_time,
        reason: own.reason,
        message: own.message,
    }
}

fn of_controller(own: ReplicaSetCondition) -> ReplicationControllerCondition {
    ReplicationControllerCondition {
        type_: own.type_,
        status: own.status,
        last_transition_time: own.last_transition_time,
        reason: own.reason,
        message: own.message,
    }
}
