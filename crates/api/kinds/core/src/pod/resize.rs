//! What a write through the `resize` subresource may change: processor and memory of containers, and of the pod.

use std::collections::BTreeMap;

use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::qos;
use api_record::scalar::Quantity;
use api_types::core::v1::{Container, Pod, PodSpec, ResourceRequirements};

use super::resources;

/// Drops whatever else the write says, unless it names other containers: that is for validation to refuse.
pub(super) fn prepare(pod: &mut Pod, old: &Pod) {
    let (new, before) = (&pod.spec, &old.spec);
    if new.containers.len() != before.containers.len()
        || new.init_containers.len() != before.init_containers.len()
    {
        return;
    }
    let mut spec = before.clone();
    spec.resources.clone_from(&new.resources);
    let containers = merged(&new.containers, &before.containers);
    spec.containers.clear();
    spec.containers.extend(containers);
    spec.init_containers = merged(&new.init_containers, &before.init_containers);
    // Who does not know of what the pod as a whole asks for leaves it out.
    if spec.resources.is_none() {
        spec.resources.clone_from(&before.resources);
    }
    resources::default_for_pod(&mut spec);
    pod.spec = spec;
    pod.status.clone_from(&old.status);
    let (meta, before) = (&mut pod.metadata, &old.metadata);
    meta.deletion_timestamp = before.deletion_timestamp;
    meta.owner_references.clone_from(&before.owner_references);
    meta.labels.clone_from(&before.labels);
    meta.annotations.clone_from(&before.annotations);
    meta.finalizers.clone_from(&before.finalizers);
}

fn merged(new: &[Container], old: &[Container]) -> Vec<Container> {
    if new.iter().zip(old).any(|(new, old)| new.name != old.name) {
        return new.to_vec();
    }
    let pairs = new.iter().zip(old);
    let merged = pairs.map(|(new, old)| Container {
        resources: new.resources.clone(),
        resize_policy: new.resize_policy.clone(),
        ..old.clone()
    });
    merged.collect()
}

/// Checks it, after what holds for every pod.
pub(super) fn validate(errors: &mut ErrorList, pod: &Pod, old: &Pod) {
    let only = |errors: &mut ErrorList, why: &str| {
        *errors = FieldError::forbidden(&Path::NONE, why).into();
    };
    if old.metadata.annotations.contains_key("kubernetes.io/config.mirror") {
        return only(errors, "static pods cannot be resized");
    }
    if old.spec.os.as_ref().is_some_and(|os| os.name == "windows") {
        return only(errors, "windows pods cannot be resized");
    }
    let path = Path::new("spec");
    let class_before = match old.status.qos_class.as_str() {
        "" => qos::class(&old.spec),
        known => known,
    };
    if class_before != qos::class(&pod.spec) {
        let why = "Pod QOS Class may not change as a result of resizing";
        errors.push(FieldError::invalid(&path, &pod.status.qos_class, why));
    }
    let running = old.status.container_statuses.iter().find(|status| status.state.running.is_some());
    if running.is_some_and(|status| status.resources.is_none()) {
        errors.push(FieldError::forbidden(&path, "Pod running on node without support for resize"));
    }
    let mut rest = pod.spec.clone();
    pod_level(errors, &path, &mut rest, &old.spec);
    if !same_containers(errors, &path, pod, old) {
        return;
    }
    for (name, new, before) in [
        ("initContainers", &pod.spec.init_containers[..], &old.spec.init_containers[..]),
        ("containers", &pod.spec.containers[..], &old.spec.containers[..]),
    ] {
        for (index, (new, before)) in new.iter().zip(before).enumerate() {
            container(errors, &path.child(name).index(index).child("resources"), new, before);
        }
    }
    others(errors, &path, &mut rest, &old.spec);
    if pod.spec.volumes != old.spec.volumes {
        let why = "volumes are immutable on resize when InPlacePodVerticalScalingMemoryBackedVolumes feature gate is disabled";
        errors.push(FieldError::forbidden(&path.child("volumes"), why));
    }
    if errors.is_empty() && rest != old.spec {
        errors.push(FieldError::forbidden(&path, "only cpu and memory resources are mutable"));
    }
}

fn is_sidecar(container: &Container) -> bool {
    container.restart_policy.as_deref() == Some("Always")
}

fn any(resources: Option<&ResourceRequirements>) -> bool {
    resources.is_some_and(|resources| !resources.requests.is_empty() || !resources.limits.is_empty())
}

type List = BTreeMap<String, Quantity>;

fn removed(new: &List, old: &List) -> bool {
    old.keys().any(|name| !new.contains_key(name))
}

/// The list with processor and memory as they were.
fn masked(new: &List, old: &List) -> List {
    let mut masked = new.clone();
    for name in ["cpu", "memory"] {
        masked.remove(name);
        if let Some(value) = old.get(name) {
            masked.insert(name.to_owned(), value.clone());
        }
    }
    masked
}

fn mask(resources: &mut ResourceRequirements, old: &ResourceRequirements) {
    resources.limits = masked(&resources.limits, &old.limits);
    resources.requests = masked(&resources.requests, &old.requests);
}

fn pod_level(errors: &mut ErrorList, path: &Path, rest: &mut PodSpec, old: &PodSpec) {
    if !any(old.resources.as_deref()) && !any(rest.resources.as_deref()) {
        return;
    }
    let at = path.child("resources");
    if let Some(before) = &old.resources {
        let Some(new) = &rest.resources else {
            errors.push(FieldError::forbidden(&at, "pod-level resources cannot be removed"));
            return;
        };
        if removed(&new.requests, &before.requests) {
            let why = "pod-level resource requests cannot be removed";
            errors.push(FieldError::forbidden(&at.child("requests"), why));
        }
        if removed(&new.limits, &before.limits) {
            let why = "pod-level resource limits cannot be removed";
            errors.push(FieldError::forbidden(&at.child("limits"), why));
        }
    }
    let before = old.resources.as_deref().cloned().unwrap_or_default();
    if let Some(resources) = &mut rest.resources {
        mask(resources, &before);
    }
    if old.resources.is_none() && rest.resources.as_deref() == Some(&ResourceRequirements::default()) {
        rest.resources = None;
    }
    if rest.resources != old.resources {
        let why = "only cpu and memory resources are mutable at pod-level";
        errors.push(FieldError::forbidden(path, why));
    }
}

/// Answers whether the containers are the same ones in the same order.
fn same_containers(errors: &mut ErrorList, path: &Path, pod: &Pod, old: &Pod) -> bool {
    let before = errors.len();
    for (field, new, old) in [
        ("containers", &pod.spec.containers[..], &old.spec.containers[..]),
        ("initContainers", &pod.spec.init_containers[..], &old.spec.init_containers[..]),
    ] {
        let at = path.child(field);
        if new.len() != old.len() {
            let why = format!("{field} may not be added or removed on resize");
            errors.push(FieldError::forbidden(&at, why));
            continue;
        }
        for (index, _) in new.iter().zip(old).enumerate().filter(|(_, (new, old))| new.name != old.name) {
            let why = format!("{field} may not be renamed or reordered on resize");
            errors.push(FieldError::forbidden(&at.index(index).child("name"), why));
        }
    }
    errors.len() == before
}

fn container(errors: &mut ErrorList, path: &Path, new: &Container, old: &Container) {
    if removed(&new.resources.limits, &old.resources.limits) {
        errors.push(FieldError::forbidden(&path.child("limits"), "resource limits cannot be removed"));
    }
    if removed(&new.resources.requests, &old.resources.requests) {
        errors.push(FieldError::forbidden(&path.child("requests"), "resource requests cannot be removed"));
    }
}

/// What else of the containers changed; afterwards `rest` has it all as it was, where that may change.
fn others(errors: &mut ErrorList, path: &Path, rest: &mut PodSpec, old: &PodSpec) {
    for (new, before) in rest.containers.iter_mut().zip(old.containers.iter()) {
        mask(&mut new.resources, &before.resources);
        if new != before {
            errors.push(FieldError::forbidden(path, "only cpu and memory resources are mutable"));
        }
    }
    for (index, (new, before)) in rest.init_containers.iter_mut().zip(&old.init_containers).enumerate() {
        let changed = new != before;
        let at = path.child("initContainers").index(index);
        mask(&mut new.resources, &before.resources);
        if new != before {
            let why = "only cpu and memory resources for init or sidecar containers are mutable";
            errors.push(FieldError::forbidden(&at, why));
        }
        let restarts = new.resize_policy.iter().filter(|policy| policy.restart_policy == "RestartContainer");
        for _ in restarts.filter(|_| changed && !is_sidecar(before)) {
            let why =
                "non-sidecar init containers with a resize policy of RestartContainer cannot be resized";
            errors.push(FieldError::forbidden(&at, why));
        }
    }
}
