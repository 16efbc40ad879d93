//! The plugins that once were within Kubernetes, and the drivers that do their work: upstream's `csi-translation-lib`, and what the
//! controller writes on claims and volumes because of it.

use api_types::core::v1::{PersistentVolume, PersistentVolumeClaim};
use api_volume::annotation::{BETA_STORAGE_PROVISIONER, MIGRATED_TO, PROVISIONED_BY, STORAGE_PROVISIONER};

/// What a plugin within Kubernetes is called by.
pub(super) const IN_TREE: &str = "kubernetes.io/";

/// Holds a volume that a plugin within Kubernetes has made until that has destroyed it.
const IN_TREE_FINALIZER: &str = "kubernetes.io/pv-controller";
/// The same of a provisioner outside.
const OUTSIDE_FINALIZER: &str = "external-provisioner.volume.kubernetes.io/finalizer";

const DRIVERS: [(&str, &str); 7] = [
    ("kubernetes.io/aws-ebs", "ebs.csi.aws.com"),
    ("kubernetes.io/azure-disk", "disk.csi.azure.com"),
    ("kubernetes.io/azure-file", "file.csi.azure.com"),
    ("kubernetes.io/cinder", "cinder.csi.openstack.org"),
    ("kubernetes.io/gce-pd", "pd.csi.storage.gke.io"),
    ("kubernetes.io/portworx-volume", "pxd.portworx.com"),
    ("kubernetes.io/vsphere-volume", "csi.vsphere.vmware.com"),
];

/// The driver that does a plugin's work.
pub(super) fn driver(plugin: &str) -> Option<&'static str> {
    DRIVERS.iter().find(|(name, _)| *name == plugin).map(|(_, driver)| *driver)
}

/// What `pv.kubernetes.io/migrated-to` must be where this provisioner is named; `None` if it is right.
fn migrated(provisioner: &str, now: Option<&str>) -> Option<Option<&'static str>> {
    let wanted = driver(provisioner);
    (wanted != now.filter(|now| !now.is_empty())).then_some(wanted)
}

/// A claim as it has to be because of who makes its volume; `None` if it is so.
pub(super) fn claim(claim: &PersistentVolumeClaim) -> Option<PersistentVolumeClaim> {
    let annotations = &claim.metadata.annotations;
    let provisioner =
        annotations.get(STORAGE_PROVISIONER).or_else(|| annotations.get(BETA_STORAGE_PROVISIONER))?;
    let wanted = migrated(provisioner, annotations.get(MIGRATED_TO).map(String::as_str))?;
    let mut changed = claim.clone();
    set(&mut changed.metadata.annotations, wanted);
    Some(changed)
}

fn set(annotations: &mut std::collections::BTreeMap<String, String>, wanted: Option<&str>) {
    match wanted {
        Some(driver) => annotations.insert(MIGRATED_TO.to_owned(), driver.to_owned()),
        None => annotations.remove(MIGRATED_TO),
    };
}

/// A volume as it has to be because of who has made it; `None` if it is so.
pub(super) fn volume(volume: &PersistentVolume) -> Option<PersistentVolume> {
    let annotations = &volume.metadata.annotations;
    let provisioner = annotations.get(PROVISIONED_BY)?;
    let wanted = migrated(provisioner, annotations.get(MIGRATED_TO).map(String::as_str));
    let finalizers = finalizers(volume, provisioner);
    if wanted.is_none() && finalizers == volume.metadata.finalizers {
        return None;
    }
    let mut changed = volume.clone();
    if let Some(wanted) = wanted {
        set(&mut changed.metadata.annotations, wanted);
    }
    changed.metadata.finalizers = finalizers;
    Some(changed)
}

fn finalizers(volume: &PersistentVolume, provisioner: &str) -> Vec<String> {
    let mut all = volume.metadata.finalizers.clone();
    if driver(provisioner).is_some() {
        all.retain(|own| own != IN_TREE_FINALIZER);
        return all;
    }
    if !provisioner.starts_with(IN_TREE) {
        return all;
    }
    match volume.spec.persistent_volume_reclaim_policy.as_str() {
        "Delete" if !all.iter().any(|own| own == IN_TREE_FINALIZER) => all.push(IN_TREE_FINALIZER.to_owned()),
        "Retain" | "Recycle" => all.retain(|own| own != IN_TREE_FINALIZER),
        _ => {}
    }
    all.retain(|own| own != OUTSIDE_FINALIZER);
    all
}
