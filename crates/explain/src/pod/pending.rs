//! Pods that wait for a node: what stands in the way on each, and what would have to change.

use std::collections::BTreeMap;

use api_meta::conditions;
use api_types::core::v1::{Node, Pod};
use scheduler::Judgement;

use super::affinity;
use super::fit::{self, Grounds};
use super::survey::{Surveyed, survey};
use crate::claim;
use crate::evidence::Evidence;
use crate::finding::{Finding, Named, counted, few};
use crate::limits::SHOWN;

/// The scheduler that pods ask for which do not say.
const DEFAULT_SCHEDULER: &str = "default-scheduler";

/// Why a pod has no node.
pub(crate) fn explain(pod: &Pod, evidence: &Evidence) -> Vec<Finding> {
    if !pod.spec.scheduling_gates.is_empty() {
        return vec![gated(pod)];
    }
    let mut findings = Vec::new();
    findings.extend(nominated(pod, evidence));
    findings.extend(foreign_scheduler(pod, evidence));
    if !evidence.knows_all::<Node>() || !evidence.knows_all::<Pod>() {
        findings.extend(told(pod));
        return findings;
    }
    let Some(surveyed) = survey(pod, evidence) else {
        findings.extend(told(pod));
        return findings;
    };
    findings.push(judged(pod, &surveyed, evidence));
    findings.extend(preemption(pod, &surveyed));
    findings.extend(claim::of_pod(pod, evidence));
    findings
}

fn gated(pod: &Pod) -> Finding {
    let gates: Vec<&str> = pod.spec.scheduling_gates.iter().map(|gate| gate.name.as_str()).collect();
    let since = pod.metadata.creation_timestamp;
    Finding::new(
        "SchedulingGated",
        format!("nobody looks for a node while it has scheduling gates: {}", gates.join(", ")),
    )
    .since(since)
    .remedy("whoever put a gate there takes it out of spec.schedulingGates when its time has come")
}

/// What the scheduler said last, where nothing better is known.
fn told(pod: &Pod) -> Option<Finding> {
    let said =
        conditions::find(&pod.status.conditions, "PodScheduled").filter(|said| said.status == "False")?;
    let message = format!("the scheduler said: {}", said.message);
    Some(Finding::new(&said.reason, message).since(said.last_transition_time))
}

/// A node is kept for it, as soon as those who have to go have gone.
fn nominated(pod: &Pod, evidence: &Evidence) -> Option<Finding> {
    let node = &pod.status.nominated_node_name;
    if node.is_empty() {
        return None;
    }
    let going = evidence.world.with_text::<Pod>(&["spec", "nodeName"], |name| name == node);
    let going = going.filter(|other| control_base::pod::is_terminating(other));
    let because: Vec<Finding> = going
        .map(|other| {
            Finding::new("Terminating", "is about to end")
                .since(other.metadata.deletion_timestamp)
                .about(Named::pod(&other.metadata))
        })
        .collect();
    let message =
        format!("room is made for it on node {node}: it gets that node when those have gone who have to");
    Some(Finding::new("Nominated", message).because(because))
}

/// A scheduler that nobody has heard of may not be there at all.
fn foreign_scheduler(pod: &Pod, evidence: &Evidence) -> Option<Finding> {
    let name = &pod.spec.scheduler_name;
    if name == DEFAULT_SCHEDULER {
        return None;
    }
    let has_said = conditions::find(&pod.status.conditions, "PodScheduled").is_some()
        || evidence.events(&pod.metadata, "Pod").iter().any(|told| told.by == *name);
    let finding = if has_said {
        let message = format!(
            "it asks for the scheduler {name:?}: how that one is set up is not known here, so nodes are judged by the defaults"
        );
        Finding::new("OtherScheduler", message)
    } else {
        let message =
            format!("it asks for the scheduler {name:?}, and nothing has been heard of one of that name");
        Finding::new("UnknownScheduler", message)
            .remedy(format!("start a scheduler with a profile of that name, or make the pod anew with schedulerName {DEFAULT_SCHEDULER}"))
    };
    Some(finding)
}

/// What the plugins say of the nodes.
fn judged(pod: &Pod, surveyed: &Surveyed, evidence: &Evidence) -> Finding {
    let fitting = surveyed.fitting();
    let since = conditions::find(&pod.status.conditions, "PodScheduled")
        .filter(|said| said.status == "False")
        .and_then(|said| said.last_transition_time);
    if surveyed.first.message.is_empty() && !fitting.is_empty() {
        let count = counted(fitting.len(), "node suits", "nodes suit");
        let message = format!(
            "{count} it now ({}): the scheduler has yet to try, or does not run",
            few(fitting, SHOWN)
        );
        return Finding::new("NotYetScheduled", message).since(since).remedy(
            "see whether the scheduler runs; after failures it tries again with a back-off of up to 10s",
        );
    }
    let finding = Finding::new("Unschedulable", surveyed.first.message.clone()).since(since);
    let grounds = Grounds::new(pod, evidence);
    let mut groups: BTreeMap<(&'static str, String), Vec<&str>> = BTreeMap::new();
    for (node, judgement) in &surveyed.first.nodes {
        let Some(plugin) = judgement.plugin else { continue };
        for reason in &judgement.reasons {
            groups.entry((plugin, reason.clone())).or_default().push(node);
        }
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    // What stands in the way on most nodes comes first.
    groups.sort_by_key(|(_, nodes)| std::cmp::Reverse(nodes.len()));
    finding.because(
        groups
            .into_iter()
            .map(|((plugin, reason), nodes)| group(plugin, &reason, &nodes, surveyed, &grounds)),
    )
}

/// The nodes that one plugin rejects for one reason: the nearest to suiting first.
fn group(
    plugin: &'static str,
    reason: &str,
    nodes: &[&str],
    surveyed: &Surveyed,
    grounds: &Grounds<'_>,
) -> Finding {
    let mut nodes = nodes.to_vec();
    let others = |node: &str| surveyed.all.get(node).map_or(0, BTreeMap::len);
    nodes.sort_by_key(|node| (others(node), grounds.distance(plugin, reason, node)));
    let message = format!("{}: {reason} ({plugin})", counted(nodes.len(), "node", "nodes"));
    let mut finding = Finding::new(plugin, message);
    finding.remedies.extend(remedy(plugin, reason, &nodes, grounds));
    finding.because(nodes.iter().map(|node| on_node(plugin, reason, node, surveyed, grounds)))
}

fn on_node(
    plugin: &'static str,
    reason: &str,
    node: &str,
    surveyed: &Surveyed,
    grounds: &Grounds<'_>,
) -> Finding {
    let mut message = detail(plugin, reason, node, grounds);
    let also: Vec<String> = surveyed
        .all
        .get(node)
        .into_iter()
        .flatten()
        .filter(|(other, _)| **other != plugin)
        .map(|(other, reasons)| {
            let details = reasons.iter().map(|reason| detail(other, reason, node, grounds));
            details.collect::<Vec<_>>().join(", ")
        })
        .collect();
    if !also.is_empty() {
        message.push_str(&format!("; besides: {}", also.join("; ")));
    }
    Finding::new(plugin, message).about(Named::node(node))
}

/// What it is exactly that a plugin holds against a node; the scheduler's own words where no more is known.
fn detail(plugin: &str, reason: &str, node: &str, grounds: &Grounds<'_>) -> String {
    let said = match plugin {
        "NodeUnschedulable" => Some("the node is cordoned".to_owned()),
        "TaintToleration" => grounds.taints(node),
        "NodeAffinity" => grounds.labels(node),
        "NodePorts" => grounds.ports(node),
        "NodeResourcesFit" => grounds.room(node, reason),
        "PodTopologySpread" => affinity::spread(grounds, node),
        "InterPodAffinity" => affinity::others(grounds, node),
        "VolumeBinding" | "VolumeZone" => grounds.volumes(node),
        _ => None,
    };
    said.unwrap_or_else(|| reason.to_owned())
}

/// What would have to change for the nearest node of a group.
fn remedy(plugin: &str, reason: &str, nodes: &[&str], grounds: &Grounds<'_>) -> Vec<String> {
    let Some(nearest) = nodes.first() else { return Vec::new() };
    match plugin {
        "NodeUnschedulable" => vec![format!("kubectl uncordon {nearest}")],
        "TaintToleration" => fit::taint_remedies(grounds, nearest),
        "NodeAffinity" => grounds.label_remedy(nodes).into_iter().collect(),
        "NodePorts" => vec!["do without hostPort, or have no more such pods than nodes".to_owned()],
        "NodeResourcesFit" => grounds.room_remedies(nodes, reason),
        "PodTopologySpread" => vec!["make room in the domains that have fewest, raise maxSkew, or let whenUnsatisfiable be ScheduleAnyway".to_owned()],
        "InterPodAffinity" => vec!["add nodes in domains without such pods, or make the rule a preferred one".to_owned()],
        "VolumeBinding" | "VolumeZone" => vec!["the pod has to run where its volumes can be reached: make room there".to_owned()],
        "NodeVolumeLimits" => vec!["add nodes, or use fewer volumes of this driver on a node".to_owned()],
        _ => Vec::new(),
    }
}

/// Whom the scheduler would evict, if that helps.
fn preemption(pod: &Pod, surveyed: &Surveyed) -> Option<Finding> {
    let helps = |(_, judgement): &(&std::sync::Arc<str>, &Judgement)| {
        judgement.is_best && !judgement.victims.is_empty()
    };
    let all = surveyed.first.nodes.iter().filter(|(_, judgement)| !judgement.victims.is_empty()).count();
    let (node, judgement) = surveyed.first.nodes.iter().find(helps)?;
    let victims = judgement.victims.iter().map(|victim| format!("{}/{}", victim.namespace, victim.name));
    let budgets = match judgement.violations {
        0 => String::new(),
        violations => format!(", {violations} of them against disruption budgets"),
    };
    let priority = pod.spec.priority.unwrap_or(0);
    let message = format!(
        "eviction helps on {}: the scheduler would evict {} on node {node}{budgets}, whose priority is below {priority}",
        counted(all, "node", "nodes"),
        few(victims, SHOWN),
    );
    Some(Finding::new("Preemption", message))
}
