//! Names and ids of a pod's containers, and where their logs are, as kubelet and the container runtimes have them.

use api_types::core::v1::{Container, Pod};
use sha2::{Digest, Sha256};

/// What container ids begin with in statuses.
pub const RUNTIME: &str = "knarr";

/// The id of one attempt at a container: the same whenever it is computed, so that none is ever lost.
pub fn id(uid: &str, name: &str, attempt: u32) -> String {
    let digest = Sha256::digest(format!("{uid}/{name}/{attempt}"));
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The id as a status shows it.
pub fn shown_id(id: &str) -> String {
    if id.is_empty() { String::new() } else { format!("{RUNTIME}://{id}") }
}

/// The directory of a pod's logs below `/var/log/pods`.
pub fn log_directory(namespace: &str, name: &str, uid: &str) -> String {
    format!("{namespace}_{name}_{uid}")
}

/// A container's log file below its pod's directory.
pub fn log_file(container: &str, attempt: u32) -> String {
    format!("{container}/{attempt}.log")
}

/// A pod as kubelet names it in messages: `name_namespace(uid)`.
pub fn pod_text(pod: &Pod) -> String {
    let meta = &pod.metadata;
    format!("{}_{}({})", meta.name, meta.namespace, meta.uid)
}

/// Init containers, then regular ones, each with whether it is an init container.
pub fn all(pod: &Pod) -> impl Iterator<Item = (&Container, bool)> {
    let inits = pod.spec.init_containers.iter().map(|container| (container, true));
    inits.chain(pod.spec.containers.iter().map(|container| (container, false)))
}

/// A container by name, and whether it is an init container.
pub fn find<'a>(pod: &'a Pod, name: &str) -> Option<(&'a Container, bool)> {
    all(pod).find(|(container, _)| container.name == name)
}

/// What an event about a container points to.
pub fn field_path(container: &Container, is_init: bool) -> String {
    let list = if is_init { "spec.initContainers" } else { "spec.containers" };
    format!("{list}{{{}}}", container.name)
}

/// Whether an image is pulled even though it may be here: kubelet's policy, and its default by tag.
pub fn pull_policy(container: &Container) -> &str {
    match container.image_pull_policy.as_str() {
        "" => {
            let last = container.image.rsplit('/').next().unwrap_or_default();
            let latest = !last.contains('@') && last.split_once(':').is_none_or(|(_, tag)| tag == "latest");
            if latest { "Always" } else { "IfNotPresent" }
        }
        policy => policy,
    }
}
