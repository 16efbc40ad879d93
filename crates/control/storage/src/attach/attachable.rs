//! What a volume that can be attached is called: by its driver, in a node's status, and as the attachment to a node.

use api_types::core::v1::{Node, PersistentVolume, PersistentVolumeSource};
use api_types::storage::v1::VolumeAttachment;
use client::reconcile::World;
use ring::digest::{SHA256, digest};

/// How a node's status names volumes of drivers.
pub(super) const PREFIX: &str = "kubernetes.io/csi/";

/// A volume as its driver knows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attachable {
    /// The driver's name.
    pub driver: String,
    /// What it calls the volume.
    pub handle: String,
}

impl Attachable {
    /// A persistent volume that is a driver's.
    pub fn of(volume: &PersistentVolume) -> Option<Attachable> {
        Attachable::of_source(&volume.spec.persistent_volume_source)
    }

    fn of_source(source: &PersistentVolumeSource) -> Option<Attachable> {
        let csi = source.csi.as_deref()?;
        Some(Attachable { driver: csi.driver.clone(), handle: csi.volume_handle.clone() })
    }

    /// The volume that a node's status names so (`SplitUniqueName`); `None` if no driver's is.
    pub(super) fn parse(unique: &str) -> Option<Attachable> {
        let (driver, handle) = unique.strip_prefix(PREFIX)?.split_once('^')?;
        Some(Attachable { driver: driver.to_owned(), handle: handle.to_owned() })
    }

    /// The volume of an attachment that this controller, or another of its kind, has made: its name says so. One whose volume has gone is found
    /// by what its node's status lists.
    pub(super) fn of_attachment(attachment: &VolumeAttachment, world: &World) -> Option<Attachable> {
        let (source, node) = (&attachment.spec.source, &attachment.spec.node_name);
        let named = source.persistent_volume_name.as_deref();
        let named = named.and_then(|name| world.get::<PersistentVolume>("", name)).and_then(Attachable::of);
        let inline =
            || Attachable::of_source(&source.inline_volume_spec.as_deref()?.persistent_volume_source);
        let is_it = |volume: &Attachable| volume.attachment(node) == attachment.metadata.name;
        if let Some(volume) = named.or_else(inline) {
            return Some(volume).filter(is_it);
        }
        let status = &world.get::<Node>("", node)?.status;
        let listed = status.volumes_attached.iter().map(|own| &own.name).chain(&status.volumes_in_use);
        listed.filter_map(|name| Attachable::parse(name)).find(is_it)
    }

    /// What a node's status calls it (`GetUniqueVolumeName`).
    pub(super) fn unique(&self) -> String {
        format!("{PREFIX}{}^{}", self.driver, self.handle)
    }

    /// The name of its attachment to a node (`getAttachmentName`).
    pub(super) fn attachment(&self, node: &str) -> String {
        let hash = digest(&SHA256, format!("{}{}{node}", self.handle, self.driver).as_bytes());
        let hex: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        format!("csi-{hex}")
    }
}
