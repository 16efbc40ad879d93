//! The sets of a deployment: which is the new one, their revisions, the annotations that they carry.

use std::cmp::Ordering;

use api_meta::owners;
use api_types::apps::v1::{Deployment, ReplicaSet};
use api_types::meta::v1::{LabelSelector, ObjectMeta};
use client::reconcile::{Note, Write};

use super::{KIND, Rollout, limits, progress, rollout, size, wanted};
use crate::template_hash;

const REVISION: &str = "deployment.kubernetes.io/revision";
const REVISION_HISTORY: &str = "deployment.kubernetes.io/revision-history";
const DESIRED: &str = "deployment.kubernetes.io/desired-replicas";
const MAX: &str = "deployment.kubernetes.io/max-replicas";
/// What a set does not inherit from its deployment.
const OWN_ANNOTATIONS: [&str; 6] = [
    "kubectl.kubernetes.io/last-applied-configuration",
    REVISION,
    REVISION_HISTORY,
    DESIRED,
    MAX,
    "deprecated.deployment.rollback.to",
];
/// How long a set's list of earlier revisions may become (`maxRevHistoryLengthInChars`).
const HISTORY_BYTES: usize = 2000;

/// The oldest first.
pub(super) fn by_age(a: &ReplicaSet, b: &ReplicaSet) -> Ordering {
    let age = |set: &ReplicaSet| set.metadata.creation_timestamp;
    age(a).cmp(&age(b)).then_with(|| a.metadata.name.cmp(&b.metadata.name))
}

/// The revision that a set serves, 0 for none; `None` if it says something else.
pub(super) fn revision(set: &ReplicaSet) -> Option<i64> {
    set.metadata.annotations.get(REVISION).map_or(Some(0), |text| text.parse().ok())
}

/// The set of the deployment's template, the oldest if there are several, and the others.
pub fn split(deployment: &Deployment, sets: &[&ReplicaSet]) -> (Option<ReplicaSet>, Vec<ReplicaSet>) {
    let mut sets: Vec<ReplicaSet> = sets.iter().map(|set| (*set).clone()).collect();
    sets.sort_by(by_age);
    let new = sets.iter().position(|set| has_template(set, deployment)).map(|index| sets.remove(index));
    (new, sets)
}

fn has_template(set: &ReplicaSet, deployment: &Deployment) -> bool {
    let mut own = set.spec.template.clone();
    let mut wanted = deployment.spec.template.clone();
    own.metadata.labels.remove(template_hash::LABEL);
    wanted.metadata.labels.remove(template_hash::LABEL);
    own == wanted
}

/// The number of pods that a set says its deployment wants, or may have at most.
fn annotated(set: &ReplicaSet, key: &str) -> Option<i32> {
    set.metadata.annotations.get(key)?.parse().ok().filter(|number| *number >= 0)
}

/// How many pods the deployment wanted when the set was last scaled.
pub(super) fn desired(set: &ReplicaSet) -> Option<i32> {
    annotated(set, DESIRED)
}

/// How many pods the deployment was allowed when the set was last scaled.
pub(super) fn allowed(set: &ReplicaSet) -> Option<i32> {
    annotated(set, MAX).filter(|number| *number > 0)
}

/// Writes on a set what the deployment wants and may have.
pub(super) fn annotate_size(set: &mut ReplicaSet, deployment: &Deployment) {
    let most = wanted(deployment) + limits::max_surge(deployment);
    let annotations = &mut set.metadata.annotations;
    annotations.insert(DESIRED.into(), wanted(deployment).to_string());
    annotations.insert(MAX.into(), most.to_string());
}

/// Copies the deployment's annotations, and gives the set a revision if it has none as high.
fn annotate(set: &mut ReplicaSet, deployment: &Deployment, new_revision: i64) {
    for (key, value) in &deployment.metadata.annotations {
        if !OWN_ANNOTATIONS.contains(&key.as_str()) {
            set.metadata.annotations.insert(key.clone(), value.clone());
        }
    }
    let annotations = &mut set.metadata.annotations;
    let before = annotations.get(REVISION).cloned();
    let served = match before.as_deref() {
        None | Some("") => 0,
        Some(text) => match text.parse::<i64>() {
            Ok(revision) => revision,
            Err(_) => return,
        },
    };
    if served >= new_revision {
        return;
    }
    annotations.insert(REVISION.into(), new_revision.to_string());
    // A set that served before is rolled back to: its earlier revisions are kept for the record.
    if let Some(before) = before {
        let history = annotations.get(REVISION_HISTORY).map_or("", String::as_str);
        if let Some(history) = appended(history, &before) {
            annotations.insert(REVISION_HISTORY.into(), history);
        }
    }
}

fn appended(history: &str, revision: &str) -> Option<String> {
    let mut kept = if history.is_empty() { return Some(revision.to_owned()) } else { history };
    while kept.len() + 1 + revision.len() > HISTORY_BYTES {
        kept = kept.split_once(',')?.1;
    }
    Some(format!("{kept},{revision}"))
}

impl Rollout<'_> {
    fn next_revision(&self) -> i64 {
        self.old.iter().filter_map(revision).max().unwrap_or(0) + 1
    }

    /// Brings the new set's annotations and the deployment's revision up to date, if there is a new set.
    pub(super) fn sync_revision(&mut self) {
        let next = self.next_revision();
        let Some(new) = self.new.as_mut() else { return };
        annotate(new, &self.deployment, next);
        new.spec.min_ready_seconds = self.deployment.spec.min_ready_seconds;
        let (name, revision) = (new.metadata.name.clone(), new.metadata.annotations.get(REVISION).cloned());
        if let Some(revision) = revision {
            self.deployment.metadata.annotations.insert(REVISION.into(), revision);
        }
        if limits::progress_deadline(&self.deployment).is_some() && self.progressing().is_none() {
            let message = format!("Found new replica set {name:?}");
            self.set_condition(progress::PROGRESSING, "True", "FoundNewReplicaSet", message);
        }
    }

    /// Makes the new set if there is none; `false` if that is not possible now.
    pub(super) fn ensure_new(&mut self) -> bool {
        if self.new.is_some() {
            return true;
        }
        let deployment = &self.deployment;
        let hash = template_hash::hash(&deployment.spec.template, deployment.status.collision_count);
        let name = template_hash::name(&deployment.metadata.name, &hash);
        let namespace = &deployment.metadata.namespace;
        if self.world.get::<ReplicaSet>(namespace, &name).is_some() {
            let collisions = &mut self.deployment.status.collision_count;
            *collisions = Some(collisions.unwrap_or(0) + 1);
            return false;
        }
        if let Some(status) = progress::failed_create(self.world)
            && limits::progress_deadline(deployment).is_some()
        {
            let message = format!("Failed to create new replica set {name:?}: {}", status.message);
            self.set_condition(progress::PROGRESSING, "False", "ReplicaSetCreateError", message);
        }
        let mut set = self.bare(name, &hash);
        set.spec.replicas = Some(0);
        let replicas = rollout::new_size(&self.deployment, self.sets().map(size).sum(), 0);
        set.spec.replicas = Some(replicas);
        let next = self.next_revision();
        annotate(&mut set, &self.deployment, next);
        annotate_size(&mut set, &self.deployment);
        if progress::failed_create(self.world).is_none() {
            self.deployment.metadata.annotations.insert(REVISION.into(), next.to_string());
            if limits::progress_deadline(&self.deployment).is_some() {
                let message = format!("Created new replica set {:?}", set.metadata.name);
                self.set_condition(progress::PROGRESSING, "True", "NewReplicaSetCreated", message);
            }
        }
        self.new = Some(set);
        self.creates = true;
        true
    }

    fn bare(&self, name: String, hash: &str) -> ReplicaSet {
        let deployment = &self.deployment;
        let mut template = deployment.spec.template.clone();
        template.metadata.labels.insert(template_hash::LABEL.into(), hash.to_owned());
        let mut selector: LabelSelector = deployment.spec.selector.as_deref().cloned().unwrap_or_default();
        selector.match_labels.insert(template_hash::LABEL.into(), hash.to_owned());
        let mut set = ReplicaSet {
            metadata: ObjectMeta {
                name,
                namespace: deployment.metadata.namespace.clone(),
                owner_references: vec![owners::controller_reference(&deployment.metadata, KIND)],
                labels: template.metadata.labels.clone(),
                ..ObjectMeta::default()
            },
            ..ReplicaSet::default()
        };
        set.spec.min_ready_seconds = deployment.spec.min_ready_seconds;
        set.spec.selector = Some(Box::new(selector));
        set.spec.template = template;
        set
    }

    /// The write that makes the new set.
    pub(super) fn creation(&self, set: &ReplicaSet) -> Write {
        let name = &set.metadata.name;
        let scaled = format!("Scaled up replica set {name} from 0 to {}", size(set));
        let done = (size(set) > 0).then(|| Note::normal(&self.deployment, "ScalingReplicaSet", scaled));
        let message = format!("Failed to create new replica set {name:?}: {{error}}");
        let failed = Note::warning(&self.deployment, "ReplicaSetCreateError", message);
        Write::create(set.clone()).telling(done, Some(failed))
    }

    /// Deletes the oldest of the old sets that are more than are to be kept.
    pub(super) fn clean_up(&mut self) {
        let Some(kept) = limits::history(&self.deployment) else { return };
        let mut alive: Vec<&ReplicaSet> =
            self.old.iter().filter(|set| set.metadata.deletion_timestamp.is_none()).collect();
        let surplus = alive.len().saturating_sub(usize::try_from(kept).unwrap_or(0));
        alive.sort_by(|a, b| match (revision(a), revision(b)) {
            (Some(left), Some(right)) if left != right => left.cmp(&right),
            _ => by_age(a, b),
        });
        let unused = |set: &&ReplicaSet| {
            set.status.replicas == 0
                && size(set) == 0
                && set.metadata.generation <= set.status.observed_generation
        };
        self.doomed = alive.into_iter().take(surplus).filter(unused).cloned().collect();
    }
}
