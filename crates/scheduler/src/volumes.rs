//! Claims, volumes and classes as the scheduler sees them: what the API says, and on top of it what has been decided but not shown yet.
//!
//! A decision for a pod takes its volumes from all others at once (`assume`) and stands until the API shows something newer of them, or
//! it fails (`revert`). Upstream: `pkg/scheduler/framework/plugins/volumebinding`, its binder and its assume cache.

pub(crate) mod binding;
pub(crate) mod claims;
pub(crate) mod drivers;
mod intake;
pub(crate) mod wanted;

use std::collections::{BTreeMap, BTreeSet};

use api_types::core::v1::{PersistentVolume, PersistentVolumeClaim};
use api_types::storage::v1::StorageClass;
use api_volume::annotation::SELECTED_NODE;
use api_volume::class;

/// A claim, by namespace and name.
pub(crate) type ClaimKey = (String, String);

/// The key of a claim.
pub(crate) fn key(claim: &PersistentVolumeClaim) -> ClaimKey {
    (claim.metadata.namespace.clone(), claim.metadata.name.clone())
}

/// How many volumes of which drivers a node can have.
pub(crate) type Limits = BTreeMap<String, i64>;

/// All that is known of volumes.
#[derive(Default)]
pub(crate) struct Volumes {
    claims: BTreeMap<ClaimKey, PersistentVolumeClaim>,
    volumes: BTreeMap<String, PersistentVolume>,
    by_class: BTreeMap<String, BTreeSet<String>>,
    classes: BTreeMap<String, StorageClass>,
    /// By node.
    limits: BTreeMap<String, Limits>,
    /// By name: the node, the driver, and the volume.
    attachments: BTreeMap<String, (String, String, String)>,
    assumed_volumes: BTreeMap<String, PersistentVolume>,
    assumed_claims: BTreeMap<ClaimKey, PersistentVolumeClaim>,
    /// How many placed pods use each claim.
    used: BTreeMap<ClaimKey, usize>,
    pub(crate) drivers: drivers::Drivers,
}

impl Volumes {
    /// A claim as the API shows it.
    pub(crate) fn shown_claim(&self, of: &ClaimKey) -> Option<&PersistentVolumeClaim> {
        self.claims.get(of)
    }

    /// A claim, with what has been decided about it.
    pub(crate) fn claim(&self, of: &ClaimKey) -> Option<&PersistentVolumeClaim> {
        self.assumed_claims.get(of).or_else(|| self.claims.get(of))
    }

    /// A volume as the API shows it.
    pub(crate) fn shown_volume(&self, name: &str) -> Option<&PersistentVolume> {
        self.volumes.get(name)
    }

    /// A volume, with what has been decided about it.
    pub(crate) fn volume(&self, name: &str) -> Option<&PersistentVolume> {
        self.assumed_volumes.get(name).or_else(|| self.volumes.get(name))
    }

    /// The volumes of a class, with what has been decided about them.
    pub(crate) fn of_class(&self, class: &str) -> impl Iterator<Item = &PersistentVolume> {
        self.by_class.get(class).into_iter().flatten().filter_map(|name| self.volume(name))
    }

    pub(crate) fn class(&self, name: &str) -> Option<&StorageClass> {
        self.classes.get(name)
    }

    /// How many volumes a node can have, if its drivers say so.
    pub(crate) fn limits(&self, node: &str) -> Option<&Limits> {
        self.limits.get(node).filter(|limits| !limits.is_empty())
    }

    /// The drivers and volumes that are attached to a node.
    pub(crate) fn attached(&self, node: &str) -> impl Iterator<Item = (&str, &str)> {
        let here = self.attachments.values().filter(move |(of, ..)| of == node);
        here.map(|(_, driver, volume)| (driver.as_str(), volume.as_str()))
    }

    /// Whether a pod that has a node uses a claim.
    pub(crate) fn is_used(&self, of: &ClaimKey) -> bool {
        self.used.contains_key(of)
    }

    /// Counts a pod that uses claims, or one less.
    pub(crate) fn count(&mut self, of: impl Iterator<Item = ClaimKey>, is_placed: bool) {
        for claim in of {
            let count = self.used.entry(claim.clone()).or_default();
            *count = if is_placed { *count + 1 } else { count.saturating_sub(1) };
            if *count == 0 {
                self.used.remove(&claim);
            }
        }
    }

    /// From now on the volumes are those claims', and the claims are to be made for that node.
    pub(crate) fn assume(&mut self, volumes: &[PersistentVolume], claims: &[PersistentVolumeClaim]) {
        for volume in volumes {
            self.assumed_volumes.insert(volume.metadata.name.clone(), volume.clone());
        }
        for claim in claims {
            self.assumed_claims.insert(key(claim), claim.clone());
        }
    }

    /// What was decided does not hold any more.
    pub(crate) fn revert(&mut self, volumes: &[PersistentVolume], claims: &[PersistentVolumeClaim]) {
        for volume in volumes {
            self.assumed_volumes.remove(&volume.metadata.name);
        }
        for claim in claims {
            self.assumed_claims.remove(&key(claim));
        }
    }

    /// Takes in a claim; `None` if it has gone.
    pub(crate) fn set_claim(&mut self, of: ClaimKey, claim: Option<&PersistentVolumeClaim>) -> bool {
        self.assumed_claims.remove(&of);
        match claim {
            Some(claim) => self.claims.insert(of, claim.clone()).is_some(),
            None => self.claims.remove(&of).is_some(),
        }
    }

    /// Takes in a volume; answers what it was before.
    pub(crate) fn set_volume(&mut self, volume: &PersistentVolume) -> Option<PersistentVolume> {
        let name = volume.metadata.name.clone();
        let before = self.remove_volume(&name);
        self.by_class.entry(class::of_volume(volume).to_owned()).or_default().insert(name.clone());
        self.volumes.insert(name, volume.clone());
        before
    }

    /// Forgets a volume.
    pub(crate) fn remove_volume(&mut self, name: &str) -> Option<PersistentVolume> {
        self.assumed_volumes.remove(name);
        let before = self.volumes.remove(name)?;
        let class = class::of_volume(&before);
        if let Some(names) = self.by_class.get_mut(class) {
            names.remove(name);
            if names.is_empty() {
                self.by_class.remove(class);
            }
        }
        Some(before)
    }

    /// Takes in a class; answers what it was before.
    pub(crate) fn set_class(&mut self, class: &StorageClass) -> Option<StorageClass> {
        self.classes.insert(class.metadata.name.clone(), class.clone())
    }

    /// Forgets a class.
    pub(crate) fn remove_class(&mut self, name: &str) {
        self.classes.remove(name);
    }

    /// Takes in how many volumes a node can have; answers what that was before.
    pub(crate) fn set_limits(&mut self, node: &str, limits: Option<Limits>) -> Option<Limits> {
        match limits {
            Some(limits) => self.limits.insert(node.to_owned(), limits),
            None => self.limits.remove(node),
        }
    }

    /// Takes in that a volume is attached to a node by a driver; `None` if it is not any more.
    pub(crate) fn set_attachment(
        &mut self,
        name: &str,
        attachment: Option<(String, String, String)>,
    ) -> bool {
        match attachment {
            Some(attachment) => self.attachments.insert(name.to_owned(), attachment).is_none(),
            None => self.attachments.remove(name).is_some(),
        }
    }
}

#[cfg(test)]
impl Volumes {
    /// How many placed pods use each claim.
    pub(crate) fn uses(&self) -> &BTreeMap<ClaimKey, usize> {
        &self.used
    }
}

/// The node that a claim's volume is to be made for, if one is selected.
pub(crate) fn selected_node(claim: &PersistentVolumeClaim) -> Option<&str> {
    claim.metadata.annotations.get(SELECTED_NODE).map(String::as_str)
}
