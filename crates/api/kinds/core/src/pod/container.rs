//! What is wrong with the containers of a pod: plain, initial and ephemeral ones.

use std::collections::BTreeSet;

use api_kind::checks::{each, one_of, required, supported};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_types::core::v1::{
    Container, ContainerPort, EphemeralContainer, EphemeralContainerCommon, PodSpec, VolumeMount,
};

use super::volume::{Volumes, descending_path};
use super::{env, probe, resources, security};

/// The most rules about restarts that a container may have, and the most codes of a rule.
const RULES: usize = 20;
const EXIT_CODES: usize = 255;

/// What a container's validation needs of its pod.
pub struct Around<'a> {
    /// The pod's spec.
    pub spec: &'a PodSpec,
    /// Its volumes.
    pub volumes: &'a Volumes<'a>,
}

/// The plain containers.
pub fn plain(errors: &mut ErrorList, path: &Path, around: &Around<'_>) {
    if around.spec.containers.is_empty() {
        errors.push(FieldError::required(path, ""));
        return;
    }
    let mut names = BTreeSet::new();
    for (index, container) in around.spec.containers.iter().enumerate() {
        let at = path.index(index);
        any(errors, &at, container, around);
        if !names.insert(&container.name) {
            errors.push(FieldError::duplicate(&at.child("name"), &container.name));
        }
        probe::of_container(errors, &at, container, around.spec.termination_grace_period_seconds);
        restart_policy(errors, &at, container);
    }
    host_ports(errors, path, &around.spec.containers);
}

/// The initial containers.
pub fn initial(errors: &mut ErrorList, path: &Path, around: &Around<'_>) {
    let mut names: BTreeSet<&String> =
        around.spec.containers.iter().map(|container| &container.name).collect();
    for (index, container) in around.spec.init_containers.iter().enumerate() {
        let at = path.index(index);
        any(errors, &at, container, around);
        if container.restart_policy.is_some() {
            restart_policy(errors, &at, container);
        } else if !container.restart_policy_rules.is_empty() {
            let why = "must specify restartPolicy when restart rules are used";
            errors.push(FieldError::required(&at.child("restartPolicy"), why));
        }
        if !names.insert(&container.name) && !container.name.is_empty() {
            errors.push(FieldError::duplicate(&at.child("name"), &container.name));
        }
        // Upstream's path is that of the first: each is looked at by itself.
        host_ports(errors, path, std::slice::from_ref(container));
        if container.restart_policy.as_deref() == Some("Always") {
            probe::of_container(errors, &at, container, around.spec.termination_grace_period_seconds);
            continue;
        }
        for (name, given) in [
            ("lifecycle", container.lifecycle.is_some()),
            ("livenessProbe", container.liveness_probe.is_some()),
            ("readinessProbe", container.readiness_probe.is_some()),
            ("startupProbe", container.startup_probe.is_some()),
        ] {
            if given {
                let why = "may not be set for init containers without restartPolicy=Always";
                errors.push(FieldError::forbidden(&at.child(name), why));
            }
        }
    }
}

/// The ephemeral containers.
pub fn ephemeral(errors: &mut ErrorList, path: &Path, around: &Around<'_>) {
    let spec = around.spec;
    let own = || spec.containers.iter().chain(&spec.init_containers).map(|container| &container.name);
    let mut names: BTreeSet<&String> = own().collect();
    for (index, ephemeral) in spec.ephemeral_containers.iter().enumerate() {
        let at = path.index(index);
        let container = as_container(&ephemeral.ephemeral_container_common);
        any(errors, &at, &container, around);
        trimmed(errors, &at.child("image"), &container.image);
        let name = &ephemeral.ephemeral_container_common.name;
        if !names.insert(name) {
            errors.push(FieldError::duplicate(&at.child("name"), name));
        }
        let target = &ephemeral.target_container_name;
        if !target.is_empty() && !own().any(|name| name == target) {
            errors.push(FieldError::not_found(&at.child("targetContainerName"), target));
        }
        not_for_ephemeral(errors, &at, ephemeral);
    }
}

const NOT_FOR_EPHEMERAL: &str = "cannot be set for an Ephemeral Container";

fn not_for_ephemeral(errors: &mut ErrorList, at: &Path, ephemeral: &EphemeralContainer) {
    let common = &ephemeral.ephemeral_container_common;
    for (name, given) in [
        ("ports", !common.ports.is_empty()),
        ("resources", common.resources != Default::default()),
        ("livenessProbe", common.liveness_probe.is_some()),
        ("readinessProbe", common.readiness_probe.is_some()),
        ("startupProbe", common.startup_probe.is_some()),
        ("lifecycle", common.lifecycle.is_some()),
        ("restartPolicy", common.restart_policy.is_some()),
        ("restartPolicyRules", !common.restart_policy_rules.is_empty()),
        ("resizePolicy", !common.resize_policy.is_empty()),
    ] {
        if given {
            errors.push(FieldError::forbidden(&at.child(name), NOT_FOR_EPHEMERAL));
        }
    }
    for (index, mount) in common.volume_mounts.iter().enumerate() {
        let at = at.child("volumeMounts").index(index);
        for (name, value) in [("subPath", &mount.sub_path), ("subPathExpr", &mount.sub_path_expr)] {
            if !value.is_empty() {
                errors.push(FieldError::forbidden(&at.child(name), NOT_FOR_EPHEMERAL));
            }
        }
    }
}

/// An ephemeral container as a plain one: the same fields under another type.
fn as_container(common: &EphemeralContainerCommon) -> Container {
    Container {
        name: common.name.clone(),
        image: common.image.clone(),
        ports: common.ports.clone(),
        env: common.env.clone(),
        env_from: common.env_from.clone(),
        resources: common.resources.clone(),
        resize_policy: common.resize_policy.clone(),
        volume_mounts: common.volume_mounts.clone(),
        volume_devices: common.volume_devices.clone(),
        termination_message_path: common.termination_message_path.clone(),
        termination_message_policy: common.termination_message_policy.clone(),
        image_pull_policy: common.image_pull_policy.clone(),
        security_context: common.security_context.clone(),
        ..Container::default()
    }
}

/// What holds for every container.
fn any(errors: &mut ErrorList, path: &Path, container: &Container, around: &Around<'_>) {
    let name = path.child("name");
    if required(errors, &name, &container.name) {
        each(errors, &name, &container.name, names::is_dns1123_label(&container.name));
    }
    required(errors, &path.child("image"), &container.image);
    let policies = ["File", "FallbackToLogsOnError"];
    let at = path.child("terminationMessagePolicy");
    one_of(errors, &at, &container.termination_message_policy, &policies);
    ports(errors, &path.child("ports"), &container.ports);
    env::variables(errors, &path.child("env"), &container.env);
    env::sources(errors, &path.child("envFrom"), &container.env_from);
    mounts(errors, &path.child("volumeMounts"), container, around.volumes);
    devices(errors, &path.child("volumeDevices"), container, around.volumes);
    let at = path.child("imagePullPolicy");
    one_of(errors, &at, &container.image_pull_policy, &["Always", "IfNotPresent", "Never"]);
    resources::of_container(errors, &path.child("resources"), &container.resources, around.spec);
    resize_policy(errors, &path.child("resizePolicy"), container, &around.spec.restart_policy);
    if let Some(context) = &container.security_context {
        let host_users = around.spec.host_users != Some(false);
        security::of_container(errors, &path.child("securityContext"), context, host_users);
    }
}

fn ports(errors: &mut ErrorList, path: &Path, ports: &[ContainerPort]) {
    let mut known = BTreeSet::new();
    for (index, port) in ports.iter().enumerate() {
        let at = path.index(index);
        if !port.name.is_empty() {
            let faults = names::is_valid_port_name(&port.name);
            if !faults.is_empty() {
                each(errors, &at.child("name"), &port.name, faults);
            } else if !known.insert(&port.name) {
                errors.push(FieldError::duplicate(&at.child("name"), &port.name));
            }
        }
        if port.container_port == 0 {
            errors.push(FieldError::required(&at.child("containerPort"), ""));
        } else {
            number(errors, &at.child("containerPort"), port.container_port);
        }
        if port.host_port != 0 {
            number(errors, &at.child("hostPort"), port.host_port);
        }
        one_of(errors, &at.child("protocol"), &port.protocol, &["SCTP", "TCP", "UDP"]);
    }
}

fn number(errors: &mut ErrorList, path: &Path, port: i32) {
    for message in names::is_valid_port_num(port.into()) {
        errors.push(FieldError::invalid(path, port, message));
    }
}

fn host_ports(errors: &mut ErrorList, path: &Path, containers: &[Container]) {
    let mut taken = BTreeSet::new();
    for (index, container) in containers.iter().enumerate() {
        let ports = container.ports.iter().enumerate().filter(|(_, port)| port.host_port != 0);
        for (place, port) in ports {
            let text = format!("{}/{}/{}", port.protocol, port.host_ip, port.host_port);
            if !taken.insert(text.clone()) {
                let at = path.index(index).child("ports").index(place).child("hostPort");
                errors.push(FieldError::duplicate(&at, text));
            }
        }
    }
}

fn mounts(errors: &mut ErrorList, path: &Path, container: &Container, volumes: &Volumes<'_>) {
    let mut points = BTreeSet::new();
    for (index, mount) in container.volume_mounts.iter().enumerate() {
        let at = path.index(index);
        required(errors, &at.child("name"), &mount.name);
        if !volumes.contains_key(mount.name.as_str()) {
            errors.push(FieldError::not_found(&at.child("name"), &mount.name));
        }
        required(errors, &at.child("mountPath"), &mount.mount_path);
        if !points.insert(&mount.mount_path) {
            errors.push(FieldError::invalid(&at.child("mountPath"), &mount.mount_path, "must be unique"));
        }
        if container.volume_devices.iter().any(|device| device.name == mount.name) {
            let why = "must not already exist in volumeDevices";
            errors.push(FieldError::invalid(&at.child("name"), &mount.name, why));
        }
        if container.volume_devices.iter().any(|device| device.device_path == mount.mount_path) {
            let why = "must not already exist as a path in volumeDevices";
            errors.push(FieldError::invalid(&at.child("mountPath"), &mount.mount_path, why));
        }
        mount_options(errors, path, &at, mount, container);
    }
}

/// Upstream reports these with the list's path, not the mount's.
fn mount_options(errors: &mut ErrorList, list: &Path, at: &Path, mount: &VolumeMount, container: &Container) {
    if !mount.sub_path.is_empty() {
        descending_path(errors, &list.child("subPath"), &mount.sub_path);
    }
    if !mount.sub_path_expr.is_empty() {
        if !mount.sub_path.is_empty() {
            let why = "subPathExpr and subPath are mutually exclusive";
            errors.push(FieldError::invalid(&at.child("subPathExpr"), &mount.sub_path_expr, why));
        }
        descending_path(errors, &list.child("subPathExpr"), &mount.sub_path_expr);
    }
    if let Some(mode) = &mount.mount_propagation {
        let at = list.child("mountPropagation");
        supported(errors, &at, mode, &["Bidirectional", "HostToContainer", "None"]);
        let privileged =
            container.security_context.as_ref().is_some_and(|context| context.privileged == Some(true));
        if mode == "Bidirectional" && !privileged {
            let why = "Bidirectional mount propagation is available only to privileged containers";
            errors.push(FieldError::forbidden(&at, why));
        }
    }
    if let Some(mode) = mount.recursive_read_only.as_deref().filter(|mode| *mode != "Disabled") {
        let at = list.child("recursiveReadOnly");
        supported(errors, &at, mode, &["Disabled", "Enabled", "IfPossible"]);
        let known = matches!(mode, "Enabled" | "IfPossible");
        if known && !mount.read_only {
            errors.push(FieldError::forbidden(&at, "may only be specified when readOnly is true"));
        }
        if known && mount.mount_propagation.as_deref().is_some_and(|mode| mode != "None") {
            let why = "may only be specified when mountPropagation is None or not specified";
            errors.push(FieldError::forbidden(&at, why));
        }
    }
}

fn devices(errors: &mut ErrorList, path: &Path, container: &Container, volumes: &Volumes<'_>) {
    let (mut seen_names, mut seen_paths) = (BTreeSet::new(), BTreeSet::new());
    for (index, device) in container.volume_devices.iter().enumerate() {
        let at = path.index(index);
        required(errors, &at.child("name"), &device.name);
        if !device.name.is_empty() && !seen_names.insert(&device.name) {
            errors.push(FieldError::invalid(&at.child("name"), &device.name, "must be unique"));
        }
        match volumes.get(device.name.as_str()) {
            None => errors.push(FieldError::not_found(&at.child("name"), &device.name)),
            Some(source) if source.persistent_volume_claim.is_none() && source.ephemeral.is_none() => {
                let why =
                    "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
                errors.push(FieldError::invalid(&at.child("name"), &device.name, why));
            }
            Some(_) => {}
        }
        let place = at.child("devicePath");
        required(errors, &place, &device.device_path);
        if device.device_path.split('/').any(|part| part == "..") {
            errors.push(FieldError::invalid(&place, &device.device_path, "can not contain backsteps ('..')"));
        } else if !seen_paths.insert(&device.device_path) {
            errors.push(FieldError::invalid(&place, &device.device_path, "must be unique"));
        }
        if container.volume_mounts.iter().any(|mount| mount.name == device.name) {
            let why = "must not already exist in volumeMounts";
            errors.push(FieldError::invalid(&at.child("name"), &device.name, why));
        }
        if container.volume_mounts.iter().any(|mount| mount.mount_path == device.device_path) {
            let why = "must not already exist as a path in volumeMounts";
            errors.push(FieldError::invalid(&place, &device.device_path, why));
        }
    }
}

fn resize_policy(errors: &mut ErrorList, path: &Path, container: &Container, pod_policy: &str) {
    let mut seen = BTreeSet::new();
    for (index, policy) in container.resize_policy.iter().enumerate() {
        if !seen.insert(&policy.resource_name) {
            errors.push(FieldError::duplicate(&path.index(index), &policy.resource_name));
        }
        one_of(errors, path, &policy.resource_name, &["cpu", "memory"]);
        one_of(errors, path, &policy.restart_policy, &["NotRequired", "RestartContainer"]);
        if pod_policy == "Never" && policy.restart_policy != "NotRequired" {
            let why = "must be 'NotRequired' when pod `restartPolicy` is 'Never'";
            errors.push(FieldError::invalid(path, &policy.restart_policy, why));
        }
    }
}

fn restart_policy(errors: &mut ErrorList, path: &Path, container: &Container) {
    let at = path.child("restartPolicy");
    match container.restart_policy.as_deref() {
        Some(policy) => supported(errors, &at, policy, &["Always", "Never", "OnFailure"]),
        None if !container.restart_policy_rules.is_empty() => {
            errors.push(FieldError::required(&at, "must specify restartPolicy when restart rules are used"));
        }
        None => {}
    }
    let at = path.child("restartPolicyRules");
    if container.restart_policy_rules.len() > RULES {
        errors.push(FieldError::too_many(&at, container.restart_policy_rules.len(), RULES));
    }
    for (index, rule) in container.restart_policy_rules.iter().enumerate() {
        let at = at.index(index);
        supported(errors, &at.child("action"), &rule.action, &["Restart", "RestartAllContainers"]);
        match &rule.exit_codes {
            None => errors.push(FieldError::required(&at.child("exitCodes"), "must be specified")),
            Some(codes) => {
                let at = at.child("exitCodes");
                supported(errors, &at.child("operator"), &codes.operator, &["In", "NotIn"]);
                if codes.values.len() > EXIT_CODES {
                    errors.push(FieldError::too_many(&at.child("values"), codes.values.len(), EXIT_CODES));
                }
            }
        }
    }
}

/// Initial containers that end are not started anew for a resize.
pub fn restarted_by_resize(errors: &mut ErrorList, path: &Path, containers: &[Container]) {
    let ends = |container: &&Container| container.restart_policy.as_deref() != Some("Always");
    let containers = containers.iter().enumerate();
    for (index, container) in containers.filter(|(_, container)| ends(container)) {
        for (place, policy) in container.resize_policy.iter().enumerate() {
            if policy.restart_policy == "RestartContainer" {
                let at = path.index(index).child("resizePolicy").index(place).child("restartPolicy");
                let why = "must not be set to 'RestartContainer' for non-sidecar initContainers";
                errors.push(FieldError::invalid(&at, &policy.restart_policy, why));
            }
        }
    }
}

/// The changes of containers that an update may bring; answers whether the lists cannot be compared further.
pub fn updates(errors: &mut ErrorList, path: &Path, new: &[Container], old: &[Container]) -> bool {
    if new.len() != old.len() {
        errors.push(FieldError::forbidden(path, "pod updates may not add or remove containers"));
        return true;
    }
    for (index, container) in new.iter().enumerate() {
        let at = path.index(index).child("image");
        required(errors, &at, &container.image);
        trimmed(errors, &at, &container.image);
    }
    false
}

/// An image without white space around it, which templates are allowed to have.
pub fn trimmed(errors: &mut ErrorList, path: &Path, image: &str) {
    if image.trim().len() != image.len() {
        errors.push(FieldError::invalid(path, image, "must not have leading or trailing whitespace"));
    }
}
