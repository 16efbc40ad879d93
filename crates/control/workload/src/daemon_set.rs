//! DaemonSets: a pod of a template on each node that suits it.
//!
//! Upstream: `pkg/controller/daemon`. Pods are made for a node and bound to it by the scheduler. A [`Fleet`] is what a plan looks
//! at; first each node gets or loses what it must ([`nodes`]), and only where nothing is amiss a new template is rolled out
//! ([`rollout`]). How often pods failed on a node is the one thing that is remembered ([`back_off`]).

mod back_off;
mod nodes;
mod placement;
mod pods;
mod revisions;
mod rollout;
mod status;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use api_meta::gvk::GroupVersionKind;
use api_meta::labels::Selector;
use api_meta::owners;
use api_types::apps::v1::{ControllerRevision, DaemonSet};
use api_types::core::v1::{Node, Pod};
use api_types::meta::v1::{LabelSelector, ObjectMeta};
use base::time::Time;
use client::reconcile::{Controller, Name, Note, Plan, Wires, World, Write, name};

use back_off::BackOff;
use control_base::claim::claim;
use control_base::pod;
use placement::{Fit, Placement};
use revisions::Revisions;

const KIND: GroupVersionKind<'static> = GroupVersionKind { group: "apps", version: "v1", kind: "DaemonSet" };

/// How many pods are made or deleted at once (`BurstReplicas`).
const BURST: usize = 250;

/// The controller of DaemonSets.
#[derive(Default)]
pub struct DaemonSets {
    back_off: Mutex<BackOff>,
}

impl Controller for DaemonSets {
    const NAME: &'static str = "daemon-set-controller";
    const SOURCE: &'static str = "daemonset-controller";
    type Key = Name;

    fn wire(&self, wires: &mut Wires<Name>) {
        wires.primary::<DaemonSet>();
        wires.owned::<Pod>(KIND.group, KIND.kind, |pod, world| picking(&pod.metadata, world));
        wires.maps::<ControllerRevision>(|revision, world| concerned(&revision.metadata, world));
        // What a node says of itself from time to time is no news to a set: only where pods may be is.
        wires.maps_changed::<Node>(
            |old, new| old.metadata.labels != new.metadata.labels || old.spec.taints != new.spec.taints,
            |node, world| {
                let sets = world.all::<DaemonSet>();
                let concerned = sets.filter(|set| Placement::of(&set.spec.template).on(node).stays);
                concerned.map(|set| name(&set.metadata.namespace, &set.metadata.name)).collect()
            },
        );
    }

    fn plan(&self, (namespace, name): &Name, world: &World, now: Time) -> Plan {
        let mut plan = Plan::default();
        let Some(set) = world.get::<DaemonSet>(namespace, name) else { return plan };
        if set.spec.selector.as_deref().is_some_and(is_empty) {
            let why = "This daemon set is selecting all pods. A non-empty selector is required.";
            plan.events.push(Note::warning(set, "SelectingAll", why));
            return plan;
        }
        let Some(selector) = selector(set) else { return plan };
        // Its pods may have lost the revisions that they are counted by.
        if set.metadata.deletion_timestamp.is_some() {
            return plan;
        }
        let in_namespace = |meta: &ObjectMeta| meta.namespace == *namespace;
        let uid = &set.metadata.uid;
        let revisions = world
            .owned_by::<ControllerRevision>(uid)
            .filter(|revision| in_namespace(&revision.metadata))
            .chain(world.orphans(namespace, &selector));
        let revisions = claim(set, KIND, &selector, revisions);
        let pods = world
            .owned_by::<Pod>(uid)
            .filter(|pod| in_namespace(&pod.metadata))
            .chain(world.orphans(namespace, &selector));
        let pods = claim(set, KIND, &selector, pods);
        plan.stage(revisions.writes.into_iter().chain(pods.writes));

        let mut history = Revisions::new(set, &revisions.objects, world);
        let Some(hash) = history.current().map(|current| revisions::hash_of(current).to_owned()) else {
            plan.stage(history.collision(set));
            return plan;
        };
        let relabelled = history.relabelled(&pods.objects);
        let changing = !relabelled.is_empty();
        plan.stage(relabelled).stage(history.writes());
        // Their old labels would have them replaced.
        if changing {
            return plan;
        }
        let fleet = Fleet::new(set, &pods.objects, world, &hash, now);
        self.advance(&fleet, &mut plan, world);
        plan.stage(history.surplus(set, &pods.objects));
        plan
    }
}

impl DaemonSets {
    /// What is to be done about pods and the status, together with what is worth telling.
    fn advance(&self, fleet: &Fleet<'_>, plan: &mut Plan, world: &World) {
        let mut wanted = {
            let mut back_off = self.back_off.lock().unwrap_or_else(PoisonError::into_inner);
            nodes::tend(fleet, &mut back_off)
        };
        plan.events.append(&mut wanted.notes);
        if wanted.is_nothing() && fleet.set.spec.update_strategy.type_ == "RollingUpdate" {
            match rollout::roll(fleet) {
                Ok(changes) => wanted = Changes { again: wanted.again, ..changes },
                Err(why) => plan.failure = Some(why),
            }
        }
        let status = status::write(fleet);
        // What failed is reported before it is tried again, or the report would never be reached.
        if world.failure().is_some() {
            plan.stage(status);
            wanted.carry_out(fleet, plan);
        } else {
            wanted.carry_out(fleet, plan);
            plan.stage(status);
        }
        let waits = wanted.again.into_iter().chain(fleet.next_available());
        if let Some(wait) = waits.min() {
            plan.again_in(wait);
        }
    }
}

fn selector(set: &DaemonSet) -> Option<Selector> {
    Selector::from_api(set.spec.selector.as_deref()).ok()
}

fn is_empty(selector: &LabelSelector) -> bool {
    selector.match_labels.is_empty() && selector.match_expressions.is_empty()
}

/// The sets that would adopt an object.
fn picking(meta: &ObjectMeta, world: &World) -> Vec<Name> {
    let sets = world.in_namespace::<DaemonSet>(&meta.namespace);
    let picking =
        sets.filter(|set| selector(set).is_some_and(|it| !it.is_everything() && it.matches(&meta.labels)));
    picking.map(|set| name(&set.metadata.namespace, &set.metadata.name)).collect()
}

/// The sets that a change of a revision is about. One that somebody made for a set is left as it is until something else happens:
/// upstream's own tests make doubles and expect to find them.
fn concerned(meta: &ObjectMeta, world: &World) -> Vec<Name> {
    let Some(owner) = owners::controller_of(meta) else { return picking(meta, world) };
    let own = owners::kind_of(owner).is_some_and(|kind| kind.group == KIND.group && kind.kind == KIND.kind);
    let now = world.get::<ControllerRevision>(&meta.namespace, &meta.name);
    let is_past = now.is_none_or(|now| now.metadata.resource_version != meta.resource_version);
    (own && is_past).then(|| name(&meta.namespace, &owner.name)).into_iter().collect()
}

/// A set, the nodes, and the set's pods by the nodes that they are on or meant for.
struct Fleet<'a> {
    set: &'a DaemonSet,
    nodes: BTreeMap<&'a str, Fit>,
    pods: BTreeMap<&'a str, Vec<&'a Pod>>,
    /// That of the set's current revision.
    hash: &'a str,
    now: Time,
}

impl<'a> Fleet<'a> {
    fn new(set: &'a DaemonSet, pods: &[&'a Pod], world: &'a World, hash: &'a str, now: Time) -> Fleet<'a> {
        let mut by_node: BTreeMap<&str, Vec<&Pod>> = BTreeMap::new();
        // What has ended and is being deleted is out of everybody's hands.
        let there = pods.iter().filter(|pod| !(pod::is_terminal(pod) && is_going(pod)));
        for pod in there {
            if let Some(node) = placement::node_of(pod) {
                by_node.entry(node).or_default().push(pod);
            }
        }
        for pods in by_node.values_mut() {
            pods.sort_by(|a, b| pods::by_age(a, b));
        }
        let placement = Placement::of(&set.spec.template);
        let nodes = world.all::<Node>().map(|node| (node.metadata.name.as_str(), placement.on(node)));
        Fleet { set, nodes: nodes.collect(), pods: by_node, hash, now }
    }

    /// The pods on a node, the oldest first; `None` if there are none, not even ones that are going.
    fn pods_on(&self, node: &str) -> Option<&[&'a Pod]> {
        self.pods.get(node).map(Vec::as_slice)
    }

    fn is_available(&self, pod: &Pod) -> bool {
        pod::is_available(pod, self.set.spec.min_ready_seconds, self.now)
    }

    fn is_updated(&self, pod: &Pod) -> bool {
        pods::is_updated(pod, self.hash, self.set)
    }

    /// How long until the next of the pods becomes available.
    fn next_available(&self) -> Option<std::time::Duration> {
        let seconds = self.set.spec.min_ready_seconds;
        let waits = self.pods.values().flatten().filter_map(|pod| pod::available_in(pod, seconds, self.now));
        waits.filter(|wait| !wait.is_zero()).min()
    }
}

fn is_going(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
}

/// What is to become of pods.
#[derive(Default)]
struct Changes<'a> {
    /// The nodes that get one.
    needy: Vec<&'a str>,
    doomed: Vec<&'a Pod>,
    notes: Vec<Note>,
    /// When to look again.
    again: Option<std::time::Duration>,
}

impl Changes<'_> {
    fn is_nothing(&self) -> bool {
        self.needy.is_empty() && self.doomed.is_empty()
    }

    /// Deletions come first: a node that cannot have its pod is no reason to keep another's.
    fn carry_out(&self, fleet: &Fleet<'_>, plan: &mut Plan) {
        let set = fleet.set;
        let doomed: Vec<Write> = self.doomed.iter().take(BURST).map(|pod| pod::deletion(set, pod)).collect();
        plan.stage(doomed);
        let needy = self.needy.iter().take(BURST);
        plan.stage(needy.map(|node| pod::creation(set, pods::new(set, fleet.hash, node))));
    }
}
