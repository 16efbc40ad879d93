//! What a set's template has been: finding the revision of the present one, making it, keeping so many of the others.
//!
//! Upstream: `constructHistory` and `cleanupHistory`. A revision is recognised by its data; the hash in its name only tells pods of
//! one revision from those of another.

use std::collections::BTreeSet;

use api_meta::owners;
use api_patch::PatchKind;
use api_types::apps::v1::{ControllerRevision, DaemonSet};
use api_types::core::v1::Pod;
use api_types::meta::v1::ObjectMeta;
use client::reconcile::{Op, World, Write, resource_of};

use super::KIND;
use super::pods::HASH_LABEL;
use crate::{history, template_hash};

/// The revisions of a set as they are to be.
pub(super) struct Revisions<'a> {
    /// That of the present template; `None` if its name is another's.
    current: Option<ControllerRevision>,
    old: Vec<ControllerRevision>,
    /// Others of the present template.
    doubles: Vec<&'a ControllerRevision>,
    writes: Vec<Write>,
}

/// The hash that the pods of a revision carry.
pub(super) fn hash_of(revision: &ControllerRevision) -> &str {
    revision.metadata.labels.get(HASH_LABEL).map_or("", String::as_str)
}

impl<'a> Revisions<'a> {
    /// Those of a set, of which it controls these.
    pub(super) fn new(set: &DaemonSet, own: &[&'a ControllerRevision], world: &World) -> Revisions<'a> {
        let data = history::patch(set);
        let (mut of_now, old): (Vec<&ControllerRevision>, Vec<&ControllerRevision>) =
            own.iter().copied().partition(|revision| revision.data == data);
        let next = old.iter().map(|revision| revision.revision).max().unwrap_or(0).max(0) + 1;
        let mut all = Revisions { current: None, old: Vec::new(), doubles: Vec::new(), writes: Vec::new() };
        for revision in old {
            let own = all.labelled(revision, revision.revision);
            all.old.push(own);
        }
        of_now.sort_by_key(|revision| revision.revision);
        all.current = match of_now.pop() {
            Some(latest) => Some(all.labelled(latest, latest.revision.max(next))),
            None => {
                let new = snapshot(set, data, next);
                let taken = world.get::<ControllerRevision>(&new.metadata.namespace, &new.metadata.name);
                match taken {
                    None => {
                        all.writes.push(history::creation::<DaemonSet>(new.clone(), &set.metadata));
                        Some(new)
                    }
                    Some(taken) => (taken.data == new.data).then(|| taken.clone()),
                }
            }
        };
        all.doubles = of_now;
        all
    }

    /// A revision with this number and a hash, which may have to be written first.
    fn labelled(&mut self, own: &ControllerRevision, number: i64) -> ControllerRevision {
        let mut revision = own.clone();
        let labels = &mut revision.metadata.labels;
        labels.entry(HASH_LABEL.to_owned()).or_insert_with(|| own.metadata.name.clone());
        revision.revision = number;
        if revision != *own {
            self.writes.push(Write::update(revision.clone()));
        }
        revision
    }

    /// That of the present template.
    pub(super) fn current(&self) -> Option<&ControllerRevision> {
        self.current.as_ref()
    }

    /// Counts one more collision, so that the next name is another.
    pub(super) fn collision(&self, set: &DaemonSet) -> [Write; 1] {
        let mut set = set.clone();
        set.status.collision_count = Some(set.status.collision_count.unwrap_or(0) + 1);
        [Write::status(set)]
    }

    /// Before doubles of the present revision go, all pods name the one that stays.
    pub(super) fn relabelled(&self, pods: &[&Pod]) -> Vec<Write> {
        let Some(current) = self.current.as_ref().filter(|_| !self.doubles.is_empty()) else {
            return Vec::new();
        };
        let hash = hash_of(current);
        let others =
            pods.iter().filter(|pod| pod.metadata.labels.get(HASH_LABEL).is_none_or(|own| own != hash));
        let patch = serde_json::json!({"metadata": {"labels": {HASH_LABEL: hash}}});
        let pods = resource_of::<Pod>();
        others
            .map(|pod| Write::of(pods, &pod.metadata, "", Op::Patch(PatchKind::Merge, patch.clone())))
            .collect()
    }

    /// What makes them so.
    pub(super) fn writes(&mut self) -> Vec<Write> {
        let mut writes = std::mem::take(&mut self.writes);
        writes.extend(self.doubles.iter().map(|double| Write::delete(*double)));
        writes
    }

    /// The oldest beyond the limit go, except for those that pods are of.
    pub(super) fn surplus(mut self, set: &DaemonSet, pods: &[&Pod]) -> Vec<Write> {
        let kept = set.spec.revision_history_limit.and_then(|limit| usize::try_from(limit).ok());
        let surplus = self.old.len().saturating_sub(kept.unwrap_or(usize::MAX));
        let live: BTreeSet<&str> =
            pods.iter().filter_map(|pod| pod.metadata.labels.get(HASH_LABEL)).map(String::as_str).collect();
        self.old.sort_by_key(|revision| revision.revision);
        let dead = self.old.iter().filter(|revision| !live.contains(hash_of(revision)));
        dead.take(surplus).map(Write::delete).collect()
    }
}

fn snapshot(set: &DaemonSet, data: api_record::scalar::RawJson, revision: i64) -> ControllerRevision {
    let hash = template_hash::hash(&set.spec.template, set.status.collision_count);
    let mut labels = set.spec.template.metadata.labels.clone();
    labels.insert(HASH_LABEL.to_owned(), hash.clone());
    ControllerRevision {
        metadata: ObjectMeta {
            name: template_hash::name(&set.metadata.name, &hash),
            namespace: set.metadata.namespace.clone(),
            labels,
            annotations: set.metadata.annotations.clone(),
            owner_references: vec![owners::controller_reference(&set.metadata, KIND)],
            ..ObjectMeta::default()
        },
        data,
        revision,
    }
}
