//! Nodes, leases and the plans that they lead to.

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
    NodeLifecycle::new(at(begun)).plan(&"a".to_owned(), &world, at(now))
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
        effects(&taints(&unready, false, at(1))),
        ["mine:NoExecute", "not-ready:NoSchedule", "not-ready:NoExecute", "unschedulable:NoSchedule"]
    );
    assert_eq!(
        effects(&taints(&unready, true, at(1))),
        ["mine:NoExecute", "not-ready:NoSchedule", "unschedulable:NoSchedule"],
        "nothing is evicted when no node is ready"
    );
    assert_eq!(effects(&taints(&node("a", TRUE), false, at(1))), Vec::<String>::new());
}
