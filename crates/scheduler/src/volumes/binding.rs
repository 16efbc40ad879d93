//! Pods that have a node, and wait there for what was asked for: volumes that are being bound, and devices.

use std::collections::BTreeMap;
use std::sync::Arc;

use api_types::core::v1::{PersistentVolume, PersistentVolumeClaim};
use api_volume::{is_fully_bound, matching};
use base::time::Time;

use super::{Volumes, key, selected_node};
use crate::cluster::Cluster;
use crate::cluster::pod::PodId;
use crate::devices::binding::Promise;
use crate::event::Decided;
use crate::reason::Plugin;

/// A pod that waits for its volumes, or for its devices.
pub(crate) struct Pledge {
    pub(crate) node: Arc<str>,
    pub(crate) decided: Arc<Decided>,
    /// Whether what was decided about volumes has been written.
    pub(crate) is_written: bool,
    /// Until when the volumes have to be bound.
    pub(crate) until: Time,
    /// What was decided about devices, if anything was.
    pub(crate) devices: Option<Promise>,
}

/// All pods that wait for their volumes or devices.
pub(crate) type Pledges = BTreeMap<PodId, Pledge>;

/// Why a pledge is not kept: who says so, and why, in upstream's words.
pub(crate) type Broken = (Plugin, String);

impl Pledge {
    /// When to look again even if nothing happens.
    pub(crate) fn wake_at(&self) -> Option<Time> {
        let volumes = (self.is_written && !self.decided.is_empty()).then_some(self.until);
        let devices = self.devices.as_ref().filter(|own| own.is_written).map(|own| own.until);
        volumes.into_iter().chain(devices).min()
    }

    /// Whether all is bound.
    ///
    /// # Errors
    /// Why it never will be.
    pub(crate) fn is_kept(&self, cluster: &Cluster, now: Time) -> Result<bool, Broken> {
        let volumes = match self.decided.is_empty() {
            true => true,
            false => self
                .are_volumes_bound(cluster, now)
                .map_err(|why| (Plugin::VolumeBinding, format!("binding volumes: {why}")))?,
        };
        let devices = match &self.devices {
            None => true,
            Some(promise) if !promise.is_written => false,
            Some(promise) => {
                promise.is_kept(&cluster.devices, now).map_err(|why| (Plugin::DynamicResources, why))?
            }
        };
        Ok(volumes && devices)
    }

    fn are_volumes_bound(&self, cluster: &Cluster, now: Time) -> Result<bool, String> {
        if !self.is_written {
            return Ok(false);
        }
        match self.are_volumes_shown_bound(cluster)? {
            false if self.until <= now => Err("context deadline exceeded".to_owned()),
            are => Ok(are),
        }
    }

    fn are_volumes_shown_bound(&self, cluster: &Cluster) -> Result<bool, String> {
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
