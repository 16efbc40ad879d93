//! So many pods of a template, whichever they are: what ReplicaSets and ReplicationControllers have in common, which is
//! all but how they write it.
//!
//! Upstream: `pkg/controller/replicaset`, which `pkg/controller/replication` runs over converted objects. What became of the last
//! attempt is part of the world, so that a failure to create or delete shows as the condition `ReplicaFailure`.

pub(super) mod rank;
mod scale;
mod status;

use api_meta::gvk::GroupVersionKind;
use api_meta::labels::Selector;
use api_record::Typed;
use api_types::apps::v1::ReplicaSetStatus;
use api_types::core::v1::{Pod, PodTemplateSpec};
use api_types::meta::v1::ObjectMeta;
use base::time::Time;
use client::Verb;
use client::reconcile::{Name, Plan, Wires, World, Write, name, resource_of};

use control_base::claim::claim;
use control_base::pod;

/// What wants so many pods of a template.
pub(super) trait Replicated: Typed + Clone {
    /// The kind that its pods name as their owner's.
    const KIND: GroupVersionKind<'static>;

    /// Its metadata.
    fn metadata(&self) -> &ObjectMeta;
    /// Which pods are its own; `None` if that cannot be read.
    fn selector(&self) -> Option<Selector>;
    /// How many pods it wants.
    fn wanted(&self) -> i32;
    /// What its pods are made of; `None` if nothing says so.
    fn template(&self) -> Option<&PodTemplateSpec>;
    /// How long a pod must have been ready to be available, in seconds.
    fn min_ready_seconds(&self) -> i32;
    /// What it says of itself, in the form of a ReplicaSet.
    fn status(&self) -> ReplicaSetStatus;
    /// The same that says this of itself, as far as its kind can.
    fn with_status(&self, status: ReplicaSetStatus) -> Self;
}

/// Looks at the objects of the kind and at pods.
pub(super) fn wire<S: Replicated>(wires: &mut Wires<Name>) {
    wires.primary::<S>();
    wires.owned::<Pod>(S::KIND.group, S::KIND.kind, |pod, world| {
        let sets = world.in_namespace::<S>(&pod.metadata.namespace);
        let picking = sets.filter(|set| set.selector().is_some_and(|it| it.matches(&pod.metadata.labels)));
        picking.map(|set| name(&set.metadata().namespace, &set.metadata().name)).collect()
    });
}

/// What is to be done about the object of this key.
pub(super) fn plan<S: Replicated>((namespace, name): &Name, world: &World, now: Time) -> Plan {
    let mut plan = Plan::default();
    let Some(set) = world.get::<S>(namespace, name) else { return plan };
    let Some(selector) = set.selector() else { return plan };
    let uid = &set.metadata().uid;
    let owned = || world.owned_by::<Pod>(uid).filter(|pod| pod.metadata.namespace == *namespace);
    let candidates = owned().chain(world.orphans(namespace, &selector)).filter(|pod| pod::is_active(pod));
    let claimed = claim(set, S::KIND, &selector, candidates);
    let terminating =
        owned().filter(|pod| pod::is_terminating(pod) && selector.matches(&pod.metadata.labels)).count();
    let active = claimed.objects;

    let pods = resource_of::<Pod>();
    let failure = world.failure().filter(|it| it.is_of(Verb::Create, pods) || it.is_of(Verb::Delete, pods));
    let scaling = if set.metadata().deletion_timestamp.is_none() {
        scale::writes(set, &active, world, now)
    } else {
        Vec::new()
    };
    let status = status::news(set, &active, terminating, failure.map(|it| &*it.status.message), now);
    let status = status.map(Write::status);
    plan.stage(claimed.writes);
    // What failed is reported before it is tried again, or the report would never be reached.
    if failure.is_some() {
        plan.stage(status).stage(scaling);
    } else {
        plan.stage(scaling).stage(status);
    }
    let min_ready = set.min_ready_seconds();
    if min_ready > 0 {
        let waits = active.iter().filter_map(|pod| pod::available_in(pod, min_ready, now));
        plan.again = waits.filter(|wait| !wait.is_zero()).min();
    }
    plan
}
