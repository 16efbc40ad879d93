//! Pods that a DaemonSet should not have, and nodes that it should serve.

use serde_json::{Value, json};

use super::*;
use crate::check::trial::{Trial, meta};

fn set(surge: i32) -> Value {
    let rolling = json!({"maxUnavailable": 1 - surge, "maxSurge": surge});
    json!({
        "metadata": meta("agent", None),
        "spec": {"updateStrategy": {"type": "RollingUpdate", "rollingUpdate": rolling}},
        "status": {"numberAvailable": 2},
    })
}

fn node(name: &str, taints: &Value) -> Value {
    json!({"metadata": {"name": name, "uid": format!("{name}-uid")}, "spec": {"taints": taints}})
}

fn pod(name: &str, node: &str, hash: &str, ready: bool) -> Value {
    let mut meta = meta(name, Some(("DaemonSet", "agent")));
    meta["labels"] = json!({HASH: hash});
    let ready = if ready { "True" } else { "False" };
    json!({
        "metadata": meta, "spec": {"nodeName": node},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    })
}

fn placed(surge: i32) -> Trial {
    let mut trial = Trial::of(Placement::new(&Profile::default()));
    assert_eq!(trial.write::<DaemonSet>(&set(surge)), Ok(()));
    assert_eq!(trial.write::<Node>(&node("one", &json!([]))), Ok(()));
    assert_eq!(trial.write::<Pod>(&pod("a", "one", "1", true)), Ok(()));
    trial
}

#[test]
fn a_node_has_no_two_pods_of_a_revision() {
    let mut trial = placed(1);
    let second = trial.write::<Pod>(&pod("b", "one", "1", true));
    assert_eq!(second, Err("one has a of the same revision".to_owned()));
}

#[test]
fn a_pod_of_a_new_revision_comes_beside_the_old_one_if_the_set_surges() {
    assert_eq!(placed(1).write::<Pod>(&pod("b", "one", "2", true)), Ok(()));
    let second = placed(0).write::<Pod>(&pod("b", "one", "2", true));
    assert_eq!(second, Err("one still has a".to_owned()));
}

#[test]
fn a_node_that_the_set_does_not_tolerate_gets_no_pod() {
    let mut trial = placed(0);
    let taints = json!([{"key": "dedicated", "effect": "NoSchedule"}]);
    assert_eq!(trial.write::<Node>(&node("two", &taints)), Ok(()));
    let wrong = trial.write::<Pod>(&pod("b", "two", "1", true));
    assert_eq!(wrong, Err("agent was never for two".to_owned()));
}

#[test]
fn as_many_nodes_are_served_as_the_set_promises() {
    let mut trial = Trial::of(Availability::new(&Profile::default()));
    assert_eq!(trial.write::<Namespace>(&json!({"metadata": {"name": "shop", "uid": "shop-uid"}})), Ok(()));
    assert_eq!(trial.write::<DaemonSet>(&set(0)), Ok(()));
    for (name, node_name) in [("a", "one"), ("b", "two")] {
        assert_eq!(trial.write::<Node>(&node(node_name, &json!([]))), Ok(()));
        assert_eq!(trial.write::<Pod>(&pod(name, node_name, "1", true)), Ok(()));
    }
    assert_eq!(trial.write::<Pod>(&pod("a", "one", "1", false)), Ok(()));
    let lost = trial.write::<Pod>(&pod("b", "two", "1", false));
    assert_eq!(lost, Err("agent serves 0 nodes, and 1 at least are promised".to_owned()));
}
