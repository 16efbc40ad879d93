//! StatefulSets: pods with names and claims of their own, made and replaced one after the other, or all at once.
//!
//! Upstream: `pkg/controller/statefulset`, with the gate MaxUnavailableStatefulSet on and StatefulSetRecreateStrategy off, as 1.37 has
//! them. A set that keeps an order waits for each pod before it goes on, so that a plan of its makes or deletes one pod at most,
//! except where a rollout may have several unavailable.

mod claims;
mod identity;
mod replicas;
mod retention;
mod revisions;
mod rollout;
mod status;
#[cfg(test)]
mod tests;

use api_meta::gvk::GroupVersionKind;
use api_meta::labels::Selector;
use api_meta::{Status, owners};
use api_types::apps::v1::{ControllerRevision, StatefulSet};
use api_types::core::v1::{PersistentVolumeClaim, Pod};
use base::time::Time;
use client::reconcile::{Controller, Name, Note, Plan, Wires, World, name};

use super::history;
use control_base::claim::{Claimed, claim, claim_picked};
use control_base::pod;
use replicas::Round;
use revisions::Revisions;

/// The kind that its pods name as their owner's.
const KIND: GroupVersionKind<'static> =
    GroupVersionKind { group: "apps", version: "v1", kind: "StatefulSet" };

/// The controller of StatefulSets.
pub struct StatefulSets;

impl Controller for StatefulSets {
    const NAME: &'static str = "statefulset-controller";
    type Key = Name;

    fn wire(&self, wires: &mut Wires<Name>) {
        wires.primary::<StatefulSet>();
        wires.maps::<Pod>(concerned);
        wires.owned::<ControllerRevision>(KIND.group, KIND.kind, |_, _| Vec::new());
        // A pod is not made before a claim of its that is going has gone.
        wires.maps::<PersistentVolumeClaim>(|claim, world| {
            let sets = world.in_namespace::<StatefulSet>(&claim.metadata.namespace);
            keys(sets.filter(|set| claims::is_of(set, &claim.metadata.name)))
        });
    }

    fn plan(&self, (namespace, name): &Name, world: &World, now: Time) -> Plan {
        let mut plan = Plan::default();
        let Some(set) = world.get::<StatefulSet>(namespace, name) else { return plan };
        let Some(selector) = selector(set) else { return plan };
        // Revisions that the selector does not pick are passed over, but stay the set's.
        let known = world.in_namespace::<ControllerRevision>(namespace);
        let picked = known.filter(|revision| selector.matches(&revision.metadata.labels));
        let history = claim(set, KIND, &selector, picked);
        let pods = members(set, &selector, world);
        plan.stage(history.writes.into_iter().chain(pods.writes));
        let mut sorted = history.objects;
        sorted.sort_by(|a, b| history::by_revision(a, b));
        let mut revisions = Revisions::of(set, &sorted, world);
        plan.stage(revisions.write.take());
        if set.spec.update_strategy.type_ == "Recreate" {
            return refused(set, plan);
        }
        let truncation = truncation(set, &sorted, &revisions, &pods.objects);
        match Round::new(set, revisions, &pods.objects, world, now) {
            Ok(round) => round.into_plan(&mut plan),
            Err(status) => plan.failure = Some(status),
        }
        plan.stage(truncation);
        if set.spec.min_ready_seconds > 0 {
            let wait = |pod: &&Pod| pod::available_in(pod, set.spec.min_ready_seconds, now);
            let waits = pods.objects.iter().filter_map(wait);
            plan.again = waits.filter(|wait| !wait.is_zero()).min();
        }
        plan
    }
}

fn selector(set: &StatefulSet) -> Option<Selector> {
    Selector::from_api(set.spec.selector.as_deref()).ok()
}

fn keys<'a>(sets: impl Iterator<Item = &'a StatefulSet>) -> Vec<Name> {
    sets.map(|set| name(&set.metadata.namespace, &set.metadata.name)).collect()
}

/// The sets that a pod is about: its controller, those that could adopt it, and the one whose pod's name it has, which is in its way
/// until it is gone.
fn concerned(pod: &Pod, world: &World) -> Vec<Name> {
    let namespace = &pod.metadata.namespace;
    let owner = owners::controller_of(&pod.metadata);
    let own = owner
        .and_then(owners::kind_of)
        .is_some_and(|kind| kind.group == KIND.group && kind.kind == KIND.kind);
    if let Some(owner) = owner.filter(|_| own) {
        return vec![name(namespace, &owner.name)];
    }
    let adopts = |set: &StatefulSet| {
        owner.is_none() && selector(set).is_some_and(|it| it.matches(&pod.metadata.labels))
    };
    let sets = world.in_namespace::<StatefulSet>(namespace);
    keys(sets.filter(|set| identity::is_named_after(set, &pod.metadata.name) || adopts(set)))
}

/// The set's pods, those that it adopts included.
fn members<'a>(set: &StatefulSet, selector: &Selector, world: &'a World) -> Claimed<'a, Pod> {
    let namespace = &set.metadata.namespace;
    let owned = world.owned_by::<Pod>(&set.metadata.uid).filter(|pod| pod.metadata.namespace == *namespace);
    let picks = |pod: &Pod| {
        selector.matches(&pod.metadata.labels) && identity::is_named_after(set, &pod.metadata.name)
    };
    claim_picked(set, KIND, |pod, _| picks(pod), &[], owned.chain(world.orphans(namespace, selector)))
}

/// Deletes the revisions that neither the set nor a pod of its has any more, beyond as many as are kept.
fn truncation(
    set: &StatefulSet,
    sorted: &[&ControllerRevision],
    revisions: &Revisions,
    pods: &[&Pod],
) -> Vec<client::reconcile::Write> {
    let is_live = |revision: &ControllerRevision| {
        let name = revision.metadata.name.as_str();
        let of_set = [&revisions.current, &revisions.update].into_iter().any(|own| own.metadata.name == name);
        of_set || pods.iter().any(|pod| identity::revision(pod) == name)
    };
    history::truncated(sorted, set.spec.revision_history_limit.unwrap_or(0), is_live).collect()
}

/// What becomes of a strategy behind a gate that is off: such a set was written when it was on.
fn refused(set: &StatefulSet, mut plan: Plan) -> Plan {
    let own = &set.metadata;
    let why = format!(
        "statefulset {}/{} uses Recreate strategy but feature gate StatefulSetRecreateStrategy is disabled",
        own.namespace, own.name
    );
    plan.events.push(Note::warning(set, "UnknownStrategy", why.clone()));
    plan.failure = Some(Status::internal_error(why));
    plan
}
