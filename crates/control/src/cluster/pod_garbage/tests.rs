//! Pods and nodes, and who is cleared away.

use api_types::core::v1::{NodeCondition, PodCondition, Taint};
use client::Revision;

use super::*;

fn at(seconds: i64) -> Time {
    Time::from_unix_seconds(seconds)
}

fn pod(name: &str, phase: &str, node: &str) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.name = name.into();
    pod.metadata.namespace = "shop".into();
    pod.metadata.uid = name.into();
    pod.metadata.generation = 2;
    pod.spec.node_name = node.into();
    pod.status.phase = phase.into();
    pod
}

fn going(mut pod: Pod) -> Pod {
    pod.metadata.deletion_timestamp = Some(at(1).into());
    pod.metadata.deletion_grace_period_seconds = Some(30);
    pod
}

fn node(ready: &str, taint: Option<&str>) -> Node {
    let mut node = Node::default();
    node.metadata.name = "n".into();
    let condition = NodeCondition { type_: "Ready".into(), status: ready.into(), ..NodeCondition::default() };
    node.status.conditions.push(condition);
    node.spec.taints = taint.map(|key| Taint { key: key.into(), ..Taint::default() }).into_iter().collect();
    node
}

fn world(nodes: Vec<Node>, pods: Vec<Pod>) -> World {
    World::default().with(nodes, Revision(1)).with(pods, Revision(1))
}

const FAIL_AND_DELETE: [&str; 2] = ["patch pods/status shop/a", "delete pods shop/a"];

fn patch(plan: &Plan) -> &Value {
    let Op::Patch(_, patch) = &plan.stages[0][0].op else { panic!("a patch") };
    patch
}

#[test]
fn pods_of_a_node_that_stays_away_go() {
    let garbage = PodGarbage::default();
    let key = Key::Node("n".into());
    let lost = world(vec![], vec![pod("a", "Running", "n"), pod("b", "Running", "other")]);
    let first = garbage.plan(&key, &lost, at(100));
    assert_eq!((first.stages.len(), first.again), (0, Some(QUARANTINE)));
    assert_eq!(garbage.plan(&key, &lost, at(130)).again, Some(Duration::from_secs(10)));
    let over = garbage.plan(&key, &lost, at(140));
    assert_eq!(over.describe(), FAIL_AND_DELETE);
    let status = &patch(&over)["status"];
    assert_eq!((&status["phase"], &status["observedGeneration"]), (&json!("Failed"), &json!(2)));
    let condition = &status["conditions"][0];
    assert_eq!(
        (&condition["type"], &condition["reason"], &condition["message"]),
        (&json!("DisruptionTarget"), &json!("DeletionByPodGC"), &json!("PodGC: node no longer exists"))
    );
    assert!(over.writes().all(|write| matches!(&write.guards[..], [Guard::Absent(target, uid)] if target.name == "n" && uid.is_empty())));
    assert!(matches!(over.stages[1][0].op, Op::Delete { grace_seconds: Some(0), .. }));
}

#[test]
fn a_node_that_comes_back_begins_anew() {
    let garbage = PodGarbage::default();
    let key = Key::Node("n".into());
    let pods = || vec![pod("a", "Running", "n")];
    garbage.plan(&key, &world(vec![], pods()), at(100));
    assert!(garbage.plan(&key, &world(vec![node("True", None)], pods()), at(120)).stages.is_empty());
    assert_eq!(garbage.plan(&key, &world(vec![], pods()), at(200)).again, Some(QUARANTINE));
}

#[test]
fn a_node_that_is_out_of_service_loses_the_pods_that_are_to_go() {
    let plan = |node: Node, pod: Pod| {
        PodGarbage::default().plan(&Key::Node("n".into()), &world(vec![node], vec![pod]), at(1))
    };
    let running = || pod("a", "Running", "n");
    let out = || node("Unknown", Some(OUT_OF_SERVICE));
    let collected = plan(out(), going(running()));
    assert_eq!(collected.describe(), FAIL_AND_DELETE);
    assert!(patch(&collected)["status"].get("conditions").is_none());
    assert!(plan(out(), running()).stages.is_empty());
    assert!(plan(node("True", Some(OUT_OF_SERVICE)), going(running())).stages.is_empty());
    assert!(plan(node("Unknown", Some("other")), going(running())).stages.is_empty());
}

#[test]
fn a_pod_that_never_came_to_a_node_goes() {
    let plan = |pod: Pod| {
        let key = Key::Pod("shop".into(), "a".into());
        PodGarbage::default().plan(&key, &world(vec![], vec![pod]), at(1)).describe()
    };
    assert_eq!(plan(going(pod("a", "Pending", ""))), FAIL_AND_DELETE);
    assert_eq!(plan(going(pod("a", "Failed", ""))), FAIL_AND_DELETE[1..]);
    assert!(plan(pod("a", "Pending", "")).is_empty());
    assert!(plan(going(pod("a", "Pending", "n"))).is_empty());
    // Only finalizers hold it.
    let mut held = going(pod("a", "Failed", ""));
    held.metadata.deletion_grace_period_seconds = Some(0);
    assert!(plan(held).is_empty());
}

#[test]
fn of_too_many_that_have_ended_the_evicted_and_the_oldest_go() {
    let mut pods: Vec<Pod> =
        (0..MOST_ENDED).map(|number| pod(&format!("p{number:05}"), "Succeeded", "n")).collect();
    for (number, pod) in pods.iter_mut().enumerate() {
        pod.metadata.creation_timestamp = Some(at(1000 + i64::try_from(number).expect("small")).into());
    }
    let garbage = PodGarbage::default();
    let full = world(vec![node("True", None)], pods.clone());
    assert!(garbage.plan(&Key::Ended, &full, at(100)).stages.is_empty());
    let mut evicted = pod("evicted", "Failed", "n");
    evicted.status.reason = "Evicted".into();
    evicted.metadata.creation_timestamp = Some(at(1_000_000).into());
    pods.extend([evicted, pod("running", "Running", "n"), pod("oldest", "Failed", "n")]);
    pods.last_mut().expect("one").metadata.creation_timestamp = Some(at(1).into());
    let over = world(vec![node("True", None)], pods);
    // They are counted once in a while.
    let early = garbage.plan(&Key::Ended, &over, at(110));
    assert_eq!((early.stages.len(), early.again), (0, Some(Duration::from_secs(10))));
    assert_eq!(
        garbage.plan(&Key::Ended, &over, at(120)).describe(),
        ["delete pods shop/evicted", "delete pods shop/oldest"]
    );
}

#[test]
fn what_pods_and_nodes_are_about() {
    let mut wires = Wires::default();
    PodGarbage::default().wire(&mut wires);
    let sources = wires.into_sources();
    let keys = |pod: Pod, nodes: Vec<Node>| sources[1].about(None, Some(&pod), &world(nodes, vec![]));
    let node_key = vec![Key::Node("n".to_owned())];
    assert_eq!(keys(pod("a", "Running", "n"), vec![]), node_key);
    assert!(keys(going(pod("a", "Running", "n")), vec![node("True", None)]).is_empty());
    assert_eq!(keys(going(pod("a", "Running", "n")), vec![node("False", Some(OUT_OF_SERVICE))]), node_key);
    assert_eq!(keys(pod("a", "Failed", "n"), vec![node("True", None)]), [Key::Ended]);
    let unscheduled = Key::Pod("shop".into(), "a".into());
    assert_eq!(keys(going(pod("a", "Pending", "")), vec![]), [unscheduled]);
    assert!(keys(pod("a", "Pending", ""), vec![]).is_empty());
}

#[test]
fn a_disruption_that_is_said_already_keeps_its_time() {
    let mut own = pod("a", "Running", "n");
    let said = PodCondition {
        type_: pod::DISRUPTION_TARGET.into(),
        status: "True".into(),
        last_transition_time: Some(at(50).into()),
        ..PodCondition::default()
    };
    own.status.conditions.push(said);
    let value = pod::disruption_target(&own, "DeletionByPodGC", "m", at(100));
    assert_eq!(value["lastTransitionTime"], json!("1970-01-01T00:00:50Z"));
    let fresh = pod::disruption_target(&pod("a", "Running", "n"), "DeletionByPodGC", "m", at(100));
    assert_eq!(fresh["lastTransitionTime"], json!("1970-01-01T00:01:40Z"));
}
