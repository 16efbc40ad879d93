//! Nodes.

use std::cmp::Ordering;
use std::collections::BTreeSet;

use api_kind::checks::{each, required, supported};
use api_kind::{Cell, Column, Ctx, Kind};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::{labels, names};
use api_types::core::v1::{Node, NodeSpec};

use crate::pod::{defaults::round_up, resources, scheduling::EFFECTS};

/// The row.
pub const KIND: Kind<Node> = Kind::<Node>::of("", "v1", "nodes")
    .brings_status()
    .defaults(defaults)
    .prepare(prepare)
    .validate(validate)
    .warnings(warnings)
    .columns(COLUMNS)
    .selectable(&[("spec.unschedulable", |node| {
        if node.spec.unschedulable { "true".into() } else { "false".into() }
    })]);

/// How long the name of a declared feature may be.
const FEATURE_BYTES: usize = 253;

const AVOID: &str = "scheduler.alpha.kubernetes.io/preferAvoidPods";

const COLUMNS: &[Column<Node>] = &[
    Column::<Node>::name(),
    Column::<Node>::text("Status", "The status of the node", |node, _| status(node).into()),
    Column::<Node>::text("Roles", "The roles of the node", |node, _| roles(node).into()),
    Column::<Node>::age(),
    Column::<Node>::text("Version", "Kubelet Version reported by the node.", |node, _| {
        node.status.node_info.kubelet_version.as_str().into()
    }),
    Column::<Node>::text("Internal-IP", "List of addresses reachable to the node.", |node, _| {
        address(node, "InternalIP")
    })
    .wide(),
    Column::<Node>::text("External-IP", "List of addresses reachable to the node.", |node, _| {
        address(node, "ExternalIP")
    })
    .wide(),
    Column::<Node>::text("OS-Image", "OS Image reported by the node from /etc/os-release.", |node, _| {
        or_unknown(&node.status.node_info.os_image).into()
    })
    .wide(),
    Column::<Node>::text(
        "Kernel-Version",
        "Kernel Version reported by the node from 'uname -r'.",
        |node, _| {
            let info = &node.status.node_info;
            let kernel = or_unknown(&info.kernel_version);
            match info.architecture.as_str() {
                "" => kernel.into(),
                architecture => format!("{kernel} ({architecture})").into(),
            }
        },
    )
    .wide(),
    Column::<Node>::text("Container-Runtime", "ContainerRuntime Version reported by the node.", |node, _| {
        or_unknown(&node.status.node_info.container_runtime_version).into()
    })
    .wide(),
];

fn or_unknown(text: &str) -> &str {
    if text.is_empty() { "<unknown>" } else { text }
}

fn address(node: &Node, type_: &str) -> Cell {
    let found = node.status.addresses.iter().find(|address| address.type_ == type_);
    found.map_or("<none>", |address| &address.address).into()
}

fn status(node: &Node) -> String {
    let ready = node.status.conditions.iter().rfind(|condition| condition.type_ == "Ready");
    let ready = match ready {
        Some(condition) if condition.status == "True" => "Ready",
        Some(_) => "NotReady",
        None => "Unknown",
    };
    if node.spec.unschedulable { format!("{ready},SchedulingDisabled") } else { ready.to_owned() }
}

fn roles(node: &Node) -> String {
    let mut roles = BTreeSet::new();
    for (key, value) in &node.metadata.labels {
        let role = key.strip_prefix("node-role.kubernetes.io/");
        let role = role.or_else(|| (key == "kubernetes.io/role").then_some(value.as_str()));
        roles.extend(role.filter(|role| !role.is_empty()));
    }
    if roles.is_empty() { "<none>".to_owned() } else { roles.into_iter().collect::<Vec<_>>().join(",") }
}

fn defaults(_: &Ctx<'_>, node: &mut Node) {
    if node.status.allocatable.is_empty() {
        node.status.allocatable.clone_from(&node.status.capacity);
    }
    round_up(&mut node.status.capacity);
    round_up(&mut node.status.allocatable);
    // The first of the list and the single field are the same, whichever was said.
    match node.spec.pod_cidrs.first() {
        Some(first) if node.spec.pod_cidr.is_empty() => node.spec.pod_cidr.clone_from(first),
        // The single field is older, and wins.
        first if !node.spec.pod_cidr.is_empty() && first != Some(&node.spec.pod_cidr) => {
            node.spec.pod_cidrs = vec![node.spec.pod_cidr.clone()];
        }
        _ => {}
    }
}

/// Configuration by way of the API is gone: nobody begins to use it.
fn prepare(_: &Ctx<'_>, node: &mut Node, old: Option<&Node>) {
    if old.is_none_or(|old| old.spec.config_source.is_none() && old.status.config.is_none()) {
        node.spec.config_source = None;
    }
    if old.is_none() {
        node.status.config = None;
    }
}

fn warnings(_: &Ctx<'_>, node: &Node, _: Option<&Node>) -> Vec<String> {
    let mut out = Vec::new();
    if node.spec.config_source.is_some() {
        out.push("spec.configSource: the feature is removed".to_owned());
    }
    if !node.spec.do_not_use_external_id.is_empty() {
        out.push("spec.externalID: this field is deprecated, and is unused by Kubernetes".to_owned());
    }
    for (index, cidr) in node.spec.pod_cidrs.iter().enumerate() {
        out.extend(names::cidr_warnings(&Path::new("spec").child("podCIDRs").index(index), cidr));
    }
    out
}

fn validate(_: &Ctx<'_>, node: &Node, old: Option<&Node>, errors: &mut ErrorList) {
    let spec = Path::new("spec");
    // Upstream's path.
    taints(errors, &Path::new("metadata").child("taints"), &node.spec);
    if let Some(text) = node.metadata.annotations.get(AVOID).filter(|text| !text.is_empty())
        && let Some(fault) = crate::secret::no_object(text.as_bytes(), "v1.AvoidPods")
    {
        let at = Path::new("metadata").child("annotations").child("AvoidPods");
        errors.push(FieldError::invalid(&at, AVOID, fault));
    }
    for (field, list) in [("capacity", &node.status.capacity), ("allocatable", &node.status.allocatable)] {
        for (name, value) in list {
            resources::quantity(errors, &Path::new("status").child(field).child(name.clone()), name, value);
        }
    }
    features(errors, &Path::new("status").child("declaredFeatures"), &node.status.declared_features);
    cidrs(errors, &spec.child("podCIDRs"), &node.spec);
    let Some(old) = old else { return };
    let (new, before) = (&node.spec, &old.spec);
    if !before.pod_cidrs.is_empty() && new.pod_cidrs != before.pod_cidrs {
        let why = "node updates may not change podCIDR except from \"\" to valid";
        errors.push(FieldError::forbidden(&spec.child("podCIDRs"), why));
    }
    if !before.provider_id.is_empty() && new.provider_id != before.provider_id {
        let why = if new.provider_id.is_empty() { "cleared" } else { "modified" };
        let (at, null) = (spec.child("providerID"), api_meta::field::BadValue::null());
        errors.push(FieldError::invalid(&at, null, format!("field cannot be {why} once set")));
    }
    if new.do_not_use_external_id != before.do_not_use_external_id {
        errors.push(FieldError::forbidden(&spec.child("externalID"), "may not be updated"));
    }
    for (index, address) in node.status.addresses.iter().enumerate() {
        if node.status.addresses[..index].contains(address) {
            let at = Path::new("status").child("addresses").index(index);
            errors.push(FieldError::duplicate(&at, api_kind::checks::shown(address)));
        }
    }
}

/// What a node says that it can do: names in the order of the alphabet.
fn features(errors: &mut ErrorList, path: &Path, features: &[String]) {
    for (index, feature) in features.iter().enumerate() {
        let at = path.index(index);
        let shown = api_meta::quote::go(feature);
        if feature.len() > FEATURE_BYTES {
            let why =
                format!("invalid feature name {shown}: must be no more than {FEATURE_BYTES} characters");
            errors.push(FieldError::invalid(&at, feature, why));
        } else if !is_feature(feature) {
            let why = format!(
                "invalid feature name {shown}: must start with an UpperCamelCase segment, with subsequent segments separated by '/' (e.g., MyFeature or MyFeature/mySubFeature), and contain only alphanumeric characters and slashes"
            );
            errors.push(FieldError::invalid(&at, feature, why));
        }
        match index.checked_sub(1).map(|before| features[before].cmp(feature)) {
            Some(Ordering::Equal) => errors.push(FieldError::duplicate(&at, feature)),
            Some(Ordering::Greater) => {
                errors.push(FieldError::invalid(&at, feature, "list must be sorted alphabetically"));
            }
            _ => {}
        }
    }
}

fn is_feature(name: &str) -> bool {
    let mut segments = name.split('/');
    let fits = |segment: &str| segment.bytes().all(|byte| byte.is_ascii_alphanumeric());
    segments.next().is_some_and(|first| first.starts_with(|c: char| c.is_ascii_uppercase()) && fits(first))
        && segments.all(|segment| segment.starts_with(|c: char| c.is_ascii_alphabetic()) && fits(segment))
}

fn taints(errors: &mut ErrorList, path: &Path, spec: &NodeSpec) {
    for (index, taint) in spec.taints.iter().enumerate() {
        let at = path.index(index);
        errors.extend(labels::validate_label_name(&taint.key, &at.child("key")));
        each(errors, &at.child("value"), &taint.value, names::is_label_value(&taint.value));
        let effect = at.child("effect");
        if required(errors, &effect, &taint.effect) {
            supported(errors, &effect, &taint.effect, EFFECTS);
        }
        if spec.taints[..index].iter().any(|other| (&other.key, &other.effect) == (&taint.key, &taint.effect))
        {
            let why = api_kind::checks::shown(taint);
            let mut error = FieldError::duplicate(&at, why);
            error.detail = "taints must be unique by key and effect pair".to_owned();
            errors.push(error);
        }
    }
}

fn cidrs(errors: &mut ErrorList, path: &Path, spec: &NodeSpec) {
    for (index, cidr) in spec.pod_cidrs.iter().enumerate() {
        errors.extend(names::is_valid_cidr_for_legacy_field(&path.index(index), cidr, true, &[]));
    }
    let v6 = spec.pod_cidrs.iter().filter(|cidr| cidr.contains(':')).count();
    let bad = spec.pod_cidrs.iter().enumerate().find(|(_, cidr)| names::parse_cidr_sloppy(cidr).is_none());
    if let Some((index, cidr)) = bad.filter(|_| spec.pod_cidrs.len() > 1) {
        errors.push(FieldError::internal(
            path,
            format!(
                "invalid PodCIDRs. failed to check with dual stack with error:invalid CIDR[{index}]: <nil> (invalid CIDR address: {cidr})"
            ),
        ));
    }
    let dual = bad.is_none() && v6 > 0 && v6 < spec.pod_cidrs.len();
    if spec.pod_cidrs.len() > 1 && (!dual || spec.pod_cidrs.len() > 2) {
        let why = "may specify no more than one CIDR for each IP family";
        errors.push(FieldError::invalid(path, &spec.pod_cidrs, why));
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    #[test]
    fn a_node_shows_its_state() {
        let node =
            "{metadata: {labels: {node-role.kubernetes.io/control-plane: ''}}, spec: {unschedulable: true}}";
        let made = create(&KIND, node);
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(
            made.cells(&KIND),
            "x|Unknown,SchedulingDisabled|control-plane|<unknown>||<none>|<none>|<unknown>|<unknown>|<unknown>"
        );
        let status = "{status: {conditions: [{type: Ready, status: 'True'}], nodeInfo: {kubeletVersion: v1, kernelVersion: '6', architecture: amd64}, addresses: [{type: InternalIP, address: 1.2.3.4}]}}";
        let ready = update(&KIND, "status", node, status);
        assert_eq!(ready.errors, [""; 0]);
        assert_eq!(
            ready.cells(&KIND),
            "x|Ready,SchedulingDisabled|<none>|<unknown>|v1|1.2.3.4|<none>|<unknown>|6 (amd64)|<unknown>"
        );
    }

    #[test]
    fn a_pod_range_is_given_once() {
        let changed = update(&KIND, "", "spec: {podCIDR: 10.0.0.0/24}", "spec: {podCIDR: 10.0.1.0/24}");
        assert_eq!(
            changed.errors,
            ["spec.podCIDRs: Forbidden: node updates may not change podCIDR except from \"\" to valid"]
        );
        let taint = create(&KIND, "spec: {taints: [{key: a, effect: X}]}");
        assert_eq!(
            taint.errors,
            [
                r#"metadata.taints[0].effect: Unsupported value: "X": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute""#
            ]
        );
    }
}
