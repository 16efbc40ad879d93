//! Sources of volumes that vendors' drivers once served in the tree, which upstream still takes and checks. Knarr's nodes mount none but
//! NFS; others' may.

use api_kind::checks::required;
use api_meta::field::{ErrorList, Path};
use api_types::core::v1::VolumeSource;

use crate::persistent_volume::source::{iscsi, parts};

/// Checks the one of them that the source is.
pub(super) fn check(errors: &mut ErrorList, at: &Path, source: &VolumeSource, kind: &str) {
    match kind {
        "gcePersistentDisk" => {
            source.gce_persistent_disk.iter().for_each(|own| parts::gce_disk(errors, at, own))
        }
        "awsElasticBlockStore" => {
            source.aws_elastic_block_store.iter().for_each(|own| parts::aws_disk(errors, at, own));
        }
        "nfs" => source.nfs.iter().for_each(|own| parts::nfs(errors, at, own)),
        "iscsi" => source.iscsi.iter().for_each(|own| iscsi::of_pod(errors, at, own)),
        "flocker" => source.flocker.iter().for_each(|own| parts::flocker(errors, at, own)),
        "rbd" => source.rbd.iter().for_each(|own| {
            parts::monitors(errors, at, &own.ceph_monitors);
            required(errors, &at.child("image"), &own.rbd_image);
        }),
        "cephFS" => source.ceph_fs.iter().for_each(|own| parts::monitors(errors, at, &own.monitors)),
        "quobyte" => source.quobyte.iter().for_each(|own| parts::quobyte(errors, at, own)),
        "fc" => source.fc.iter().for_each(|own| parts::fibre_channel(errors, at, own)),
        "flexVolume" => {
            source.flex_volume.iter().for_each(|own| parts::flex(errors, at, &own.driver, &own.options));
        }
        "azureDisk" => source.azure_disk.iter().for_each(|own| parts::azure_disk(errors, at, own)),
        "storageos" => source.storage_os.iter().for_each(|own| {
            parts::storage_os(errors, at, &own.volume_name, &own.volume_namespace);
            if let Some(secret) = &own.secret_ref {
                required(errors, &at.child("secretRef").child("name"), &secret.name);
            }
        }),
        "cinder" => source.cinder.iter().for_each(|own| {
            required(errors, &at.child("volumeID"), &own.volume_id);
            if let Some(secret) = &own.secret_ref {
                required(errors, &at.child("secretRef").child("name"), &secret.name);
            }
        }),
        _ => named(errors, at, source, kind),
    }
}

/// Those of which some names are all that must be given.
fn named(errors: &mut ErrorList, at: &Path, source: &VolumeSource, kind: &str) {
    let mut all = |fields: &[(&'static str, &str)]| {
        for (field, value) in fields {
            required(errors, &at.child(*field), value);
        }
    };
    match kind {
        "glusterfs" => source.glusterfs.iter().for_each(|own| {
            all(&[("endpoints", &own.endpoints_name), ("path", &own.path)]);
        }),
        "azureFile" => source.azure_file.iter().for_each(|own| {
            all(&[("secretName", &own.secret_name), ("shareName", &own.share_name)]);
        }),
        "vsphereVolume" => {
            source.vsphere_volume.iter().for_each(|own| all(&[("volumePath", &own.volume_path)]));
        }
        "photonPersistentDisk" => {
            source.photon_persistent_disk.iter().for_each(|own| all(&[("pdID", &own.pd_id)]));
        }
        "portworxVolume" => {
            source.portworx_volume.iter().for_each(|own| all(&[("volumeID", &own.volume_id)]));
        }
        "scaleIO" => source.scale_io.iter().for_each(|own| {
            all(&[("gateway", &own.gateway), ("system", &own.system), ("volumeName", &own.volume_name)]);
        }),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::create;

    use crate::pod::KIND;

    #[test]
    fn what_a_vendors_volume_must_say() {
        for (source, expected) in [
            ("gcePersistentDisk: {pdName: ''}", &["persistentDisk.pdName: Required value"][..]),
            ("awsElasticBlockStore: {volumeID: a}", &[]),
            (
                "iscsi: {targetPortal: '', iqn: abc, lun: 256, chapAuthSession: true}",
                &[
                    "iscsi.targetPortal: Required value",
                    "iscsi.iqn: Invalid value: \"abc\": must be valid format starting with iqn, eui, or naa",
                    "iscsi.lun: Invalid value: 256: must be between 0 and 255, inclusive",
                    "iscsi.secretRef: Required value",
                ],
            ),
            (
                "iscsi: {targetPortal: a, iqn: eui.1, lun: 0}",
                &["iscsi.iqn: Invalid value: \"eui.1\": must be valid format"],
            ),
            (
                "iscsi: {targetPortal: 'a012345678901234567890123456789012345678901234567890123456789012', iqn: 'iqn.2001-04.a:b', lun: 0, initiatorName: 'iqn.2001-04.a:b'}",
                &[
                    "name: Invalid value: \"v\": Total length of <volume name>:<iscsi.targetPortal> must be under 64 characters if iscsi.initiatorName is specified.",
                ],
            ),
            ("glusterfs: {endpoints: '', path: p}", &["glusterfs.endpoints: Required value"]),
            ("rbd: {monitors: [], image: i}", &["rbd.monitors: Required value"]),
            ("cephfs: {monitors: []}", &["cephfs.monitors: Required value"]),
            ("cinder: {volumeID: v, secretRef: {}}", &["cinder.secretRef.name: Required value"]),
            (
                "quobyte: {registry: 'a:1,b', volume: v}",
                &[
                    "quobyte.registry: Invalid value: \"a:1,b\": must be a host:port pair or multiple pairs separated by commas",
                ],
            ),
            (
                "fc: {}",
                &["fc.targetWWNs: Required value: must specify either targetWWNs or wwids, but not both"],
            ),
            (
                "flexVolume: {driver: d, options: {a.k8s.io/b: c}}",
                &[
                    "flexVolume.options[a.k8s.io/b]: Invalid value: \"a.k8s.io/b\": kubernetes.io and k8s.io namespaces are reserved",
                ],
            ),
            ("azureFile: {secretName: s, shareName: ''}", &["azureFile.shareName: Required value"]),
            (
                "azureDisk: {diskName: d, diskURI: u, kind: Managed}",
                &[
                    "azureDisk.diskURI: Unsupported value: \"u\": supported values: \"/subscriptions/{sub-id}/resourcegroups/{group-name}/providers/microsoft.compute/disks/{disk-id}\"",
                ],
            ),
            ("vsphereVolume: {volumePath: ''}", &["vsphereVolume.volumePath: Required value"]),
            ("portworxVolume: {volumeID: ''}", &["portworxVolume.volumeID: Required value"]),
            (
                "scaleIO: {gateway: g, system: s, volumeName: '', secretRef: {}}",
                &["scaleIO.volumeName: Required value"],
            ),
            ("storageos: {volumeName: v, secretRef: {}}", &["storageos.secretRef.name: Required value"]),
            (
                "csi: {driver: d.e, nodePublishSecretRef: {}}",
                &["csi.nodePublishSecretRef.name: Required value"],
            ),
            ("nfs: {server: s, path: a}", &["nfs.path: Invalid value: \"a\": must be an absolute path"]),
        ] {
            let spec =
                format!("spec: {{volumes: [{{name: v, {source}}}], containers: [{{name: c, image: i}}]}}");
            let expected: Vec<String> =
                expected.iter().map(|error| format!("spec.volumes[0].{error}")).collect();
            assert_eq!(create(&KIND, &spec).errors, expected, "{source}");
        }
    }
}
