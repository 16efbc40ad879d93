//! Volumes that pods claim: what the API says of them, and the place on this machine that appears in the pod's directory from then on. A
//! container that is started again needs the API no more.

use std::collections::BTreeMap;
use std::path::Path;

use api_types::core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Pod, Volume};
use api_volume::pod::Use;
use host::mount::{LinuxMounts, Mounts};
use node_volume::claim::{self, ClaimError, Source};
use node_volume::place;

use super::group;
use crate::calls::{NODES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES};
use crate::core::{Core, blocking};
use crate::error::AgentError;
use crate::lookup::present;

/// Whether containers may not write in a volume, whatever their mounts say.
pub(super) fn is_read_only(volume: &Volume) -> bool {
    volume.volume_source.persistent_volume_claim.as_ref().is_some_and(|claim| claim.read_only)
}

impl Core {
    /// Makes a claimed volume appear in the pod's directory.
    pub(super) async fn make_claimed(
        &self,
        pod: &Pod,
        volume: &Volume,
        used: &Use,
    ) -> Result<(), AgentError> {
        let source = self.source(pod, used).await?;
        let directory = self.volume_directory(&pod.metadata.uid, &volume.name);
        let group = group(pod).filter(|_| !is_read_only(volume));
        let context = pod.spec.security_context.as_deref();
        let policy = context.and_then(|context| context.fs_group_change_policy.as_deref());
        let unless_right = policy == Some("OnRootMismatch");
        blocking(move || {
            match &source {
                Source::HostPath { path, type_ } => {
                    // As container runtimes do with a path that nobody says anything of.
                    let type_ = if type_.is_empty() && !Path::new(path).exists() {
                        "DirectoryOrCreate"
                    } else {
                        type_
                    };
                    place::host_path(path, type_)?;
                    appear(Path::new(path), &directory)
                }
                Source::Local { path } => {
                    appear(Path::new(path), &directory)?;
                    match group {
                        Some(group) => Ok(place::give(Path::new(path), group, unless_right)?),
                        None => Ok(()),
                    }
                }
            }
        })
        .await
    }

    async fn source(&self, pod: &Pod, used: &Use) -> Result<Source, AgentError> {
        let namespace = &pod.metadata.namespace;
        let missing = |what: &str, name: &str| ClaimError::Claim {
            namespace: namespace.clone(),
            claim: used.claim.clone(),
            why: format!("failed to fetch {what} from API server: {name:?} not found"),
        };
        let found = self.calls.get::<PersistentVolumeClaim>(PERSISTENT_VOLUME_CLAIMS, namespace, &used.claim);
        let claim = present(found.await)?.ok_or_else(|| missing("PVC", &used.claim))?;
        let name = claim::volume_of(pod, &claim, used.is_ephemeral)?;
        let found = self.calls.get::<PersistentVolume>(PERSISTENT_VOLUMES, "", name);
        let volume = present(found.await)?.ok_or_else(|| missing("PV", name))?;
        // Only volumes that are somewhere ask where this is.
        let labels = match &volume.spec.node_affinity {
            Some(_) => self.calls.get::<Node>(NODES, "", &self.config.node_name).await?.metadata.labels,
            None => BTreeMap::new(),
        };
        Ok(claim::source(&claim, &volume, &labels)?)
    }
}

/// Makes a file or directory appear at a place as well, once.
fn appear(source: &Path, at: &Path) -> Result<(), AgentError> {
    let is_directory = place::is_directory(source)?;
    if LinuxMounts.below(at)?.iter().any(|point| point == at) {
        return Ok(());
    }
    place::stand_in(at, is_directory)?;
    Ok(LinuxMounts.bind(source, at)?)
}
