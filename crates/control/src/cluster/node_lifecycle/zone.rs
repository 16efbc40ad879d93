//! How fast pods may be taken off the nodes of a zone. A zone of which much is silent is more likely cut off than dead.
//!
//! Upstream keeps a queue and a limiter for each zone in memory. Here both are read off the nodes: when the last one was given its
//! taint is written on it, and the queue is those that wait, the one first that has been unready for longest. A
//! controller that starts again does not begin anew.

use std::collections::BTreeMap;
use std::time::Duration;

use api_meta::conditions::{self, TRUE};
use api_types::core::v1::{Node, Taint};
use base::time::Time;
use client::reconcile::World;

use super::{NOT_READY, UNREACHABLE, ready};

/// How long from one node to the next (`--node-eviction-rate`, 0.1 a second).
const INTERVAL: Duration = Duration::from_secs(10);
/// The same in a large zone that is partly disrupted (`--secondary-node-eviction-rate`, 0.01 a second).
const SLOW_INTERVAL: Duration = Duration::from_secs(100);
/// Zones of more nodes are large (`--large-cluster-size-threshold`): in others of which much is disrupted nothing is evicted.
const LARGE: usize = 50;
/// From this share of unready nodes on, in percent, a zone is partly disrupted (`--unhealthy-zone-threshold`, 0.55) ...
const DISRUPTED_PERCENT: usize = 55;
/// ... if there are more of them than this.
const FEW: usize = 2;

/// What is to become of the pods of unready nodes, all zones taken together.
#[derive(Default)]
pub(super) struct Evictions<'a> {
    /// Nodes whose turn has come: one of a zone at most.
    pub(super) begun: Vec<&'a Node>,
    /// Nodes whose pods are to stay after all.
    pub(super) ended: Vec<&'a Node>,
    /// When the next turn comes, if nothing changes.
    pub(super) again: Option<Duration>,
}

/// Whose turn it is.
pub(super) fn evictions(world: &World, now: Time) -> Evictions<'_> {
    let mut evictions = Evictions::default();
    let mut zones: BTreeMap<(&str, &str), Vec<&Node>> = BTreeMap::new();
    for node in world.all::<Node>() {
        zones.entry(key(node)).or_default().push(node);
    }
    let is_told = |node: &&&Node| node.spec.taints.iter().any(sends_away);
    if zones.values().flatten().all(|node| ready(node) != TRUE) {
        evictions.ended = zones.values().flatten().filter(is_told).copied().collect();
        return evictions;
    }
    for zone in zones.values() {
        let waiting = zone.iter().filter(|node| ready(node) != TRUE && !is_told(node));
        let Some(interval) = interval(zone) else { continue };
        let mut waiting: Vec<&Node> = waiting.copied().collect();
        waiting.sort_by_key(|node| order(node));
        let taints = zone.iter().flat_map(|node| &node.spec.taints);
        let last = taints.filter(|taint| sends_away(taint)).filter_map(|taint| taint.time_added).max();
        let wait = last.map_or(Duration::ZERO, |last| (Time::from(last) + interval).since(now));
        let next = match waiting.as_slice() {
            [] => continue,
            [first, others @ ..] if wait.is_zero() => {
                evictions.begun.push(first);
                (!others.is_empty()).then_some(interval)
            }
            _ => Some(wait),
        };
        evictions.again = evictions.again.into_iter().chain(next).min();
    }
    evictions
}

/// Whether a taint is one of those that this controller sends pods away with.
pub(super) fn sends_away(taint: &Taint) -> bool {
    taint.effect == "NoExecute" && (taint.key == NOT_READY || taint.key == UNREACHABLE)
}

/// What a node's zone is known by: its region and zone, the older labels first.
fn key(node: &Node) -> (&str, &str) {
    let label = |old: &str, new: &str| {
        let labels = &node.metadata.labels;
        labels.get(old).or_else(|| labels.get(new)).map_or("", String::as_str)
    };
    (
        label("failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"),
        label("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"),
    )
}

/// How long from one node of a zone to the next; `None` where none is evicted.
fn interval(zone: &[&Node]) -> Option<Duration> {
    let unready = zone.iter().filter(|node| ready(node) != TRUE).count();
    // A zone without any ready node is as good as gone, while others are there.
    let partly = unready < zone.len() && unready > FEW && unready * 100 >= zone.len() * DISRUPTED_PERCENT;
    if !partly {
        Some(INTERVAL)
    } else if zone.len() > LARGE {
        Some(SLOW_INTERVAL)
    } else {
        None
    }
}

fn order(node: &Node) -> (Option<Time>, &str) {
    let condition = conditions::find(&node.status.conditions, "Ready");
    (condition.and_then(|ready| ready.last_transition_time).map(Time::from), &node.metadata.name)
}
