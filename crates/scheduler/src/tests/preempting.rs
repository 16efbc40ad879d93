//! Who has to go.

use base::time::Time;

use super::fixture::*;
use crate::{Action, Event, Nomination};

fn victims(actions: &[Action]) -> Option<(String, Vec<String>)> {
    actions.iter().find_map(|action| match action {
        Action::Preempt { node, victims, .. } => {
            Some((node.to_string(), victims.iter().map(|victim| victim.name.to_string()).collect()))
        }
        _ => None,
    })
}

#[test]
fn the_least_important_pods_go_and_no_more_than_needed() {
    let mut rig = Rig::new(&[node("n1", "a", "3", "10"), node("n2", "a", "3", "10")]);
    for (name, node, priority) in [
        ("a1", "n1", 1),
        ("a2", "n1", 2),
        ("a3", "n1", 3),
        ("b1", "n2", 5),
        ("b2", "n2", 6),
        ("b3", "n2", 100),
    ] {
        rig.step(Event::Pod(&on(with_priority(pod(name, "1"), priority), node)));
    }
    let actions = rig.try_pod(&with_priority(pod("p", "2"), 50));
    assert_eq!(victims(&actions), Some(("n1".into(), vec!["a2".into(), "a1".into()])));
    let Some(Action::Failed(failure)) = actions.last() else { panic!("{actions:?}") };
    assert_eq!(
        failure.message,
        "0/2 nodes are available: 2 Insufficient cpu. preemption: found a potential placement for pod on node n1, \
         preempting 2 victims"
    );
    assert_eq!(failure.nomination, Nomination::Node("n1".into()));
}

#[test]
fn room_that_was_made_is_kept_for_whom_it_was_made() {
    let mut rig = Rig::new(&[node("n", "a", "2", "10")]);
    rig.step(Event::Pod(&on(pod("low", "2"), "n")));
    assert!(victims(&rig.try_pod(&with_priority(pod("high", "2"), 10))).is_some());
    rig.step(Event::PodGone("uid-low"));
    rig.step(Event::Pod(&with_priority(pod("sneaky", "1"), 5)));
    let actions = rig.run();
    assert_eq!(bound(&actions).as_deref(), Some("n"));
    let Some(Action::Bind { pod, .. }) = actions.iter().find(|action| matches!(action, Action::Bind { .. }))
    else {
        panic!("{actions:?}")
    };
    assert_eq!(&*pod.name, "high");
}

#[test]
fn no_one_is_evicted_twice_over_while_victims_leave() {
    let mut rig = Rig::new(&[node("n", "a", "2", "10")]);
    rig.step(Event::Pod(&on(pod("low", "2"), "n")));
    let mut high = with_priority(pod("high", "2"), 10);
    assert!(victims(&rig.try_pod(&high)).is_some());
    let mut leaving = on(pod("low", "2"), "n");
    leaving.metadata.deletion_timestamp = Some(api_record::scalar::Time { seconds: 100 });
    leaving.status.conditions = vec![api_types::core::v1::PodCondition {
        type_: "DisruptionTarget".into(),
        status: "True".into(),
        reason: "PreemptionByScheduler".into(),
        ..Default::default()
    }];
    rig.step(Event::Pod(&leaving));
    high.status.nominated_node_name = "n".into();
    high.metadata.labels = labels(&[("changed", "yes")]);
    let actions = rig.try_pod(&high);
    let [Action::Failed(failure)] = actions.as_slice() else { panic!("{actions:?}") };
    assert!(
        failure.message.ends_with("preemption: not eligible due to a terminating pod on the nominated node.")
    );
    // Where their going could not help, it is told so, and another node may be looked for.
    rig.step(Event::Node(&node("n", "a", "1", "10")));
    high.metadata.labels = labels(&[("changed", "again")]);
    let actions = rig.try_pod(&high);
    let [Action::Failed(failure)] = actions.as_slice() else { panic!("{actions:?}") };
    assert!(failure.message.ends_with("1 Preemption is not helpful for scheduling."), "{}", failure.message);
}

#[test]
fn an_eviction_that_fails_lets_the_pod_preempt_again() {
    let mut rig = Rig::new(&[node("n1", "a", "1", "10"), node("n2", "a", "1", "10")]);
    for (name, node) in [("low-1", "n1"), ("low-2", "n2")] {
        rig.step(Event::Pod(&on(pod(name, "1"), node)));
    }
    let high = |round: &str| labelled(with_priority(pod("high", "1"), 10), "round", round);
    let Some((_, first)) = victims(&rig.try_pod(&high("1"))) else { panic!("there is a victim") };
    assert_eq!(victims(&rig.try_pod(&high("2"))), None, "the victim is on its way");
    rig.step(Event::EvictionFailed { uid: &format!("uid-{}", first[0]) });
    assert!(victims(&rig.try_pod(&high("3"))).is_some());
}

#[test]
fn kept_room_is_found_by_its_owner_though_its_like_was_refused() {
    let mut rig = Rig::new(&[node("n", "a", "1", "10")]);
    rig.step(Event::Pod(&on(pod("low", "1"), "n")));
    assert!(victims(&rig.try_pod(&with_priority(pod("high", "1"), 10))).is_some());
    rig.step(Event::Pod(&with_priority(pod("like", "1"), 10)));
    rig.step(Event::PodGone("uid-low"));
    let actions = rig.run();
    let bound: Vec<_> = actions.iter().filter(|action| matches!(action, Action::Bind { .. })).collect();
    let [Action::Bind { pod, .. }] = bound.as_slice() else { panic!("{actions:?}") };
    assert_eq!(&*pod.name, "high");
}

#[test]
fn anti_affinity_to_a_lesser_pod_is_a_reason_to_evict_it() {
    let mut rig = Rig::new(&[node("n", "a", "4", "10")]);
    rig.step(Event::Pod(&on(labelled(pod("noisy", "1"), "app", "noisy"), "n")));
    rig.step(Event::Pod(&on(pod("bystander", "1"), "n")));
    let high = apart(with_priority(pod("p", "1"), 10), term(HOST, &[("app", "noisy")]));
    assert_eq!(victims(&rig.try_pod(&high)), Some(("n".into(), vec!["noisy".into()])));
}

#[test]
fn a_budget_protects_while_there_is_another_way() {
    let mut rig = Rig::new(&[node("n1", "a", "1", "10"), node("n2", "a", "1", "10")]);
    let mut budget = api_types::policy::v1::PodDisruptionBudget::default();
    (budget.metadata.namespace, budget.metadata.name) = ("default".into(), "guard".into());
    budget.spec.selector = selector(&[("app", "db")]);
    rig.step(Event::Budget(&budget));
    rig.step(Event::Pod(&on(labelled(pod("db", "1"), "app", "db"), "n1")));
    rig.step(Event::Pod(&on(with_priority(pod("other", "1"), 5), "n2")));
    let high = with_priority(pod("p", "1"), 10);
    assert_eq!(victims(&rig.try_pod(&high)), Some(("n2".into(), vec!["other".into()])));
    rig.step(Event::NodeGone("n2"));
    let higher = with_priority(pod("q", "1"), 20);
    assert_eq!(
        victims(&rig.try_pod(&higher)),
        Some(("n1".into(), vec!["db".into()])),
        "unless there is none"
    );
}

#[test]
fn a_more_important_pod_takes_over_a_nomination() {
    let mut rig = Rig::new(&[node("n", "a", "1", "10")]);
    rig.step(Event::Pod(&on(pod("low", "1"), "n")));
    assert!(victims(&rig.try_pod(&with_priority(pod("high", "1"), 10))).is_some());
    let actions = rig.try_pod(&with_priority(pod("higher", "1"), 20));
    assert!(
        actions.iter().any(|action| matches!(action, Action::Unnominate { pod } if &*pod.name == "high"))
    );
}

#[test]
fn of_equals_the_one_that_has_not_started_goes() {
    let mut rig = Rig::new(&[node("n1", "a", "2", "10")]);
    let mut young = on(pod("young", "1"), "n1");
    young.status.start_time = Some(Time::from_unix_seconds(90).into());
    let mut unstarted = on(pod("unstarted", "1"), "n1");
    unstarted.metadata.creation_timestamp = Some(Time::from_unix_seconds(10).into());
    for there in [&unstarted, &young] {
        rig.step(Event::Pod(there));
    }
    let actions = rig.try_pod(&with_priority(pod("p", "1"), 10));
    assert_eq!(victims(&actions), Some(("n1".into(), vec!["unstarted".into()])));
}

#[test]
fn all_that_is_lacking_even_without_victims_is_told() {
    let message = "0/1 nodes are available: 1 Insufficient cpu, 1 Too many pods. \
         preemption: 0/1 nodes are available: 1 Insufficient cpu, 1 Too many pods.";
    for new in [pod("new", "2"), with_host_port(pod("new", "2"), 80)] {
        let mut rig = Rig::new(&[node("n", "a", "2", "1")]);
        rig.step(Event::Pod(&on(with_priority(pod("high", "2"), 10), "n")));
        rig.step(Event::Pod(&on(pod("low", "1"), "n")));
        let actions = rig.try_pod(&with_priority(new, 5));
        let Some(Action::Failed(failure)) = actions.last() else { panic!("{actions:?}") };
        assert_eq!(failure.message, message);
    }
}

#[test]
fn room_is_kept_for_a_nominated_pod_until_it_has_gone() {
    let mut rig = Rig::new(&[node("n", "a", "2", "10")]);
    let mut leaving = with_priority(pod("leaving", "2"), 10);
    leaving.status.nominated_node_name = "n".into();
    leaving.metadata.deletion_timestamp = Some(api_record::scalar::Time { seconds: 100 });
    assert!(bound(&rig.try_pod(&leaving)).is_none());
    assert!(bound(&rig.try_pod(&pod("next", "2"))).is_none());
    rig.step(Event::Pod(&leaving));
    rig.now = rig.now + std::time::Duration::from_secs(20);
    assert!(bound(&rig.run()).is_none());
    rig.step(Event::PodGone("uid-leaving"));
    assert_eq!(bound(&rig.run()).as_deref(), Some("n"));
}

#[test]
fn a_constraint_without_a_selector_counts_pods_that_are_nominated() {
    let mut rig = Rig::new(&[node("n1", "a", "4", "10"), node("n2", "b", "4", "0")]);
    let mut first = with_priority(pod("first", "1"), 1);
    first.status.nominated_node_name = "n1".into();
    first.spec.scheduling_gates = vec![api_types::core::v1::PodSchedulingGate { name: "waits".into() }];
    rig.step(Event::Pod(&first));
    let failure = rig.refused(&spread(pod("second", "1"), ZONE, 1, &[]));
    assert!(
        failure.message.contains("1 node(s) didn't match pod topology spread constraints"),
        "{}",
        failure.message
    );
}

#[test]
fn a_pod_nominated_to_the_emptiest_domain_raises_the_least() {
    let mut rig = Rig::new(&[node("n1", "a", "4", "10")]);
    let mut first = with_priority(pod("first", "1"), 1);
    first.status.nominated_node_name = "n1".into();
    first.spec.scheduling_gates = vec![api_types::core::v1::PodSchedulingGate { name: "waits".into() }];
    rig.step(Event::Pod(&first));
    let second = spread(pod("second", "1"), ZONE, 1, &[]);
    assert_eq!(rig.bind(&second).as_deref(), Some("n1"), "no other domain is behind");
}

#[test]
fn whom_a_nominated_pod_repels_matters_where_other_pods_matter_at_all() {
    let mut rig = Rig::new(&[node("n1", "a", "4", "10")]);
    let mut first = apart(with_priority(pod("first", "1"), 1), term(ZONE, &[("app", "web")]));
    first.status.nominated_node_name = "n1".into();
    first.spec.scheduling_gates = vec![api_types::core::v1::PodSchedulingGate { name: "waits".into() }];
    rig.step(Event::Pod(&first));
    let mut second = apart(pod("second", "1"), term(HOST, &[("app", "none")]));
    second.metadata.labels = labels(&[("app", "web")]);
    let message = rig.refused(&second).message;
    assert!(message.contains("1 node(s) didn't satisfy existing pods anti-affinity rules"), "{message}");
    let mut third = pod("third", "1");
    third.metadata.labels = labels(&[("app", "web")]);
    assert_eq!(rig.bind(&third).as_deref(), Some("n1"));
}
