//! Volumes that show an image: pulled like a container's, and shown read-only, one place for each image that a pod has seen.

use std::collections::BTreeMap;
use std::path::PathBuf;

use api_types::core::v1::Pod;
use host::mount::{LinuxMounts, Mounts};
use node_image::credentials::Keyring;
use node_image::store::Image;
use node_pod::container::pull_policy;

use crate::core::{Core, blocking};
use crate::error::AgentError;
use crate::events::pod_reference;
use crate::image::{NoImage, Wanted};

impl Core {
    /// The images of all of a pod's volumes, by the volumes' names, pulled if they must be. As with kubelet, one that cannot be had is in the way
    /// of those containers only that mount it.
    pub(crate) async fn volume_images(
        &self,
        pod: &Pod,
        keyring: &Keyring,
    ) -> BTreeMap<String, Result<Image, NoImage>> {
        let mut found = BTreeMap::new();
        for volume in &pod.spec.volumes {
            let Some(source) = &volume.volume_source.image else { continue };
            let wanted = Wanted {
                name: &source.reference,
                policy: pull_policy(&source.pull_policy, &source.reference),
                reference: pod_reference(pod, ""),
            };
            found.insert(volume.name.clone(), self.image(pod, wanted, keyring).await);
        }
        found
    }

    /// Where a pod's containers find an image's files, which nobody can change.
    pub(super) async fn show_image(&self, uid: &str, image: &Image) -> Result<PathBuf, AgentError> {
        let directory = self.records.directory(uid).join("images").join(image.id.hex());
        let (mut layers, nothing) = (image.layers.clone(), self.images.store.empty());
        blocking(move || {
            std::fs::create_dir_all(&directory).map_err(AgentError::file("create", &directory))?;
            // An image without layers is an empty directory.
            if layers.contains(&nothing) || !LinuxMounts.below(&directory)?.is_empty() {
                return Ok(directory);
            }
            // The kernel wants a layer below the only one.
            layers.push(nothing);
            LinuxMounts.layers(&layers, &directory)?;
            Ok(directory)
        })
        .await
    }
}
