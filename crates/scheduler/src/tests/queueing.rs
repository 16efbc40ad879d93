//! Whose turn it is, and what wakes whom.

use std::time::Duration;

use api_types::core::v1::PodSchedulingGate;

use super::fixture::*;
use crate::{Action, Event, FailureReason};

fn names(actions: &[Action]) -> Vec<String> {
    let name = |action: &Action| match action {
        Action::Bind { pod, .. } => Some(pod.name.to_string()),
        _ => None,
    };
    actions.iter().filter_map(name).collect()
}

#[test]
fn priority_comes_first_then_age() {
    let mut rig = Rig::new(&[node("n", "a", "10", "10")]);
    for (name, priority) in [("first", 0), ("second", 0), ("important", 10)] {
        rig.step(Event::Pod(&with_priority(pod(name, "1"), priority)));
    }
    assert_eq!(names(&rig.run()), ["important", "first", "second"]);
}

#[test]
fn a_pod_is_asked_to_be_bound_once() {
    let mut rig = Rig::new(&[node("n", "a", "10", "10")]);
    let pod = pod("p", "1");
    assert!(bound(&rig.try_pod(&pod)).is_some());
    assert!(rig.try_pod(&pod).is_empty(), "an update before the binding is seen changes nothing");
    rig.step(Event::BindDone { uid: "uid-p", result: Ok(()) });
    assert!(rig.try_pod(&pod).is_empty());
}

#[test]
fn a_failed_binding_frees_the_node_and_backs_off() {
    let mut rig = Rig::new(&[node("n", "a", "1", "10")]);
    rig.try_pod(&pod("p", "1"));
    let outputs = rig.step(Event::BindDone { uid: "uid-p", result: Err("connection refused") });
    let [Action::Failed(failure)] = outputs.actions.as_slice() else { panic!("{outputs:?}") };
    assert_eq!(failure.message, "connection refused");
    assert_eq!(failure.reason, FailureReason::SchedulerError);
    assert!(rig.run().is_empty(), "it waits, even though the queue is idle");
    assert_eq!(outputs.wake_at, Some(rig.now + Duration::from_secs(1)));
    rig.now = rig.now + Duration::from_secs(1);
    assert_eq!(names(&rig.run()), ["p"]);
}

#[test]
fn an_answer_that_got_lost_does_not_undo_a_binding() {
    let mut rig = Rig::new(&[node("n", "a", "1", "10")]);
    rig.bind(&pod("p", "1"));
    assert!(rig.step(Event::BindDone { uid: "uid-p", result: Err("timeout") }).actions.is_empty());
    assert!(rig.refused(&pod("q", "1")).message.contains("Insufficient cpu"));
}

#[test]
fn a_pod_that_changes_after_its_node_has_gone_takes_no_room_of_the_next_node() {
    let mut rig = Rig::new(&[node("n1", "a", "2", "10")]);
    rig.try_pod(&pod("p", "2"));
    rig.step(Event::NodeGone("n1"));
    rig.step(Event::Pod(&labelled(pod("p", "2"), "changed", "yes")));
    rig.step(Event::Node(&node("n2", "a", "2", "10")));
    assert_eq!(bound(&rig.try_pod(&pod("q", "2"))).as_deref(), Some("n2"));
}

#[test]
fn gates_hold_a_pod_until_they_are_gone() {
    let mut rig = Rig::new(&[node("n", "a", "1", "10")]);
    let mut gated = pod("p", "1");
    gated.spec.scheduling_gates = vec![PodSchedulingGate { name: "wait".into() }];
    assert!(rig.try_pod(&gated).is_empty());
    assert_eq!(bound(&rig.try_pod(&pod("p", "1"))).as_deref(), Some("n"));
}

#[test]
fn only_what_may_help_wakes_a_pod() {
    type Happening = fn(&mut Rig);
    let cases: [(&str, Happening, bool); 6] = [
        ("a node with room", |rig| drop(rig.step(Event::Node(&node("n2", "a", "4", "10")))), true),
        ("a node too small", |rig| drop(rig.step(Event::Node(&node("n2", "a", "1", "10")))), false),
        ("a pod that goes", |rig| drop(rig.step(Event::PodGone("uid-there"))), true),
        ("a node that grows", |rig| drop(rig.step(Event::Node(&node("n", "a", "4", "10")))), true),
        (
            "a node that says nothing new",
            |rig| drop(rig.step(Event::Node(&node("n", "a", "2", "10")))),
            false,
        ),
        ("a pod bound elsewhere", |rig| drop(rig.step(Event::Pod(&on(pod("x", "0"), "n")))), false),
    ];
    for (what, happens, wakes) in cases {
        let mut rig = Rig::new(&[node("n", "a", "2", "10")]);
        rig.step(Event::Pod(&on(pod("there", "1"), "n")));
        rig.refused(&pod("p", "2"));
        happens(&mut rig);
        assert_eq!(rig.run().is_empty(), !wakes, "{what}");
    }
}

#[test]
fn affinity_is_woken_by_the_pod_it_waits_for() {
    let mut rig = Rig::new(&[node("n", "a", "4", "10")]);
    rig.refused(&near(pod("p", "1"), term(HOST, &[("app", "db")])));
    rig.step(Event::Pod(&on(pod("other", "1"), "n")));
    assert!(rig.run().is_empty());
    rig.step(Event::Pod(&on(labelled(pod("db", "1"), "app", "db"), "n")));
    assert_eq!(names(&rig.run()), ["p"]);
}

#[test]
fn a_relabelled_pod_wakes_what_it_kept_away() {
    let mut rig = Rig::new(&[node("n", "a", "4", "10")]);
    rig.step(Event::Pod(&on(labelled(pod("noisy", "1"), "app", "noisy"), "n")));
    rig.refused(&apart(pod("p", "1"), term(HOST, &[("app", "noisy")])));
    rig.step(Event::Pod(&on(labelled(pod("noisy", "1"), "app", "calm"), "n")));
    assert_eq!(names(&rig.run()), ["p"]);
}

#[test]
fn nothing_lies_forgotten_for_more_than_five_minutes() {
    let mut rig = Rig::new(&[node("n", "a", "1", "10")]);
    rig.refused(&pod("p", "2"));
    let wake_at = rig.step(Event::Run { attempts: 1 }).wake_at;
    assert_eq!(wake_at, Some(rig.now + Duration::from_secs(300)));
    rig.now = rig.now + Duration::from_secs(300);
    assert_eq!(rig.run().len(), 1);
}

#[test]
fn a_pod_that_changed_is_tried_again() {
    let mut rig = Rig::new(&[tainted(node("n", "a", "4", "10"), "k", "NoSchedule")]);
    rig.refused(&pod("p", "1"));
    assert_eq!(names(&rig.try_pod(&tolerating(pod("p", "1"), "k"))), ["p"]);
}
