//! Which volume a claim gets: upstream's `FindMatchingVolume`, for the controller and, with a node, for the scheduler.

use std::collections::{BTreeMap, BTreeSet};

use api_meta::labels::Selector;
use api_meta::node_affinity::Term;
use api_record::scalar::Quantity;
use api_types::core::v1::{PersistentVolume, PersistentVolumeClaim, TopologySelectorTerm};

use crate::class;
use crate::{STORAGE, is_bound_to};

type Labels = BTreeMap<String, String>;

const FILESYSTEM: &str = "Filesystem";

/// The best volume for a claim: the one that names it, or else the smallest that is available and does. `node` are the labels of the node
/// that it is looked for on; a claim that waits for its first consumer gets nothing without one, but for what names it.
pub fn find<'a>(
    claim: &PersistentVolumeClaim,
    volumes: impl Iterator<Item = &'a PersistentVolume>,
    node: Option<&Labels>,
    excluded: &BTreeSet<&str>,
    waits: bool,
) -> Option<&'a PersistentVolume> {
    let wanted = Wanted::of(claim)?;
    let mut best: Option<(&'a PersistentVolume, Quantity)> = None;
    for volume in volumes.filter(|volume| !excluded.contains(volume.metadata.name.as_str())) {
        if !wanted.could_be(volume) {
            continue;
        }
        let reachable = node.is_none_or(|labels| is_reachable(volume, labels));
        if is_bound_to(volume, claim) {
            return reachable.then_some(volume);
        }
        if (node.is_none() && waits) || !reachable || !wanted.is_chosen(volume) {
            continue;
        }
        if node.is_some() && !has_modes(claim, volume) {
            continue;
        }
        let size = capacity(volume);
        if best.as_ref().is_none_or(|(_, smallest)| size < *smallest) {
            best = Some((volume, size));
        }
    }
    best.map(|(volume, _)| volume)
}

/// What a claim wants of a volume.
struct Wanted<'a> {
    claim: &'a PersistentVolumeClaim,
    size: Quantity,
    selector: Option<Selector>,
}

impl<'a> Wanted<'a> {
    fn of(claim: &'a PersistentVolumeClaim) -> Option<Wanted<'a>> {
        let selector = match claim.spec.selector.as_deref() {
            Some(selector) => Some(Selector::from_api(Some(selector)).ok()?),
            None => None,
        };
        Some(Wanted { claim, size: requested(claim), selector })
    }

    /// Whether a volume may be the claim's at all, even if somebody has written so.
    fn could_be(&self, volume: &PersistentVolume) -> bool {
        let free = volume.spec.claim_ref.is_none() || is_bound_to(volume, self.claim);
        free && capacity(volume) >= self.size
            && has_mode(self.claim, volume)
            && has_attributes(self.claim, volume)
            && volume.metadata.deletion_timestamp.is_none()
    }

    /// Whether a volume that is nobody's may become the claim's.
    fn is_chosen(&self, volume: &PersistentVolume) -> bool {
        volume.status.phase == "Available"
            && self.selector.as_ref().is_none_or(|selector| selector.matches(&volume.metadata.labels))
            && class::of_volume(volume) == class::of_claim(self.claim)
    }
}

/// How much a claim requests.
pub fn requested(claim: &PersistentVolumeClaim) -> Quantity {
    claim.spec.resources.requests.get(STORAGE).cloned().unwrap_or_default()
}

/// How much a volume holds.
pub fn capacity(volume: &PersistentVolume) -> Quantity {
    volume.spec.capacity.get(STORAGE).cloned().unwrap_or_default()
}

/// Whether a volume has all the modes of access that a claim wants.
pub fn has_modes(claim: &PersistentVolumeClaim, volume: &PersistentVolume) -> bool {
    claim.spec.access_modes.iter().all(|mode| volume.spec.access_modes.contains(mode))
}

/// Whether a volume is a filesystem, or a device, as a claim wants it.
pub fn has_mode(claim: &PersistentVolumeClaim, volume: &PersistentVolume) -> bool {
    let mode = |mode: &Option<String>| mode.clone().unwrap_or_else(|| FILESYSTEM.to_owned());
    mode(&claim.spec.volume_mode) == mode(&volume.spec.volume_mode)
}

/// Whether a volume is of the class of attributes that a claim wants.
pub fn has_attributes(claim: &PersistentVolumeClaim, volume: &PersistentVolume) -> bool {
    let named = |class: &Option<String>| class.clone().unwrap_or_default();
    named(&claim.spec.volume_attributes_class_name) == named(&volume.spec.volume_attributes_class_name)
}

/// Whether a volume can be reached from a node of these labels. Upstream looks at the labels only: a term about a node's name matches none.
pub fn is_reachable(volume: &PersistentVolume, labels: &Labels) -> bool {
    let affinity = volume.spec.node_affinity.as_ref().and_then(|affinity| affinity.required.as_ref());
    affinity.is_none_or(|required| {
        required.node_selector_terms.iter().any(|term| Term::of(term).matches("", labels))
    })
}

/// Whether volumes of a class of these topologies can be made for a node of these labels.
pub fn is_allowed(topologies: &[TopologySelectorTerm], labels: &Labels) -> bool {
    let term = |term: &TopologySelectorTerm| {
        let all = &term.match_label_expressions;
        // A term that asks for nothing selects nothing.
        !all.is_empty()
            && all
                .iter()
                .all(|wanted| labels.get(&wanted.key).is_some_and(|value| wanted.values.contains(value)))
    };
    topologies.is_empty() || topologies.iter().any(term)
}

#[cfg(test)]
mod tests;
