//! Nodes that are not ready, or take no pods.

use api_kind::span;
use api_meta::conditions;
use api_types::coordination::v1::Lease;
use api_types::core::v1::Node;

use crate::evidence::Evidence;
use crate::finding::{Finding, few};
use crate::limits::SHOWN;

/// How a node is, in a few words.
pub(crate) fn state(node: &Node) -> String {
    let ready = match conditions::find(&node.status.conditions, "Ready").map(|said| said.status.as_str()) {
        Some("True") => "Ready",
        Some("False") => "NotReady",
        _ => "NotReady, not heard of",
    };
    if node.spec.unschedulable { format!("{ready}, cordoned") } else { ready.to_owned() }
}

/// Why a node is not ready; `None` if it is.
pub(crate) fn not_ready(node: &Node, evidence: &Evidence) -> Option<Finding> {
    let Some(said) = conditions::find(&node.status.conditions, "Ready") else {
        return Some(
            Finding::new("NeverReady", "no agent has said anything of the node")
                .since(node.metadata.creation_timestamp),
        );
    };
    if said.status == "True" {
        return None;
    }
    let why = if said.status == "Unknown" {
        format!("its agent is not heard of any more ({}): {}", said.reason, said.message)
    } else {
        format!("its agent says that it is not ready ({}): {}", said.reason, said.message)
    };
    let finding = Finding::new(&said.reason, why).since(said.last_transition_time);
    Some(match said.status.as_str() {
        "Unknown" => finding
            .because(lease(node, evidence))
            .remedy("see whether the machine is up, its agent runs (knarr status there), and it reaches the API server"),
        _ => finding,
    })
}

/// When its agent was last heard of.
fn lease(node: &Node, evidence: &Evidence) -> Option<Finding> {
    let lease = evidence.world.get::<Lease>("kube-node-lease", &node.metadata.name)?;
    let renewed = lease.spec.renew_time?;
    let seconds = evidence.now.unix_seconds() - renewed.micros.div_euclid(1_000_000);
    Some(Finding::new("Lease", format!("it renewed its lease last {} ago", span(seconds.max(0)))))
}

/// Why it is as it is.
pub(crate) fn explain(node: &Node, evidence: &Evidence) -> Vec<Finding> {
    let mut findings: Vec<Finding> = not_ready(node, evidence).into_iter().collect();
    for said in &node.status.conditions {
        let bad = said.type_ != "Ready" && said.status == "True";
        if bad {
            let why = format!("{} ({}): {}", said.type_, said.reason, said.message);
            findings.push(Finding::new(&said.type_, why).since(said.last_transition_time));
        }
    }
    if node.spec.unschedulable {
        let who = crate::changes::managers_of(&node.metadata, ".spec.unschedulable");
        let by = if who.is_empty() { String::new() } else { format!(", by {}", few(who, SHOWN)) };
        let finding = Finding::new("Cordoned", format!("it is cordoned{by}: no new pods come here"));
        findings.push(finding.remedy(format!("kubectl uncordon {}", node.metadata.name)));
    }
    let keeps = |taint: &&api_types::core::v1::Taint| {
        taint.effect != "PreferNoSchedule" && taint.key != "node.kubernetes.io/unschedulable"
    };
    for taint in node.spec.taints.iter().filter(keeps) {
        let value = if taint.value.is_empty() { String::new() } else { format!("={}", taint.value) };
        let what = match taint.effect.as_str() {
            "NoExecute" => "pods that do not tolerate it are evicted, and no new ones come",
            _ => "only pods that tolerate it come here",
        };
        let why = format!("taint {}{value}:{}: {what}", taint.key, taint.effect);
        findings.push(Finding::new("Taint", why).since(taint.time_added));
    }
    findings
}
