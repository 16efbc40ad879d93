//! Persistent volumes.

use api_kind::checks::{each, required, supported};
use api_kind::{Column, Ctx, Kind};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_types::core::v1::{PersistentVolume, PersistentVolumeSource, PersistentVolumeSpec};

use crate::persistent_volume_claim::{modes, phase, short_modes};
use crate::pod::defaults::{azure_disk, round_up};
use crate::pod::scheduling::node_selector;
use crate::pod::volume::{csi_driver, host_path};

const CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// The row.
pub const KIND: Kind<PersistentVolume> = Kind::<PersistentVolume>::of("", "v1", "persistentvolumes")
    .defaults(defaults)
    .prepare(prepare)
    .validate(validate)
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
    let (path, spec) = (Path::new("spec"), &volume.spec);
    modes(errors, &path.child("accessModes"), &spec.access_modes, "");
    let at = path.child("capacity");
    if spec.capacity.is_empty() {
        errors.push(FieldError::required(&at, ""));
    }
    if !spec.capacity.contains_key("storage") || spec.capacity.len() > 1 {
        let shown =
            api_meta::field::BadValue::json(format!("{:?}", spec.capacity.keys().collect::<Vec<_>>()));
        errors.push(FieldError::not_supported(&at, shown, &["storage"]));
    }
    for (name, size) in spec.capacity.iter().filter(|(_, size)| size.sign() <= 0) {
        errors.push(FieldError::invalid(&at.key(name), size, "must be greater than zero"));
    }
    let policy = &spec.persistent_volume_reclaim_policy;
    supported(errors, &path.child("persistentVolumeReclaimPolicy"), policy, &["Delete", "Recycle", "Retain"]);
    if let Some(affinity) = spec.node_affinity.as_ref() {
        let at = path.child("nodeAffinity").child("required");
        match &affinity.required {
            Some(selector) => node_selector(errors, &at, selector),
            None => errors.push(FieldError::required(&at, "must specify required node constraints")),
        }
    }
    source(errors, &path, &spec.persistent_volume_source, spec.node_affinity.is_some());
    if !spec.storage_class_name.is_empty() {
        let class = &spec.storage_class_name;
        each(errors, &path.child("storageClassName"), class, names::name_is_dns_subdomain(class, false));
    }
    if let Some(mode) = &spec.volume_mode {
        supported(errors, &path.child("volumeMode"), mode, &["Block", "Filesystem"]);
    }
    let Some(old) = old else { return };
    if spec.persistent_volume_source != old.spec.persistent_volume_source {
        let why = "spec.persistentvolumesource is immutable after creation";
        errors.push(FieldError::forbidden(&path.child("persistentvolumesource"), why));
    }
    let same = spec.volume_mode == old.spec.volume_mode;
    api_kind::checks::immutable(errors, &path.child("volumeMode"), same, spec.volume_mode.as_deref());
    if old.spec.node_affinity.is_some() && spec.node_affinity != old.spec.node_affinity {
        let why = "field is immutable, except for updating from beta label to GA";
        let shown = spec
            .node_affinity
            .as_deref()
            .map_or_else(api_meta::field::BadValue::null, |affinity| api_kind::checks::shown(affinity));
        errors.push(FieldError::invalid(&path.child("nodeAffinity"), shown, why));
    }
}

fn source(errors: &mut ErrorList, path: &Path, source: &PersistentVolumeSource, placed: bool) {
    let record: &dyn api_record::Record = source;
    let fields = record.schema().fields.iter().enumerate();
    let given: Vec<_> =
        fields.filter(|(index, _)| !matches!(record.get(*index), api_record::Value::Nil)).collect();
    if given.is_empty() {
        errors.push(FieldError::required(path, "must specify a volume type"));
    }
    for (_, field) in given.iter().skip(1) {
        let at = path.child(field.name.to_string());
        errors.push(FieldError::forbidden(&at, "may not specify more than 1 volume type"));
    }
    if let Some(host) = &source.host_path {
        host_path(errors, &path.child("hostPath"), &host.path, host.type_.as_deref());
    }
    if let Some(local) = &source.local {
        required(errors, &path.child("local").child("path"), &local.path);
        if !placed {
            errors.push(FieldError::required(
                &path.child("nodeAffinity"),
                "Local volume requires node affinity",
            ));
        }
    }
    if let Some(csi) = &source.csi {
        let at = path.child("csi");
        csi_driver(errors, &at.child("driver"), &csi.driver);
        required(errors, &at.child("volumeHandle"), &csi.volume_handle);
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

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
}
