//! Persistent volumes.

pub(crate) mod source;
mod spec;
mod update;

pub use spec::inline;

use api_kind::{Column, Ctx, Kind};
use api_meta::field::{ErrorList, FieldError, Path};
use api_types::core::v1::{PersistentVolume, PersistentVolumeSpec};

use crate::persistent_volume_claim::{phase, short_modes};
use crate::pod::defaults::{azure_disk, round_up};
use crate::pod::warnings;

const CLASS: &str = "volume.beta.kubernetes.io/storage-class";
const MOUNT_OPTIONS: &str = "volume.beta.kubernetes.io/mount-options";

/// The row.
pub const KIND: Kind<PersistentVolume> = Kind::<PersistentVolume>::of("", "v1", "persistentvolumes")
    .defaults(defaults)
    .prepare(prepare)
    .validate(validate)
    .warnings(unwise)
    .columns(&[
        Column::<PersistentVolume>::name(),
        Column::<PersistentVolume>::text("Capacity", "capacity is the description of the persistent volume's resources and capacity.", |volume, _| {
            volume.spec.capacity.get("storage").map_or_else(|| "0".to_owned(), ToString::to_string).into()
        }),
        Column::<PersistentVolume>::text("Access Modes", "accessModes contains all ways the volume can be mounted.", |volume, _| {
            short_modes(&volume.spec.access_modes).into()
        }),
        Column::<PersistentVolume>::text("Reclaim Policy", "persistentVolumeReclaimPolicy defines what happens to a persistent volume when released from its claim.", |volume, _| {
            volume.spec.persistent_volume_reclaim_policy.as_str().into()
        }),
        Column::<PersistentVolume>::text("Status", "phase indicates if a volume is available, bound to a claim, or released by a claim.", |volume, _| {
            phase(&volume.metadata, &volume.status.phase).into()
        }),
        Column::<PersistentVolume>::text("Claim", "claimRef is part of a bi-directional binding between PersistentVolume and PersistentVolumeClaim.", |volume, _| {
            volume.spec.claim_ref.as_ref().map_or_else(String::new, |claim| format!("{}/{}", claim.namespace, claim.name)).into()
        }),
        Column::<PersistentVolume>::text("StorageClass", "StorageClass of the pv", |volume, _| {
            volume.metadata.annotations.get(CLASS).unwrap_or(&volume.spec.storage_class_name).as_str().into()
        }),
        Column::<PersistentVolume>::text("VolumeAttributesClass", "VolumeAttributesClass of the pv", |volume, _| {
            volume.spec.volume_attributes_class_name.as_deref().unwrap_or("<unset>").into()
        }),
        Column::<PersistentVolume>::text("Reason", "reason is a brief CamelCase string that describes any failure.", |volume, _| {
            volume.status.reason.as_str().into()
        }),
        Column::<PersistentVolume>::age(),
        Column::<PersistentVolume>::text("VolumeMode", "volumeMode defines if a volume is intended to be used with a formatted filesystem or to remain in raw block state.", |volume, _| {
            volume.spec.volume_mode.as_deref().unwrap_or("<unset>").into()
        })
        .wide(),
    ]);

fn defaults(_: &Ctx<'_>, volume: &mut PersistentVolume) {
    if volume.status.phase.is_empty() {
        "Pending".clone_into(&mut volume.status.phase);
    }
    description(&mut volume.spec);
    if volume.spec.persistent_volume_reclaim_policy.is_empty() {
        "Retain".clone_into(&mut volume.spec.persistent_volume_reclaim_policy);
    }
    volume.spec.volume_mode.get_or_insert_with(|| "Filesystem".into());
}

/// What the description of a volume gets wherever it stands: an attachment may hold one, too.
pub fn description(spec: &mut PersistentVolumeSpec) {
    round_up(&mut spec.capacity);
    spec.persistent_volume_source.azure_disk.iter_mut().for_each(|disk| azure_disk(disk));
    if let Some(path) = &mut spec.persistent_volume_source.host_path {
        path.type_.get_or_insert_default();
    }
}

fn prepare(_: &Ctx<'_>, volume: &mut PersistentVolume, old: Option<&PersistentVolume>) {
    if old.is_none() {
        "Pending".clone_into(&mut volume.status.phase);
    }
}

fn validate(
    ctx: &Ctx<'_>,
    volume: &PersistentVolume,
    old: Option<&PersistentVolume>,
    errors: &mut ErrorList,
) {
    if ctx.subresource == "status" {
        return;
    }
    spec::check(errors, ctx, volume, old);
    mount_options(errors, volume);
    if let Some(old) = old {
        update::check(errors, ctx, volume, old);
    }
}

/// The old annotation says how to mount; sources that know no such thing refuse it.
fn mount_options(errors: &mut ErrorList, volume: &PersistentVolume) {
    let source = &volume.spec.persistent_volume_source;
    let known = source.gce_persistent_disk.is_some()
        || source.aws_elastic_block_store.is_some()
        || source.glusterfs.is_some()
        || source.nfs.is_some()
        || source.rbd.is_some()
        || source.quobyte.is_some()
        || source.iscsi.is_some()
        || source.cinder.is_some()
        || source.ceph_fs.is_some()
        || source.azure_file.is_some()
        || source.vsphere_volume.is_some()
        || source.azure_disk.is_some()
        || source.photon_persistent_disk.is_some();
    if !known && volume.metadata.annotations.contains_key(MOUNT_OPTIONS) {
        let at = Path::new("metadata").child("annotations").child(MOUNT_OPTIONS);
        errors.push(FieldError::forbidden(&at, "may not specify mount options for this volume type"));
    }
}

fn unwise(ctx: &Ctx<'_>, volume: &PersistentVolume, _: Option<&PersistentVolume>) -> Vec<String> {
    let mut out = Vec::new();
    if ctx.subresource == "status" {
        return out;
    }
    for (key, instead) in [
        (CLASS, "deprecated since v1.8; use \"storageClassName\" attribute instead"),
        (MOUNT_OPTIONS, "deprecated since v1.31; use \"mountOptions\" attribute instead"),
    ] {
        if volume.metadata.annotations.contains_key(key) {
            out.push(format!("metadata.annotations[{key}]: {instead}"));
        }
    }
    let spec = &volume.spec;
    if spec.persistent_volume_reclaim_policy == "Recycle" {
        out.push("spec.persistentVolumeReclaimPolicy: The Recycle reclaim policy is deprecated. Instead, the recommended approach is to use dynamic provisioning.".into());
    }
    if let Some(selector) = spec.node_affinity.as_ref().and_then(|affinity| affinity.required.as_ref()) {
        let at = Path::new("spec").child("nodeAffinity").child("required").child("nodeSelectorTerms");
        for (index, term) in selector.node_selector_terms.iter().enumerate() {
            warnings::node_term(&mut out, &at.index(index), term, false);
        }
    }
    let source = &spec.persistent_volume_source;
    for (given, what) in [
        (source.ceph_fs.is_some(), "cephfs: deprecated in v1.28, non-functional in v1.31+"),
        (
            source.photon_persistent_disk.is_some(),
            "photonPersistentDisk: deprecated in v1.11, non-functional in v1.16+",
        ),
        (source.scale_io.is_some(), "scaleIO: deprecated in v1.16, non-functional in v1.22+"),
        (source.storage_os.is_some(), "storageOS: deprecated in v1.22, non-functional in v1.25+"),
        (source.glusterfs.is_some(), "glusterfs: deprecated in v1.25, non-functional in v1.26+"),
        (source.rbd.is_some(), "rbd: deprecated in v1.28, non-functional in v1.31+"),
    ] {
        if given {
            out.push(format!("spec.{what}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    #[test]
    fn a_volume_is_filled_in_and_shown() {
        let made = create(
            &KIND,
            "spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce, ReadOnlyMany], hostPath: {path: /a}, claimRef: {namespace: a, name: b}}",
        );
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|1Gi|RWO,ROX|Retain|Pending|a/b||<unset>||<unknown>|Filesystem");
        let bad = create(&KIND, "spec: {capacity: {storage: 1Gi}, accessModes: [X]}");
        assert!(bad.errors[0].starts_with("spec.accessModes: Unsupported value: \"X\""), "{:?}", bad.errors);
        assert_eq!(bad.errors[1], "spec: Required value: must specify a volume type");
    }

    #[test]
    fn where_a_volume_comes_from_stays() {
        let own = "spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], nodeAffinity: {required: {nodeSelectorTerms: [{matchExpressions: [{key: beta.kubernetes.io/os, operator: Exists}]}]}}, csi: {driver: d, volumeHandle: h}}";
        let changed = |from: &str, to: &str| update(&KIND, "", own, &own.replace(from, to)).errors;
        assert_eq!(changed("1Gi", "2Gi"), [""; 0]);
        assert_eq!(changed("key: beta.kubernetes.io/os", "key: kubernetes.io/os"), [""; 0]);
        let secret = "volumeHandle: h, controllerExpandSecretRef: {name: a, namespace: b}";
        assert_eq!(changed("volumeHandle: h", secret), [""; 0]);
        let source = changed("volumeHandle: h", "volumeHandle: i");
        assert!(source[0].starts_with(
            "spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation"
        ));
        let affinity = changed("key: beta.kubernetes.io/os", "key: other");
        assert!(
            affinity[0].ends_with("field is immutable, except for updating from beta label to GA"),
            "{affinity:?}"
        );
        assert_eq!(
            changed("volumeHandle: h}", "volumeHandle: h}, volumeMode: Block"),
            ["volumeMode: Invalid value: \"Block\": field is immutable"]
        );
        assert_eq!(update(&KIND, "status", own, "status: {phase: Available}").errors, [""; 0]);
    }
}
