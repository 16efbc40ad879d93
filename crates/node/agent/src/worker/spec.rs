//! A container's description for the runtime, put together from the pod, the image and what the node has prepared.

use std::path::{Path, PathBuf};

use api_types::core::v1::{Container, Pod};
use node_image::store::Image;
use node_pod::container::{log_directory, log_file};
use node_pod::expand::expand;
use node_pod::security::{Confinement, Profile};
use node_pod::{resources, security};
use node_runtime::spec::{
    ContainerSpec, DEFAULT_PATH, Log, Mount, MountSource, Process, Propagation, Rootfs, Seccomp,
};

use crate::core::Core;

/// Where a container's termination message is written on the node.
pub(super) fn message_file(directory: &Path, name: &str, attempt: u32) -> PathBuf {
    directory.join("containers").join(name).join(attempt.to_string())
}

/// What a container is made of, besides its pod.
pub(super) struct Parts<'a> {
    pub(super) id: &'a str,
    pub(super) attempt: u32,
    pub(super) image: &'a Image,
    pub(super) env: Vec<(String, String)>,
    pub(super) mounts: Vec<Mount>,
    /// The text of a Localhost seccomp profile.
    pub(super) seccomp: Option<String>,
}

/// Image and container decide together what runs: a command replaces the image's arguments too.
fn arguments(container: &Container, image: &Image, env: &[(String, String)]) -> Vec<String> {
    let lookup = |name: &str| env.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let own = |list: &[String]| list.iter().map(|text| expand(text, lookup)).collect::<Vec<_>>();
    let (command, args) = (own(&container.command), own(&container.args));
    let mut all = if command.is_empty() { image.config.entrypoint.clone() } else { command };
    match (container.command.is_empty(), args.is_empty()) {
        (_, false) => all.extend(args),
        (true, true) => all.extend(image.config.cmd.iter().cloned()),
        (false, true) => {}
    }
    all
}

fn environment(image: &Image, env: Vec<(String, String)>) -> Vec<(String, String)> {
    let split = |line: &String| {
        let (name, value) = line.split_once('=').unwrap_or((line, ""));
        (name.to_owned(), value.to_owned())
    };
    let mut all: Vec<(String, String)> = image.config.env.iter().map(split).collect();
    if !all.iter().any(|(name, _)| name == "PATH") {
        all.insert(0, ("PATH".to_owned(), DEFAULT_PATH.to_owned()));
    }
    for (name, value) in env {
        all.retain(|(other, _)| *other != name);
        all.push((name, value));
    }
    all
}

/// A container's description.
pub(super) fn build(
    core: &Core,
    pod: &Pod,
    container: &Container,
    confinement: Confinement,
    parts: Parts<'_>,
) -> ContainerSpec {
    let args = arguments(container, parts.image, &parts.env);
    let mut env = environment(parts.image, parts.env);
    if !env.iter().any(|(name, _)| name == "HOSTNAME") {
        env.push(("HOSTNAME".to_owned(), node_pod::files::kernel_hostname(pod, &core.config.cluster_domain)));
    }
    let cwd =
        if container.working_dir.is_empty() { &parts.image.config.workdir } else { &container.working_dir };
    let log_directory = log_directory(&pod.metadata.namespace, &pod.metadata.name, &pod.metadata.uid);
    let log = core.config.log_dir.join(log_directory).join(log_file(&container.name, parts.attempt));
    let seccomp = match (confinement.seccomp, parts.seccomp) {
        (Profile::Unconfined, _) => Seccomp::Unconfined,
        (Profile::Localhost(_), Some(text)) => Seccomp::Profile(text),
        // A profile that was named but not read never gets here; the default is the safe side.
        (Profile::RuntimeDefault | Profile::Localhost(_), _) => Seccomp::RuntimeDefault,
    };
    ContainerSpec {
        id: parts.id.to_owned(),
        rootfs: Rootfs::Layers(parts.image.layers.clone()),
        process: Process {
            args,
            env,
            cwd: cwd.clone(),
            user: confinement.user,
            capabilities: confinement.capabilities,
            no_new_privileges: confinement.no_new_privileges,
            seccomp,
            rlimits: Vec::new(),
            oom_score_adj: resources::oom_score_adj(pod, container, core.machine.memory_bytes),
            apparmor_profile: confinement.apparmor,
            terminal: container.tty,
        },
        read_only_rootfs: confinement.read_only_rootfs,
        privileged: confinement.privileged,
        masked_paths: confinement.masked_paths,
        readonly_paths: confinement.readonly_paths,
        mounts: parts.mounts,
        devices: Vec::new(),
        limits: resources::container_limits(pod, container),
        stdin: container.stdin,
        log: Some(Log::new(log)),
        processes_of: None,
    }
}

/// The mounts that every container gets: hosts, host name, resolvers and the termination message.
pub(super) fn usual_mounts(
    directory: &Path,
    container: &Container,
    attempt: u32,
    read_only: bool,
) -> Vec<Mount> {
    let file = |source: PathBuf, destination: &str, read_only: bool| Mount {
        source: MountSource::Host(source),
        destination: destination.into(),
        read_only,
        recursive_read_only: false,
        propagation: Propagation::Private,
    };
    let message = match container.termination_message_path.as_str() {
        "" => "/dev/termination-log",
        path => path,
    };
    let mut mounts = vec![
        file(directory.join("etc-hosts"), "/etc/hosts", read_only),
        file(directory.join("hostname"), "/etc/hostname", read_only),
        file(directory.join("resolv.conf"), "/etc/resolv.conf", read_only),
        file(message_file(directory, &container.name, attempt), message, false),
    ];
    // A volume of the pod's own at the same place goes before.
    mounts.retain(|mount| {
        !container.volume_mounts.iter().any(|own| Path::new(&own.mount_path) == mount.destination)
    });
    mounts
}

/// Confinement, or the reason why the container must not start.
pub(super) fn confine(
    pod: &Pod,
    container: &Container,
    image: &Image,
) -> Result<Confinement, security::SecurityError> {
    security::confinement(pod, container, &image.config.user)
}
