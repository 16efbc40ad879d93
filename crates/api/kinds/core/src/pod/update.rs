//! What an update of a pod may change, and what only its other subresources may.

use api_kind::checks::{each, immutable, non_negative};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_record::Record;
use api_types::core::v1::{Affinity, ContainerStatus, NodeAffinity, Pod, PodSpec, Toleration};

use super::{container, scheduling};

const MUTABLE: &str = "`spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

/// An update of the pod itself.
pub fn main(errors: &mut ErrorList, new: &Pod, old: &Pod) {
    let path = Path::new("spec");
    let (at, new_spec, old_spec) = (&path, &new.spec, &old.spec);
    if container::updates(errors, &at.child("containers"), &new_spec.containers, &old_spec.containers)
        || container::updates(
            errors,
            &at.child("initContainers"),
            &new_spec.init_containers,
            &old_spec.init_containers,
        )
    {
        return;
    }
    if !deadline(errors, &at.child("activeDeadlineSeconds"), new_spec, old_spec) {
        return;
    }
    added_tolerations(errors, &at.child("tolerations"), &new_spec.tolerations, &old_spec.tolerations);
    for (index, gate) in new_spec.scheduling_gates.iter().enumerate() {
        if !old_spec.scheduling_gates.contains(gate) {
            let why =
                "only deletion is allowed, but found new scheduling gate '".to_owned() + &gate.name + "'";
            errors.push(FieldError::forbidden(&at.child("schedulingGates").index(index).child("name"), why));
        }
    }
    if new_spec == old_spec {
        return;
    }
    let mut munged = new_spec.clone();
    keep_mutable(&mut munged, old_spec);
    if !old_spec.scheduling_gates.is_empty() {
        gated(errors, at, &mut munged, old_spec);
    }
    if munged != *old_spec {
        let why = format!(
            "pod updates may not change fields other than {MUTABLE}\n{}",
            difference(old_spec, &munged)
        );
        errors.push(FieldError::forbidden(at, why));
    }
}

fn keep_mutable(munged: &mut PodSpec, old: &PodSpec) {
    for (new, old) in munged.containers.iter_mut().zip(&old.containers) {
        new.image.clone_from(&old.image);
    }
    for (new, old) in munged.init_containers.iter_mut().zip(&old.init_containers) {
        new.image.clone_from(&old.image);
    }
    munged.active_deadline_seconds = old.active_deadline_seconds;
    munged.scheduling_gates.clone_from(&old.scheduling_gates);
    munged.tolerations.clone_from(&old.tolerations);
    if old.termination_grace_period_seconds.is_some_and(|seconds| seconds < 0)
        && munged.termination_grace_period_seconds == Some(1)
    {
        munged.termination_grace_period_seconds = old.termination_grace_period_seconds;
    }
}

/// Answers whether the rest is worth checking.
fn deadline(errors: &mut ErrorList, path: &Path, new: &PodSpec, old: &PodSpec) -> bool {
    match (new.active_deadline_seconds, old.active_deadline_seconds) {
        (Some(seconds), _) if !(0..=i64::from(i32::MAX)).contains(&seconds) => {
            scheduling::deadline(errors, path, seconds, 0);
            false
        }
        (Some(seconds), Some(before)) if before < seconds => {
            let why = "must be less than or equal to previous value";
            errors.push(FieldError::invalid(path, seconds, why));
            false
        }
        (None, Some(_)) => {
            let why = "must not update from a positive integer to nil value";
            errors.push(FieldError::invalid(path, api_meta::field::BadValue::null(), why));
            true
        }
        _ => true,
    }
}

fn added_tolerations(errors: &mut ErrorList, path: &Path, new: &[Toleration], old: &[Toleration]) {
    let kept = |old: &Toleration| {
        new.iter().any(|new| Toleration { toleration_seconds: new.toleration_seconds, ..old.clone() } == *new)
    };
    if !old.iter().all(kept) {
        let why = "existing toleration can not be modified except its tolerationSeconds";
        errors.push(FieldError::forbidden(path, why));
    }
}

/// A pod that is held back may still narrow down where it is to run.
fn gated(errors: &mut ErrorList, path: &Path, munged: &mut PodSpec, old: &PodSpec) {
    let widened = old.node_selector.iter().any(|(key, value)| munged.node_selector.get(key) != Some(value));
    if widened {
        let why = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
        let at = path.child("nodeSelector");
        let text: Vec<String> =
            munged.node_selector.iter().map(|(key, value)| format!("{key:?}:{value:?}")).collect();
        let shown = match text.is_empty() {
            true => api_meta::field::BadValue::null(),
            false => api_meta::field::BadValue::json(format!("{{{}}}", text.join(","))),
        };
        errors.push(FieldError::invalid(&at, shown, why));
    }
    munged.node_selector.clone_from(&old.node_selector);
    let of = |affinity: &Option<Box<Affinity>>| {
        affinity.as_ref().and_then(|affinity| affinity.node_affinity.clone())
    };
    let (new_node, old_node) = (of(&munged.affinity), of(&old.affinity));
    if new_node != old_node {
        node_affinity(
            errors,
            &path.child("affinity").child("nodeAffinity"),
            new_node.as_deref(),
            old_node.as_deref(),
        );
        let affinity = munged.affinity.get_or_insert_default();
        affinity.node_affinity = old_node;
        if old.affinity.is_none() && **affinity == Affinity::default() {
            munged.affinity = None;
        }
    }
}

fn node_affinity(
    errors: &mut ErrorList,
    path: &Path,
    new: Option<&NodeAffinity>,
    old: Option<&NodeAffinity>,
) {
    let required = |affinity: Option<&NodeAffinity>| {
        affinity.and_then(|affinity| affinity.required_during_scheduling_ignored_during_execution.clone())
    };
    let Some(old) = required(old) else { return };
    let at = path.child("requiredDuringSchedulingIgnoredDuringExecution").child("nodeSelectorTerms");
    let new = required(new).unwrap_or_default();
    if new.node_selector_terms.len() != old.node_selector_terms.len() {
        let why = "no additions/deletions to non-empty NodeSelectorTerms list are allowed";
        let shown = match new.node_selector_terms.len() {
            0 => api_meta::field::BadValue::null(),
            _ => api_kind::checks::shown(&*new),
        };
        errors.push(FieldError::invalid(&at, shown, why));
        return;
    }
    for (index, (new, old)) in new.node_selector_terms.iter().zip(&old.node_selector_terms).enumerate() {
        let kept = new.match_expressions.starts_with(&old.match_expressions)
            && new.match_fields.starts_with(&old.match_fields)
            && (!old.match_expressions.is_empty() || !old.match_fields.is_empty() || new == old);
        if !kept {
            let why = "only additions are allowed (no mutations or deletions)";
            errors.push(FieldError::invalid(&at.index(index), api_kind::checks::shown(new), why));
        }
    }
}

/// The top fields that differ, one line for each side.
fn difference(old: &PodSpec, new: &PodSpec) -> String {
    let mut text = String::new();
    let fields = old.schema().fields.iter().enumerate();
    for (index, field) in fields.filter(|(index, _)| old.get(*index) != new.get(*index)) {
        for (sign, spec) in [('-', old), ('+', new)] {
            text.push_str(&format!("{sign} {}: {:?}\n", &*field.name, spec.get(index)));
        }
    }
    text
}

/// An update of the status.
pub fn status(errors: &mut ErrorList, new: &Pod, old: &Pod) {
    let path = Path::new("status");
    for (index, condition) in new.status.conditions.iter().enumerate() {
        let at = path.child("conditions").index(index);
        if !matches!(condition.type_.as_str(), "PodScheduled" | "Ready" | "Initialized" | "ContainersReady") {
            api_kind::checks::qualified_name(errors, &at.child("Type"), &condition.type_);
        }
        non_negative(errors, &at.child("observedGeneration"), condition.observed_generation);
    }
    let nominated = &new.status.nominated_node_name;
    if *nominated != old.status.nominated_node_name && !nominated.is_empty() {
        let at = path.child("nominatedNodeName");
        each(errors, &at, nominated, names::name_is_dns_subdomain(nominated, false));
        if !old.spec.node_name.is_empty() {
            let why = "may not be set on pods that are already bound to a node";
            errors.push(FieldError::forbidden(&at, why));
        }
    }
    if new.status.observed_generation < 0 {
        let at = path.child("observedGeneration");
        let why = "must be a non-negative integer";
        errors.push(FieldError::invalid(&at, new.status.observed_generation, why));
    }
    let same = new.status.qos_class == old.status.qos_class;
    immutable(errors, &path.child("qosClass"), same, &new.status.qos_class);
    let at = path.child("containerStatuses");
    transitions(
        errors,
        &at,
        &new.status.container_statuses,
        &old.status.container_statuses,
        &old.spec.restart_policy,
        &old.spec,
    );
    addresses(errors, &path, new);
}

/// A container that has ended stays so where the pod's policy says so.
fn transitions(
    errors: &mut ErrorList,
    path: &Path,
    new: &[ContainerStatus],
    old: &[ContainerStatus],
    policy: &str,
    spec: &PodSpec,
) {
    if policy == "Always" {
        return;
    }
    for (index, before) in old.iter().enumerate() {
        let Some(ended) = &before.state.terminated else { continue };
        let own = spec.containers.iter().find(|container| container.name == before.name);
        let policy = own.and_then(|container| container.restart_policy.as_deref()).unwrap_or(policy);
        let rules = own.is_some_and(|container| !container.restart_policy_rules.is_empty());
        if policy == "Always" || rules || (ended.exit_code != 0 && policy == "OnFailure") {
            continue;
        }
        if new.iter().any(|status| status.name == before.name && status.state.terminated.is_none()) {
            let at = path.index(index).child("state");
            errors.push(FieldError::forbidden(&at, "may not be transitioned to non-terminated state"));
        }
    }
}

fn addresses(errors: &mut ErrorList, path: &Path, pod: &Pod) {
    let ips: Vec<&str> = pod.status.pod_ips.iter().map(|ip| ip.ip.as_str()).collect();
    let hosts: Vec<&str> = pod.status.host_ips.iter().map(|ip| ip.ip.as_str()).collect();
    for (name, list) in [("podIPs", ips), ("hostIPs", hosts)] {
        let at = path.child(name);
        for (index, ip) in list.iter().enumerate() {
            errors.extend(names::is_valid_ip_for_legacy_field(&at.index(index), ip, true, &[]));
        }
        let v6 = list.iter().filter(|ip| ip.contains(':')).count();
        let text: Vec<String> = list.iter().map(|ip| (*ip).to_owned()).collect();
        if list.len() > 2 || (list.len() == 2 && v6 != 1) {
            let why = "may specify no more than one IP for each IP family";
            let shown: Vec<String> =
                text.iter().map(|ip| format!("{{\"IP\":{}}}", api_meta::quote::json(ip))).collect();
            let shown = api_meta::field::BadValue::json(format!("[{}]", shown.join(",")));
            errors.push(FieldError::invalid(&at, shown, why));
        }
    }
    let first = pod.status.host_ips.first();
    if first.is_some_and(|first| first.ip != pod.status.host_ip) {
        let at = path.child("hostIPs").index(0).child("ip");
        let why = "must be equal to `hostIP`";
        errors.push(FieldError::invalid(&at, pod.status.host_ips[0].ip.as_str(), why));
    }
}
