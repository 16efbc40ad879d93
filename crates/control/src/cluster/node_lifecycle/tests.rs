//! Nodes, leases and the plans that they lead to.

use std::collections::BTreeSet;

use api_types::core::v1::PodCondition;
use client::Revision;

use super::*;

fn at(seconds: i64) -> Time {
    Time::from_unix_seconds(seconds)
}

fn node(name: &str, status: &str) -> Node {
    let mut node = Node::default();
    node.metadata.name = name.into();
    node.metadata.creation_timestamp = Some(at(0).into());
    node.status.conditions =
        vec![NodeCondition { type_: "Ready".into(), status: status.into(), ..NodeCondition::default() }];
    node
}

fn lease(name: &str, renewed: i64) -> Lease {
    let mut lease = Lease::default();
    lease.metadata.name = name.into();
    lease.metadata.namespace = LEASES.into();
    lease.metadata.resource_version = "7".into();
    lease.spec.renew_time = Some(at(renewed).into());
    lease
}

fn pod(node: &str) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.name = "p".into();
    pod.metadata.namespace = "shop".into();
    pod.spec.node_name = node.into();
    let ready = PodCondition { type_: "Ready".into(), status: TRUE.into(), ..PodCondition::default() };
    pod.status.conditions = vec![ready];
    pod
}

fn plan(nodes: Vec<Node>, now: i64) -> Plan {
    plan_since(0, nodes, now)
}

fn plan_since(begun: i64, nodes: Vec<Node>, now: i64) -> Plan {
    let world = World::default()
        .with(nodes, Revision(1))
        .with([lease("a", 100), lease("b", 100)], Revision(1))
        .with([pod("a")], Revision(1));
    NodeLifecycle::new(at(begun)).plan(&Key::Node("a".to_owned()), &world, at(now))
}

fn effects(taints: &[Taint]) -> Vec<String> {
    taints
        .iter()
        .map(|taint| format!("{}:{}", taint.key.replace("node.kubernetes.io/", ""), taint.effect))
        .collect()
}

#[test]
fn a_node_that_is_heard_of_is_left_alone() {
    let plan = plan(vec![node("a", TRUE), node("b", TRUE)], 140);
    assert_eq!(plan.describe(), Vec::<String>::new());
    assert_eq!(plan.again, Some(Duration::from_secs(11)));
}

#[test]
fn a_silent_node_is_unknown_tainted_and_its_pods_not_ready() {
    let plan = plan(vec![node("a", TRUE), node("b", TRUE)], 150);
    assert_eq!(plan.describe(), ["update nodes/status a", "patch pods/status shop/p"]);
    let seen: &Node = plan.stages[0][0].object().expect("a node");
    assert!(
        matches!(&plan.stages[0][0].guards[..], [Guard::Unchanged(lease, version)]
            if lease.name == "a" && lease.namespace == LEASES && version == "7"),
        "if its lease is still as it was seen: {:?}",
        plan.stages[0][0].guards
    );
    let ready = &seen.status.conditions[0];
    assert_eq!((ready.status.as_str(), ready.reason.as_str()), (UNKNOWN, "NodeStatusUnknown"));
    assert_eq!(seen.status.conditions[1].reason, "NodeStatusNeverUpdated");
    assert_eq!(plan.events[0].message, "Node a status is now: NodeNotReady");
    let next = super::tests::plan(vec![seen.clone(), node("b", TRUE)], 151);
    assert_eq!(next.describe(), ["patch nodes a", "patch pods/status shop/p"]);
}

#[test]
fn what_a_node_says_of_a_pod_after_it_was_not_ready_holds() {
    let mut ill = node("a", FALSE);
    ill.status.conditions[0].last_transition_time = Some(at(120).into());
    let of_pod_since = |ill: &Node, since: i64| {
        let mut pod = pod("a");
        pod.status.conditions[0].last_transition_time = Some(at(since).into());
        let world = World::default()
            .with([ill.clone(), node("b", TRUE)], Revision(1))
            .with([lease("a", 100)], Revision(1))
            .with([pod], Revision(1));
        NodeLifecycle::new(at(0)).plan(&Key::Node("a".to_owned()), &world, at(140)).describe()
    };
    assert_eq!(of_pod_since(&ill, 119), ["patch nodes a", "patch pods/status shop/p"]);
    assert_eq!(of_pod_since(&ill, 120), ["patch nodes a"]);
    ill.status.conditions[0].status = UNKNOWN.into();
    assert_eq!(of_pod_since(&ill, 130), ["patch nodes a", "patch pods/status shop/p"], "the node is silent");
}

#[test]
fn silence_before_the_controller_began_is_no_silence() {
    let nodes = || vec![node("a", TRUE), node("b", TRUE)];
    let plan = plan_since(900, nodes(), 949);
    assert_eq!(plan.describe(), Vec::<String>::new());
    assert_eq!(plan.again, Some(Duration::from_secs(2)));
    assert_eq!(plan_since(900, nodes(), 950).describe().len(), 2, "but from then on it is");
}

#[test]
fn taints_follow_conditions_and_leave_others_alone() {
    let mut unready = node("a", FALSE);
    unready.spec.unschedulable = true;
    unready.spec.taints = vec![
        Taint { key: "mine".into(), effect: "NoExecute".into(), ..Taint::default() },
        Taint { key: UNREACHABLE.into(), effect: "NoExecute".into(), ..Taint::default() },
    ];
    assert_eq!(
        effects(&taints(&unready, true, at(1))),
        ["mine:NoExecute", "not-ready:NoSchedule", "not-ready:NoExecute", "unschedulable:NoSchedule"]
    );
    assert_eq!(
        effects(&taints(&unready, false, at(1))),
        ["mine:NoExecute", "not-ready:NoSchedule", "unschedulable:NoSchedule"],
        "nothing is evicted when no node is ready"
    );
    assert_eq!(effects(&taints(&node("a", TRUE), true, at(1))), Vec::<String>::new());
}

/// Unready nodes that wait, tainted ones with when they were, and ready ones; the first is of the zone `a`, as are all with its prefix.
fn zone_of(waiting: &[(&str, i64)], tainted: &[(&str, i64)], ready: &[&str]) -> World {
    let of = |name: &str, status: &str, since: i64| {
        let mut node = node(name, status);
        node.status.conditions[0].last_transition_time = Some(at(since).into());
        let zone = name[..1].to_owned();
        node.metadata.labels.insert("topology.kubernetes.io/zone".into(), zone);
        node
    };
    let mut nodes: Vec<Node> = waiting.iter().map(|(name, since)| of(name, UNKNOWN, *since)).collect();
    nodes.extend(tainted.iter().map(|(name, since)| {
        let mut node = of(name, UNKNOWN, 0);
        let (key, effect) = (UNREACHABLE.to_owned(), "NoExecute".to_owned());
        let time_added = Some(at(*since).into());
        node.spec.taints = vec![Taint { key, effect, time_added, ..Taint::default() }];
        node
    }));
    nodes.extend(ready.iter().map(|name| of(name, TRUE, 0)));
    World::default().with(nodes, Revision(1))
}

fn named(nodes: Vec<&Node>) -> Vec<&str> {
    nodes.into_iter().map(|node| node.metadata.name.as_str()).collect()
}

/// Whose turn it is, who is spared, and when to look again.
fn turns(world: &World) -> (Vec<&str>, Vec<&str>, Option<u64>) {
    let evictions = zone::evictions(world, at(100));
    let again = evictions.again.map(|wait| wait.as_secs());
    (named(evictions.begun), named(evictions.ended), again)
}

#[test]
fn nodes_of_a_zone_are_evicted_one_after_the_other() {
    let ready = ["a7", "a8", "a9"];
    let world = zone_of(&[("a1", 60), ("a2", 50), ("b1", 70)], &[], &ready);
    assert_eq!(
        turns(&world),
        (vec!["a2", "b1"], vec![], Some(10)),
        "the longest first; a zone that is gone as a whole"
    );
    let world = zone_of(&[("a1", 60)], &[("a2", 97)], &ready);
    assert_eq!(turns(&world), (vec![], vec![], Some(7)), "the last one was three seconds ago");
    let world = zone_of(&[("a1", 60)], &[("a2", 90)], &ready);
    assert_eq!(turns(&world), (vec!["a1"], vec![], None), "the last of all");
    let world = zone_of(&[("a1", 60)], &[("a2", 90)], &[]);
    assert_eq!(turns(&world), (vec![], vec!["a2"], None), "no node at all is ready");
    let plan = NodeLifecycle::new(at(0)).plan(&Key::Evictions, &world, at(100));
    assert_eq!(plan.describe(), ["patch nodes a2"]);
}

#[test]
fn a_zone_of_which_much_is_silent_is_not_emptied() {
    let many = |prefix: &str, count: usize| -> Vec<String> {
        (100..100 + count).map(|number| format!("{prefix}{number}")).collect()
    };
    let again = |unready: usize, ready: usize, elsewhere: &[&str]| {
        let unready = many("a", unready);
        let ready = many("a9", ready);
        let waiting: Vec<(&str, i64)> = unready.iter().map(|name| (name.as_str(), 0)).collect();
        let ready: Vec<&str> = ready.iter().map(String::as_str).chain(elsewhere.iter().copied()).collect();
        let world = zone_of(&waiting, &[], &ready);
        let (begun, _, again) = turns(&world);
        (begun.len(), again)
    };
    assert_eq!(again(2, 1, &[]), (1, Some(10)), "two are too few to judge by");
    assert_eq!(again(5, 5, &[]), (1, Some(10)), "half of them is not yet much");
    assert_eq!(again(6, 4, &[]), (0, None), "a small zone");
    assert_eq!(again(30, 21, &[]), (1, Some(100)), "a large one, slowly");
    assert_eq!(again(6, 0, &["b1"]), (1, Some(10)), "a zone is gone, another is there");
    assert_eq!(again(6, 0, &[]), (0, None), "all zones are gone");
}

#[test]
fn what_a_node_becomes_is_about_those_that_wait() {
    let mut wires = Wires::default();
    NodeLifecycle::new(at(0)).wire(&mut wires);
    let sources = wires.into_sources();
    let about = |old: &str, new: &str| {
        let (old, new) = (node("a2", old), node("a2", new));
        sources[0].about(Some(&old), Some(&new), &World::default()).into_iter().collect::<BTreeSet<_>>()
    };
    let own = Key::Node("a2".to_owned());
    assert_eq!(about(UNKNOWN, TRUE), BTreeSet::from([own.clone(), Key::Evictions]));
    assert_eq!(about(TRUE, TRUE), BTreeSet::from([own]));
}
