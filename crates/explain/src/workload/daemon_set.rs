//! DaemonSets: nodes without their pod.

use api_types::apps::v1::DaemonSet;
use api_types::core::v1::{Node, Pod};
use control_workload::DaemonSets;

use super::{failed_creations, key_of, next_step, ready_of, sick, unobserved};
use crate::evidence::Evidence;
use crate::finding::Finding;

/// How a set is, in a few words.
pub(crate) fn state(set: &DaemonSet) -> String {
    ready_of(set.status.number_ready, set.status.desired_number_scheduled)
}

/// Why nodes have not the pods that they should.
pub(crate) fn explain(set: &DaemonSet, evidence: &Evidence) -> Vec<Finding> {
    let status = &set.status;
    let mut findings: Vec<Finding> =
        unobserved(status.observed_generation, &set.metadata).into_iter().collect();
    if status.desired_number_scheduled == 0 {
        findings.push(Finding::new(
            "NoNodes",
            "no node is one that its pods are for: see its node selector, affinity and tolerations",
        ));
    }
    let missing = status.desired_number_scheduled - status.current_number_scheduled;
    if missing > 0 {
        let failed = failed_creations(&set.metadata, "DaemonSet", evidence);
        findings.push(
            Finding::new("TooFewPods", format!("{missing} nodes have no pod of it yet")).because(failed),
        );
    }
    if status.number_misscheduled > 0 {
        let message = format!("{} nodes have a pod of it and should not", status.number_misscheduled);
        findings.push(Finding::new("Misscheduled", message));
    }
    let sick = sick(&set.metadata, evidence);
    if !sick.is_empty() {
        findings.push(
            Finding::new("PodsNotReady", format!("{} of its pods are not ready", sick.len())).because(sick),
        );
    }
    let old = status.desired_number_scheduled - status.updated_number_scheduled;
    if old > 0 {
        let on_delete = set.spec.update_strategy.type_ == "OnDelete";
        let how = if on_delete {
            "until somebody deletes them (updateStrategy OnDelete)"
        } else {
            "and are replaced as maxUnavailable and maxSurge allow"
        };
        findings.push(Finding::new(
            "Update",
            format!("{old} nodes have no pod of the new template yet; old ones stay {how}"),
        ));
    }
    if evidence.knows::<Pod>() && evidence.knows::<Node>() {
        findings.extend(next_step(&DaemonSets::default(), &key_of(&set.metadata), evidence));
    }
    findings
}
