//! ReplicaSets: so many pods of a template, whichever they are.

#[cfg(test)]
mod tests;

use api_meta::gvk::GroupVersionKind;
use api_meta::labels::Selector;
use api_types::apps::v1::{ReplicaSet, ReplicaSetStatus};
use api_types::core::v1::PodTemplateSpec;
use api_types::meta::v1::ObjectMeta;
use base::time::Time;
use client::reconcile::{Controller, Name, Plan, Wires, World};

use super::replicas::{self, Replicated};

/// The controller of ReplicaSets.
pub struct ReplicaSets;

impl Controller for ReplicaSets {
    const NAME: &'static str = "replicaset-controller";
    type Key = Name;

    fn wire(&self, wires: &mut Wires<Name>) {
        replicas::wire::<ReplicaSet>(wires);
    }

    fn plan(&self, key: &Name, world: &World, now: Time) -> Plan {
        replicas::plan::<ReplicaSet>(key, world, now)
    }
}

impl Replicated for ReplicaSet {
    const KIND: GroupVersionKind<'static> =
        GroupVersionKind { group: "apps", version: "v1", kind: "ReplicaSet" };

    fn metadata(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn selector(&self) -> Option<Selector> {
        Selector::from_api(self.spec.selector.as_deref()).ok()
    }

    fn wanted(&self) -> i32 {
        self.spec.replicas.unwrap_or(1)
    }

    fn template(&self) -> Option<&PodTemplateSpec> {
        Some(&self.spec.template)
    }

    fn min_ready_seconds(&self) -> i32 {
        self.spec.min_ready_seconds
    }

    fn status(&self) -> ReplicaSetStatus {
        self.status.clone()
    }

    fn with_status(&self, status: ReplicaSetStatus) -> ReplicaSet {
        ReplicaSet { status, ..self.clone() }
    }
}
