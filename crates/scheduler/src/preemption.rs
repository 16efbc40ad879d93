//! Preemption: whether evicting pods of lower priority would make room, and which.
//!
//! Upstream's `DefaultPreemption`: of the nodes that eviction could help on, some are tried
//! from a random one on. On each, all pods of lower priority are taken off; if the pod fits then, they are put back one by
//! one, first those that disruption budgets protect, the most important first, as long as it still fits. The best node has
//! the least important victims.

pub(crate) mod budgets;
mod room;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use self::budgets::Budgets;
use base::time::Time;

use crate::checks::Checks;
use crate::cluster::Cluster;
use crate::cluster::node::NodeIx;
use crate::cluster::pod::{Place, PodId};
use crate::cycle::{checks, rejections};
use crate::diagnosis::{Diagnosis, histogram};
use crate::random::Dice;
use crate::reason::{Plugin, Reason};
use crate::shape::Shape;
use crate::verdicts::Verdicts;

const NOT_HELPFUL: &str = "Preemption is not helpful for scheduling";
const NO_VICTIMS: &str = "No preemption victims found for incoming pod";

/// What came of preemption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Preemption {
    /// The pod may not preempt; its nomination stays.
    Ineligible(String),
    /// No node would do; its nomination ends.
    Nothing(String),
    /// Pods of one of these nodes go; there is at least one.
    Candidates(Vec<Candidate>),
}

/// Looks for pods to evict for a pod that no node suits.
pub(crate) fn preempt(
    cluster: &mut Cluster,
    verdicts: &Verdicts,
    budgets: &Budgets,
    id: PodId,
    diagnosis: &Diagnosis,
    dice: &mut Dice,
) -> Preemption {
    let nodes = diagnosis.nodes;
    let unhelpful = |failed: &[Vec<String>]| {
        let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
        for reason in failed.iter().flatten() {
            *reasons.entry(reason.clone()).or_insert(0) += 1;
        }
        let rest = nodes.saturating_sub(failed.len());
        if rest > 0 {
            reasons.insert(NOT_HELPFUL.to_owned(), rest);
        }
        Preemption::Nothing(format!("0/{nodes} nodes are available:{}", histogram(&reasons)))
    };
    let pod = &cluster.pods[id];
    let Some(shape) = pod.pending.as_ref().map(|pending| pending.shape) else {
        return unhelpful(&[]);
    };
    let Some(share) = cluster.profiles.of(verdicts.shape(shape).profile).preemption else {
        return Preemption::Ineligible(String::new());
    };
    if !pod.may_preempt {
        return Preemption::Ineligible("not eligible due to preemptionPolicy=Never.".to_owned());
    }
    if waits_for_victims(cluster, id, diagnosis) {
        return Preemption::Ineligible(
            "not eligible due to a terminating pod on the nominated node.".to_owned(),
        );
    }
    if diagnosis.refusal.is_some() || diagnosis.resolvable.is_empty() {
        return unhelpful(&[]);
    }
    let potential = diagnosis.resolvable.len();
    let wanted = (potential * share.percentage / 100).max(share.absolute).min(potential);
    let start = dice.below(potential);
    let (candidates, failed) =
        candidates(cluster, verdicts.shape(shape), budgets, id, diagnosis, start, wanted);
    if candidates.is_empty() { unhelpful(&failed) } else { Preemption::Candidates(candidates) }
}

/// Tries the nodes that eviction could help on, from one of them on, until enough would do; with the reasons against each of the others.
pub(crate) fn candidates(
    cluster: &mut Cluster,
    shape: &Shape,
    budgets: &Budgets,
    id: PodId,
    diagnosis: &Diagnosis,
    start: usize,
    wanted: usize,
) -> (Vec<Candidate>, Vec<Vec<String>>) {
    let (before, after) = diagnosis.resolvable.split_at(start);
    let (mut candidates, mut failed) = (Vec::<Candidate>::new(), Vec::new());
    let plain = is_plain(cluster, shape, id);
    for node in after.iter().chain(before) {
        match candidate(cluster, shape, budgets, id, *node, plain) {
            Ok(candidate) => candidates.push(candidate),
            Err(reasons) => failed.push(reasons),
        }
        if candidates.len() >= wanted && candidates.iter().any(|candidate| candidate.violations == 0) {
            break;
        }
    }
    (candidates, failed)
}

/// A node that would do, and at what cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) node: NodeIx,
    /// The most important first.
    pub(crate) victims: Vec<PodId>,
    /// Evictions that go against disruption budgets.
    pub(crate) violations: usize,
}

impl Candidate {
    /// In this order: the fewest violations, the lowest highest priority, the lowest sum of priorities, the fewest victims,
    /// the latest start of the most important ones; among equals the first is taken.
    pub(crate) fn loss(&self, cluster: &Cluster) -> (usize, i32, i64, usize, Reverse<Time>) {
        let priorities = || self.victims.iter().map(|victim| cluster.pods[*victim].priority);
        let highest = priorities().max().unwrap_or(i32::MIN);
        // Upstream shifts priorities so that many negative ones do not weigh less than few.
        let sum = priorities().map(|priority| i64::from(priority) + i64::from(i32::MAX) + 1).sum();
        let important = self.victims.iter().filter(|victim| cluster.pods[**victim].priority == highest);
        let earliest = important.map(|victim| cluster.pods[*victim].since).min().unwrap_or_default();
        (self.violations, highest, sum, self.victims.len(), Reverse(earliest))
    }
}

fn candidate(
    cluster: &mut Cluster,
    shape: &Shape,
    budgets: &Budgets,
    id: PodId,
    node: NodeIx,
    plain: bool,
) -> Result<Candidate, Vec<String>> {
    let mut lower = lower_on(cluster, id, node);
    if lower.is_empty() {
        return Err(vec![NO_VICTIMS.to_owned()]);
    }
    // Those that a budget protects get the first chance to stay.
    let violating = budgets.violated_by(cluster, &lower);
    lower.sort_by_key(|other| !violating.contains(other));
    let mut victims = if plain && !cluster.nominated.contains_key(&node) {
        room::victims(cluster, shape, node, &lower)?
    } else {
        victims(cluster, shape, id, node, &lower)?
    };
    victims.sort_by_key(|victim| importance(cluster, *victim));
    let violations = victims.iter().filter(|victim| violating.contains(victim)).count();
    Ok(Candidate { node, victims, violations })
}

/// Orders pods, the most important first.
fn importance(cluster: &Cluster, id: PodId) -> (Reverse<i32>, Time, PodId) {
    (Reverse(cluster.pods[id].priority), cluster.pods[id].since, id)
}

/// Whether pods that were preempted for it are still on their way out, and their going could help.
fn waits_for_victims(cluster: &Cluster, id: PodId, diagnosis: &Diagnosis) -> bool {
    let pod = &cluster.pods[id];
    let Some(node) = pod.nominated.filter(|node| diagnosis.resolvable.contains(node)) else { return false };
    let leaving = |other: &&PodId| {
        let other = &cluster.pods[**other];
        other.preempted && other.priority < pod.priority
    };
    cluster.nodes.pods[node.index()].iter().any(|other| leaving(&other))
}

/// Whether nothing but resources is at stake, so that nothing has to be moved to find out.
fn is_plain(cluster: &Cluster, shape: &Shape, id: PodId) -> bool {
    let pod = &cluster.pods[id];
    let profile = cluster.profiles.of(shape.profile);
    profile.filters(Plugin::NodeResourcesFit)
        && pod.claims.is_none()
        && pod.devices.is_none()
        && shape.ports.is_empty()
        && Checks::of(cluster, profile, pod.cohort, pod.peers).is_free()
}

/// The pods of lower priority on a node, the most important first.
fn lower_on(cluster: &Cluster, id: PodId, node: NodeIx) -> Vec<PodId> {
    let priority = cluster.pods[id].priority;
    let lower = |other: &PodId| cluster.pods[*other].priority < priority;
    let mut lower: Vec<PodId> = cluster.nodes.pods[node.index()].iter().copied().filter(lower).collect();
    lower.sort_by_key(|other| importance(cluster, *other));
    lower
}

/// The pods of `lower` that would have to go from a node; or what is in the way even without all of them.
fn victims(
    cluster: &mut Cluster,
    shape: &Shape,
    id: PodId,
    node: NodeIx,
    lower: &[PodId],
) -> Result<Vec<PodId>, Vec<String>> {
    let (stamp, epoch) = (cluster.nodes.stamp[node.index()], cluster.epoch);
    let places: Vec<Place> = lower.iter().map(|other| cluster.pods[*other].place).collect();
    for other in lower {
        cluster.displace(*other);
    }
    let mut found = fits(cluster, id, shape, node).map(|()| Vec::new());
    for (other, place) in lower.iter().zip(places) {
        cluster.place(*other, place);
        if let Ok(victims) = &mut found
            && fits(cluster, id, shape, node).is_err()
        {
            cluster.displace(*other);
            victims.push((*other, place));
        }
    }
    for (other, place) in found.iter().flatten() {
        cluster.place(*other, *place);
    }
    // Everything is as it was, so what was judged before still holds.
    cluster.nodes.stamp[node.index()] = stamp;
    cluster.epoch = epoch;
    found.map(|victims| victims.into_iter().map(|(other, _)| other).collect())
}

fn fits(cluster: &Cluster, id: PodId, shape: &Shape, node: NodeIx) -> Result<(), Vec<String>> {
    let profile = cluster.profiles.of(shape.profile);
    let checks = checks(cluster, profile, id).map_err(|refusal| vec![refusal.to_string()])?;
    let mut reasons = Vec::new();
    rejections(cluster, id, shape, &checks, node, &mut reasons);
    if reasons.is_empty() { Ok(()) } else { Err(reasons.iter().map(Reason::to_string).collect()) }
}
