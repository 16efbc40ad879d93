//! Which revision a set's pods have, and which they are to have.

use api_kind::{Ctx, Gates, Verb};
use api_record::scalar::RawJson;
use api_types::apps::v1::{ControllerRevision, StatefulSet};
use client::reconcile::{World, Write};

use super::KIND;
use crate::history;

/// The revisions between which a set is.
pub(super) struct Revisions {
    /// What its pods had when all of them last had the same.
    pub(super) current: ControllerRevision,
    /// The one of its template.
    pub(super) update: ControllerRevision,
    /// How many names were taken so far.
    pub(super) collisions: i32,
    /// What makes the latter one so.
    pub(super) write: Option<Write>,
}

impl Revisions {
    /// Finds them among those that are known, which are sorted, or makes one.
    pub(super) fn of(set: &StatefulSet, sorted: &[&ControllerRevision], world: &World) -> Revisions {
        let mut collisions = set.status.collision_count.unwrap_or(0);
        let (number, data) = (history::next(sorted), history::patch(set));
        let equal = sorted.iter().rev().find(|revision| revision.data == data);
        let (update, write) = match (sorted.last(), equal) {
            (Some(last), _) if last.data == data => ((*last).clone(), None),
            (_, Some(earlier)) => {
                let (update, write) = history::renumbered(earlier, number);
                (update, Some(write))
            }
            (Some(last), None) if means(last, set, &data) => ((*last).clone(), None),
            _ => {
                let labels = &set.spec.template.metadata.labels;
                let mut new = history::revision(&set.metadata, KIND, labels, data, number, collisions);
                new.metadata.annotations.clone_from(&set.metadata.annotations);
                history::named::<StatefulSet>(new, &set.metadata, &mut collisions, world)
            }
        };
        let current = sorted.iter().find(|revision| revision.metadata.name == set.status.current_revision);
        let current = current.map_or_else(|| update.clone(), |revision| (*revision).clone());
        Revisions { current, update, collisions, write }
    }
}

/// Whether a revision gives the set the template that it has: one of an older release may lack what is filled in since.
fn means(revision: &ControllerRevision, set: &StatefulSet, data: &RawJson) -> bool {
    let Ok(mut restored) = history::restored(set, revision) else { return false };
    let gates = Gates::default();
    let ctx = Ctx { gates: &gates, verb: Verb::Update, subresource: "", group: KIND.group };
    api_kind::default(&api_kinds_apps::stateful_set::KIND, &ctx, &mut restored);
    history::patch(&restored) == *data
}
