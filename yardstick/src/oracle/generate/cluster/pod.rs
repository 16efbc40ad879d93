//! Random pods: those that are there, and the one that a node is looked for.

use serde_json::{Map, Value, json};

use super::{Dice, EXTENDED, HOST, IMAGES, NAMESPACES, REGION, TAINTS, ZONE, labels, node_name, selector};

/// A pod that is there, on one of so many nodes; now and then one that waits for a node that room is made for it on.
pub fn placed(dice: &mut Dice, number: usize, nodes: usize) -> Value {
    let mut spec = Map::new();
    containers(dice, &mut spec);
    priority(dice, &mut spec);
    if dice.one_in(3) {
        spec.insert("affinity".into(), affinity(dice, false));
    }
    let node = node_name(dice.below(nodes));
    let mut status = Map::new();
    if dice.one_in(12) {
        status.insert("nominatedNodeName".into(), node.into());
    } else {
        spec.insert("nodeName".into(), node.into());
        status.insert(
            "phase".into(),
            dice.pick(&["Running", "Running", "Running", "Running", "Succeeded"]).into(),
        );
        if !dice.one_in(6) {
            let minute = dice.below(4);
            status.insert("startTime".into(), format!("2026-01-01T00:0{minute}:00Z").into());
        }
    }
    let mut meta = meta(dice, &format!("p{number}"));
    if dice.one_in(10) {
        meta.insert("deletionTimestamp".into(), "2026-01-01T00:09:00Z".into());
        meta.insert("deletionGracePeriodSeconds".into(), 30.into());
        if dice.one_in(2) {
            let condition =
                json!({"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"});
            status.insert("conditions".into(), json!([condition]));
        }
    }
    json!({"metadata": meta, "spec": spec, "status": status})
}

/// A pod that a node is looked for, in a cluster of so many.
pub fn pending(dice: &mut Dice, nodes: usize) -> Value {
    let mut spec = Map::new();
    containers(dice, &mut spec);
    priority(dice, &mut spec);
    if dice.one_in(8) {
        spec.insert("preemptionPolicy".into(), "Never".into());
    }
    if dice.one_in(2) {
        let count = 1 + dice.below(2);
        spec.insert("tolerations".into(), (0..count).map(|_| toleration(dice)).collect());
    }
    if dice.one_in(6) {
        spec.insert("nodeSelector".into(), json!({"disk": dice.pick(&["ssd", "hdd", ""])}));
    }
    let mut rules = if dice.one_in(2) { affinity(dice, true) } else { json!({}) };
    if dice.one_in(3) {
        rules["nodeAffinity"] = node_affinity(dice, nodes);
    }
    if rules.as_object().is_some_and(|rules| !rules.is_empty()) {
        spec.insert("affinity".into(), rules);
    }
    if dice.one_in(2) {
        spread(dice, &mut spec);
    }
    let mut status = Map::new();
    if dice.one_in(10) {
        status.insert("nominatedNodeName".into(), node_name(dice.below(nodes)).into());
    }
    json!({"metadata": meta(dice, "new"), "spec": spec, "status": status})
}

fn meta(dice: &mut Dice, name: &str) -> Map<String, Value> {
    let mut meta = Map::new();
    meta.insert("name".into(), name.into());
    let namespace = if dice.one_in(2) { NAMESPACES[0] } else { dice.pick(&NAMESPACES) };
    meta.insert("namespace".into(), namespace.into());
    meta.insert("labels".into(), labels(dice).into());
    meta
}

fn priority(dice: &mut Dice, spec: &mut Map<String, Value>) {
    if dice.one_in(2) {
        spec.insert("priority".into(), [-10, 0, 100, 1000][dice.below(4)].into());
    }
}

fn containers(dice: &mut Dice, spec: &mut Map<String, Value>) {
    let count = 1 + dice.below(2);
    let main: Vec<Value> = (0..count).map(|at| container(dice, &format!("c{at}"))).collect();
    spec.insert("containers".into(), main.into());
    if dice.one_in(4) {
        let count = 1 + dice.below(3);
        let init = (0..count).map(|at| {
            let mut container = container(dice, &format!("i{at}"));
            if dice.one_in(2) {
                container["restartPolicy"] = "Always".into();
            }
            container
        });
        spec.insert("initContainers".into(), init.collect());
    }
    if dice.one_in(8) {
        spec.insert("overhead".into(), json!({"cpu": "250m", "memory": "64Mi"}));
    }
    if dice.one_in(8) {
        let requests = match dice.below(3) {
            0 => json!({"cpu": "6"}),
            1 => json!({"memory": "8Gi"}),
            _ => json!({"cpu": "6", "memory": "8Gi"}),
        };
        spec.insert("resources".into(), json!({"requests": requests}));
    }
}

fn container(dice: &mut Dice, name: &str) -> Value {
    let (mut requests, mut limits) = (Map::new(), Map::new());
    if !dice.one_in(4) {
        requests.insert("cpu".into(), dice.pick(&["0", "1m", "100m", "333m", "500m", "1", "1500m"]).into());
    }
    if !dice.one_in(4) {
        requests
            .insert("memory".into(), dice.pick(&["0", "100Mi", "128974848", "512Mi", "1Gi", "1500M"]).into());
    }
    if dice.one_in(6) {
        requests.insert("ephemeral-storage".into(), dice.pick(&["100Mi", "2Gi"]).into());
    }
    if dice.one_in(8) {
        let amount = dice.pick(&["1", "2"]);
        requests.insert(EXTENDED.into(), amount.into());
        limits.insert(EXTENDED.into(), amount.into());
    }
    if dice.one_in(12) {
        for list in [&mut requests, &mut limits] {
            list.insert("hugepages-2Mi".into(), "4Mi".into());
        }
        requests.entry("memory").or_insert_with(|| "100Mi".into());
    }
    let mut container = json!({
        "name": name,
        "image": dice.pick(&IMAGES),
        "resources": {"requests": requests, "limits": limits},
    });
    if dice.one_in(8) {
        let host_port = [80, 8080][dice.below(2)];
        let mut port = json!({"containerPort": 80, "hostPort": host_port});
        if dice.one_in(3) {
            port["protocol"] = dice.pick(&["TCP", "UDP"]).into();
        }
        if dice.one_in(3) {
            port["hostIP"] = dice.pick(&["10.0.0.1", "10.0.0.2", "0.0.0.0"]).into();
        }
        container["ports"] = json!([port]);
    }
    container
}

fn toleration(dice: &mut Dice) -> Value {
    let effect = dice.pick(&["", "NoSchedule", "PreferNoSchedule", "NoExecute"]);
    match dice.below(5) {
        0 => json!({"operator": "Exists", "effect": effect}),
        1 | 2 => json!({"key": dice.pick(&TAINTS), "operator": "Exists", "effect": effect}),
        _ => json!({"key": dice.pick(&TAINTS), "value": dice.pick(&["", "yes", "no"]), "effect": effect}),
    }
}

fn node_affinity(dice: &mut Dice, nodes: usize) -> Value {
    let mut rules = json!({});
    if dice.one_in(2) {
        let count = 1 + dice.below(2);
        let terms: Vec<Value> = (0..count).map(|_| node_term(dice, nodes)).collect();
        rules["requiredDuringSchedulingIgnoredDuringExecution"] = json!({"nodeSelectorTerms": terms});
    }
    let count = dice.below(3);
    let weighted: Vec<Value> = (0..count)
        .map(|_| json!({"weight": 1 + dice.below(100), "preference": node_term(dice, nodes)}))
        .collect();
    rules["preferredDuringSchedulingIgnoredDuringExecution"] = weighted.into();
    rules
}

fn node_term(dice: &mut Dice, nodes: usize) -> Value {
    let mut term = Map::new();
    if dice.one_in(4) {
        let operator = dice.pick(&["In", "In", "NotIn"]);
        let name = node_name(dice.below(nodes + 1));
        let field = json!({"key": "metadata.name", "operator": operator, "values": [name]});
        term.insert("matchFields".into(), json!([field]));
    }
    if term.is_empty() || dice.one_in(2) {
        let count = 1 + dice.below(2);
        let expressions: Vec<Value> = (0..count).map(|_| node_expression(dice)).collect();
        term.insert("matchExpressions".into(), expressions.into());
    }
    if dice.one_in(15) {
        term.clear();
    }
    term.into()
}

fn node_expression(dice: &mut Dice) -> Value {
    let key = dice.pick(&["disk", ZONE, "cores", REGION]);
    match dice.below(6) {
        0 => json!({"key": "cores", "operator": "Gt", "values": [dice.pick(&["4", "10"])]}),
        1 => json!({"key": "cores", "operator": "Lt", "values": [dice.pick(&["4", "10"])]}),
        2 => json!({"key": key, "operator": dice.pick(&["Exists", "DoesNotExist"])}),
        3 => json!({"key": key, "operator": "NotIn", "values": [dice.pick(&["ssd", "a", "east", "8"])]}),
        _ => json!({"key": key, "operator": "In", "values": [dice.pick(&["ssd", "a", "east", "8"]), "b"]}),
    }
}

/// Affinity and anti-affinity between pods. The pod that is looked for has more of them.
fn affinity(dice: &mut Dice, many: bool) -> Value {
    let mut rules = json!({});
    for kind in ["podAffinity", "podAntiAffinity"] {
        if !dice.one_in(if many { 2 } else { 3 }) {
            continue;
        }
        let mut terms = Map::new();
        if dice.one_in(2) {
            let count = 1 + dice.below(2);
            let required: Vec<Value> = (0..count).map(|_| pod_term(dice)).collect();
            terms.insert("requiredDuringSchedulingIgnoredDuringExecution".into(), required.into());
        }
        let count = dice.below(3);
        let weighted: Vec<Value> = (0..count)
            .map(|_| json!({"weight": 1 + dice.below(100), "podAffinityTerm": pod_term(dice)}))
            .collect();
        terms.insert("preferredDuringSchedulingIgnoredDuringExecution".into(), weighted.into());
        rules[kind] = terms.into();
    }
    rules
}

fn pod_term(dice: &mut Dice) -> Value {
    let mut term = json!({"topologyKey": topology(dice)});
    if !dice.one_in(12) {
        term["labelSelector"] = selector(dice);
    }
    if dice.one_in(5) {
        term["namespaces"] = json!([dice.pick(&NAMESPACES)]);
    }
    if dice.one_in(5) {
        term["namespaceSelector"] = match dice.below(3) {
            0 => json!({}),
            1 => json!({"matchLabels": {"team": dice.pick(&["red", "blue"])}}),
            _ => json!({"matchExpressions": [{"key": "team", "operator": "DoesNotExist"}]}),
        };
    }
    term
}

fn topology(dice: &mut Dice) -> &'static str {
    dice.pick(&[HOST, ZONE, ZONE, REGION, "rack"])
}

fn spread(dice: &mut Dice, spec: &mut Map<String, Value>) {
    let mut constraints: Vec<Value> = Vec::new();
    for key in [ZONE, HOST, REGION] {
        if !dice.one_in(2) {
            continue;
        }
        let hard = dice.one_in(2);
        let mut constraint = json!({
            "topologyKey": key,
            "maxSkew": 1 + dice.below(3),
            "whenUnsatisfiable": if hard { "DoNotSchedule" } else { "ScheduleAnyway" },
        });
        if !dice.one_in(10) {
            constraint["labelSelector"] = selector(dice);
        }
        if hard && dice.one_in(4) {
            constraint["minDomains"] = (1 + dice.below(4)).into();
        }
        if dice.one_in(5) && constraint.get("labelSelector").is_some() {
            constraint["matchLabelKeys"] = json!(["version"]);
        }
        if dice.one_in(4) {
            constraint["nodeAffinityPolicy"] = dice.pick(&["Honor", "Ignore"]).into();
        }
        if dice.one_in(3) {
            constraint["nodeTaintsPolicy"] = dice.pick(&["Honor", "Ignore"]).into();
        }
        constraints.push(constraint);
    }
    spec.insert("topologySpreadConstraints".into(), constraints.into());
}
