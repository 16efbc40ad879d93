//! What upstream says of thousands of objects that are each wrong in one place.
//!
//! `bases.json` holds objects of every kind that is validated here, some with the object that they replace; each row of
//! `cases.tsv` changes one place of one of them and gives the outcome of upstream's strategies (k8s.io/kubernetes v1.37.1,
//! driven by a program that is not kept): errors in any order, and warnings.

use std::collections::{BTreeMap, BTreeSet};

use api_kind::{AnyKind, trial};
use serde_json::Value;

/// Outcomes that are known to differ, by base and place, and why.
const KNOWN: &[(&str, &str, &str)] = &[
    ("pod", "matchLabelKeys", "a key named twice is not refused"),
    ("pod.win", "windowsOptions", "options of Windows are not looked into"),
    ("pod.update", "/spec/nodeSelector", "an empty map is not told from none"),
    ("pod.gated", "nodeSelector", "an empty list or map is not told from none"),
    ("pod.resize", "/spec", "the class is the old pod's where the new one names no containers"),
    ("svc.update", "/spec", "what was allocated is kept before validation, as upstream does elsewhere"),
    ("svc.lb.update", "/spec", "likewise"),
    ("svc.dual.update", "/spec", "likewise"),
    (
        "slice.update",
        "/addressType",
        "the declared rule shows the value, which upstream's own check does not",
    ),
    ("deploy", "/spec/template/metadata/labels", "an empty map is not told from none"),
    ("deploy.update", "/spec/template/metadata/labels", "likewise"),
    ("deploy.recreate", "/spec/template/metadata/labels", "likewise"),
    ("rs", "/spec/template/metadata/labels", "likewise"),
    ("rs.update", "/spec/template/metadata/labels", "likewise"),
];

fn row_of(kind: &str) -> &'static dyn AnyKind {
    let (group, plural) = match kind {
        "Deployment" => ("apps", "deployments"),
        "ReplicaSet" => ("apps", "replicasets"),
        "EndpointSlice" => ("discovery.k8s.io", "endpointslices"),
        "Lease" => ("coordination.k8s.io", "leases"),
        "Role" => ("rbac.authorization.k8s.io", "roles"),
        "RoleBinding" => ("rbac.authorization.k8s.io", "rolebindings"),
        "ClusterRole" => ("rbac.authorization.k8s.io", "clusterroles"),
        "ClusterRoleBinding" => ("rbac.authorization.k8s.io", "clusterrolebindings"),
        "Pod" => ("", "pods"),
        "Service" => ("", "services"),
        "Namespace" => ("", "namespaces"),
        "ConfigMap" => ("", "configmaps"),
        "Secret" => ("", "secrets"),
        "ServiceAccount" => ("", "serviceaccounts"),
        "Node" => ("", "nodes"),
        _ => ("", "events"),
    };
    api_kinds_all::row(group, plural).expect("a row of every kind")
}

/// Sets or removes the value at a JSON pointer.
fn change(document: &mut Value, pointer: &str, value: &str) {
    if pointer.is_empty() {
        return;
    }
    let (parent, last) = pointer.rsplit_once('/').expect("a pointer has a slash");
    let last = last.replace("~1", "/").replace("~0", "~");
    let new = (value != "-").then(|| serde_json::from_str(value).expect("a value is JSON"));
    match (document.pointer_mut(parent).expect("the place is there"), new) {
        (Value::Object(map), Some(new)) => drop(map.insert(last, new)),
        (Value::Object(map), None) => drop(map.remove(&last)),
        (Value::Array(list), Some(new)) => list[last.parse::<usize>().expect("an index")] = new,
        (Value::Array(list), None) => drop(list.remove(last.parse::<usize>().expect("an index"))),
        _ => unreachable!("a place is in an object or a list"),
    }
}

/// A text as the table has it: the beginning of a long one, nothing of what follows a first line, and no values that are
/// records, which upstream shows as its internal types.
fn shown(text: &str) -> String {
    let text =
        text.split(" (allow it to be set to 1 if it was previously negative)\n").next().unwrap_or(text);
    let text = match text.strip_suffix('…') {
        Some(beginning) => beginning,
        None => text,
    };
    let mut text: String = text.chars().take(150).collect();
    for word in ["Invalid value: {", "Unsupported value: {", "Duplicate value: {", "Invalid value: [{"] {
        if let Some(at) = text.find(word) {
            text.truncate(at + word.len());
        }
    }
    text
}

fn set(texts: &[String]) -> BTreeSet<String> {
    texts.iter().map(|text| shown(text)).collect()
}

#[test]
fn every_outcome_is_upstreams() {
    let bases: BTreeMap<String, Value> =
        serde_json::from_str(include_str!("bases.json")).expect("bases are JSON");
    let (mut checked, mut excepted, mut wrong) = (0, 0, Vec::new());
    for row in include_str!("cases.tsv").lines().filter(|line| !line.starts_with('#')) {
        let cells: Vec<&str> = row.split('\t').collect();
        let base = &bases[cells[0]];
        let mut new = base["New"].clone();
        change(&mut new, cells[1], cells[2]);
        let kind = row_of(base["Kind"].as_str().expect("a kind"));
        let new = new.to_string();
        let made = match base.get("Old") {
            Some(old) => {
                let subresource = base["Sub"].as_str().unwrap_or_default();
                trial::update(kind, subresource, &old.to_string(), &new)
            }
            None => trial::create(kind, &new),
        };
        let list = |cell: &str| serde_json::from_str::<Vec<String>>(cell).expect("a list of texts");
        checked += 1;
        let pairs = [("error", &made.errors, list(cells[3])), ("warning", &made.warnings, list(cells[4]))];
        for (what, ours, theirs) in pairs {
            let (ours, theirs) = (set(ours), set(&theirs));
            if ours == theirs {
                continue;
            }
            let known = |(base, place, _): &(&str, &str, &str)| *base == cells[0] && cells[1].contains(place);
            if KNOWN.iter().any(known) {
                excepted += 1;
                continue;
            }
            let lacks: Vec<_> = theirs.difference(&ours).collect();
            let extra: Vec<_> = ours.difference(&theirs).collect();
            wrong.push(format!("{what} {}\n    lacks {lacks:?}\n    has {extra:?}", cells[..3].join(" ")));
        }
    }
    println!("{checked} outcomes checked, {excepted} differ for the reasons given: {KNOWN:?}");
    assert!(wrong.is_empty(), "{} of {checked} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(checked > 1_000 && excepted < 40, "{checked} checked, {excepted} excepted");
}
