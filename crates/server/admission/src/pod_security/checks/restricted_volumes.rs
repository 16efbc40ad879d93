//! Volumes of kinds that reach past the cluster's own storage.

use std::collections::BTreeSet;

use api_types::core::v1::VolumeSource;

use super::{Fault, Subject, fault, plural, quoted};

fn is_allowed(source: &VolumeSource) -> bool {
    source.config_map.is_some()
        || source.csi.is_some()
        || source.downward_api.is_some()
        || source.empty_dir.is_some()
        || source.ephemeral.is_some()
        || source.image.is_some()
        || source.persistent_volume_claim.is_some()
        || source.projected.is_some()
        || source.secret.is_some()
}

fn kind(source: &VolumeSource) -> &'static str {
    let kinds = [
        (source.host_path.is_some(), "hostPath"),
        (source.gce_persistent_disk.is_some(), "gcePersistentDisk"),
        (source.aws_elastic_block_store.is_some(), "awsElasticBlockStore"),
        (source.git_repo.is_some(), "gitRepo"),
        (source.nfs.is_some(), "nfs"),
        (source.iscsi.is_some(), "iscsi"),
        (source.glusterfs.is_some(), "glusterfs"),
        (source.rbd.is_some(), "rbd"),
        (source.flex_volume.is_some(), "flexVolume"),
        (source.cinder.is_some(), "cinder"),
        (source.ceph_fs.is_some(), "cephfs"),
        (source.flocker.is_some(), "flocker"),
        (source.fc.is_some(), "fc"),
        (source.azure_file.is_some(), "azureFile"),
        (source.vsphere_volume.is_some(), "vsphereVolume"),
        (source.quobyte.is_some(), "quobyte"),
        (source.azure_disk.is_some(), "azureDisk"),
        (source.photon_persistent_disk.is_some(), "photonPersistentDisk"),
        (source.portworx_volume.is_some(), "portworxVolume"),
        (source.scale_io.is_some(), "scaleIO"),
        (source.storage_os.is_some(), "storageos"),
    ];
    kinds.into_iter().find(|(is_it, _)| *is_it).map_or("unknown", |(_, kind)| kind)
}

pub(super) fn judge(subject: Subject<'_>) -> Option<Fault> {
    let volumes = || subject.spec.volumes.iter().filter(|volume| !is_allowed(&volume.volume_source));
    let names: Vec<&str> = volumes().map(|volume| volume.name.as_str()).collect();
    let kinds: BTreeSet<&str> = volumes().map(|volume| kind(&volume.volume_source)).collect();
    let (volume, uses) = (plural("volume", "volumes", names.len()), plural("uses", "use", names.len()));
    let what = plural("restricted volume type", "restricted volume types", kinds.len());
    let detail = format!("{volume} {} {uses} {what} {}", quoted(&names), quoted(kinds));
    fault("restricted volume types", (!names.is_empty()).then_some(detail))
}
