//! Pods that wait for a node.

use api_types::core::v1::{Namespace, Node, Pod};
use serde_json::{Value, json};

use super::fixture::{Scene, reasons, told};

fn node(name: &str, cpu: &str, spec: Value) -> Value {
    json!({
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "zone": format!("z-{name}")}},
        "spec": spec,
        "status": {"allocatable": {"cpu": cpu, "memory": "8Gi", "pods": "10"}},
    })
}

fn pod(name: &str, cpu: &str, spec: &Value) -> Value {
    let mut pod = json!({
        "metadata": {"name": name, "namespace": "shop", "uid": format!("uid-{name}"), "labels": {"app": "web"}},
        "spec": {
            "schedulerName": "default-scheduler",
            "containers": [{"name": "main", "image": "app", "resources": {"requests": {"cpu": cpu}}}],
        },
        "status": {"phase": "Pending"},
    });
    for (key, value) in spec.as_object().into_iter().flatten() {
        pod["spec"][key] = value.clone();
    }
    pod
}

fn scene(nodes: Vec<Value>, pods: Vec<Value>) -> Scene {
    let namespaces = [json!({"metadata": {"name": "shop"}})];
    Scene::new().with::<Namespace>(namespaces).with::<Node>(nodes).with::<Pod>(pods)
}

#[test]
fn each_node_is_told_of_with_numbers_and_what_would_help() {
    let taint = json!({"taints": [{"key": "gpu", "value": "a", "effect": "NoSchedule"}]});
    let scene = scene(
        vec![node("n1", "2", json!({})), node("n2", "2", json!({})), node("n3", "4", taint)],
        vec![
            pod("big", "1500m", &json!({"nodeName": "n1"})),
            pod("small", "1", &json!({"nodeName": "n2"})),
            pod("new", "1500m", &json!({})),
        ],
    );
    let answer = scene.why::<Pod>("shop", "new");
    assert_eq!(
        told(&answer),
        "\
Pod shop/new: Pending, waits for a node

0/3 nodes are available: 1 node(s) had untolerated taint(s), 2 Insufficient cpu. preemption: 0/3 nodes are available: 1 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod.
  2 nodes: Insufficient cpu (NodeResourcesFit)
    -> ask for at most 1 cpu, which node n2 has left
    -> free 500m cpu on node n2, or add a node
    Node n2: asks for 1500m cpu, and 1 of 2 is left (most is of shop/small 1)
    Node n1: asks for 1500m cpu, and 500m of 2 is left (most is of shop/big 1500m)
  1 node: node(s) had untolerated taint(s) (TaintToleration)
    -> tolerate gpu=a:NoSchedule in spec.tolerations
    -> kubectl taint nodes n3 gpu:NoSchedule-
    Node n3: does not tolerate gpu=a:NoSchedule
"
    );
}

#[test]
fn every_plugin_that_rejects_a_node_is_told() {
    let cordoned = json!({"unschedulable": true, "taints": [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]});
    let scene = scene(
        vec![node("n1", "1", cordoned)],
        vec![pod("new", "2", &json!({"nodeSelector": {"zone": "b"}}))],
    );
    let answer = scene.why::<Pod>("shop", "new");
    let node = &answer.findings[0].because[0].because[0];
    assert_eq!(
        node.message,
        "the node is cordoned; besides: wants zone=b (it is z-n1); asks for 2 cpu, and it has 1 in all; does not tolerate node.kubernetes.io/unschedulable:NoSchedule"
    );
    assert_eq!(answer.findings[0].because[0].remedies, ["kubectl uncordon n1"]);
}

#[test]
fn what_stands_in_the_way_is_named() {
    let affinity = |terms: Value| json!({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}});
    let port = json!([{"name": "main", "image": "app", "ports": [{"containerPort": 80, "hostPort": 80, "protocol": "TCP"}]}]);
    let anti = json!({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"labelSelector": {"matchLabels": {"app": "web"}}, "topologyKey": "kubernetes.io/hostname"}]}}});
    let near = json!({"affinity": {"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"labelSelector": {"matchLabels": {"app": "db"}}, "topologyKey": "zone"}]}}});
    let spread = json!({"topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"app": "web"}}}]});
    for (case, spec, there, detail, remedy) in [
        (
            "a label that no node has",
            json!({"nodeSelector": {"disk": "ssd"}}),
            json!({}),
            "wants disk=ssd (it has no such label)",
            "no node at all has disk=ssd: label one, or ask for something else",
        ),
        (
            "an affinity",
            affinity(
                json!([{"matchExpressions": [{"key": "zone", "operator": "NotIn", "values": ["z-n1"]}]}]),
            ),
            json!({}),
            "wants zone not in (z-n1) (it is z-n1)",
            "no node at all has zone not in (z-n1): label one, or ask for something else",
        ),
        (
            "a port",
            json!({"containers": port}),
            json!({"containers": port}),
            "host port 80/TCP is of shop/there",
            "do without hostPort, or have no more such pods than nodes",
        ),
        (
            "keeping away",
            anti.clone(),
            json!({}),
            "keeps away from shop/there, in kubernetes.io/hostname=n1",
            "add nodes in domains without such pods, or make the rule a preferred one",
        ),
        (
            "being kept away",
            json!({}),
            anti,
            "these keep away from it: shop/there (by kubernetes.io/hostname)",
            "add nodes in domains without such pods, or make the rule a preferred one",
        ),
        (
            "wanting company",
            near,
            json!({}),
            "wants to be near pods with app=db, and none is in zone=z-n1",
            "add nodes in domains without such pods, or make the rule a preferred one",
        ),
        (
            "spreading",
            spread,
            json!({}),
            "zone=z-n1 has 1 such pods, with maxSkew 1; by domain: z-n2 0, z-n1 1",
            "make room in the domains that have fewest, raise maxSkew, or let whenUnsatisfiable be ScheduleAnyway",
        ),
    ] {
        let mut there = there;
        there["nodeName"] = "n1".into();
        // A second domain, whose node takes nobody.
        let full = json!({"unschedulable": true});
        let nodes = if case == "spreading" {
            vec![node("n1", "4", json!({})), node("n2", "0", full)]
        } else {
            vec![node("n1", "4", json!({}))]
        };
        let scene = scene(nodes, vec![pod("there", "1", &there), pod("new", "1", &spec)]);
        let answer = scene.why::<Pod>("shop", "new");
        let groups = &answer.findings[0].because;
        let found = groups.iter().flat_map(|group| group.because.iter().map(move |node| (node, group)));
        let (node, group) = found
            .into_iter()
            .find(|(node, _)| node.about.as_ref().is_some_and(|of| of.name == "n1"))
            .unwrap_or_else(|| panic!("{case}: {answer:?}"));
        assert_eq!(node.message, detail, "{case}");
        assert_eq!(group.remedies, [remedy], "{case}");
    }
}

#[test]
fn whom_preemption_would_evict_is_told() {
    let scene = scene(
        vec![node("n1", "2", json!({}))],
        vec![
            pod("low", "2", &json!({"nodeName": "n1", "priority": 0})),
            pod("new", "2", &json!({"priority": 10})),
        ],
    );
    let answer = scene.why::<Pod>("shop", "new");
    assert_eq!(reasons(&answer.findings), "Unschedulable[NodeResourcesFit[NodeResourcesFit]] Preemption");
    assert_eq!(
        answer.findings[1].message,
        "eviction helps on 1 node: the scheduler would evict shop/low on node n1, whose priority is below 10"
    );
}

#[test]
fn what_keeps_the_scheduler_from_trying_comes_first() {
    let suits = || vec![node("n1", "2", json!({}))];
    for (spec, wanted) in [
        (json!({"schedulingGates": [{"name": "example.com/quota"}]}), "SchedulingGated"),
        (json!({"schedulerName": "mine"}), "UnknownScheduler NotYetScheduled"),
        (json!({}), "NotYetScheduled"),
    ] {
        let answer = scene(suits(), vec![pod("new", "1", &spec)]).why::<Pod>("shop", "new");
        assert_eq!(reasons(&answer.findings), wanted);
    }
}

#[test]
fn what_was_not_read_is_not_guessed() {
    let mut new = pod("new", "1", &json!({}));
    new["status"]["conditions"] = json!([{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient cpu."}]);
    let mut scene = Scene::new().with::<Pod>([new]);
    scene
        .evidence
        .unread
        .push(crate::Unread { resource: "nodes".into(), why: "nodes is forbidden: no".into() });
    scene.evidence.unread.push(crate::Unread { resource: "events".into(), why: "timeout".into() });
    let answer = scene.why::<Pod>("shop", "new");
    assert_eq!(
        answer.text(super::fixture::NOW, false),
        "\
Pod shop/new: Pending, waits for a node: 0/1 nodes are available: 1 Insufficient cpu.

the scheduler said: 0/1 nodes are available: 1 Insufficient cpu.

Not read, so nothing is said of it:
  events: timeout
  you may not read nodes
"
    );
}

#[test]
fn without_nodes_there_is_no_place() {
    let answer = scene(Vec::new(), vec![pod("new", "1", &json!({}))]).why::<Pod>("shop", "new");
    assert_eq!(answer.findings[0].message, "no nodes available to schedule pods");
}
