//! Random configurations of schedulers: other weights, plugins left out, arguments; now and then a wrong one.

use serde_json::{Value, json};

use super::{Dice, EXTENDED, HOST, REGION, ZONE};

/// A configuration with one profile, the default scheduler's.
pub fn configuration(dice: &mut Dice) -> Value {
    let mut profile = json!({});
    if dice.one_in(2) {
        profile["plugins"] = plugins(dice);
    }
    let mut args: Vec<Value> = Vec::new();
    for make in [fit, balanced, pod_affinity, node_affinity, spread] {
        if dice.one_in(2) {
            args.push(make(dice));
        }
    }
    profile["pluginConfig"] = args.into();
    json!({
        "apiVersion": "kubescheduler.config.k8s.io/v1",
        "kind": "KubeSchedulerConfiguration",
        "profiles": [profile],
    })
}

fn plugins(dice: &mut Dice) -> Value {
    const SCORING: [&str; 7] = [
        "TaintToleration",
        "NodeAffinity",
        "NodeResourcesFit",
        "PodTopologySpread",
        "InterPodAffinity",
        "NodeResourcesBalancedAllocation",
        "ImageLocality",
    ];
    const FILTERING: [&str; 6] = [
        "NodeUnschedulable",
        "TaintToleration",
        "NodeAffinity",
        "NodePorts",
        "PodTopologySpread",
        "InterPodAffinity",
    ];
    let mut plugins = json!({});
    if dice.one_in(2) {
        let weight = dice.below(20);
        plugins["score"] = json!({
            "enabled": [{"name": dice.pick(&SCORING), "weight": weight}],
            "disabled": [{"name": dice.pick(&SCORING)}],
        });
    }
    if dice.one_in(3) {
        let name = dice.pick(&FILTERING);
        plugins["preFilter"] = json!({"disabled": [{"name": name}]});
        plugins["filter"] = json!({"disabled": [{"name": name}]});
    }
    if dice.one_in(6) {
        plugins["multiPoint"] = json!({"disabled": [{"name": "DefaultPreemption"}]});
    }
    if dice.one_in(10) {
        plugins["bind"] =
            json!({"enabled": [{"name": dice.pick(&["DefaultBinder", "ImageLocality", "Unheard"])}]});
    }
    plugins
}

fn resources(dice: &mut Dice, weigh: bool) -> Value {
    let mut resources: Vec<Value> = Vec::new();
    for name in ["cpu", "memory", "ephemeral-storage", EXTENDED] {
        if dice.one_in(2) {
            let weight = if weigh { 1 + dice.below(5) } else { 1 };
            resources.push(json!({"name": name, "weight": weight}));
        }
    }
    resources.into()
}

fn fit(dice: &mut Dice) -> Value {
    let kind = dice.pick(&["LeastAllocated", "MostAllocated", "RequestedToCapacityRatio"]);
    let mut strategy = json!({"type": kind, "resources": resources(dice, true)});
    if kind == "RequestedToCapacityRatio" {
        let (from, turn) = (dice.below(40), 40 + dice.below(61));
        let scores = [dice.below(11), dice.below(11)];
        strategy["requestedToCapacityRatio"] = json!({"shape": [
            {"utilization": from, "score": scores[0]},
            {"utilization": turn, "score": scores[1]},
        ]});
    }
    let mut args = json!({"scoringStrategy": strategy});
    match dice.below(6) {
        0 => args["ignoredResources"] = json!([EXTENDED]),
        1 => args["ignoredResourceGroups"] = json!(["example.com"]),
        _ => {}
    }
    json!({"name": "NodeResourcesFit", "args": args})
}

fn balanced(dice: &mut Dice) -> Value {
    json!({"name": "NodeResourcesBalancedAllocation", "args": {"resources": resources(dice, false)}})
}

fn pod_affinity(dice: &mut Dice) -> Value {
    let weight = dice.below(103);
    let ignores = dice.one_in(2);
    json!({
        "name": "InterPodAffinity",
        "args": {"hardPodAffinityWeight": weight, "ignorePreferredTermsOfExistingPods": ignores},
    })
}

fn node_affinity(dice: &mut Dice) -> Value {
    let term = |dice: &mut Dice| json!({"matchExpressions": [{"key": "disk", "operator": "In", "values": [dice.pick(&["ssd", "hdd"])]}]});
    let mut affinity = json!({});
    if dice.one_in(2) {
        affinity["requiredDuringSchedulingIgnoredDuringExecution"] =
            json!({"nodeSelectorTerms": [term(dice)]});
    }
    if dice.one_in(2) {
        let weight = 1 + dice.below(100);
        affinity["preferredDuringSchedulingIgnoredDuringExecution"] =
            json!([{"weight": weight, "preference": term(dice)}]);
    }
    json!({"name": "NodeAffinity", "args": {"addedAffinity": affinity}})
}

fn spread(dice: &mut Dice) -> Value {
    let constraint = |dice: &mut Dice, key: &str| {
        let skew = 1 + dice.below(3);
        let action = dice.pick(&["DoNotSchedule", "ScheduleAnyway"]);
        json!({"maxSkew": skew, "topologyKey": key, "whenUnsatisfiable": action})
    };
    let mut constraints: Vec<Value> = Vec::new();
    for key in [HOST, ZONE, REGION] {
        if dice.one_in(2) {
            constraints.push(constraint(dice, key));
        }
    }
    let kind = if dice.one_in(15) { "System" } else { "List" };
    json!({"name": "PodTopologySpread", "args": {"defaultConstraints": constraints, "defaultingType": kind}})
}
