//! Which of all volumes a claim gets: those that can be used in the fewest ways come first, of these the smallest.

use std::collections::{BTreeMap, BTreeSet};

use api_types::core::v1::{PersistentVolume, PersistentVolumeClaim};
use api_volume::matching;

/// The best volume for a claim.
pub(super) fn best<'a>(
    claim: &PersistentVolumeClaim,
    volumes: impl Iterator<Item = &'a PersistentVolume>,
    waits: bool,
) -> Option<&'a PersistentVolume> {
    let mut by_modes: BTreeMap<(usize, BTreeSet<&str>), Vec<&PersistentVolume>> = BTreeMap::new();
    for volume in volumes.filter(|volume| matching::has_modes(claim, volume)) {
        let modes: BTreeSet<&str> = volume.spec.access_modes.iter().map(String::as_str).collect();
        by_modes.entry((modes.len(), modes)).or_default().push(volume);
    }
    let none = BTreeSet::new();
    by_modes.into_values().find_map(|volumes| matching::find(claim, volumes.into_iter(), None, &none, waits))
}
