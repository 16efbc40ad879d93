//! Whether a volume that nobody wants on a node may be detached from it. Upstream: `reconciler.reconcile`.
//!
//! What is remembered are times of which objects tell nothing; a restart begins to count anew, as upstream's does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api_meta::conditions;
use api_types::core::v1::Node;
use base::time::Time;
use client::reconcile::World;

use super::{Attachable, is_out_of_service};
use crate::limits::UNMOUNT;

/// A volume and a node.
type Place = (Attachable, String);

/// Since when volumes have been unwanted, and of which it was said that they are somebody else's.
#[derive(Default)]
pub(super) struct Memory {
    unwanted: BTreeMap<Place, Time>,
    told: BTreeSet<Place>,
}

/// What may be done with a volume on a node.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Somebody uses it there.
    Wanted,
    /// It may be mounted there still; after this time it need not be asked any more, if the node is not well then.
    Mounted(Option<Duration>),
    /// It may go.
    Free {
        /// If it is not mounted, by a consistent read.
        unless_mounted: bool,
    },
}

impl Memory {
    /// What may be done with a volume that is wanted on a node, or is not.
    pub(super) fn verdict(
        &mut self,
        volume: &Attachable,
        name: &str,
        is_wanted: bool,
        world: &World,
        now: Time,
    ) -> Verdict {
        let place = (volume.clone(), name.to_owned());
        if is_wanted {
            self.unwanted.remove(&place);
            return Verdict::Wanted;
        }
        let since = *self.unwanted.entry(place).or_insert(now);
        let (waited, node) = (now.since(since), world.get::<Node>("", name));
        let is_overdue = waited > UNMOUNT;
        let is_well = node.is_some_and(|node| conditions::is_true(&node.status.conditions, "Ready"));
        let is_lost = node.is_some_and(is_out_of_service);
        let unique = volume.unique();
        // Nobody can say of a node that has gone what is mounted there.
        let is_mounted = node.is_none_or(|node| node.status.volumes_in_use.contains(&unique));
        if is_mounted && !is_lost && (is_well || !is_overdue) {
            let left = UNMOUNT.saturating_sub(waited) + Duration::from_secs(1);
            return Verdict::Mounted((!is_overdue).then_some(left));
        }
        Verdict::Free { unless_mounted: !is_overdue && !is_lost }
    }

    /// Whether it has yet to be said that a volume cannot be had on a node, which is said once.
    pub(super) fn tells(&mut self, volume: &Attachable, node: &str) -> bool {
        self.told.insert((volume.clone(), node.to_owned()))
    }

    /// Forgets a volume on the nodes where it is neither wanted nor attached.
    pub(super) fn keep(
        &mut self,
        volume: &Attachable,
        is_wanted: impl Fn(&str) -> bool,
        is_there: impl Fn(&str) -> bool,
    ) {
        self.unwanted.retain(|(own, node), _| own != volume || is_there(node));
        self.told.retain(|(own, node)| own != volume || (is_wanted(node) && !is_there(node)));
    }
}
