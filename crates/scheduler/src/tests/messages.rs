//! What is said of pods that do not fit, letter by letter.

use api_types::core::v1::{Affinity, NodeAffinity, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm};

use super::fixture::*;
use crate::{Action, Event, FailureReason, Nomination, Plugin};

#[test]
fn every_node_counts_under_its_reason() {
    let mut cordoned = node("cordoned", "a", "8", "10");
    cordoned.spec.unschedulable = true;
    let nodes = [
        node("small", "a", "1", "10"),
        node("tiny", "a", "1", "0"),
        tainted(node("tainted", "a", "8", "10"), "k", "NoSchedule"),
        cordoned,
    ];
    let failure = Rig::new(&nodes).refused(&pod("p", "2"));
    assert_eq!(
        failure.message,
        "0/4 nodes are available: 1 Too many pods, 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable, \
         2 Insufficient cpu. preemption: 0/4 nodes are available: 4 Preemption is not helpful for scheduling."
    );
    assert_eq!(failure.reason, FailureReason::Unschedulable);
    assert_eq!(failure.nomination, Nomination::Clear);
    assert_eq!(
        failure.plugins,
        [Plugin::NodeUnschedulable, Plugin::TaintToleration, Plugin::NodeResourcesFit]
    );
}

#[test]
fn where_eviction_could_help_the_lack_of_victims_is_told() {
    let mut rig = Rig::new(&[node("n1", "a", "2", "10"), node("n2", "a", "1", "10")]);
    rig.step(Event::Pod(&on(pod("there", "1"), "n1")));
    assert_eq!(
        rig.refused(&pod("p", "2")).message,
        "0/2 nodes are available: 2 Insufficient cpu. preemption: 0/2 nodes are available: \
         1 No preemption victims found for incoming pod, 1 Preemption is not helpful for scheduling."
    );
}

#[test]
fn a_pod_may_forgo_preemption() {
    let mut rig = Rig::new(&[node("n1", "a", "1", "10")]);
    let mut meek = pod("p", "2");
    meek.spec.preemption_policy = Some("Never".into());
    let failure = rig.refused(&meek);
    assert_eq!(
        failure.message,
        "0/1 nodes are available: 1 Insufficient cpu. preemption: not eligible due to preemptionPolicy=Never."
    );
    assert_eq!(failure.nomination, Nomination::Keep);
}

#[test]
fn without_nodes_there_is_little_to_say() {
    let failure = Rig::new(&[]).refused(&pod("p", "1"));
    assert_eq!(failure.message, "no nodes available to schedule pods");
    assert_eq!(failure.reason.as_str(), "Unschedulable");
}

#[test]
fn a_named_node_that_is_full_leaves_the_others_out() {
    let mut rig = Rig::new(&[node("n1", "a", "1", "10"), node("n2", "a", "4", "10")]);
    let mut pod = pod("p", "2");
    let term = NodeSelectorTerm {
        match_fields: vec![NodeSelectorRequirement {
            key: "metadata.name".into(),
            operator: "In".into(),
            values: vec!["n1".into()],
        }],
        ..NodeSelectorTerm::default()
    };
    let node_affinity = NodeAffinity {
        required_during_scheduling_ignored_during_execution: Some(Box::new(NodeSelector {
            node_selector_terms: vec![term].into(),
        })),
        ..NodeAffinity::default()
    };
    pod.spec.affinity =
        Some(Box::new(Affinity { node_affinity: Some(Box::new(node_affinity)), ..Affinity::default() }));
    assert_eq!(
        rig.refused(&pod).message,
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't satisfy plugin(s) [NodeAffinity]. \
         preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    );
    // The node that it is nominated to is tried first, and keeps its own reason.
    pod.metadata.uid = "uid-q".into();
    pod.status.nominated_node_name = "n2".into();
    assert_eq!(
        rig.refused(&pod).message,
        "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) didn't match Pod's node affinity/selector. \
         preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
    );
}

#[test]
fn a_binding_is_told_of() {
    let mut rig = Rig::new(&[node("n1", "a", "4", "10")]);
    rig.try_pod(&pod("p", "1"));
    let actions = rig.step(Event::BindDone { uid: "uid-p", result: Ok(()) }).actions;
    let [Action::Scheduled { pod, node }] = actions.as_slice() else { panic!("{actions:?}") };
    assert_eq!(crate::scheduled_note(pod, node), "Successfully assigned default/p to n1");
}
