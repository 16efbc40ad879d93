//! Whether something that happened may help pods that failed: upstream's queueing hints, plugin by plugin.

use crate::cluster::cohort::CohortKey;
use crate::cluster::matcher::Term;
use crate::cluster::node::Facts;
use crate::cluster::peers::PeersKey;
use crate::demand::{Amounts, Demand};
use crate::devices::ClaimKey as DeviceClaimKey;
use crate::devices::claims::PodClaims;
use crate::filters::node_resources_fit::{Extended, Room};
use crate::reason::{Plugin, Plugins};
use crate::shape::{Labels, Shape};
use crate::volumes::ClaimKey;
use crate::volumes::claims::Claims;
use scheduler_filters::node_ports::{self, HostPort};
use scheduler_filters::{node_unschedulable, taint_toleration};

/// What happened.
pub(crate) enum Change<'a> {
    /// A pod is bound.
    PodBound(&'a CohortKey),
    /// A bound pod has other labels.
    PodRelabelled { before: &'a CohortKey, after: &'a CohortKey },
    /// A bound pod takes less.
    PodShrunk,
    /// A bound pod has gone.
    PodGone {
        cohort: &'a CohortKey,
        ports: &'a [HostPort],
        anti_affinity: &'a [(Term, String)],
        claims: Option<&'a Claims>,
    },
    /// There is a new node.
    NodeAdded(NodeState<'a>),
    /// A node says something else of itself, or has something else.
    NodeUpdated { before: NodeState<'a>, after: NodeState<'a> },
    /// A node has gone.
    NodeGone(&'a Facts),
    /// A claim is new, or says something else.
    Claim { of: &'a ClaimKey, is_new: bool },
    /// A volume is new, or says something else; maybe of where it is.
    Volume { is_elsewhere: bool },
    /// A class is new, or says something else: it allows other nodes, or waits for consumers now.
    Class { allows: bool, waits: bool },
    /// A node's drivers are new, or say something else: they can attach more, maybe.
    Limits { is_new: bool, rises: bool },
    /// A volume is not attached any more.
    Detached,
    /// There is more room for volumes somewhere.
    Room,
    /// A claim of devices is new, says something else, or has gone; it gave devices back, maybe.
    DeviceClaim { of: &'a DeviceClaimKey, is_other: bool, frees: bool },
    /// Other devices are offered, or others are meant by classes.
    Devices,
    /// Something that no plugin looks at.
    Other,
}

/// A node at one time.
#[derive(Clone, Copy)]
pub(crate) struct NodeState<'a> {
    pub(crate) name: &'a str,
    pub(crate) facts: &'a Facts,
    pub(crate) allocatable: &'a Amounts,
    pub(crate) extended: &'a [Extended],
}

/// What the pods of a group want.
pub(crate) struct Wants<'a> {
    pub(crate) shape: &'a Shape,
    pub(crate) cohort: &'a CohortKey,
    pub(crate) peers: Option<&'a PeersKey>,
    pub(crate) claims: Option<&'a Claims>,
    pub(crate) devices: Option<&'a PodClaims>,
    /// Of the namespaces that terms may ask about.
    pub(crate) namespace: &'a dyn Fn(&str) -> &'a Labels,
}

type Hint = fn(&Change<'_>, &Wants<'_>) -> bool;

const HINTS: &[(Plugin, Hint)] = &[
    (Plugin::NodeUnschedulable, unschedulable),
    (Plugin::TaintToleration, taints),
    (Plugin::NodeAffinity, node_affinity),
    (Plugin::NodePorts, ports),
    (Plugin::NodeResourcesFit, resources),
    (Plugin::VolumeRestrictions, restrictions),
    (Plugin::NodeVolumeLimits, volume_limits),
    (Plugin::VolumeBinding, volume_binding),
    (Plugin::VolumeZone, volume_zone),
    (Plugin::PodTopologySpread, spread),
    (Plugin::InterPodAffinity, pod_affinity),
    (Plugin::DynamicResources, devices),
    // Extenders do not say what would help.
    (Plugin::Extender, |_, _| true),
];

/// Whether the change may help pods that these plugins rejected.
pub(crate) fn may_help(change: &Change<'_>, rejectors: Plugins, wants: &Wants<'_>) -> bool {
    HINTS.iter().any(|(plugin, hint)| rejectors.has(*plugin) && hint(change, wants))
}

/// The plugins against whose rejection the change may help.
pub(crate) fn helped(change: &Change<'_>, wants: &Wants<'_>) -> Plugins {
    let mut helped = Plugins::default();
    HINTS.iter().filter(|(_, hint)| hint(change, wants)).for_each(|(plugin, _)| helped.insert(*plugin));
    helped
}

/// Whether a node newly passes a test: it is new or did not pass before, and does now.
fn newly(change: &Change<'_>, passes: impl Fn(&NodeState<'_>) -> bool) -> bool {
    match change {
        Change::NodeAdded(node) => passes(node),
        Change::NodeUpdated { before, after } => !passes(before) && passes(after),
        _ => false,
    }
}

fn unschedulable(change: &Change<'_>, wants: &Wants<'_>) -> bool {
    newly(change, |node| node_unschedulable::admits(node.facts.unschedulable, &wants.shape.tolerations))
}

fn taints(change: &Change<'_>, wants: &Wants<'_>) -> bool {
    newly(change, |node| taint_toleration::admits(&node.facts.taints, &wants.shape.tolerations))
}

fn node_affinity(change: &Change<'_>, wants: &Wants<'_>) -> bool {
    newly(change, |node| wants.shape.required.matches(node.name, &node.facts.labels))
}

fn ports(change: &Change<'_>, wants: &Wants<'_>) -> bool {
    match change {
        Change::NodeAdded(_) => true,
        Change::PodGone { ports, .. } => !node_ports::fits(&wants.shape.ports, *ports),
        _ => false,
    }
}

fn resources(change: &Change<'_>, wants: &Wants<'_>) -> bool {
    let demand = wants.shape.needed();
    match change {
        Change::PodGone { .. } | Change::PodShrunk => true,
        Change::NodeAdded(node) => fits_empty(node, demand),
        Change::NodeUpdated { before, after } => fits_empty(after, demand) && has_more(before, after, demand),
        _ => false,
    }
}

/// Whether a node is new, or its labels are.
fn is_relabelled(change: &Change<'_>) -> bool {
    match change {
        Change::NodeAdded(_) => true,
        Change::NodeUpdated { before, after } => before.facts.labels != after.facts.labels,
        _ => false,
    }
}

fn uses(wants: &Wants<'_>, claim: &ClaimKey) -> bool {
    wants.claims.is_some_and(|claims| claims.uses(claim))
}

fn restrictions(change: &Change<'_>, wants: &Wants<'_>) -> bool {
    match change {
        Change::NodeAdded(_) => true,
        Change::Claim { of, is_new } => *is_new && uses(wants, of),
        Change::PodGone { claims: Some(theirs), .. } => {
            let shares = |own: &Claims| theirs.named().any(|claim| own.uses(&claim)) || own.collides(theirs);
            theirs.namespace == wants.cohort.namespace && wants.claims.is_some_and(shares)
        }
        _ => false,
    }
}

fn volume_limits(change: &Change<'_>, wants: &Wants<'_>) -> bool {
    match change {
        Change::Limits { is_new, rises } => *is_new || *rises,
        Change::PodGone { claims, .. } => claims.is_some_and(|claims| !claims.uses.is_empty()),
        Change::Claim { of, is_new } => *is_new && uses(wants, of),
        Change::Detached => true,
        _ => false,
    }
}

fn volume_binding(change: &Change<'_>, wants: &Wants<'_>) -> bool {
    match change {
        Change::Claim { of, .. } => uses(wants, of),
        Change::Volume { .. } | Change::Room => true,
        Change::Class { allows, .. } => *allows,
        Change::Limits { is_new, .. } => *is_new,
        change => is_relabelled(change),
    }
}

fn volume_zone(change: &Change<'_>, wants: &Wants<'_>) -> bool {
    match change {
        Change::Claim { of, .. } => uses(wants, of),
        Change::Volume { is_elsewhere } => *is_elsewhere,
        Change::Class { waits, .. } => *waits,
        change => is_relabelled(change),
    }
}

fn devices(change: &Change<'_>, wants: &Wants<'_>) -> bool {
    let uses = |of: &DeviceClaimKey| wants.devices.is_some_and(|own| own.uses(of));
    match change {
        Change::DeviceClaim { of, is_other, frees } => *frees || (*is_other && uses(of)),
        Change::Devices | Change::NodeAdded(_) => true,
        Change::NodeUpdated { before, after } => {
            before.facts.labels != after.facts.labels
                || before.allocatable != after.allocatable
                || before.extended != after.extended
        }
        _ => false,
    }
}

fn fits_empty(node: &NodeState<'_>, demand: &Demand) -> bool {
    let extended: Vec<Extended> =
        node.extended.iter().map(|resource| Extended { requested: 0, ..resource.clone() }).collect();
    Room { allocatable: node.allocatable, requested: &Amounts::default(), extended: &extended }.fits(demand)
}

fn has_more(before: &NodeState<'_>, after: &NodeState<'_>, demand: &Demand) -> bool {
    let (want, old, new) = (&demand.amounts, before.allocatable, after.allocatable);
    let amount = |of: &[Extended], name: &str| {
        of.iter().find(|resource| &*resource.name == name).map_or(0, |resource| resource.allocatable)
    };
    new.pods > old.pods
        || (want.cpu_milli > 0 && new.cpu_milli > old.cpu_milli)
        || (want.memory_bytes > 0 && new.memory_bytes > old.memory_bytes)
        || (want.ephemeral_bytes > 0 && new.ephemeral_bytes > old.ephemeral_bytes)
        || demand
            .extended
            .iter()
            .any(|(name, _)| amount(after.extended, name) > amount(before.extended, name))
}

fn spread(change: &Change<'_>, wants: &Wants<'_>) -> bool {
    let Some(peers) = wants.peers else { return false };
    let selects = |pod: &CohortKey| {
        let counted = |spread: &&crate::cluster::peers::Spread| spread.selector.matches(&pod.labels);
        pod.namespace == wants.cohort.namespace && peers.hard.iter().any(|spread| counted(&spread))
    };
    let has_keys = |facts: &Facts| peers.hard.iter().all(|spread| facts.labels.contains_key(&spread.key));
    match change {
        Change::PodBound(pod) | Change::PodGone { cohort: pod, .. } => selects(pod),
        Change::PodRelabelled { before, after } => {
            before.namespace == wants.cohort.namespace
                && peers.hard.iter().any(|spread| {
                    spread.selector.matches(&before.labels) != spread.selector.matches(&after.labels)
                })
        }
        Change::NodeAdded(node) => has_keys(node.facts),
        Change::NodeGone(facts) => has_keys(facts),
        Change::NodeUpdated { before, after } => {
            let (before, after) = (before.facts, after.facts);
            let moved = peers
                .hard
                .iter()
                .any(|spread| before.labels.get(&spread.key) != after.labels.get(&spread.key));
            has_keys(before) != has_keys(after)
                || (has_keys(after) && (moved || before.taints != after.taints))
        }
        _ => false,
    }
}

fn pod_affinity(change: &Change<'_>, wants: &Wants<'_>) -> bool {
    let none = PeersKey::default();
    let peers = wants.peers.unwrap_or(&none);
    let matches = |term: &Term, pod: &CohortKey| {
        term.matches(&pod.namespace, (wants.namespace)(&pod.namespace), &pod.labels)
    };
    let wanted = |pod: &CohortKey| peers.affinity.iter().all(|(term, _)| matches(term, pod));
    let unwanted = |pod: &CohortKey| peers.anti_affinity.iter().any(|(term, _)| matches(term, pod));
    match change {
        Change::PodBound(pod) => wanted(pod),
        Change::PodRelabelled { before, after } => {
            (!wanted(before) && wanted(after)) || (unwanted(before) && !unwanted(after))
        }
        Change::PodGone { cohort, anti_affinity, .. } => {
            unwanted(cohort) || anti_affinity.iter().any(|(term, _)| matches(term, wants.cohort))
        }
        Change::NodeAdded(node) => {
            !peers.anti_affinity.is_empty()
                || peers.affinity.iter().any(|(_, key)| node.facts.labels.contains_key(key))
        }
        Change::NodeUpdated { before, after } => {
            let value = |state: &NodeState<'_>, key: &str| state.facts.labels.get(key).cloned();
            let changed = |key: &str| value(before, key) != value(after, key);
            peers.affinity.iter().any(|(_, key)| changed(key) && value(after, key).is_some())
                || peers.anti_affinity.iter().any(|(_, key)| changed(key) && value(before, key).is_some())
        }
        _ => false,
    }
}
