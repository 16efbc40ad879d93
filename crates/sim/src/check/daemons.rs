//! A DaemonSet has one pod on each node that it is for: it never makes a second one of a revision, none beside another unless it surges, and
//! none for a node that it is not for; and a rollout leaves as many nodes served as it promises.
//!
//! As with Deployments, what was so a moment ago may not have been seen to have changed: any moment of the last while counts.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api_meta::owners::controller_of;
use api_record::scalar::IntOrString;
use api_types::apps::v1::DaemonSet;
use api_types::core::v1::{Namespace, Node, Pod, Taint};
use base::time::Time;

use super::Check;
use super::bounds::lately;
use super::pods::{is_active, is_of, is_over, is_ready};
use crate::history::{Change, History};
use crate::profile::Profile;
use crate::world::resources::{DAEMON_SETS, NODES};

/// The label of a pod's revision.
const HASH: &str = "controller-revision-hash";
/// The taints by which Kubernetes says how a node is, which all daemons tolerate.
const CONDITIONS: &str = "node.kubernetes.io/";

/// The node that a pod is on, or that it was made for.
pub(super) fn node_of(pod: &Pod) -> Option<&str> {
    if !pod.spec.node_name.is_empty() {
        return Some(&pod.spec.node_name);
    }
    let affinity = pod.spec.affinity.as_ref()?.node_affinity.as_ref()?;
    let required = affinity.required_during_scheduling_ignored_during_execution.as_ref()?;
    let term = required.node_selector_terms.iter().next()?;
    term.match_fields.first()?.values.first().map(String::as_str)
}

/// Whether a node is to have a pod of a set. Known here is what this world's users ask for: labels, and taints that are
/// tolerated by their key.
pub(super) fn is_for(set: &DaemonSet, node: &Node) -> bool {
    let spec = &set.spec.template.spec;
    let tolerated = |taint: &Taint| {
        taint.key.starts_with(CONDITIONS) || spec.tolerations.iter().any(|it| it.key == taint.key)
    };
    let mut selected = spec.node_selector.iter();
    selected.all(|(key, value)| node.metadata.labels.get(key) == Some(value))
        && node.spec.taints.iter().all(tolerated)
}

/// How many nodes may have two pods, and how many may have none that is available, of so many. As upstream's `updatedDesiredNodeCounts`,
/// written anew.
fn limits(set: &DaemonSet, nodes: i32) -> (i32, i32) {
    let strategy = &set.spec.update_strategy;
    let rolling = strategy.rolling_update.as_deref().filter(|_| strategy.type_ == "RollingUpdate");
    let scaled =
        |limit: Option<&IntOrString>| limit.and_then(|limit| limit.scaled(nodes, true).ok()).unwrap_or(0);
    let surge = scaled(rolling.and_then(|limits| limits.max_surge.as_ref()));
    let unavailable = scaled(rolling.and_then(|limits| limits.max_unavailable.as_ref()));
    (surge, if surge == 0 && unavailable == 0 { 1 } else { unavailable })
}

/// One pod a node.
pub struct Placement {
    lag: Duration,
}

impl Placement {
    /// In worlds of a profile.
    pub fn new(profile: &Profile) -> Placement {
        Placement { lag: profile.longest_lag() }
    }
}

impl Check for Placement {
    fn name(&self) -> &'static str {
        "daemons"
    }

    fn changed(&mut self, history: &History, change: &Change) -> Result<(), String> {
        let Some(pod) = change.after::<Pod>().filter(|_| change.before.is_none()) else { return Ok(()) };
        let owner = controller_of(&pod.metadata).filter(|owner| owner.kind == "DaemonSet");
        let Some(owner) = owner else { return Ok(()) };
        let Some(name) = node_of(pod) else { return Err("the pod is for no node".into()) };
        let sets: Vec<&DaemonSet> =
            lately(history.of(&DAEMON_SETS), &owner.uid, change.at, self.lag).collect();
        let node = history.get::<Node>("", name).ok_or_else(|| format!("{name} is not there"))?;
        let mut nodes = lately::<Node>(history.of(&NODES), &node.metadata.uid, change.at, self.lag);
        if !nodes.any(|node| sets.iter().any(|set| is_for(set, node))) {
            return Err(format!("{} was never for {name}", owner.name));
        }
        let others = history.all::<Pod>().filter(|other| {
            other.metadata.uid != pod.metadata.uid
                && is_of(other, &owner.uid)
                && node_of(other) == Some(name)
                && !is_over(other)
        });
        let others: Vec<&Pod> = others.collect();
        let active: Vec<&Pod> = others.iter().copied().filter(|pod| is_active(pod)).collect();
        let hash = |pod: &Pod| pod.metadata.labels.get(HASH).cloned();
        if let Some(other) = active.iter().find(|other| hash(other) == hash(pod)) {
            return Err(format!("{name} has {} of the same revision", other.metadata.name));
        }
        let surges = sets.iter().any(|set| limits(set, 1).0 > 0);
        match if surges { active.get(1) } else { others.first() } {
            Some(other) => Err(format!("{name} still has {}", other.metadata.name)),
            None => Ok(()),
        }
    }
}

/// Not too few.
pub struct Availability {
    lag: Duration,
    off: bool,
    /// The sets that served all their nodes once, with how many pods went since that nobody had said were available.
    complete: BTreeMap<String, i32>,
}

impl Availability {
    /// In worlds of a profile.
    pub fn new(profile: &Profile) -> Availability {
        Availability { lag: profile.longest_lag(), off: profile.disturbs_pods(), complete: BTreeMap::new() }
    }

    /// Whether labels and taints of all nodes have been what they are for a while.
    fn nodes_are_steady(&self, history: &History, at: Time) -> bool {
        history.all::<Node>().all(|node| {
            let mut earlier = lately::<Node>(history.of(&NODES), &node.metadata.uid, at, self.lag);
            earlier
                .all(|was| was.metadata.labels == node.metadata.labels && was.spec.taints == node.spec.taints)
        })
    }
}

/// The nodes that a set serves.
fn served<'a>(history: &'a History, uid: &str) -> BTreeSet<&'a str> {
    let own = history.all::<Pod>().filter(|pod| is_ready(pod) && is_of(pod, uid));
    own.filter_map(node_of).collect()
}

impl Check for Availability {
    fn name(&self) -> &'static str {
        "daemons' availability"
    }

    fn changed(&mut self, history: &History, change: &Change) -> Result<(), String> {
        if self.off || change.after::<Pod>().or(change.before::<Pod>()).is_none() {
            return Ok(());
        }
        let gone = change.before::<Pod>().filter(|pod| is_ready(pod));
        let gone = gone.filter(|_| !change.after::<Pod>().is_some_and(is_ready));
        for set in history.all::<DaemonSet>() {
            let uid = &set.metadata.uid;
            let count = |number: usize| i32::try_from(number).unwrap_or(i32::MAX);
            let available = count(served(history, uid).len());
            // As of Deployments: one that has become available since the set was last said to be so was promised by nobody.
            if gone.is_some_and(|pod| is_of(pod, uid))
                && available + 1 > set.status.number_available
                && let Some(lost) = self.complete.get_mut(uid)
            {
                *lost += 1;
            }
            let desired = count(history.all::<Node>().filter(|node| is_for(set, node)).count());
            let shape = |set: &DaemonSet| {
                let spec = &set.spec.template.spec;
                (limits(set, desired), spec.node_selector.clone(), set.spec.update_strategy.type_.clone())
            };
            let mut lately = lately::<DaemonSet>(history.of(&DAEMON_SETS), uid, change.at, self.lag);
            let steady =
                lately.all(|was| shape(was) == shape(set)) && self.nodes_are_steady(history, change.at);
            if !steady {
                self.complete.remove(uid);
            } else if available >= desired {
                self.complete.insert(uid.clone(), 0);
            }
            let space = history.get::<Namespace>("", &set.metadata.namespace);
            let going = set.metadata.deletion_timestamp.is_some()
                || space.is_none_or(|space| space.metadata.deletion_timestamp.is_some());
            let Some(lost) = self.complete.get(uid).filter(|_| !going) else { continue };
            let least = desired - limits(set, desired).1.min(desired) - lost;
            if available < least {
                let name = &set.metadata.name;
                return Err(format!("{name} serves {available} nodes, and {least} at least are promised"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
