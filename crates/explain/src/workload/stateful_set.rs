//! StatefulSets: which ordinal holds the others up.

use api_types::apps::v1::StatefulSet;
use api_types::core::v1::Pod;
use control_workload::StatefulSets;

use super::{failed_creations, key_of, next_step, ready_of, sick, unobserved};
use crate::evidence::Evidence;
use crate::finding::Finding;
use crate::pod;

/// The label by which pods say of which revision they are.
const REVISION: &str = "controller-revision-hash";

fn wanted(set: &StatefulSet) -> i32 {
    set.spec.replicas.unwrap_or(1)
}

/// How a set is, in a few words.
pub(crate) fn state(set: &StatefulSet) -> String {
    let status = &set.status;
    let ready = ready_of(status.ready_replicas, wanted(set));
    if status.current_revision != status.update_revision && !status.update_revision.is_empty() {
        return format!("{ready}, {} of the new revision", status.updated_replicas);
    }
    ready
}

/// Why a set has not the pods that it wants.
pub(crate) fn explain(set: &StatefulSet, evidence: &Evidence) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        unobserved(set.status.observed_generation, &set.metadata).into_iter().collect();
    if !evidence.knows::<Pod>() {
        return findings;
    }
    findings.extend(missing(set, evidence));
    findings.extend(blocking(set, evidence));
    findings.extend(update(set, evidence));
    findings.extend(next_step(&StatefulSets, &key_of(&set.metadata), evidence));
    findings
}

fn ordinals(set: &StatefulSet) -> std::ops::Range<i32> {
    let start = set.spec.ordinals.as_deref().map_or(0, |ordinals| ordinals.start);
    start..start.saturating_add(wanted(set))
}

fn at<'a>(set: &StatefulSet, ordinal: i32, evidence: &'a Evidence) -> Option<&'a Pod> {
    let name = format!("{}-{ordinal}", set.metadata.name);
    evidence.world.get::<Pod>(&set.metadata.namespace, &name)
}

fn is_ordered(set: &StatefulSet) -> bool {
    set.spec.pod_management_policy != "Parallel"
}

/// Pods that are not there.
fn missing(set: &StatefulSet, evidence: &Evidence) -> Option<Finding> {
    let missing = ordinals(set).filter(|ordinal| at(set, *ordinal, evidence).is_none()).count();
    if missing == 0 {
        return None;
    }
    let message = format!("{missing} of {} pods are not made yet", wanted(set));
    Some(Finding::new("TooFewPods", message).because(failed_creations(
        &set.metadata,
        "StatefulSet",
        evidence,
    )))
}

/// The pods that are not ready; in order, the first of them holds up those after it.
fn blocking(set: &StatefulSet, evidence: &Evidence) -> Option<Finding> {
    if !is_ordered(set) {
        let sick = sick(&set.metadata, evidence);
        let message = format!("{} of {} pods are not ready", sick.len(), wanted(set));
        return (!sick.is_empty()).then(|| Finding::new("PodsNotReady", message).because(sick));
    }
    let (ordinal, first) = ordinals(set).find_map(|ordinal| {
        let own = at(set, ordinal, evidence)?;
        (!control_base::pod::is_ready(own)).then_some((ordinal, own))
    })?;
    let after = ordinals(set).end - ordinal - 1;
    let message = match after {
        0 => format!("pod {} is not ready", first.metadata.name),
        _ => format!(
            "pod {} is not ready, and its pods are made and replaced one after another: it holds up the {after} after it",
            first.metadata.name
        ),
    };
    let finding = Finding::new("OrdinalNotReady", message).because(pod::brief(first, evidence));
    Some(match after {
        0 => finding,
        _ => finding.remedy("mend that pod; a set that needs no order has podManagementPolicy Parallel"),
    })
}

/// Pods of the old revision, and why they are.
fn update(set: &StatefulSet, evidence: &Evidence) -> Option<Finding> {
    let status = &set.status;
    if status.update_revision.is_empty() || status.current_revision == status.update_revision {
        return None;
    }
    let old: Vec<i32> = ordinals(set)
        .filter(|ordinal| {
            at(set, *ordinal, evidence)
                .is_some_and(|pod| pod.metadata.labels.get(REVISION) != Some(&status.update_revision))
        })
        .collect();
    let names =
        old.iter().map(|ordinal| format!("{}-{ordinal}", set.metadata.name)).collect::<Vec<_>>().join(", ");
    if old.is_empty() {
        return None;
    }
    if set.spec.update_strategy.type_ == "OnDelete" {
        return Some(Finding::new(
            "OnDelete",
            format!("of the old revision until somebody deletes them (updateStrategy OnDelete): {names}"),
        ));
    }
    let partition =
        set.spec.update_strategy.rolling_update.as_deref().and_then(|own| own.partition).unwrap_or(0);
    if partition > 0 && old.iter().all(|ordinal| *ordinal < partition) {
        let message = format!("of the old revision, as the update stops at partition {partition}: {names}");
        return Some(
            Finding::new("Partition", message).remedy("lower spec.updateStrategy.rollingUpdate.partition"),
        );
    }
    Some(Finding::new(
        "Update",
        format!("still of the old revision: {names}; they are replaced from the last to the first"),
    ))
}
