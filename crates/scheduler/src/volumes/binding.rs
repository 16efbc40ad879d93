//! Volumes that are being bound for a pod: what was asked for, and whether it has come to be.

use std::collections::BTreeMap;
use std::sync::Arc;

use api_types::core::v1::{PersistentVolume, PersistentVolumeClaim};
use api_volume::{is_fully_bound, matching};
use base::time::Time;

use super::{Volumes, key, selected_node};
use crate::cluster::Cluster;
use crate::cluster::pod::PodId;
use crate::event::Decided;

/// A pod that waits for its volumes.
pub(crate) struct Pledge {
    pub(crate) node: Arc<str>,
    pub(crate) decided: Arc<Decided>,
    /// Whether what was decided has been written.
    pub(crate) is_written: bool,
    /// Until when the volumes have to be bound.
    pub(crate) until: Time,
}

/// All pods that wait for their volumes.
pub(crate) type Pledges = BTreeMap<PodId, Pledge>;

impl Pledge {
    /// Whether all is bound.
    ///
    /// # Errors
    /// Why it never will be, in upstream's words.
    pub(crate) fn is_kept(&self, cluster: &Cluster) -> Result<bool, String> {
        let node = &*self.node;
        let at = cluster.nodes.find(node).filter(|at| cluster.nodes.known[at.index()]);
        let at = at.ok_or_else(|| format!("failed to get node {node:?}: node {node:?} not found"))?;
        let labels = &cluster.nodes.facts[at.index()].labels;
        let volumes = &cluster.volumes;
        let reachable = |volume: &PersistentVolume| match matching::is_reachable(volume, labels) {
            true => Ok(()),
            false => {
                let name = &volume.metadata.name;
                Err(format!(
                    "pv {name:?} node affinity doesn't match node {node:?}: no matching NodeSelectorTerms"
                ))
            }
        };
        let mut is_kept = true;
        for (asked, of) in self.decided.volumes.iter().zip(&self.decided.claims_of) {
            let name = &asked.metadata.name;
            let missing =
                |what: &str, name: &str| format!("failed to check binding: {what} {name:?} not found");
            let shown = volumes.shown_volume(name).ok_or_else(|| missing("persistentvolume", name))?;
            let claim = volumes.shown_claim(of).ok_or_else(|| missing("persistentvolumeclaim", &of.1))?;
            reachable(shown)?;
            if shown.spec.claim_ref.as_ref().is_none_or(|of| of.uid.is_empty()) {
                is_kept = false;
                if shown.metadata.resource_version != asked.metadata.resource_version {
                    return Err(format!("ClaimRef got reset for pv {name:?}"));
                }
            }
            is_kept &= is_fully_bound(claim);
        }
        for asked in &self.decided.provisions {
            is_kept &= self.is_made(asked, volumes, reachable)?;
        }
        Ok(is_kept)
    }

    fn is_made(
        &self,
        asked: &PersistentVolumeClaim,
        volumes: &Volumes,
        reachable: impl Fn(&PersistentVolume) -> Result<(), String>,
    ) -> Result<bool, String> {
        let name = &asked.metadata.name;
        let missing =
            || format!("failed to check provisioning pvc: persistentvolumeclaim {name:?} not found");
        let shown = volumes.shown_claim(&key(asked)).ok_or_else(missing)?;
        match selected_node(shown) {
            Some(node) if *node == *self.node => {}
            _ if shown.metadata.resource_version == asked.metadata.resource_version => return Ok(false),
            None if shown.metadata.annotations.is_empty() => {
                return Err(format!("selectedNode annotation reset for PVC {name:?}"));
            }
            _ => return Err(format!("provisioning failed for PVC {name:?}")),
        }
        if !shown.spec.volume_name.is_empty() {
            let Some(volume) = volumes.shown_volume(&shown.spec.volume_name) else { return Ok(false) };
            reachable(volume)?;
        }
        Ok(is_fully_bound(shown))
    }
}
