//! Which other objects a pod refers to, as far as admission asks.

use api_types::core::v1::{EnvFromSource, EnvVar, Pod, Volume, VolumeSource};

/// What a container takes its environment from.
pub(crate) struct Environment<'a> {
    /// What upstream's messages call it.
    pub(crate) what: &'static str,
    /// The container's name.
    pub(crate) name: &'a str,
    /// Single variables.
    pub(crate) env: &'a [EnvVar],
    /// Whole objects.
    pub(crate) env_from: &'a [EnvFromSource],
}

/// The environments of all containers, in upstream's order.
pub(crate) fn environments(pod: &Pod) -> impl Iterator<Item = Environment<'_>> {
    let init = pod.spec.init_containers.iter().map(|c| ("init container", &c.name, &c.env, &c.env_from));
    let main = pod.spec.containers.iter().map(|c| ("container", &c.name, &c.env, &c.env_from));
    let ephemeral = pod.spec.ephemeral_containers.iter().map(|c| {
        let c = &c.ephemeral_container_common;
        ("ephemeral container", &c.name, &c.env, &c.env_from)
    });
    init.chain(main).chain(ephemeral).map(|(what, name, env, env_from)| Environment {
        what,
        name,
        env,
        env_from,
    })
}

impl Environment<'_> {
    /// The variables that are taken from secrets, with the secrets' names.
    pub(crate) fn secret_keys(&self) -> impl Iterator<Item = (&str, &str)> {
        self.env.iter().filter_map(|variable| {
            let key = variable.value_from.as_deref()?.secret_key_ref.as_deref()?;
            Some((variable.name.as_str(), key.local_object_reference.name.as_str()))
        })
    }

    /// The secrets that are taken whole.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &str> {
        let secrets = self.env_from.iter().filter_map(|source| source.secret_ref.as_deref());
        secrets.map(|secret| secret.local_object_reference.name.as_str())
    }

    fn config_maps(&self) -> impl Iterator<Item = &str> {
        let keys = self.env.iter().filter_map(|variable| {
            let key = variable.value_from.as_deref()?.config_map_key_ref.as_deref()?;
            Some(key.local_object_reference.name.as_str())
        });
        let whole = self.env_from.iter().filter_map(|source| source.config_map_ref.as_deref());
        keys.chain(whole.map(|map| map.local_object_reference.name.as_str()))
    }
}

/// Whether the pod refers to any secret by name.
pub(crate) fn has_secrets(pod: &Pod) -> bool {
    pod.spec.image_pull_secrets.iter().any(|secret| !secret.name.is_empty())
        || environments(pod).any(|environment| {
            let keys = environment.secret_keys().map(|(_, secret)| secret);
            keys.chain(environment.secrets()).any(|secret| !secret.is_empty())
        })
        || pod
            .spec
            .volumes
            .iter()
            .any(|volume| volume_secrets(&volume.volume_source).any(|name| !name.is_empty()))
}

fn volume_secrets(source: &VolumeSource) -> impl Iterator<Item = &str> {
    let references = [
        source.ceph_fs.as_ref().and_then(|volume| volume.secret_ref.as_ref()),
        source.cinder.as_ref().and_then(|volume| volume.secret_ref.as_ref()),
        source.flex_volume.as_ref().and_then(|volume| volume.secret_ref.as_ref()),
        source.rbd.as_ref().and_then(|volume| volume.secret_ref.as_ref()),
        source.scale_io.as_ref().and_then(|volume| volume.secret_ref.as_ref()),
        source.iscsi.as_ref().and_then(|volume| volume.secret_ref.as_ref()),
        source.storage_os.as_ref().and_then(|volume| volume.secret_ref.as_ref()),
        source.csi.as_ref().and_then(|volume| volume.node_publish_secret_ref.as_ref()),
    ];
    let projected = source.projected.iter().flat_map(|projected| &projected.sources);
    let projected = projected.filter_map(|projection| projection.secret.as_deref());
    let named = [
        source.azure_file.as_ref().map(|volume| volume.secret_name.as_str()),
        source.secret.as_ref().map(|volume| volume.secret_name.as_str()),
    ];
    references
        .into_iter()
        .flatten()
        .map(|reference| reference.name.as_str())
        .chain(named.into_iter().flatten())
        .chain(projected.map(|secret| secret.local_object_reference.name.as_str()))
}

fn has_config_maps(pod: &Pod) -> bool {
    let in_volume = |volume: &Volume| {
        let source = &volume.volume_source;
        let projected = source.projected.iter().flat_map(|projected| &projected.sources);
        let projected = projected.filter_map(|projection| projection.config_map.as_deref());
        projected.map(|map| &map.local_object_reference.name).any(|name| !name.is_empty())
            || source.config_map.as_deref().is_some_and(|map| !map.local_object_reference.name.is_empty())
    };
    environments(pod).any(|environment| environment.config_maps().any(|name| !name.is_empty()))
        || pod.spec.volumes.iter().any(in_volume)
}

/// What other objects of the API the pod refers to, in upstream's words, or why that cannot be told
/// (`pkg/api/pod.HasAPIObjectReference`).
pub(crate) fn api_reference(pod: &Pod) -> Result<Option<&'static str>, String> {
    if !pod.spec.service_account_name.is_empty() {
        return Ok(Some("serviceaccounts"));
    }
    if has_secrets(pod) {
        return Ok(Some("secrets"));
    }
    if has_config_maps(pod) {
        return Ok(Some("configmaps"));
    }
    if !pod.spec.resource_claims.is_empty() {
        return Ok(Some("resourceclaims"));
    }
    for volume in &pod.spec.volumes {
        if let Some(found) = volume_reference(volume)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn volume_reference(volume: &Volume) -> Result<Option<&'static str>, String> {
    let source = &volume.volume_source;
    let kinds = [
        (source.config_map.is_some(), "configmaps (via configmap volumes)"),
        (source.secret.is_some(), "secrets (via secret volumes)"),
        (source.csi.is_some(), "csidrivers (via CSI volumes)"),
        (source.glusterfs.is_some(), "endpoints (via glusterFS volumes)"),
        (source.persistent_volume_claim.is_some(), "persistentvolumeclaims"),
        (source.ephemeral.is_some(), "persistentvolumeclaims (via ephemeral volumes)"),
        (source.azure_file.is_some(), "secrets (via azureFile volumes)"),
    ];
    if let Some((_, what)) = kinds.into_iter().find(|(is_there, _)| *is_there) {
        return Ok(Some(what));
    }
    let Some(projected) = source.projected.as_deref() else {
        let known = *source != VolumeSource::default();
        return if known {
            Ok(None)
        } else {
            Err(format!("unknown volume type for volume  {:?}", volume.name))
        };
    };
    for projection in &projected.sources {
        let kinds = [
            (projection.config_map.is_some(), "configmaps (via projected volumes)"),
            (projection.secret.is_some(), "secrets (via projected volumes)"),
            (projection.service_account_token.is_some(), "serviceaccounts (via projected volumes)"),
            (projection.cluster_trust_bundle.is_some(), "clustertrustbundles"),
            (projection.pod_certificate.is_some(), "podcertificates"),
        ];
        if let Some((_, what)) = kinds.into_iter().find(|(is_there, _)| *is_there) {
            return Ok(Some(what));
        }
        if projection.downward_api.is_none() {
            return Err(format!("unknown source for projected volume {:?}", volume.name));
        }
    }
    Ok(None)
}
