//! ReplicaSets: so many pods of a template, whichever they are.
//!
//! Upstream: `pkg/controller/replicaset`. What became of the last attempt is part of the world, so that a failure to create or
//! delete shows as the condition `ReplicaFailure`.

mod rank;
mod scale;
mod status;
#[cfg(test)]
mod tests;

use api_meta::gvk::GroupVersionKind;
use api_meta::labels::Selector;
use api_types::apps::v1::ReplicaSet;
use api_types::core::v1::Pod;
use base::time::Time;
use client::Verb;
use client::reconcile::{Controller, Name, Plan, Wires, World, Write, name, resource_of};

use crate::claim::claim;
use crate::pod;

/// The kind that its pods name as their owner's.
pub(super) const KIND: GroupVersionKind<'static> =
    GroupVersionKind { group: "apps", version: "v1", kind: "ReplicaSet" };

/// The controller of ReplicaSets.
pub struct ReplicaSets;

impl Controller for ReplicaSets {
    const NAME: &'static str = "replicaset-controller";
    type Key = Name;

    fn wire(&self, wires: &mut Wires<Name>) {
        wires.primary::<ReplicaSet>();
        wires.owned::<Pod>(KIND.group, KIND.kind, |pod, world| {
            let sets = world.in_namespace::<ReplicaSet>(&pod.metadata.namespace);
            let picking = sets.filter(|set| selector(set).is_some_and(|it| it.matches(&pod.metadata.labels)));
            picking.map(|set| name(&set.metadata.namespace, &set.metadata.name)).collect()
        });
    }

    fn plan(&self, (namespace, name): &Name, world: &World, now: Time) -> Plan {
        let mut plan = Plan::default();
        let Some(set) = world.get::<ReplicaSet>(namespace, name) else { return plan };
        let Some(selector) = selector(set) else { return plan };
        let owned =
            || world.owned_by::<Pod>(&set.metadata.uid).filter(|pod| pod.metadata.namespace == *namespace);
        let candidates = owned().chain(world.orphans::<Pod>(namespace)).filter(|pod| pod::is_active(pod));
        let claimed = claim(set, KIND, &selector, candidates);
        let terminating =
            owned().filter(|pod| pod::is_terminating(pod) && selector.matches(&pod.metadata.labels)).count();
        let active = claimed.objects;

        let pods = resource_of::<Pod>();
        let failure =
            world.failure().filter(|it| it.is_of(Verb::Create, pods) || it.is_of(Verb::Delete, pods));
        let scaling = if set.metadata.deletion_timestamp.is_none() {
            scale::writes(set, &active, world, now)
        } else {
            Vec::new()
        };
        let status = status::calculate(set, &active, terminating, failure.map(|it| &*it.status.message), now);
        let status = status::is_news(set, &status).then(|| {
            let mut set = set.clone();
            set.status = status;
            Write::status(set)
        });
        plan.stage(claimed.writes);
        // What failed is reported before it is tried again, or the report would never be reached.
        if failure.is_some() {
            plan.stage(status).stage(scaling);
        } else {
            plan.stage(scaling).stage(status);
        }
        if set.spec.min_ready_seconds > 0 {
            let waits =
                active.iter().filter_map(|pod| pod::available_in(pod, set.spec.min_ready_seconds, now));
            plan.again = waits.filter(|wait| !wait.is_zero()).min();
        }
        plan
    }
}

fn selector(set: &ReplicaSet) -> Option<Selector> {
    Selector::from_api(set.spec.selector.as_deref()).ok()
}

/// How many pods it wants.
pub(super) fn wanted(set: &ReplicaSet) -> i32 {
    set.spec.replicas.unwrap_or(1)
}
