//! Random clusters, and a pod that a node is looked for: few names, so that selectors, taints and terms meet what they are about.

mod configuration;
mod pod;

use serde_json::{Map, Value, json};

use super::Dice;

const HOST: &str = "kubernetes.io/hostname";
const ZONE: &str = "topology.kubernetes.io/zone";
const REGION: &str = "topology.kubernetes.io/region";
const NAMESPACES: [&str; 3] = ["default", "shop", "bank"];
const TAINTS: [&str; 4] = ["dedicated", "gpu", "old", "node.kubernetes.io/unschedulable"];
const EXTENDED: &str = "example.com/gpu";

/// A situation: nodes, namespaces, services, budgets, pods, and the pod.
pub fn cluster(dice: &mut Dice) -> Value {
    let count = 1 + dice.below(7);
    let nodes: Vec<Value> = (0..count).map(|number| node(dice, number)).collect();
    let namespaces: Vec<Value> = NAMESPACES.iter().map(|name| namespace(dice, name)).collect();
    // Crowded clusters are about preemption, others about scores.
    let most = [4, 8, 16][dice.below(3)];
    let there = dice.below(most);
    let pods: Vec<Value> = (0..there).map(|number| pod::placed(dice, number, count)).collect();
    let budgets: Vec<Value> =
        (0..dice.below(4).saturating_sub(1)).map(|number| budget(dice, number)).collect();
    let services: Vec<Value> = if dice.one_in(3) { vec![service(dice)] } else { Vec::new() };
    let pod = pod::pending(dice, count);
    let mut told = json!({
        "nodes": nodes,
        "namespaces": namespaces,
        "services": services,
        "budgets": budgets,
        "pods": pods,
        "pod": pod,
    });
    if dice.one_in(3) {
        told["configuration"] = configuration::configuration(dice);
    }
    told
}

fn node_name(number: usize) -> String {
    format!("n{number}")
}

fn node(dice: &mut Dice, number: usize) -> Value {
    let name = node_name(number);
    let mut labels = Map::new();
    if !dice.one_in(10) {
        labels.insert(HOST.into(), name.as_str().into());
    }
    if !dice.one_in(6) {
        labels.insert(ZONE.into(), dice.pick(&["a", "b", "c"]).into());
    }
    if dice.one_in(2) {
        labels.insert(REGION.into(), dice.pick(&["east", "west"]).into());
    }
    if dice.one_in(2) {
        labels.insert("disk".into(), dice.pick(&["ssd", "hdd", ""]).into());
    }
    if dice.one_in(3) {
        labels.insert("cores".into(), dice.pick(&["2", "8", "64", "many"]).into());
    }
    let mut allocatable = Map::new();
    allocatable.insert("cpu".into(), dice.pick(&["500m", "1", "2", "4", "7900m", "64"]).into());
    allocatable.insert("memory".into(), dice.pick(&["256Mi", "1Gi", "4Gi", "16Gi", "1000000k"]).into());
    allocatable.insert("pods".into(), dice.pick(&["2", "5", "110", "110"]).into());
    for (resource, amounts) in
        [("ephemeral-storage", ["1Gi", "10Gi"]), (EXTENDED, ["1", "4"]), ("hugepages-2Mi", ["4Mi", "64Mi"])]
    {
        if dice.one_in(2) {
            allocatable.insert(resource.into(), dice.pick(&amounts).into());
        }
    }
    let mut spec = Map::new();
    if dice.one_in(12) {
        spec.insert("unschedulable".into(), true.into());
    }
    if dice.one_in(3) {
        let count = 1 + dice.below(2);
        let taints: Vec<Value> = (0..count).map(|at| taint(dice, at)).collect();
        spec.insert("taints".into(), taints.into());
    }
    let images: Vec<Value> = if dice.one_in(2) { images(dice) } else { Vec::new() };
    json!({
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
        "status": {"allocatable": allocatable, "images": images},
    })
}

fn taint(dice: &mut Dice, at: usize) -> Value {
    let key = TAINTS[(dice.below(2) + 2 * at) % TAINTS.len()];
    let effect = dice.pick(&["NoSchedule", "PreferNoSchedule", "PreferNoSchedule", "NoExecute"]);
    let value = dice.pick(&["", "yes", "no"]);
    json!({"key": key, "value": value, "effect": effect})
}

const IMAGES: [&str; 4] = [
    "web",
    "web:2",
    "r.example:5000/db",
    "r.example/db@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
];

fn images(dice: &mut Dice) -> Vec<Value> {
    let mut images = Vec::new();
    // An image is of one size wherever it is.
    for (image, size) in IMAGES.into_iter().zip([1_000_000_u64, 50_000_000, 400_000_000, 3_000_000_000]) {
        if dice.one_in(2) {
            let name = if image.rsplit('/').next().is_some_and(|last| last.contains(':')) {
                image.to_owned()
            } else {
                format!("{image}:latest")
            };
            images.push(json!({"names": [name], "sizeBytes": size}));
        }
    }
    images
}

fn namespace(dice: &mut Dice, name: &str) -> Value {
    let mut labels = Map::new();
    if dice.one_in(2) {
        labels.insert("team".into(), dice.pick(&["red", "blue"]).into());
    }
    json!({"metadata": {"name": name, "labels": labels}})
}

fn service(dice: &mut Dice) -> Value {
    let namespace = dice.pick(&NAMESPACES);
    json!({
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {"selector": labels(dice)},
    })
}

fn budget(dice: &mut Dice, number: usize) -> Value {
    let namespace = dice.pick(&NAMESPACES);
    let allowed = dice.below(3);
    json!({
        "metadata": {"name": format!("b{number}"), "namespace": namespace},
        "spec": {"selector": selector(dice)},
        "status": {"disruptionsAllowed": allowed},
    })
}

/// Labels of pods, which selectors select by.
fn labels(dice: &mut Dice) -> Map<String, Value> {
    let mut labels = Map::new();
    if !dice.one_in(5) {
        labels.insert("app".into(), dice.pick(&["web", "db"]).into());
    }
    if dice.one_in(2) {
        labels.insert("tier".into(), dice.pick(&["front", "back"]).into());
    }
    if dice.one_in(3) {
        labels.insert("version".into(), dice.pick(&["1", "2"]).into());
    }
    labels
}

fn selector(dice: &mut Dice) -> Value {
    let expression = |dice: &mut Dice| {
        let key = dice.pick(&["app", "tier"]);
        let operator = dice.pick(&["In", "NotIn", "Exists", "DoesNotExist"]);
        match operator {
            "In" | "NotIn" => {
                json!({"key": key, "operator": operator, "values": [dice.pick(&["web", "db", "front", "back"])]})
            }
            _ => json!({"key": key, "operator": operator}),
        }
    };
    match dice.below(8) {
        0 => json!({}),
        1 | 2 => json!({"matchExpressions": [expression(dice)]}),
        3 => json!({"matchLabels": labels(dice), "matchExpressions": [expression(dice)]}),
        _ => json!({"matchLabels": labels(dice)}),
    }
}
