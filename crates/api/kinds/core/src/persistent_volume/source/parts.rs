//! The sources whose description is the same in volumes and in pods.

use std::collections::BTreeMap;

use api_kind::checks::{each, required, supported};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names::{self, inclusive_range_error};
use api_types::core::v1::{
    AWSElasticBlockStoreVolumeSource, AzureDiskVolumeSource, FCVolumeSource, FlockerVolumeSource,
    GCEPersistentDiskVolumeSource, NFSVolumeSource, QuobyteVolumeSource,
};

const REGISTRY: &str = "must be a host:port pair or multiple pairs separated by commas";
const TENANT_BYTES: usize = 64;
const MANAGED_DISK: &str =
    "/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}";
const BLOB_DISK: &str = "https://{account-name}.blob.core.windows.net/{container-name}/{disk-name}.vhd";

fn partition(errors: &mut ErrorList, at: &Path, partition: i32) {
    if !(0..=255).contains(&partition) {
        errors.push(FieldError::invalid(&at.child("partition"), partition, inclusive_range_error(1, 255)));
    }
}

pub fn gce_disk(errors: &mut ErrorList, at: &Path, own: &GCEPersistentDiskVolumeSource) {
    required(errors, &at.child("pdName"), &own.pd_name);
    partition(errors, at, own.partition);
}

pub fn aws_disk(errors: &mut ErrorList, at: &Path, own: &AWSElasticBlockStoreVolumeSource) {
    required(errors, &at.child("volumeID"), &own.volume_id);
    partition(errors, at, own.partition);
}

pub fn flocker(errors: &mut ErrorList, at: &Path, own: &FlockerVolumeSource) {
    match (own.dataset_name.is_empty(), own.dataset_uuid.is_empty()) {
        (true, true) => {
            errors.push(FieldError::required(at, "one of datasetName and datasetUUID is required"));
        }
        (false, false) => {
            let why = "datasetName and datasetUUID can not be specified simultaneously";
            errors.push(FieldError::invalid(at, "resource", why));
        }
        _ => {}
    }
    if own.dataset_name.contains('/') {
        errors.push(FieldError::invalid(&at.child("datasetName"), &own.dataset_name, "must not contain '/'"));
    }
}

pub fn nfs(errors: &mut ErrorList, at: &Path, own: &NFSVolumeSource) {
    required(errors, &at.child("server"), &own.server);
    required(errors, &at.child("path"), &own.path);
    if !own.path.starts_with('/') {
        errors.push(FieldError::invalid(&at.child("path"), &own.path, "must be an absolute path"));
    }
}

pub fn quobyte(errors: &mut ErrorList, at: &Path, own: &QuobyteVolumeSource) {
    if own.registry.is_empty() {
        errors.push(FieldError::required(&at.child("registry"), REGISTRY));
    } else if own.tenant.len() > TENANT_BYTES {
        let why = "must be a UUID and may not exceed a length of 64 characters";
        errors.push(FieldError::required(&at.child("tenant"), why));
    } else if !own.registry.split(',').all(is_host_and_port) {
        errors.push(FieldError::invalid(&at.child("registry"), &own.registry, REGISTRY));
    }
    required(errors, &at.child("volume"), &own.volume);
}

/// Whether Go's `net.SplitHostPort` finds a host, perhaps in brackets, and a port.
fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let bracket = |text: &str| text.contains(['[', ']']);
    match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').is_some_and(|inner| !bracket(inner)) && !bracket(port),
        None => !host.contains(':') && !bracket(host) && !bracket(port),
    }
}

pub fn fibre_channel(errors: &mut ErrorList, at: &Path, own: &FCVolumeSource) {
    let place = at.child("targetWWNs");
    match (own.target_wwns.is_empty(), own.wwids.is_empty()) {
        (true, true) => {
            let why = "must specify either targetWWNs or wwids, but not both";
            errors.push(FieldError::required(&place, why));
        }
        (false, false) => {
            let why = "targetWWNs and wwids can not be specified simultaneously";
            errors.push(FieldError::invalid(&place, &own.target_wwns, why));
        }
        _ => {}
    }
    if own.target_wwns.is_empty() {
        return;
    }
    match own.lun {
        None => {
            let why = "lun is required if targetWWNs is specified";
            errors.push(FieldError::required(&at.child("lun"), why));
        }
        Some(lun) if !(0..=255).contains(&lun) => {
            errors.push(FieldError::invalid(&at.child("lun"), lun, inclusive_range_error(0, 255)));
        }
        Some(_) => {}
    }
}

pub fn azure_disk(errors: &mut ErrorList, at: &Path, own: &AzureDiskVolumeSource) {
    required(errors, &at.child("diskName"), &own.disk_name);
    let uri = &own.data_disk_uri;
    required(errors, &at.child("diskURI"), uri);
    if let Some(mode) = &own.caching_mode {
        supported(errors, &at.child("cachingMode"), mode, &["None", "ReadOnly", "ReadWrite"]);
    }
    let Some(kind) = &own.kind else { return };
    supported(errors, &at.child("kind"), kind, &["Dedicated", "Managed", "Shared"]);
    let (prefix, form) =
        if kind == "Managed" { ("/subscriptions/", MANAGED_DISK) } else { ("https://", BLOB_DISK) };
    if !uri.starts_with(prefix) {
        errors.push(FieldError::not_supported(&at.child("diskURI"), uri, &[form]));
    }
}

/// What Ceph is asked at.
pub fn monitors(errors: &mut ErrorList, at: &Path, monitors: &[String]) {
    if monitors.is_empty() {
        errors.push(FieldError::required(&at.child("monitors"), ""));
    }
}

/// A driver beside the kubelet, whose options are its own.
pub fn flex(errors: &mut ErrorList, at: &Path, driver: &str, options: &BTreeMap<String, String>) {
    required(errors, &at.child("driver"), driver);
    for key in options.keys() {
        let namespace = key.split_once('/').map_or(key.as_str(), |(namespace, _)| namespace);
        let domain = format!(".{}", namespace.to_lowercase());
        if domain.ends_with(".kubernetes.io") || domain.ends_with(".k8s.io") {
            let why = "kubernetes.io and k8s.io namespaces are reserved";
            errors.push(FieldError::invalid(&at.child("options").key(key), key, why));
        }
    }
}

pub fn storage_os(errors: &mut ErrorList, at: &Path, volume: &str, namespace: &str) {
    if required(errors, &at.child("volumeName"), volume) {
        each(errors, &at.child("volumeName"), volume, names::is_dns1123_label(volume));
    }
    if !namespace.is_empty() {
        each(errors, &at.child("volumeNamespace"), namespace, names::is_dns1123_label(namespace));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_is_a_host_and_a_port() {
        for (text, fits) in [
            ("a:1", true),
            (":", true),
            ("[::1]:2", true),
            ("a", false),
            ("::1:2", false),
            ("[::1]", false),
            ("[a]b:1", false),
            ("a[:1", false),
            ("", false),
        ] {
            assert_eq!(is_host_and_port(text), fits, "{text}");
        }
    }
}
