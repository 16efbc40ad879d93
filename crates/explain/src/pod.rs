//! Pods: why one waits for a node, does not start, is not ready, started anew, or has ended.

mod affinity;
mod container;
mod fit;
mod pending;
mod ready;
mod survey;

use api_meta::conditions;
use api_types::core::v1::{Node, Pod};
use control_base::pod::DISRUPTION_TARGET;

use crate::evidence::Evidence;
use crate::finding::{Finding, Named};
use crate::limits::SHOWN;
use crate::{claim, node};

/// Whether it waits for a node.
pub(crate) fn waits_for_node(pod: &Pod) -> bool {
    pod.spec.node_name.is_empty()
        && !control_base::pod::is_terminal(pod)
        && pod.metadata.deletion_timestamp.is_none()
}

/// How it is, in a few words.
pub(crate) fn state(pod: &Pod, evidence: &Evidence) -> String {
    let phase = if pod.status.phase.is_empty() { "Pending" } else { &pod.status.phase };
    if pod.metadata.deletion_timestamp.is_some() {
        return "Terminating".to_owned();
    }
    if control_base::pod::is_terminal(pod) {
        return match pod.status.reason.as_str() {
            "" => phase.to_owned(),
            reason => format!("{phase}, {reason}"),
        };
    }
    if waits_for_node(pod) {
        let said =
            conditions::find(&pod.status.conditions, "PodScheduled").filter(|said| said.status == "False");
        return match said {
            Some(said) if !said.message.is_empty() => format!("{phase}, waits for a node: {}", said.message),
            Some(said) if !said.reason.is_empty() => format!("{phase}, waits for a node: {}", said.reason),
            _ => format!("{phase}, waits for a node"),
        };
    }
    if control_base::pod::is_ready(pod) {
        return format!("{phase}, ready");
    }
    match container::explain(pod, evidence).into_iter().next() {
        Some(first) => format!("{phase}, {}", first.message),
        None => format!("{phase}, not ready"),
    }
}

/// Why it is so.
pub(crate) fn explain(pod: &Pod, evidence: &Evidence) -> Vec<Finding> {
    let mut findings: Vec<Finding> = disrupted(pod).into_iter().collect();
    if control_base::pod::is_terminal(pod) {
        findings.extend(ended(pod));
        findings.extend(container::explain(pod, evidence));
        return findings;
    }
    if pod.spec.node_name.is_empty() {
        if pod.metadata.deletion_timestamp.is_none() {
            findings.extend(pending::explain(pod, evidence));
        }
        return findings;
    }
    findings.extend(node_trouble(pod, evidence));
    findings.extend(container::explain(pod, evidence));
    findings.extend(ready::explain(pod, evidence));
    findings.extend(unstarted(pod, evidence));
    findings
}

/// Why it is not as it should be, in one finding that names it; `None` if nothing is wrong.
pub(crate) fn brief(pod: &Pod, evidence: &Evidence) -> Option<Finding> {
    let is_well = control_base::pod::is_ready(pod) && pod.metadata.deletion_timestamp.is_none();
    if is_well || pod.status.phase == "Succeeded" {
        return None;
    }
    let found = explain(pod, evidence).into_iter().next();
    let mut finding = found.unwrap_or_else(|| Finding::new("NotReady", state(pod, evidence)));
    // The nodes of every pod of a set would be a page.
    finding.because.truncate(SHOWN);
    for why in &mut finding.because {
        why.because.clear();
    }
    Some(finding.about(Named::pod(&pod.metadata)))
}

/// Who ends it for a reason that is not its own.
fn disrupted(pod: &Pod) -> Option<Finding> {
    let said =
        conditions::find(&pod.status.conditions, DISRUPTION_TARGET).filter(|said| said.status == "True")?;
    let who = match said.reason.as_str() {
        "PreemptionByScheduler" => "the scheduler makes room for a pod of higher priority",
        "DeletionByTaintManager" => "its node got a taint that it does not tolerate",
        "EvictionByEvictionAPI" => "somebody evicted it through the API, as kubectl drain does",
        "DeletionByPodGC" => "its node is gone",
        "TerminationByKubelet" => "its node needs what it uses, or shuts down",
        other => other,
    };
    let message = match said.message.as_str() {
        "" => format!("it has to go: {who}"),
        message => format!("it has to go: {who} ({message})"),
    };
    Some(Finding::new(&said.reason, message).since(said.last_transition_time))
}

fn ended(pod: &Pod) -> Option<Finding> {
    let status = &pod.status;
    if status.phase == "Succeeded" {
        return Some(Finding::new("Succeeded", "all of its containers have ended well"));
    }
    let (reason, message) = (status.reason.as_str(), status.message.as_str());
    let said = match (reason, message) {
        ("", "") => "it has failed: a container ended badly, and it is not started anew".to_owned(),
        (reason, "") => format!("it has failed: {reason}"),
        ("", message) => format!("it has failed: {message}"),
        (reason, message) => format!("it has failed, {reason}: {message}"),
    };
    let finding = Finding::new(if reason.is_empty() { "Failed" } else { reason }, said);
    Some(match reason {
        "Evicted" => finding
            .remedy("let its containers request what they use, so that less used pods are evicted first"),
        "DeadlineExceeded" => finding.remedy("raise spec.activeDeadlineSeconds"),
        _ => finding,
    })
}

/// A node that is not well tells nothing new of its pods.
fn node_trouble(pod: &Pod, evidence: &Evidence) -> Option<Finding> {
    if !evidence.knows::<Node>() {
        return None;
    }
    let name = &pod.spec.node_name;
    let Some(on) = evidence.world.get::<Node>("", name) else {
        let why = format!("its node {name} is not there; the pod is deleted some time after its node");
        return Some(Finding::new("NodeGone", why));
    };
    let trouble = node::not_ready(on, evidence)?;
    let why = format!("its node {name} is not ready, so that what is said of the pod may be old");
    Some(Finding::new("NodeNotReady", why).since(trouble.since).because([trouble.about(Named::node(name))]))
}

/// Nothing is known of its containers yet: what its node last complained of, and its claims.
fn unstarted(pod: &Pod, evidence: &Evidence) -> Vec<Finding> {
    let begun =
        pod.status.container_statuses.iter().chain(&pod.status.init_container_statuses).any(|status| {
            let waiting = status.state.waiting.as_deref();
            !waiting.is_some_and(|waiting| {
                matches!(waiting.reason.as_str(), "ContainerCreating" | "PodInitializing")
            })
        });
    if begun || pod.metadata.deletion_timestamp.is_some() {
        return Vec::new();
    }
    let events = evidence.events(&pod.metadata, "Pod");
    let mut warned: Vec<Finding> = Vec::new();
    for told in events.into_iter().filter(|told| told.type_ == "Warning" && told.reason != "FailedScheduling")
    {
        if warned.iter().all(|known| known.reason != told.reason) {
            warned.push(
                Finding::new(&told.reason, format!("{}: {}", told.reason, told.message)).since(told.time),
            );
        }
    }
    warned.extend(claim::of_pod(pod, evidence));
    let node = &pod.spec.node_name;
    let since =
        conditions::find(&pod.status.conditions, "PodScheduled").and_then(|said| said.last_transition_time);
    let message = match pod.status.start_time {
        None => format!("it has node {node}, whose agent has not taken it up yet"),
        Some(_) => format!("node {node} prepares it: volumes, network and images come before its containers"),
    };
    vec![Finding::new("ContainerCreating", message).since(since).because(warned)]
}
