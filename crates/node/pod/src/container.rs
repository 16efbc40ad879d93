//! Names and ids of a pod's containers, and where their logs are, as kubelet and the container runtimes have them.

use std::borrow::Cow;

use api_types::core::v1::{Container, EphemeralContainerCommon, Pod};
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

/// What a container is to its pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Prepares it, or is a sidecar.
    Init,
    /// Is what it is for.
    Regular,
    /// Was added while it ran, to look at it: never started again, without probes, hooks and resources, and of no account
    /// for how the pod is.
    Ephemeral,
}

/// Init containers, then regular ones. Those that are [`ephemeral`] are nothing that a pod is made of.
pub fn all(pod: &Pod) -> impl Iterator<Item = (&Container, Role)> {
    let inits = pod.spec.init_containers.iter().map(|container| (container, Role::Init));
    inits.chain(pod.spec.containers.iter().map(|container| (container, Role::Regular)))
}

/// The ephemeral containers, as containers: they have the same fields under another type.
pub fn ephemeral(pod: &Pod) -> impl Iterator<Item = Container> {
    pod.spec.ephemeral_containers.iter().map(|one| as_container(&one.ephemeral_container_common))
}

/// What an ephemeral container may have of a container's fields.
fn as_container(common: &EphemeralContainerCommon) -> Container {
    Container {
        name: common.name.clone(),
        image: common.image.clone(),
        command: common.command.clone(),
        args: common.args.clone(),
        working_dir: common.working_dir.clone(),
        env: common.env.clone(),
        env_from: common.env_from.clone(),
        volume_mounts: common.volume_mounts.clone(),
        termination_message_path: common.termination_message_path.clone(),
        termination_message_policy: common.termination_message_policy.clone(),
        image_pull_policy: common.image_pull_policy.clone(),
        security_context: common.security_context.clone(),
        stdin: common.stdin,
        stdin_once: common.stdin_once,
        tty: common.tty,
        ..Container::default()
    }
}

/// A container by name, and what it is.
pub fn find<'a>(pod: &'a Pod, name: &str) -> Option<(Cow<'a, Container>, Role)> {
    let own = all(pod).find(|(container, _)| container.name == name);
    own.map(|(container, role)| (Cow::Borrowed(container), role)).or_else(|| {
        let added = ephemeral(pod).find(|container| container.name == name)?;
        Some((Cow::Owned(added), Role::Ephemeral))
    })
}

/// The container whose processes an ephemeral one is to be among, if it names one.
pub fn target<'a>(pod: &'a Pod, name: &str) -> Option<&'a str> {
    let added = &pod.spec.ephemeral_containers;
    let found = added.iter().find(|one| one.ephemeral_container_common.name == name)?;
    Some(found.target_container_name.as_str()).filter(|target| !target.is_empty())
}

/// What an event about a container points to.
pub fn field_path(container: &Container, role: Role) -> String {
    let list = match role {
        Role::Init => "spec.initContainers",
        Role::Regular => "spec.containers",
        Role::Ephemeral => "spec.ephemeralContainers",
    };
    format!("{list}{{{}}}", container.name)
}

/// The name of the service account that a pod acts as.
pub fn account(pod: &Pod) -> &str {
    match pod.spec.service_account_name.as_str() {
        "" => "default",
        name => name,
    }
}

/// Whether an image is pulled even though it may be here: kubelet's policy, and its default by tag.
pub fn pull_policy<'a>(policy: &'a str, image: &str) -> &'a str {
    match policy {
        "" => {
            let last = image.rsplit('/').next().unwrap_or_default();
            let latest = !last.contains('@') && last.split_once(':').is_none_or(|(_, tag)| tag == "latest");
            if latest { "Always" } else { "IfNotPresent" }
        }
        policy => policy,
    }
}
