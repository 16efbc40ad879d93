//! What a pod and a persistent volume refer to.
//!
//! Answers to `pkg/api/v1/pod` and `pkg/api/v1/persistentvolume` of upstream, and to what its graph adds for claims.

use std::collections::BTreeSet;

use api_types::core::v1::{
    Container, EnvFromSource, EnvVar, PersistentVolume, PersistentVolumeSource, Pod, SecretReference, Volume,
    VolumeSource,
};

use super::graph::{Key, Kind, Target};

const MIRROR_POD: &str = "kubernetes.io/config.mirror";

/// The objects that a pod's node may read because of the pod.
///
/// None for mirror pods: a node creates them itself and must not grant itself anything by it.
pub(super) fn pod_references(pod: &Pod) -> BTreeSet<Target> {
    if pod.metadata.annotations.contains_key(MIRROR_POD) {
        return BTreeSet::new();
    }
    let mut found = References { namespace: &pod.metadata.namespace, targets: BTreeSet::new() };
    found.add(Kind::ServiceAccount, &pod.spec.service_account_name);
    for secret in &pod.spec.image_pull_secrets {
        found.add(Kind::Secret, &secret.name);
    }
    for Container { env, env_from, .. } in pod.spec.init_containers.iter().chain(&pod.spec.containers) {
        found.add_environment(env, env_from);
    }
    for container in &pod.spec.ephemeral_containers {
        let common = &container.ephemeral_container_common;
        found.add_environment(&common.env, &common.env_from);
    }
    for volume in &pod.spec.volumes {
        found.add_volume(pod, volume);
    }
    for claim in api_device::claim::names(pod) {
        found.add(Kind::ResourceClaim, &claim);
    }
    found.targets
}

/// The secrets that nodes read to mount a volume, each with its namespace; those only controllers read are not among
/// them.
pub(super) fn volume_secrets(volume: &PersistentVolume) -> BTreeSet<Key> {
    let own = volume.spec.claim_ref.as_ref().map_or("", |claim| claim.namespace.as_str());
    let source = &volume.spec.persistent_volume_source;
    let mut secrets = BTreeSet::new();
    let mut add = |namespace: &str, name: &str| {
        if !name.is_empty() {
            secrets.insert((namespace.to_owned(), name.to_owned()));
        }
    };
    if let Some(azure) = &source.azure_file {
        let named = azure.secret_namespace.as_deref().unwrap_or_default();
        add(if named.is_empty() { own } else { named }, &azure.secret_name);
    } else if let Some(secret) = defaulted_secret(source) {
        add(if secret.namespace.is_empty() { own } else { &secret.namespace }, &secret.name);
    } else if let Some(secret) = source.cinder.as_ref().and_then(|cinder| cinder.secret_ref.as_deref()) {
        add(&secret.namespace, &secret.name);
    } else if let Some(secret) =
        source.storage_os.as_ref().and_then(|storage_os| storage_os.secret_ref.as_deref())
    {
        add(&secret.namespace, &secret.name);
    } else if let Some(csi) = &source.csi {
        let of_nodes =
            [&csi.node_publish_secret_ref, &csi.node_stage_secret_ref, &csi.node_expand_secret_ref];
        for secret in of_nodes.into_iter().flatten() {
            add(&secret.namespace, &secret.name);
        }
    }
    secrets
}

struct References<'a> {
    namespace: &'a str,
    targets: BTreeSet<Target>,
}

impl References<'_> {
    fn add(&mut self, kind: Kind, name: &str) {
        if !name.is_empty() {
            self.targets.insert(Target { kind, key: (self.namespace.to_owned(), name.to_owned()) });
        }
    }

    fn add_environment(&mut self, env: &[EnvVar], env_from: &[EnvFromSource]) {
        for source in env_from {
            if let Some(secret) = &source.secret_ref {
                self.add(Kind::Secret, &secret.local_object_reference.name);
            }
            if let Some(config_map) = &source.config_map_ref {
                self.add(Kind::ConfigMap, &config_map.local_object_reference.name);
            }
        }
        for source in env.iter().filter_map(|var| var.value_from.as_ref()) {
            if let Some(secret) = &source.secret_key_ref {
                self.add(Kind::Secret, &secret.local_object_reference.name);
            }
            if let Some(config_map) = &source.config_map_key_ref {
                self.add(Kind::ConfigMap, &config_map.local_object_reference.name);
            }
        }
    }

    fn add_volume(&mut self, pod: &Pod, volume: &Volume) {
        let source = &volume.volume_source;
        if let Some(used) = api_volume::pod::claim(pod, volume) {
            self.add(Kind::PersistentVolumeClaim, &used.claim);
        }
        for projection in source.projected.iter().flat_map(|projected| &projected.sources) {
            if let Some(secret) = &projection.secret {
                self.add(Kind::Secret, &secret.local_object_reference.name);
            }
            if let Some(config_map) = &projection.config_map {
                self.add(Kind::ConfigMap, &config_map.local_object_reference.name);
            }
        }
        if let Some(config_map) = &source.config_map {
            self.add(Kind::ConfigMap, &config_map.local_object_reference.name);
        }
        if let Some(secret) = volume_secret(source) {
            self.add(Kind::Secret, secret);
        }
    }
}

/// The secret that a pod's volume names itself. A volume has one source only.
fn volume_secret(source: &VolumeSource) -> Option<&str> {
    if let Some(azure) = &source.azure_file {
        return Some(&azure.secret_name);
    }
    if let Some(secret) = &source.secret {
        return Some(&secret.secret_name);
    }
    let references = [
        source.ceph_fs.as_ref().and_then(|ceph_fs| ceph_fs.secret_ref.as_ref()),
        source.cinder.as_ref().and_then(|cinder| cinder.secret_ref.as_ref()),
        source.flex_volume.as_ref().and_then(|flex| flex.secret_ref.as_ref()),
        source.rbd.as_ref().and_then(|rbd| rbd.secret_ref.as_ref()),
        source.scale_io.as_ref().and_then(|scale_io| scale_io.secret_ref.as_ref()),
        source.iscsi.as_ref().and_then(|iscsi| iscsi.secret_ref.as_ref()),
        source.storage_os.as_ref().and_then(|storage_os| storage_os.secret_ref.as_ref()),
        source.csi.as_ref().and_then(|csi| csi.node_publish_secret_ref.as_ref()),
    ];
    references.into_iter().flatten().next().map(|reference| reference.name.as_str())
}

/// The secret of those sources whose secret is in the claim's namespace unless it says otherwise.
fn defaulted_secret(source: &PersistentVolumeSource) -> Option<&SecretReference> {
    let references = [
        source.ceph_fs.as_ref().and_then(|ceph_fs| ceph_fs.secret_ref.as_deref()),
        source.flex_volume.as_ref().and_then(|flex| flex.secret_ref.as_deref()),
        source.rbd.as_ref().and_then(|rbd| rbd.secret_ref.as_deref()),
        source.scale_io.as_ref().and_then(|scale_io| scale_io.secret_ref.as_deref()),
        source.iscsi.as_ref().and_then(|iscsi| iscsi.secret_ref.as_deref()),
    ];
    references.into_iter().flatten().next()
}
