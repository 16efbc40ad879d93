//! Room that preemption made for one pod is not to be taken by another of the same or lower priority.
//!
//! A node must also do if the pods nominated to it were there.

use crate::checks::Checks;
use crate::cluster::Cluster;
use crate::cluster::cohort::CohortId;
use crate::cluster::node::NodeIx;
use crate::cluster::peers::PeersKey;
use crate::cluster::pod::{Pod, PodId};
use crate::filters::node_resources_fit::{Room, shift};
use crate::reason::{Plugin, Reason};
use crate::shape::Shape;
use crate::verdicts::Verdict;
use scheduler_filters::node_ports;

/// The pods that are nominated to a node before which a pod has to give way.
fn others(cluster: &Cluster, id: PodId, node: NodeIx) -> Vec<&Pod> {
    let Some(nominated) = cluster.nominated.get(&node) else { return Vec::new() };
    let priority = cluster.pods[id].priority;
    let others = nominated.iter().filter(|other| **other != id).map(|other| &cluster.pods[*other]);
    others.filter(|other| other.priority >= priority).collect()
}

/// Why a node would not do beside the pods that are nominated to it, if so.
pub(crate) fn reject(
    cluster: &Cluster,
    id: PodId,
    shape: &Shape,
    checks: &Checks<'_>,
    node: NodeIx,
) -> Option<Reason> {
    let mut reasons = Vec::new();
    crowd(cluster, id, shape, node, Verdict::Fits, &mut reasons);
    let by_place = || by_place(cluster, id, shape, checks, node);
    reasons.into_iter().next().or_else(by_place)
}

/// What of ports and resources there is not enough of beside them; where the node's own ports are in the way, resources are not
/// looked at.
pub(crate) fn crowd(
    cluster: &Cluster,
    id: PodId,
    shape: &Shape,
    node: NodeIx,
    verdict: Verdict,
    reasons: &mut Vec<Reason>,
) {
    let others = others(cluster, id, node);
    if others.is_empty() {
        return;
    }
    let profile = cluster.profiles.of(shape.profile);
    let ports = others.iter().find_map(|other| ports(shape, other));
    if let Some(ports) = ports.filter(|_| profile.filters(Plugin::NodePorts)) {
        reasons.push(ports);
    } else if profile.filters(Plugin::NodeResourcesFit) && verdict != Verdict::Ports {
        let room = cluster.nodes.room(node);
        let (mut requested, mut extended) = (*room.requested, room.extended.to_vec());
        for other in others {
            shift(&mut requested, &mut extended, &other.demand, 1);
        }
        Room { requested: &requested, extended: &extended, ..room }.lacks(shape.needed(), reasons);
    }
}

/// Whether they would be too many in the node's domains, or whom they repel.
pub(crate) fn by_place(
    cluster: &Cluster,
    id: PodId,
    shape: &Shape,
    checks: &Checks<'_>,
    node: NodeIx,
) -> Option<Reason> {
    let (others, pod) = (others(cluster, id, node), &cluster.pods[id]);
    let repels = cluster.profiles.of(shape.profile).filters(Plugin::InterPodAffinity) && checks.terms.apply();
    let terms = || others.iter().find_map(|other| terms(cluster, pod, other, node));
    spread(cluster, pod, checks, &others, node).or_else(|| repels.then(terms).flatten())
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
    let peers = &cluster.peers[pod.peers?];
    let tallies = &peers.item.seek.as_ref()?.hard;
    for ((spread, (_, tally)), constraint) in peers.key.hard.iter().zip(tallies).zip(&checks.spread) {
        let tally = &cluster.tallies[*tally];
        let Some(matcher) = spread.selected() else { continue };
        if tally.key.gate.is_some_and(|gate| !cluster.gates[gate].item.is_open(node)) {
            continue;
        }
        let counted = |other: &&&Pod| cluster.is_match(&matcher, &cluster.cohorts[other.cohort].key);
        let more = others.iter().filter(counted).count() as u32;
        let domain = constraint.lens.domain(node);
        let there = i64::from(constraint.lens.count(domain) + more);
        let raised = i64::from(tally.item.raised(domain, more, spread.min_domains));
        if more > 0 && there > constraint.at_most + raised {
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
