//! Pods.
//!
//! What a pod's spec gets and may hold is shared with templates ([`defaults`], [`spec`]); here is what a pod alone has: its
//! status at birth, what may change later, its grace, its table.

pub mod annotations;
mod app_armor;
pub mod columns;
pub mod container;
pub mod defaults;
mod env;
pub mod gated;
pub mod probe;
mod resize;
pub mod resources;
pub mod scheduling;
mod security;
pub mod spec;
#[cfg(test)]
mod tests;
mod update;
pub mod volume;
pub mod warnings;
mod windows;

use api_kind::{Ctx, Kind, Pattern, Reset, Verb, fields_of};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_meta::object_meta::known_finalizers;
use api_meta::qos;
use api_types::core::v1::{Pod, PodCondition};
use api_types::meta::v1::{LabelSelector, LabelSelectorRequirement};

use crate::template;

/// The row.
pub const KIND: Kind<Pod> = Kind::<Pod>::of("", "v1", "pods")
    .generation()
    .bare(&["binding"])
    .resets(resets)
    .own_gates(gated::OWN_GATES)
    .graceful(grace)
    .defaults(fill)
    .prepare(prepare)
    .validate(validate)
    .warnings(warnings)
    .columns(columns::COLUMNS)
    .selectable(&[
        ("spec.nodeName", |pod| pod.spec.node_name.as_str().into()),
        ("spec.restartPolicy", |pod| pod.spec.restart_policy.as_str().into()),
        ("spec.schedulerName", |pod| pod.spec.scheduler_name.as_str().into()),
        ("spec.serviceAccountName", |pod| pod.spec.service_account_name.as_str().into()),
        ("spec.hostNetwork", |pod| if pod.spec.host_network { "true".into() } else { "false".into() }),
        ("status.phase", |pod| pod.status.phase.as_str().into()),
        ("status.podIP", |pod| pod.status.pod_ips.first().map_or("", |ip| &ip.ip).into()),
        ("status.nominatedNodeName", |pod| pod.status.nominated_node_name.as_str().into()),
    ]);

/// What is not to be changed through a part of a pod.
fn resets(part: &str) -> Option<Reset> {
    const SPEC: Pattern = Pattern::Field("spec");
    const CONTAINERS: Pattern = Pattern::Field("containers");
    const INIT_CONTAINERS: Pattern = Pattern::Field("initContainers");
    const RESOURCES: Pattern = Pattern::Field("resources");
    const RESIZE_POLICY: Pattern = Pattern::Field("resizePolicy");
    match part {
        "status" => Some(fields_of(&["spec", "metadata.deletionTimestamp", "metadata.ownerReferences"])),
        "ephemeralcontainers" => Some(Reset::AllBut(&[&[SPEC, Pattern::Field("ephemeralContainers")]])),
        "resize" => Some(Reset::AllBut(&[
            &[SPEC, CONTAINERS, Pattern::Any, RESOURCES],
            &[SPEC, CONTAINERS, Pattern::Any, RESIZE_POLICY],
            &[SPEC, INIT_CONTAINERS, Pattern::Any, RESOURCES],
            &[SPEC, INIT_CONTAINERS, Pattern::Any, RESIZE_POLICY],
        ])),
        _ => None,
    }
}

/// How long a pod may take to end: nothing if it never ran, or runs no more.
fn grace(pod: &Pod, asked: Option<i64>) -> i64 {
    let ended = matches!(pod.status.phase.as_str(), "Failed" | "Succeeded");
    if pod.spec.node_name.is_empty() || ended {
        return 0;
    }
    match asked.or(pod.spec.termination_grace_period_seconds).unwrap_or(0) {
        ..0 => 1,
        seconds => seconds,
    }
}

fn fill(_: &Ctx<'_>, pod: &mut Pod) {
    defaults::spec(&mut pod.spec);
    defaults::pod_only(&mut pod.spec);
    defaults::status(&mut pod.status);
}

fn prepare(ctx: &Ctx<'_>, pod: &mut Pod, old: Option<&Pod>) {
    gated::drop(ctx.gates, &mut pod.metadata.annotations, &mut pod.spec, old.map(|old| &old.spec));
    let Some(old) = old else {
        "Pending".clone_into(&mut pod.status.phase);
        if !pod.spec.scheduling_gates.is_empty() {
            pod.status.conditions.push(PodCondition {
                type_: "PodScheduled".into(),
                status: "False".into(),
                reason: "SchedulingGated".into(),
                message: "Scheduling is blocked due to non-empty scheduling gates".into(),
                ..PodCondition::default()
            });
        }
        merge_label_keys(pod);
        app_armor::synchronize(pod);
        resources::default_for_pod(&mut pod.spec);
        qos::class(&pod.spec).clone_into(&mut pod.status.qos_class);
        return;
    };
    match ctx.subresource {
        "status" => {
            pod.metadata.owner_references.clone_from(&old.metadata.owner_references);
            let (new, old) = (&mut pod.status, &old.status);
            if new.qos_class.is_empty() {
                new.qos_class.clone_from(&old.qos_class);
            }
            if new.resource_claim_statuses.is_empty() {
                new.resource_claim_statuses.clone_from(&old.resource_claim_statuses);
            }
            if new.observed_generation == 0 {
                new.observed_generation = old.observed_generation;
            }
        }
        "resize" => resize::prepare(pod, old),
        "ephemeralcontainers" => {
            let added = std::mem::take(&mut pod.spec.ephemeral_containers);
            pod.spec.clone_from(&old.spec);
            pod.spec.ephemeral_containers = added;
        }
        _ => {}
    }
}

/// Turns the label keys that a pod wants matched into requirements on its own labels' values, as the scheduler reads them.
fn merge_label_keys(pod: &mut Pod) {
    let labels = &pod.metadata.labels;
    let merge = |selector: &mut Option<Box<LabelSelector>>, keys: &[String], operator: &str| {
        let Some(selector) = selector else { return };
        for key in keys {
            if let Some(value) = labels.get(key) {
                selector.match_expressions.push(LabelSelectorRequirement {
                    key: key.clone(),
                    operator: operator.into(),
                    values: vec![value.clone()],
                });
            }
        }
    };
    if let Some(affinity) = &mut pod.spec.affinity {
        let with = affinity.pod_affinity.iter_mut().flat_map(|pods| {
            let preferred = &mut pods.preferred_during_scheduling_ignored_during_execution;
            let preferred = preferred.iter_mut().map(|term| &mut term.pod_affinity_term);
            pods.required_during_scheduling_ignored_during_execution.iter_mut().chain(preferred)
        });
        let against = affinity.pod_anti_affinity.iter_mut().flat_map(|pods| {
            let preferred = &mut pods.preferred_during_scheduling_ignored_during_execution;
            let preferred = preferred.iter_mut().map(|term| &mut term.pod_affinity_term);
            pods.required_during_scheduling_ignored_during_execution.iter_mut().chain(preferred)
        });
        for term in with.chain(against) {
            merge(&mut term.label_selector, &term.match_label_keys, "In");
            merge(&mut term.label_selector, &term.mismatch_label_keys, "NotIn");
        }
    }
    for constraint in &mut pod.spec.topology_spread_constraints {
        merge(&mut constraint.label_selector, &constraint.match_label_keys, "In");
    }
}

fn validate(ctx: &Ctx<'_>, pod: &Pod, old: Option<&Pod>, errors: &mut ErrorList) {
    let path = Path::new("spec");
    match (old, ctx.subresource) {
        (Some(_), "binding") => return,
        (Some(old), "status") => return update::status(errors, pod, old),
        _ => {}
    }
    let meta = Path::new("metadata");
    let before = old.map(|old| &old.metadata.annotations);
    annotations::check(errors, &meta.child("annotations"), &pod.metadata.annotations, before, &pod.spec);
    errors.extend(known_finalizers(&pod.metadata.finalizers, &meta.child("finalizers")));
    spec::check(errors, &path, &pod.spec, Some(&pod.metadata));
    if pod.spec.service_account_name.is_empty() {
        account_tokens(errors, &path.child("volumes"), pod);
    }
    if let Some(seconds) = pod.spec.termination_grace_period_seconds {
        api_kind::checks::non_negative(errors, &path.child("terminationGracePeriodSeconds"), seconds);
    }
    for (name, list) in
        [("containers", &pod.spec.containers[..]), ("initContainers", &pod.spec.init_containers[..])]
    {
        for (index, container) in list.iter().enumerate() {
            container::trimmed(errors, &path.child(name).index(index).child("image"), &container.image);
        }
    }
    match old {
        Some(old) if ctx.subresource == "ephemeralcontainers" => ephemeral_update(errors, pod, old),
        Some(old) if ctx.subresource == "resize" => resize::validate(errors, pod, old),
        Some(old) => update::main(errors, pod, old),
        None => on_create(errors, &path, pod),
    }
}

fn on_create(errors: &mut ErrorList, path: &Path, pod: &Pod) {
    if !pod.spec.ephemeral_containers.is_empty() {
        errors.push(FieldError::forbidden(&path.child("ephemeralContainers"), "cannot be set on create"));
    }
    if !pod.spec.node_name.is_empty() && !pod.spec.scheduling_gates.is_empty() {
        let why = "cannot be set until all schedulingGates have been cleared";
        errors.push(FieldError::forbidden(&path.child("nodeName"), why));
    }
    container::restarted_by_resize(errors, &path.child("initContainers"), &pod.spec.init_containers);
    annotations::agree(errors, path, &pod.metadata.annotations, &pod.spec);
}

fn account_tokens(errors: &mut ErrorList, path: &Path, pod: &Pod) {
    for (index, volume) in pod.spec.volumes.iter().enumerate() {
        let sources = volume.volume_source.projected.iter().flat_map(|projected| projected.sources.iter());
        for (place, _) in sources.enumerate().filter(|(_, source)| source.service_account_token.is_some()) {
            let at = path.index(index).child("projected").child("sources").index(place);
            let why = "must not be specified when serviceAccountName is not set";
            errors.push(FieldError::forbidden(&at.child("serviceAccountToken"), why));
        }
    }
}

fn ephemeral_update(errors: &mut ErrorList, pod: &Pod, old: &Pod) {
    let at = Path::new("spec").child("ephemeralContainers");
    for before in &old.spec.ephemeral_containers {
        let name = &before.ephemeral_container_common.name;
        let now =
            pod.spec.ephemeral_containers.iter().find(|now| now.ephemeral_container_common.name == *name);
        let why = match now {
            None => format!("existing ephemeral containers {name:?} may not be removed\n"),
            Some(now) if now != before => {
                format!("existing ephemeral containers {name:?} may not be changed\n")
            }
            Some(_) => continue,
        };
        errors.push(FieldError::forbidden(&at, why));
    }
}

fn warnings(ctx: &Ctx<'_>, pod: &Pod, _: Option<&Pod>) -> Vec<String> {
    let mut warnings = Vec::new();
    if ctx.subresource == "status" {
        let path = Path::new("status");
        let own = pod.status.pod_ips.iter().map(|ip| &ip.ip).enumerate();
        let hosts = pod.status.host_ips.iter().map(|ip| &ip.ip).enumerate();
        for (field, index, ip) in own
            .map(|(index, ip)| ("podIPs", index, ip))
            .chain(hosts.map(|(index, ip)| ("hostIPs", index, ip)))
        {
            warnings.extend(names::ip_warnings(&path.child(field).index(index).child("ip"), ip));
        }
    }
    // People seldom change pods themselves, and what does so does it often.
    if ctx.verb != Verb::Create {
        return warnings;
    }
    warnings.extend(template::name_warning(&pod.metadata.name, "the Pod's hostname"));
    warnings.extend(warnings::of(&Path::NONE, &pod.spec, &pod.metadata, false));
    warnings.extend(app_armor::warnings(pod));
    warnings
}
