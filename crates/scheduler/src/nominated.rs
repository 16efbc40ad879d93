//! Room that preemption made for one pod is not to be taken by another of the same or lower priority.
//!
//! A node must also do if the pods nominated to it were there. Of topology spread only the node's own domain is looked at:
//! were the nominated pod in the emptiest domain, upstream would allow one pod more.

use crate::checks::Checks;
use crate::cluster::Cluster;
use crate::cluster::cohort::CohortId;
use crate::cluster::node::NodeIx;
use crate::cluster::peers::PeersKey;
use crate::cluster::pod::{Pod, PodId};
use crate::filters::node_ports;
use crate::filters::node_resources_fit::{Room, shift};
use crate::reason::Reason;
use crate::shape::Shape;

/// Why a node would not do beside the pods that are nominated to it, if so.
pub(crate) fn reject(
    cluster: &Cluster,
    id: PodId,
    shape: &Shape,
    checks: &Checks<'_>,
    node: NodeIx,
) -> Option<Reason> {
    let nominated = cluster.nominated.get(&node)?;
    let pod = &cluster.pods[id];
    let others = nominated.iter().filter(|other| **other != id).map(|other| &cluster.pods[*other]);
    let others: Vec<&Pod> = others.filter(|other| other.priority >= pod.priority).collect();
    if others.is_empty() {
        return None;
    }
    room(cluster, shape, &others, node)
        .or_else(|| others.iter().find_map(|other| ports(shape, other)))
        .or_else(|| spread(cluster, pod, checks, &others, node))
        .or_else(|| others.iter().find_map(|other| terms(cluster, pod, other, node)))
}

fn room(cluster: &Cluster, shape: &Shape, others: &[&Pod], node: NodeIx) -> Option<Reason> {
    let room = cluster.nodes.room(node);
    let (mut requested, mut extended) = (*room.requested, room.extended.to_vec());
    for demand in others.iter().map(|other| &other.demand) {
        shift(&mut requested, &mut extended, demand, 1);
    }
    let mut reasons = Vec::new();
    Room { requested: &requested, extended: &extended, ..room }.lacks(&shape.demand, &mut reasons);
    reasons.into_iter().next()
}

fn ports(shape: &Shape, other: &Pod) -> Option<Reason> {
    (!node_ports::fits(&shape.ports, &*other.ports)).then_some(Reason::Ports)
}

fn spread(
    cluster: &Cluster,
    pod: &Pod,
    checks: &Checks<'_>,
    others: &[&Pod],
    node: NodeIx,
) -> Option<Reason> {
    let peers = &cluster.peers[pod.peers?].key;
    for (spread, constraint) in peers.hard.iter().zip(&checks.spread) {
        let Some(matcher) = spread.matcher() else { continue };
        let counted = |other: &&&Pod| cluster.is_match(&matcher, &cluster.cohorts[other.cohort].key);
        let more = others.iter().filter(counted).count() as i64;
        let there = i64::from(constraint.lens.count(constraint.lens.domain(node)));
        if more > 0 && there + more > constraint.at_most {
            return Some(Reason::Spread);
        }
    }
    None
}

fn terms(cluster: &Cluster, pod: &Pod, other: &Pod, node: NodeIx) -> Option<Reason> {
    let labels = &cluster.nodes.facts[node.index()].labels;
    let repels = |peers: &PeersKey, cohort: CohortId| {
        let cohort = &cluster.cohorts[cohort].key;
        peers.anti_affinity.iter().any(|(term, key)| {
            labels.contains_key(key)
                && term.matches(&cohort.namespace, cluster.namespace(&cohort.namespace), &cohort.labels)
        })
    };
    if pod.peers.is_some_and(|peers| repels(&cluster.peers[peers].key, other.cohort)) {
        return Some(Reason::AntiAffinity);
    }
    let rejected = other.peers.is_some_and(|peers| repels(&cluster.peers[peers].key, pod.cohort));
    rejected.then_some(Reason::ExistingAntiAffinity)
}
