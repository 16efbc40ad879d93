//! What is wrong with a pod's volumes.

use std::collections::{BTreeMap, BTreeSet};

use api_kind::checks::{each, one_of, required, supported};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_types::core::v1::{
    CSIVolumeSource, DownwardAPIVolumeFile, EphemeralVolumeSource, KeyToPath, ProjectedVolumeSource, Volume,
    VolumeProjection, VolumeSource,
};
use api_types::meta::v1::ObjectMeta;

use super::env;
use crate::persistent_volume::source::iscsi;
use crate::template;

mod signed;
mod vendors;

/// The volumes that are well-formed, by name: mounts of others are not found.
pub type Volumes<'a> = BTreeMap<&'a str, &'a VolumeSource>;

const MODE: &str = "must be a number between 0 and 0777 (octal), both inclusive";

/// Checks the volumes; answers those that are well-formed.
pub fn check<'a>(
    errors: &mut ErrorList,
    path: &Path,
    volumes: &'a [Volume],
    meta: Option<&ObjectMeta>,
) -> Volumes<'a> {
    let mut good = Volumes::new();
    for (index, volume) in volumes.iter().enumerate() {
        let at = path.index(index);
        let mut own = ErrorList::new();
        let first = source(&mut own, &at, &volume.volume_source);
        let name = at.child("name");
        if required(&mut own, &name, &volume.name) {
            each(&mut own, &name, &volume.name, names::is_dns1123_label(&volume.name));
        }
        if good.contains_key(volume.name.as_str()) {
            own.push(FieldError::duplicate(&name, &volume.name));
        }
        if let Some(target) = &volume.volume_source.iscsi {
            iscsi::pod_volume_name(&mut own, &name, &volume.name, target);
        }
        if let (Some("ephemeral"), Some(meta)) = (first, meta)
            && !meta.name.is_empty()
            && !volume.name.is_empty()
        {
            let claim = format!("{}-{}", meta.name, volume.name);
            for message in names::name_is_dns_subdomain(&claim, false) {
                let why = format!("PVC name {}: {message}", api_meta::quote::go(&claim));
                own.push(FieldError::invalid(&name, &volume.name, why));
            }
        }
        if own.is_empty() {
            good.insert(&volume.name, &volume.volume_source);
        }
        errors.extend(own);
        if let (Some(claim), Some(meta)) = (&volume.volume_source.persistent_volume_claim, meta)
            && !meta.name.is_empty()
            && volumes.iter().any(|other| {
                other.volume_source.ephemeral.is_some()
                    && claim.claim_name == format!("{}-{}", meta.name, other.name)
            })
        {
            let why = "must not reference a PVC that gets created for an ephemeral volume";
            let at = at.child("persistentVolumeClaim").child("claimName");
            errors.push(FieldError::invalid(&at, &claim.claim_name, why));
        }
    }
    good
}

/// The fields of a source that are set, in upstream's order of checking.
fn kinds(source: &VolumeSource) -> Vec<&'static str> {
    let all = [
        ("emptyDir", source.empty_dir.is_some()),
        ("hostPath", source.host_path.is_some()),
        ("gitRepo", source.git_repo.is_some()),
        ("gcePersistentDisk", source.gce_persistent_disk.is_some()),
        ("awsElasticBlockStore", source.aws_elastic_block_store.is_some()),
        ("secret", source.secret.is_some()),
        ("nfs", source.nfs.is_some()),
        ("iscsi", source.iscsi.is_some()),
        ("glusterfs", source.glusterfs.is_some()),
        ("flocker", source.flocker.is_some()),
        ("persistentVolumeClaim", source.persistent_volume_claim.is_some()),
        ("rbd", source.rbd.is_some()),
        ("cinder", source.cinder.is_some()),
        ("cephFS", source.ceph_fs.is_some()),
        ("quobyte", source.quobyte.is_some()),
        ("downwardAPI", source.downward_api.is_some()),
        ("fc", source.fc.is_some()),
        ("flexVolume", source.flex_volume.is_some()),
        ("configMap", source.config_map.is_some()),
        ("azureFile", source.azure_file.is_some()),
        ("vsphereVolume", source.vsphere_volume.is_some()),
        ("photonPersistentDisk", source.photon_persistent_disk.is_some()),
        ("portworxVolume", source.portworx_volume.is_some()),
        ("azureDisk", source.azure_disk.is_some()),
        ("storageos", source.storage_os.is_some()),
        ("projected", source.projected.is_some()),
        ("scaleIO", source.scale_io.is_some()),
        ("csi", source.csi.is_some()),
        ("ephemeral", source.ephemeral.is_some()),
        ("image", source.image.is_some()),
    ];
    all.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect()
}

/// Checks a volume's source; answers which it is.
fn source(errors: &mut ErrorList, path: &Path, source: &VolumeSource) -> Option<&'static str> {
    let kinds = kinds(source);
    let Some(first) = kinds.first() else {
        errors.push(FieldError::required(path, "must specify a volume type"));
        return None;
    };
    // Upstream's names for where two kinds have their faults.
    let place = match *first {
        "gcePersistentDisk" => "persistentDisk",
        "cephFS" => "cephfs",
        other => other,
    };
    one(errors, &path.child(place), source, first);
    for more in &kinds[1..] {
        // Upstream's spelling.
        let more = if *more == "downwardAPI" { &"downwarAPI" } else { more };
        errors.push(FieldError::forbidden(&path.child(*more), "may not specify more than 1 volume type"));
    }
    Some(first)
}

fn one(errors: &mut ErrorList, at: &Path, source: &VolumeSource, kind: &str) {
    match kind {
        "emptyDir" => {
            let limit = source.empty_dir.as_ref().and_then(|dir| dir.size_limit.as_ref());
            if limit.is_some_and(|limit| limit.sign() < 0) {
                let why = "SizeLimit field must be a valid resource quantity";
                errors.push(FieldError::forbidden(&at.child("sizeLimit"), why));
            }
        }
        "hostPath" => source.host_path.iter().for_each(|host| {
            host_path(errors, at, &host.path, host.type_.as_deref());
        }),
        "secret" => source.secret.iter().for_each(|secret| {
            required(errors, &at.child("secretName"), &secret.secret_name);
            mode(errors, &at.child("defaultMode"), secret.default_mode);
            items(errors, &at.child("items"), &secret.items);
        }),
        "configMap" => source.config_map.iter().for_each(|map| {
            required(errors, &at.child("name"), &map.local_object_reference.name);
            mode(errors, &at.child("defaultMode"), map.default_mode);
            items(errors, &at.child("items"), &map.items);
        }),
        "gitRepo" => source.git_repo.iter().for_each(|repository| {
            required(errors, &at.child("repository"), &repository.repository);
            if !repository.directory.is_empty() {
                descending_path(errors, &at.child("directory"), &repository.directory);
            }
        }),
        "persistentVolumeClaim" => source.persistent_volume_claim.iter().for_each(|claim| {
            required(errors, &at.child("claimName"), &claim.claim_name);
        }),
        "downwardAPI" => source.downward_api.iter().for_each(|downward| {
            mode(errors, &at.child("defaultMode"), downward.default_mode);
            downward.items.iter().for_each(|file| downward_file(errors, at, file));
        }),
        "projected" => source.projected.iter().for_each(|projected_| projected(errors, at, projected_)),
        "csi" => source.csi.iter().for_each(|own| csi(errors, at, own)),
        "ephemeral" => source.ephemeral.iter().for_each(|own| ephemeral(errors, at, own)),
        "image" => source.image.iter().for_each(|image| {
            required(errors, &at.child("reference"), &image.reference);
            let at = at.child("pullPolicy");
            one_of(errors, &at, &image.pull_policy, &["Always", "IfNotPresent", "Never"]);
        }),
        vendors => vendors::check(errors, at, source, vendors),
    }
}

fn csi(errors: &mut ErrorList, at: &Path, own: &CSIVolumeSource) {
    csi_driver(errors, &at.child("driver"), &own.driver);
    let Some(secret) = &own.node_publish_secret_ref else { return };
    if required(errors, &at.child("nodePublishSecretRef").child("name"), &secret.name) {
        // Upstream's place.
        each(errors, &at.child("name"), &secret.name, names::name_is_dns_subdomain(&secret.name, false));
    }
}

fn ephemeral(errors: &mut ErrorList, at: &Path, own: &EphemeralVolumeSource) {
    let at = at.child("volumeClaimTemplate");
    let Some(claim) = &own.volume_claim_template else {
        errors.push(FieldError::required(&at, ""));
        return;
    };
    template::metadata(errors, &at.child("metadata"), &claim.metadata);
    crate::persistent_volume_claim::spec(errors, &at.child("spec"), &claim.spec);
}

/// The name of a driver for the container storage interface.
pub fn csi_driver(errors: &mut ErrorList, path: &Path, driver: &str) {
    if !required(errors, path, driver) {
        return;
    }
    if driver.len() > 63 {
        errors.push(FieldError::too_long(path, 63));
    }
    each(errors, path, driver, names::is_dns1123_subdomain(&driver.to_lowercase()));
}

/// A path of the node.
pub fn host_path(errors: &mut ErrorList, at: &Path, path: &str, type_: Option<&str>) {
    if !required(errors, &at.child("path"), path) {
        return;
    }
    no_backsteps(errors, &at.child("path"), path);
    if let Some(type_) = type_ {
        let known = [
            "",
            "BlockDevice",
            "CharDevice",
            "Directory",
            "DirectoryOrCreate",
            "File",
            "FileOrCreate",
            "Socket",
        ];
        supported(errors, &at.child("type"), type_, &known);
    }
}

fn mode(errors: &mut ErrorList, path: &Path, mode: Option<i32>) {
    if let Some(mode) = mode.filter(|mode| !(0..=0o777).contains(mode)) {
        errors.push(FieldError::invalid(path, mode, MODE));
    }
}

fn items(errors: &mut ErrorList, path: &Path, items: &[KeyToPath]) {
    for (index, item) in items.iter().enumerate() {
        let at = path.index(index);
        required(errors, &at.child("key"), &item.key);
        required(errors, &at.child("path"), &item.path);
        non_reserved_path(errors, &at.child("path"), &item.path);
        mode(errors, &at.child("mode"), item.mode);
    }
}

fn downward_file(errors: &mut ErrorList, at: &Path, file: &DownwardAPIVolumeFile) {
    required(errors, &at.child("path"), &file.path);
    non_reserved_path(errors, &at.child("path"), &file.path);
    match (&file.field_ref, &file.resource_field_ref) {
        (Some(field), resource) => {
            env::field_ref(errors, &at.child("fieldRef"), field, env::VOLUME_FIELDS);
            if resource.is_some() {
                let why = "fieldRef and resourceFieldRef can not be specified simultaneously";
                errors.push(FieldError::invalid(at, "resource", why));
            }
        }
        (None, Some(resource)) => env::resource_ref(errors, &at.child("resourceFieldRef"), resource, true),
        (None, None) => {
            errors.push(FieldError::required(at, "one of fieldRef and resourceFieldRef is required"));
        }
    }
    mode(errors, &at.child("mode"), file.mode);
}

fn projected(errors: &mut ErrorList, at: &Path, volume: &ProjectedVolumeSource) {
    mode(errors, &at.child("defaultMode"), volume.default_mode);
    let mut paths = BTreeSet::new();
    for (index, source) in volume.sources.iter().enumerate() {
        projection(errors, at, &at.child("sources").index(index), source, &mut paths);
    }
}

fn projection<'a>(
    errors: &mut ErrorList,
    volume: &Path,
    at: &Path,
    source: &'a VolumeProjection,
    paths: &mut BTreeSet<&'a str>,
) {
    let secret = source.secret.as_ref().map(|s| ("secret", &s.local_object_reference.name, &s.items));
    let map = source.config_map.as_ref().map(|m| ("configMap", &m.local_object_reference.name, &m.items));
    for (kind, name, list) in secret.into_iter().chain(map) {
        let at = at.child(kind);
        required(errors, &at.child("name"), name);
        items(errors, &at.child("items"), list);
        for item in list.iter().filter(|item| !item.path.is_empty()) {
            if !paths.insert(&item.path) {
                errors.push(FieldError::invalid(volume, name, "conflicting duplicate paths"));
            }
        }
    }
    for file in source.downward_api.iter().flat_map(|downward| &downward.items) {
        downward_file(errors, &at.child("downwardAPI"), file);
        if !file.path.is_empty() && !paths.insert(&file.path) {
            errors.push(FieldError::invalid(volume, &file.path, "conflicting duplicate paths"));
        }
    }
    if let Some(token) = &source.service_account_token {
        let place = at.child("serviceAccountToken").child("expirationSeconds");
        match token.expiration_seconds {
            None => errors.push(FieldError::required(&place, "")),
            Some(seconds) if seconds < 600 => {
                let why = "may not specify a duration less than 10 minutes";
                errors.push(FieldError::invalid(&place, seconds, why));
            }
            Some(seconds) if seconds > 1 << 32 => {
                let why = "may not specify a duration larger than 2^32 seconds";
                errors.push(FieldError::invalid(&place, seconds, why));
            }
            Some(_) => {}
        }
        if required(errors, &volume.child("path"), &token.path) {
            non_reserved_path(errors, &volume.child("path"), &token.path);
        }
    }
    if let Some(bundle) = &source.cluster_trust_bundle {
        signed::trust_bundle(errors, &at.child("clusterTrustBundle"), bundle);
        if !paths.insert(&bundle.path) {
            errors.push(FieldError::invalid(volume, &bundle.path, "conflicting duplicate paths"));
        }
    }
    if let Some(certificate) = &source.pod_certificate {
        signed::certificate(errors, volume, &at.child("podCertificate"), certificate, paths);
    }
    let given = [
        source.secret.is_some(),
        source.config_map.is_some(),
        source.downward_api.is_some(),
        source.service_account_token.is_some(),
        source.cluster_trust_bundle.is_some(),
        source.pod_certificate.is_some(),
    ];
    if given.into_iter().filter(|given| *given).count() > 1 {
        errors.push(FieldError::forbidden(at, "may not specify more than 1 volume type per source"));
    }
}

/// A relative path that stays below where it starts.
pub fn descending_path(errors: &mut ErrorList, path: &Path, text: &str) {
    if text.starts_with('/') {
        errors.push(FieldError::invalid(path, text, "must be a relative path"));
    }
    no_backsteps(errors, path, text);
}

/// A path that never leads up.
pub fn no_backsteps(errors: &mut ErrorList, path: &Path, text: &str) {
    if text.split('/').any(|part| part == "..") {
        errors.push(FieldError::invalid(path, text, "must not contain '..'"));
    }
}

/// The same, and not one of the names that atomic writers use.
fn non_reserved_path(errors: &mut ErrorList, path: &Path, text: &str) {
    descending_path(errors, path, text);
    if text.starts_with("..") && !text.starts_with("../") {
        errors.push(FieldError::invalid(path, text, "must not start with '..'"));
    }
}
