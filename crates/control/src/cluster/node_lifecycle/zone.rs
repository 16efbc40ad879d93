//! How fast pods may be taken off the nodes of a zone. A zone of which much is silent is more likely cut off than dead.
//!
//! Upstream keeps a queue and a limiter for each zone in memory. Here both are read off the nodes: when the last one was given its
//! taint is written on it, and the queue is those that wait, the one first that has been unready for longest. A
//! controller that starts again does not begin anew.

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

/// When an unready node may be told to send its pods away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// At once.
    Now,
    /// After a while, if nothing changes.
    In(Duration),
    /// Not before something changes.
    Never,
}

/// When it is an unready node's turn.
pub(super) fn turn(node: &Node, world: &World, now: Time) -> Turn {
    if world.all::<Node>().all(|other| ready(other) != TRUE) {
        return Turn::Never;
    }
    if node.spec.taints.iter().any(sends_away) {
        return Turn::Now;
    }
    let own = key(node);
    let zone: Vec<&Node> = world.all::<Node>().filter(|other| key(other) == own).collect();
    let Some(interval) = interval(&zone) else { return Turn::Never };
    let waits = |other: &&&Node| ready(other) != TRUE && !other.spec.taints.iter().any(sends_away);
    let before = zone.iter().filter(waits).filter(|other| order(other) < order(node)).count();
    let taints = zone.iter().flat_map(|other| &other.spec.taints);
    let last = taints.filter(|taint| sends_away(taint)).filter_map(|taint| taint.time_added).max();
    let first = last.map_or(now, |last| now.max(Time::from(last) + interval));
    let wait = first.since(now) + interval * u32::try_from(before).unwrap_or(u32::MAX);
    if wait.is_zero() { Turn::Now } else { Turn::In(wait) }
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
