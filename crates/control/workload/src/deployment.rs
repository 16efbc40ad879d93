//! Deployments: a ReplicaSet for each template, and the way from one to the next.
//!
//! Upstream: `pkg/controller/deployment`. A [`Rollout`] is a working copy that upstream's steps change in upstream's order;
//! what differs from the world in the end is what is written, once for each object.

mod limits;
mod progress;
mod rollout;
mod scale;
mod sets;
mod status;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use api_meta::gvk::GroupVersionKind;
use api_meta::labels::Selector;
use api_meta::{conditions, owners};
use api_types::apps::v1::{Deployment, DeploymentCondition, ReplicaSet};
use api_types::core::v1::Pod;
use base::time::Time;
use client::reconcile::{Controller, Name, Note, Plan, Wires, World, Write, name};

use control_base::claim::claim;

pub use limits::Bounds;
pub use sets::split;

const KIND: GroupVersionKind<'static> = GroupVersionKind { group: "apps", version: "v1", kind: "Deployment" };

/// The controller of Deployments.
pub struct Deployments;

impl Controller for Deployments {
    const NAME: &'static str = "deployment-controller";
    type Key = Name;

    fn wire(&self, wires: &mut Wires<Name>) {
        wires.primary::<Deployment>();
        wires.owned::<ReplicaSet>(KIND.group, KIND.kind, |set, world| {
            let all = world.in_namespace::<Deployment>(&set.metadata.namespace);
            let picking = all.filter(|deployment| {
                selector(deployment).is_some_and(|it| !it.is_everything() && it.matches(&set.metadata.labels))
            });
            picking
                .map(|deployment| name(&deployment.metadata.namespace, &deployment.metadata.name))
                .collect()
        });
        // Recreate waits for the last old pod to be gone.
        wires.maps::<Pod>(|pod, world| {
            let namespace = &pod.metadata.namespace;
            let set = owners::controller_of(&pod.metadata)
                .filter(|owner| owner.kind == "ReplicaSet")
                .and_then(|owner| world.get::<ReplicaSet>(namespace, &owner.name));
            let owner = set.and_then(|set| owners::controller_of(&set.metadata));
            let deployment = owner.and_then(|owner| world.get::<Deployment>(namespace, &owner.name));
            let recreated = deployment.filter(|deployment| deployment.spec.strategy.type_ == "Recreate");
            recreated.map(|deployment| name(namespace, &deployment.metadata.name)).into_iter().collect()
        });
    }

    fn plan(&self, (namespace, name): &Name, world: &World, now: Time) -> Plan {
        let Some(deployment) = world.get::<Deployment>(namespace, name) else { return Plan::default() };
        let Some(selector) = selector(deployment) else { return Plan::default() };
        if selector.is_everything() {
            return selecting_all(deployment);
        }
        let candidates = world
            .owned_by::<ReplicaSet>(&deployment.metadata.uid)
            .filter(|set| set.metadata.namespace == *namespace)
            .chain(world.orphans(namespace, &selector));
        let claimed = claim(deployment, KIND, &selector, candidates);
        let mut rollout = Rollout::new(deployment, &claimed.objects, world, now);
        rollout.advance();
        let mut plan = rollout.into_plan(deployment, &claimed.objects);
        if !claimed.writes.is_empty() {
            plan.stages.insert(0, claimed.writes);
        }
        plan
    }
}

fn selector(deployment: &Deployment) -> Option<Selector> {
    Selector::from_api(deployment.spec.selector.as_deref()).ok()
}

fn selecting_all(deployment: &Deployment) -> Plan {
    let mut plan = Plan::default();
    let why = "This deployment is selecting all pods. A non-empty selector is required.";
    plan.events.push(Note::warning(deployment, "SelectingAll", why));
    if deployment.status.observed_generation < deployment.metadata.generation {
        let mut deployment = deployment.clone();
        deployment.status.observed_generation = deployment.metadata.generation;
        plan.stage([Write::status(deployment)]);
    }
    plan
}

/// A deployment and its sets as they are to be.
struct Rollout<'a> {
    deployment: Deployment,
    /// The set of the deployment's template.
    new: Option<ReplicaSet>,
    /// The other sets.
    old: Vec<ReplicaSet>,
    /// Whether `new` does not exist yet.
    creates: bool,
    doomed: Vec<ReplicaSet>,
    /// What to tell of a set's new size, by its name.
    scaled: BTreeMap<String, Note>,
    again: Option<std::time::Duration>,
    world: &'a World,
    now: Time,
}

impl<'a> Rollout<'a> {
    fn new(deployment: &Deployment, sets: &[&ReplicaSet], world: &'a World, now: Time) -> Rollout<'a> {
        let (new, old) = sets::split(deployment, sets);
        Rollout {
            deployment: deployment.clone(),
            new,
            old,
            creates: false,
            doomed: Vec::new(),
            scaled: BTreeMap::new(),
            again: None,
            world,
            now,
        }
    }

    /// Takes the next step, as upstream's `syncDeployment`.
    fn advance(&mut self) {
        if self.deployment.metadata.deletion_timestamp.is_some() {
            self.sync_revision();
            return self.sync_status();
        }
        self.note_pause();
        if self.deployment.spec.paused {
            return self.sync_size();
        }
        self.sync_revision();
        let recreates = self.deployment.spec.strategy.type_ == "Recreate";
        // Several sets that have pods are not scaled in proportion where the old ones have to go first. Upstream takes no step at all then, for ever.
        let is_between = recreates && self.sets().filter(|set| size(set) > 0).count() > 1;
        if self.is_scaling_event() && !is_between {
            return self.sync_size();
        }
        if recreates { self.roll_recreate() } else { self.roll_gradually() }
    }

    fn sync_size(&mut self) {
        self.sync_revision();
        self.scale();
        if self.deployment.spec.paused {
            self.clean_up();
        }
        self.sync_status();
    }

    /// All sets, the old ones first, as upstream has them.
    fn sets(&self) -> impl Iterator<Item = &ReplicaSet> {
        self.old.iter().chain(&self.new)
    }

    fn set_condition(&mut self, type_: &str, status: &str, reason: &str, message: String) {
        let new = condition(type_, status, reason, message, self.now);
        conditions::set_unless_same_reason(&mut self.deployment.status.conditions, new, self.now.into());
    }

    fn progressing(&self) -> Option<&DeploymentCondition> {
        conditions::find(&self.deployment.status.conditions, progress::PROGRESSING)
    }

    /// The writes that make the world what this is.
    fn into_plan(self, deployment: &Deployment, sets: &[&ReplicaSet]) -> Plan {
        let mut plan = Plan { again: self.again, ..Plan::default() };
        let status = || (self.deployment != *deployment).then(|| Write::status(self.deployment.clone()));
        // What failed is reported before it is tried again, or the report would never be reached.
        let failed = progress::failed_create(self.world).is_some();
        if failed {
            plan.stage(status());
        }
        if let Some(new) = self.new.as_ref().filter(|_| self.creates) {
            plan.stage([self.creation(new)]);
        }
        let changed = self.sets().filter(|set| {
            let before = sets.iter().find(|before| before.metadata.uid == set.metadata.uid);
            before.is_some_and(|before| *before != *set)
        });
        plan.stage(changed.map(|set| {
            let done = self.scaled.get(&set.metadata.name).cloned();
            Write::update(set.clone()).telling(done, None)
        }));
        plan.stage(self.doomed.iter().map(Write::delete));
        if !failed {
            plan.stage(status());
        }
        plan
    }
}

fn condition(type_: &str, status: &str, reason: &str, message: String, now: Time) -> DeploymentCondition {
    DeploymentCondition {
        type_: type_.to_owned(),
        status: status.to_owned(),
        last_update_time: Some(now.into()),
        last_transition_time: None,
        reason: reason.to_owned(),
        message,
    }
}

/// How many pods a deployment wants.
fn wanted(deployment: &Deployment) -> i32 {
    deployment.spec.replicas.unwrap_or(1)
}

/// How many pods a set is to have.
fn size(set: &ReplicaSet) -> i32 {
    set.spec.replicas.unwrap_or(1)
}
