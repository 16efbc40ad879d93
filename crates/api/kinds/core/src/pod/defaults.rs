//! What a pod's spec gets when its author leaves it out (`pkg/apis/core/v1/defaults.go`); templates share it.

use api_types::core::v1::{
    AzureDiskVolumeSource, Container, EphemeralContainerCommon, Lifecycle, LifecycleHandler, PodSpec,
    PodStatus, Probe, ProbeHandler, ResourceRequirements, Volume, VolumeProjection,
};
use std::collections::BTreeMap;

use api_record::scalar::Quantity;

use crate::persistent_volume_claim;

const MODE: i32 = 0o644;

/// Fills in a spec that may stand in a pod or in a template.
pub fn spec(spec: &mut PodSpec) {
    if spec.service_account_name.is_empty() {
        spec.service_account_name.clone_from(&spec.deprecated_service_account);
    }
    spec.deprecated_service_account.clone_from(&spec.service_account_name);
    text(&mut spec.dns_policy, "ClusterFirst");
    text(&mut spec.restart_policy, "Always");
    text(&mut spec.scheduler_name, "default-scheduler");
    spec.security_context.get_or_insert_default();
    spec.termination_grace_period_seconds.get_or_insert(30);
    spec.volumes.iter_mut().for_each(volume);
    let plain = spec.init_containers.iter_mut().chain(spec.containers.iter_mut());
    plain.for_each(container);
    for ephemeral in &mut spec.ephemeral_containers {
        ephemeral_container(&mut ephemeral.ephemeral_container_common);
    }
    round_up(&mut spec.overhead);
    if let Some(resources) = &mut spec.resources {
        round(resources);
    }
}

/// What only a pod gets, and no template.
pub fn pod_only(spec: &mut PodSpec) {
    if let Some(seconds) = spec.termination_grace_period_seconds.as_mut().filter(|seconds| **seconds < 0) {
        *seconds = 1;
    }
    spec.enable_service_links.get_or_insert(true);
    let host_network = spec.host_network;
    for container in spec.containers.iter_mut().chain(&mut spec.init_containers) {
        for (name, limit) in &container.resources.limits {
            container.resources.requests.entry(name.clone()).or_insert_with(|| limit.clone());
        }
        for port in container.ports.iter_mut().filter(|port| host_network && port.host_port == 0) {
            port.host_port = port.container_port;
        }
    }
}

/// Keeps the first address and the list of addresses alike; the single field wins, for older writers.
pub fn status(status: &mut PodStatus) {
    let containers = [
        &mut status.init_container_statuses,
        &mut status.container_statuses,
        &mut status.ephemeral_container_statuses,
    ];
    for container in containers.into_iter().flatten() {
        round_up(&mut container.allocated_resources);
        container.resources.iter_mut().for_each(|resources| round(resources));
    }
    round_up(&mut status.allocated_resources);
    status.resources.iter_mut().for_each(|resources| round(resources));
    let first = status.pod_ips.first().map(|ip| ip.ip.clone());
    match first {
        Some(first) if status.pod_ip.is_empty() => status.pod_ip = first,
        first if !status.pod_ip.is_empty() && first.as_deref() != Some(&status.pod_ip) => {
            status.pod_ips = vec![api_types::core::v1::PodIP { ip: status.pod_ip.clone() }];
        }
        _ => {}
    }
}

/// Rounds up to thousandths what upstream cannot keep more exactly.
pub fn round_up(list: &mut BTreeMap<String, Quantity>) {
    for quantity in list.values_mut() {
        let rounded = Quantity::from_millis(quantity.millis());
        if quantity.millis() != i64::MAX && *quantity < rounded {
            *quantity = rounded;
        }
    }
}

fn round(resources: &mut ResourceRequirements) {
    round_up(&mut resources.limits);
    round_up(&mut resources.requests);
}

fn text(field: &mut String, default: &str) {
    if field.is_empty() {
        default.clone_into(field);
    }
}

fn container(container: &mut Container) {
    if container.image_pull_policy.is_empty() {
        pull_policy(&container.image).clone_into(&mut container.image_pull_policy);
    }
    text(&mut container.termination_message_path, "/dev/termination-log");
    text(&mut container.termination_message_policy, "File");
    round(&mut container.resources);
    container.env.iter_mut().filter_map(|env| env.value_from.as_mut()).for_each(|source| {
        source.field_ref.iter_mut().for_each(|field| text(&mut field.api_version, "v1"));
    });
    let probes =
        [&mut container.liveness_probe, &mut container.readiness_probe, &mut container.startup_probe];
    probes.into_iter().flatten().for_each(|probe_| probe(probe_));
    container.lifecycle.iter_mut().for_each(|lifecycle_| lifecycle(lifecycle_));
}

/// It may have neither probes nor hooks, but is filled in before that is said.
fn ephemeral_container(container: &mut EphemeralContainerCommon) {
    if container.image_pull_policy.is_empty() {
        pull_policy(&container.image).clone_into(&mut container.image_pull_policy);
    }
    text(&mut container.termination_message_path, "/dev/termination-log");
    text(&mut container.termination_message_policy, "File");
    round(&mut container.resources);
    container.env.iter_mut().filter_map(|env| env.value_from.as_mut()).for_each(|source| {
        source.field_ref.iter_mut().for_each(|field| text(&mut field.api_version, "v1"));
    });
    let probes =
        [&mut container.liveness_probe, &mut container.readiness_probe, &mut container.startup_probe];
    probes.into_iter().flatten().for_each(|probe_| probe(probe_));
    container.lifecycle.iter_mut().for_each(|lifecycle_| lifecycle(lifecycle_));
}

fn lifecycle(lifecycle: &mut Lifecycle) {
    let hooks = [&mut lifecycle.post_start, &mut lifecycle.pre_stop];
    for LifecycleHandler { http_get, .. } in hooks.into_iter().flatten().map(|hook| &mut **hook) {
        http_get.iter_mut().for_each(|action| {
            text(&mut action.path, "/");
            text(&mut action.scheme, "HTTP");
        });
    }
}

fn probe(probe: &mut Probe) {
    for (field, default) in [
        (&mut probe.timeout_seconds, 1),
        (&mut probe.period_seconds, 10),
        (&mut probe.success_threshold, 1),
        (&mut probe.failure_threshold, 3),
    ] {
        if *field == 0 {
            *field = default;
        }
    }
    let ProbeHandler { http_get, grpc, .. } = &mut probe.probe_handler;
    http_get.iter_mut().for_each(|action| {
        text(&mut action.path, "/");
        text(&mut action.scheme, "HTTP");
    });
    grpc.iter_mut().for_each(|action| {
        action.service.get_or_insert_default();
    });
}

/// `Always` for images that move: those of the tag `latest`, said or unsaid. What is no image's name counts as fixed.
fn pull_policy(image: &str) -> &'static str {
    let (name, digest) = image.split_once('@').map_or((image, false), |(name, _)| (name, true));
    let slash = name.rfind('/').map_or(0, |at| at + 1);
    let (path, tag) = match name[slash..].find(':') {
        Some(colon) => (&name[..slash + colon], Some(&name[slash + colon + 1..])),
        None => (name, None),
    };
    let last = &path[path.rfind('/').map_or(0, |at| at + 1)..];
    // A name of 64 hexadecimal digits would be taken for a digest.
    let digest_like =
        path.len() == 64 && path.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    let well_formed = !digest_like
        && !last.is_empty()
        && last.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"._-".contains(&b));
    match tag {
        Some("latest") if well_formed => "Always",
        None if !digest && well_formed => "Always",
        _ => "IfNotPresent",
    }
}

fn volume(volume: &mut Volume) {
    let source = &mut volume.volume_source;
    if (*source) == Default::default() {
        source.empty_dir.get_or_insert_default();
    }
    source.azure_disk.iter_mut().for_each(|disk| azure_disk(disk));
    source.secret.iter_mut().for_each(|secret| {
        secret.default_mode.get_or_insert(MODE);
    });
    source.config_map.iter_mut().for_each(|map| {
        map.default_mode.get_or_insert(MODE);
    });
    source.downward_api.iter_mut().for_each(|downward| {
        downward.default_mode.get_or_insert(MODE);
        for file in &mut downward.items {
            file.field_ref.iter_mut().for_each(|field| text(&mut field.api_version, "v1"));
        }
    });
    source.projected.iter_mut().for_each(|projected| {
        projected.default_mode.get_or_insert(MODE);
        projected.sources.iter_mut().for_each(projection);
    });
    source.host_path.iter_mut().for_each(|path| {
        path.type_.get_or_insert_default();
    });
    source.image.iter_mut().filter(|image| image.pull_policy.is_empty()).for_each(|image| {
        pull_policy(&image.reference).clone_into(&mut image.pull_policy);
    });
    source.ephemeral.iter_mut().filter_map(|source| source.volume_claim_template.as_mut()).for_each(
        |claim| {
            persistent_volume_claim::defaults(&mut claim.spec);
        },
    );
}

/// The defaults of a disk that name a constant, which the schema does not know.
pub fn azure_disk(disk: &mut AzureDiskVolumeSource) {
    disk.caching_mode.get_or_insert_with(|| "ReadWrite".into());
    disk.kind.get_or_insert_with(|| "Shared".into());
}

fn projection(projection: &mut VolumeProjection) {
    projection.service_account_token.iter_mut().for_each(|token| {
        token.expiration_seconds.get_or_insert(3600);
    });
    projection.downward_api.iter_mut().flat_map(|downward| &mut downward.items).for_each(|file| {
        file.field_ref.iter_mut().for_each(|field| text(&mut field.api_version, "v1"));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_that_move_are_always_pulled() {
        for (image, policy) in [
            ("nginx", "Always"),
            ("nginx:latest", "Always"),
            ("nginx:1.27", "IfNotPresent"),
            ("localhost:5000/a/nginx", "Always"),
            ("localhost:5000/a/nginx:1", "IfNotPresent"),
            ("nginx@sha256:0123", "IfNotPresent"),
            ("nginx:latest@sha256:0123", "Always"),
            ("", "IfNotPresent"),
            ("NGINX", "IfNotPresent"),
        ] {
            assert_eq!(pull_policy(image), policy, "{image}");
        }
    }
}
