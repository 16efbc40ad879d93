//! What is wrong with where a volume comes from, one kind of source after another, in upstream's order.
//!
//! Those that a pod names directly too (disks of clouds, NFS and the like) are checked alike there.

pub(crate) mod iscsi;
pub(crate) mod parts;

use api_kind::checks::{each, required};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_types::core::v1::{
    AzureFilePersistentVolumeSource, CSIPersistentVolumeSource, GlusterfsPersistentVolumeSource,
    PersistentVolumeSource, SecretReference, StorageOSPersistentVolumeSource,
};

use crate::pod::volume::{csi_driver, host_path, no_backsteps};

type Check<'a> = Box<dyn FnOnce(&mut ErrorList, &Path) + 'a>;

/// A source that is given: what it is called where there may be no other, where its own faults are, and what finds them.
struct Given<'a> {
    forbidden_at: &'static str,
    faults_at: &'static str,
    check: Check<'a>,
}

/// Checks the sources; there must be one. The name is the volume's, the path that of its description, which says where it is placed
/// or not.
pub fn check(errors: &mut ErrorList, path: &Path, name: &str, source: &PersistentVolumeSource, placed: bool) {
    let given = given(path, name, source, placed);
    if given.is_empty() {
        errors.push(FieldError::required(path, "must specify a volume type"));
    }
    for (index, one) in given.into_iter().enumerate() {
        // Upstream has no objection to a flex volume beside another.
        if index > 0 && one.forbidden_at != "flexVolume" {
            let at = path.child(one.forbidden_at);
            errors.push(FieldError::forbidden(&at, "may not specify more than 1 volume type"));
        } else {
            (one.check)(errors, &path.child(one.faults_at));
        }
    }
}

fn given<'a>(
    path: &'a Path,
    name: &'a str,
    source: &'a PersistentVolumeSource,
    placed: bool,
) -> Vec<Given<'a>> {
    fn put<'a, T>(
        list: &mut Vec<Given<'a>>,
        field: &'static str,
        source: Option<&'a T>,
        check: impl FnOnce(&mut ErrorList, &Path, &'a T) + 'a,
    ) {
        if let Some(source) = source {
            list.push(Given {
                forbidden_at: field,
                // Upstream's names.
                faults_at: match field {
                    "gcePersistentDisk" => "persistentDisk",
                    "cephFS" => "cephfs",
                    other => other,
                },
                check: Box::new(move |errors, at| check(errors, at, source)),
            });
        }
    }
    let mut list = Vec::new();
    put(&mut list, "hostPath", source.host_path.as_deref(), |errors, at, own| {
        host_path(errors, at, &own.path, own.type_.as_deref());
    });
    put(&mut list, "gcePersistentDisk", source.gce_persistent_disk.as_deref(), parts::gce_disk);
    put(&mut list, "awsElasticBlockStore", source.aws_elastic_block_store.as_deref(), parts::aws_disk);
    put(&mut list, "glusterfs", source.glusterfs.as_deref(), glusterfs);
    put(&mut list, "flocker", source.flocker.as_deref(), parts::flocker);
    put(&mut list, "nfs", source.nfs.as_deref(), parts::nfs);
    put(&mut list, "rbd", source.rbd.as_deref(), |errors, at, own| {
        parts::monitors(errors, at, &own.ceph_monitors);
        required(errors, &at.child("image"), &own.rbd_image);
    });
    put(&mut list, "quobyte", source.quobyte.as_deref(), parts::quobyte);
    put(&mut list, "cephFS", source.ceph_fs.as_deref(), |errors, at, own| {
        parts::monitors(errors, at, &own.monitors);
    });
    put(&mut list, "iscsi", source.iscsi.as_deref(), move |errors, at, own| {
        iscsi::of_volume(errors, at, name, own)
    });
    put(&mut list, "cinder", source.cinder.as_deref(), |errors, at, own| {
        required(errors, &at.child("volumeID"), &own.volume_id);
        named(
            errors,
            &at.child("secretRef"),
            own.secret_ref.as_deref().map(|own| (&*own.name, &*own.namespace)),
        );
    });
    put(&mut list, "fc", source.fc.as_deref(), parts::fibre_channel);
    put(&mut list, "flexVolume", source.flex_volume.as_deref(), |errors, at, own| {
        parts::flex(errors, at, &own.driver, &own.options);
    });
    put(&mut list, "azureFile", source.azure_file.as_deref(), azure_file);
    put(&mut list, "vsphereVolume", source.vsphere_volume.as_deref(), |errors, at, own| {
        required(errors, &at.child("volumePath"), &own.volume_path);
    });
    put(&mut list, "photonPersistentDisk", source.photon_persistent_disk.as_deref(), |errors, at, own| {
        required(errors, &at.child("pdID"), &own.pd_id);
    });
    put(&mut list, "portworxVolume", source.portworx_volume.as_deref(), |errors, at, own| {
        required(errors, &at.child("volumeID"), &own.volume_id);
    });
    put(&mut list, "azureDisk", source.azure_disk.as_deref(), parts::azure_disk);
    put(&mut list, "scaleIO", source.scale_io.as_deref(), |errors, at, own| {
        required(errors, &at.child("gateway"), &own.gateway);
        required(errors, &at.child("system"), &own.system);
        required(errors, &at.child("volumeName"), &own.volume_name);
    });
    put(&mut list, "local", source.local.as_deref(), move |errors, at, own| {
        let at = at.child("path");
        if required(errors, &at, &own.path) {
            no_backsteps(errors, &at, &own.path);
        }
        if !placed {
            let why = "Local volume requires node affinity";
            errors.push(FieldError::required(&path.child("nodeAffinity"), why));
        }
    });
    put(&mut list, "storageos", source.storage_os.as_deref(), storage_os);
    put(&mut list, "csi", source.csi.as_deref(), csi);
    list
}

fn glusterfs(errors: &mut ErrorList, at: &Path, own: &GlusterfsPersistentVolumeSource) {
    required(errors, &at.child("endpoints"), &own.endpoints_name);
    required(errors, &at.child("path"), &own.path);
    let at = at.child("endpointsNamespace");
    match own.endpoints_namespace.as_deref() {
        None => {}
        Some("") => {
            let why = "if the endpointnamespace is set, it must be a valid namespace name";
            errors.push(FieldError::invalid(&at, "", why));
        }
        Some(namespace) => each(errors, &at, namespace, names::name_is_dns_label(namespace, false)),
    }
}

fn azure_file(errors: &mut ErrorList, at: &Path, own: &AzureFilePersistentVolumeSource) {
    required(errors, &at.child("secretName"), &own.secret_name);
    required(errors, &at.child("shareName"), &own.share_name);
    if let Some(namespace) = &own.secret_namespace {
        required(errors, &at.child("secretNamespace"), namespace);
    }
}

fn storage_os(errors: &mut ErrorList, at: &Path, own: &StorageOSPersistentVolumeSource) {
    parts::storage_os(errors, at, &own.volume_name, &own.volume_namespace);
    named(errors, &at.child("secretRef"), own.secret_ref.as_deref().map(|own| (&*own.name, &*own.namespace)));
}

/// A reference to a secret, if there is one, has a name and a namespace.
fn named(errors: &mut ErrorList, at: &Path, reference: Option<(&str, &str)>) {
    if let Some((name, namespace)) = reference {
        required(errors, &at.child("name"), name);
        required(errors, &at.child("namespace"), namespace);
    }
}

fn csi(errors: &mut ErrorList, at: &Path, own: &CSIPersistentVolumeSource) {
    csi_driver(errors, &at.child("driver"), &own.driver);
    required(errors, &at.child("volumeHandle"), &own.volume_handle);
    // The secret for staging is not looked at.
    for (field, reference) in [
        ("controllerPublishSecretRef", &own.controller_publish_secret_ref),
        ("controllerExpandSecretRef", &own.controller_expand_secret_ref),
        ("nodePublishSecretRef", &own.node_publish_secret_ref),
        ("nodeExpandSecretRef", &own.node_expand_secret_ref),
    ] {
        reference.iter().for_each(|reference| secret(errors, &at.child(field), reference));
    }
}

fn secret(errors: &mut ErrorList, at: &Path, reference: &SecretReference) {
    let SecretReference { name, namespace } = reference;
    if required(errors, &at.child("name"), name) {
        each(errors, &at.child("name"), name, names::is_dns1123_subdomain(name));
    }
    if required(errors, &at.child("namespace"), namespace) {
        each(errors, &at.child("namespace"), namespace, names::is_dns1123_label(namespace));
    }
}
