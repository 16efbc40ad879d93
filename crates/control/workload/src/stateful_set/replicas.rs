//! One round over a set's pods: what is missing is made, what is wrong is mended, what is too much goes, each in its turn.
//!
//! Upstream: `updateStatefulSet`. In order (`OrderedReady`) a round ends at the first pod that has to be waited for; in parallel it
//! waits for none.

use std::collections::{BTreeMap, BTreeSet};

use api_meta::Status;
use api_types::apps::v1::StatefulSet;
use api_types::core::v1::Pod;
use base::time::Time;
use client::reconcile::{Note, Plan, World, Write};

use super::retention::{self, Member};
use super::revisions::Revisions;
use super::{claims, identity, status};
use crate::history;
use control_base::pod;

/// How many pods are made at once (`MaxBatchSize`).
const BURST: usize = 500;

/// A set, its pods, and what is to be written about them.
pub(super) struct Round<'a> {
    pub(super) set: &'a StatefulSet,
    /// The set as the current revision has it, and as the update has it.
    current_set: StatefulSet,
    update_set: StatefulSet,
    pub(super) revisions: Revisions,
    pods: &'a [&'a Pod],
    /// The pods of ordinals that are wanted.
    pub(super) replicas: BTreeMap<i64, &'a Pod>,
    /// The pods of other ordinals, the highest first.
    pub(super) condemned: Vec<&'a Pod>,
    pub(super) now: Time,
    world: &'a World,
    steps: Steps,
}

/// What is written, in this order.
#[derive(Default)]
struct Steps {
    claims: Vec<Write>,
    /// Claims' owners: before a pod goes that its claims are to follow.
    owners: Vec<Write>,
    pods: Vec<Write>,
    notes: Vec<Note>,
    doomed: BTreeSet<String>,
    /// How many pods of the current revision go for the update's.
    replaced: i32,
}

/// Whether a round goes on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    Next,
    Wait,
}

impl<'a> Round<'a> {
    /// A round that has not begun.
    ///
    /// # Errors
    /// If a revision does not apply to the set.
    pub(super) fn new(
        set: &'a StatefulSet,
        revisions: Revisions,
        pods: &'a [&'a Pod],
        world: &'a World,
        now: Time,
    ) -> Result<Round<'a>, Status> {
        let as_of = |revision| -> Result<StatefulSet, Status> {
            let spec = history::restored(set, revision)?.spec;
            Ok(StatefulSet { spec, ..set.clone() })
        };
        let (mut replicas, mut condemned) = (BTreeMap::new(), Vec::new());
        for pod in pods {
            let Some(ordinal) = identity::ordinal(pod) else { continue };
            if identity::ordinals(set).contains(&ordinal) {
                replicas.insert(ordinal, *pod);
            } else {
                condemned.push(*pod);
            }
        }
        condemned.sort_by_key(|pod| std::cmp::Reverse(identity::ordinal(pod)));
        Ok(Round {
            set,
            current_set: as_of(&revisions.current)?,
            update_set: as_of(&revisions.update)?,
            revisions,
            pods,
            replicas,
            condemned,
            now,
            world,
            steps: Steps::default(),
        })
    }

    /// Takes the round, and writes what came of it.
    pub(super) fn into_plan(mut self, plan: &mut Plan) {
        let mut status = status::fresh(self.set, &self.revisions);
        if self.set.metadata.deletion_timestamp.is_some() {
            status::count(&mut status, self.set, &self.revisions, self.pods, self.now);
        } else {
            if self.advance() == Turn::Next {
                self.roll();
            }
            let counted: Vec<&Pod> = self.replicas.values().chain(&self.condemned).copied().collect();
            status::count(&mut status, self.set, &self.revisions, &counted, self.now);
            status.current_replicas -= self.steps.replaced;
        }
        let status = status::news(self.set, status);
        let Steps { claims, owners, pods, notes, .. } = self.steps;
        plan.events.extend(notes);
        // What failed must not keep the status from being written.
        if self.world.failure().is_some_and(|failure| failure.write.is_some()) {
            plan.stage(status).stage(claims).stage(owners).stage(pods);
        } else {
            plan.stage(claims).stage(owners).stage(pods).stage(status);
        }
    }

    /// Whether pods are made and deleted one after the other.
    fn is_ordered(&self) -> bool {
        self.set.spec.pod_management_policy != "Parallel"
    }

    pub(super) fn is_available(&self, pod: &Pod) -> bool {
        pod::is_available(pod, self.set.spec.min_ready_seconds, self.now)
    }

    /// Whether a pod cannot be counted on, because it is not available, or is going.
    pub(super) fn is_unavailable(&self, pod: &Pod) -> bool {
        !self.is_available(pod) || pod.metadata.deletion_timestamp.is_some()
    }

    /// Brings each pod to what it should be, then deletes those that are too many.
    fn advance(&mut self) -> Turn {
        if self.is_ordered() {
            for ordinal in identity::ordinals(self.set) {
                let turn = match self.replicas.get(&ordinal).copied() {
                    None => self.create(ordinal),
                    Some(pod) => self.tend(pod, ordinal),
                };
                if turn == Turn::Wait {
                    return Turn::Wait;
                }
            }
        } else {
            for (ordinal, pod) in self.replicas.clone() {
                self.tend(pod, ordinal);
            }
            let missing = identity::ordinals(self.set).filter(|ordinal| !self.replicas.contains_key(ordinal));
            for ordinal in missing.take(BURST).collect::<Vec<_>>() {
                self.create(ordinal);
            }
        }
        self.condemn()
    }

    /// Deletes the pods that are too many: in order, one at a time, and not before it is well, unless it is the first that is not.
    fn condemn(&mut self) -> Turn {
        let condemned = self.condemned.clone();
        for pod in &condemned {
            if !self.has_owned_claims(self.set, member(pod)) {
                self.own_claims(member(pod));
            }
        }
        let first_unavailable = condemned.iter().rev().find(|pod| self.is_unavailable(pod));
        for pod in &condemned {
            if pod.metadata.deletion_timestamp.is_none() {
                let is_first = first_unavailable.is_some_and(|first| first.metadata.uid == pod.metadata.uid);
                let is_well = is_running_and_ready(pod) && self.is_available(pod);
                if is_well || is_first || !self.is_ordered() {
                    self.delete(pod);
                }
            }
            if self.is_ordered() {
                return Turn::Wait;
            }
        }
        Turn::Next
    }

    /// Makes the pod of an ordinal, after its claims.
    fn create(&mut self, ordinal: i64) -> Turn {
        let name = identity::pod_name(self.set, ordinal);
        // Somebody else's pod is in the way: its end is waited for.
        let is_taken = self.world.get::<Pod>(&self.set.metadata.namespace, &name).is_some();
        if is_taken || claims::are_stale(self.set, ordinal, self.world) {
            return Turn::Wait;
        }
        let (missing, why) = claims::missing(self.set, ordinal, self.world);
        self.steps.claims.extend(missing);
        if let Some(why) = why {
            self.steps.notes.push(failed(self.set, "FailedCreate", "Create", &name, &why));
            return Turn::Wait;
        }
        self.own_claims(Member { name: &name, uid: "", ordinal });
        let pod = self.new_pod(ordinal);
        let done = done(self.set, "SuccessfulCreate", "Create", &name);
        let failed = failed(self.set, "FailedCreate", "Create", &name, "{error}");
        self.steps.pods.push(Write::create(pod).telling(Some(done), Some(failed)));
        Turn::Wait
    }

    /// A new pod of the revision that its ordinal is to have.
    fn new_pod(&self, ordinal: i64) -> Pod {
        let strategy = &self.set.spec.update_strategy;
        let index = ordinal - identity::ordinals(self.set).start;
        let keeps_current = match &strategy.rolling_update {
            Some(rolling) => index < i64::from(rolling.partition.unwrap_or(0)),
            None => strategy.type_ == "RollingUpdate" && index < i64::from(self.set.status.current_replicas),
        };
        let (set, revision) = match keeps_current {
            true => (&self.current_set, &self.revisions.current),
            false => (&self.update_set, &self.revisions.update),
        };
        identity::new_pod(set, &revision.metadata.name, ordinal)
    }

    /// Sees to a pod that is there.
    fn tend(&mut self, pod: &Pod, ordinal: i64) -> Turn {
        let is_going = pod.metadata.deletion_timestamp.is_some();
        if pod::is_terminal(pod) {
            // Whatever its containers' codes: an eviction can end a pod with success. A new one comes once this one is gone.
            if !is_going {
                self.delete(pod);
            }
            return Turn::Wait;
        }
        if pod.status.phase == "Pending" {
            let (missing, why) = claims::missing(self.set, ordinal, self.world);
            self.steps.claims.extend(missing);
            if why.is_some() {
                return Turn::Wait;
            }
            self.own_claims(member(pod));
        }
        if self.is_ordered() && (is_going || !is_running_and_ready(pod) || !self.is_available(pod)) {
            return Turn::Wait;
        }
        self.conform(pod, ordinal);
        Turn::Next
    }

    /// Gives a pod the identity, the volumes and the claims' owners that it should have.
    fn conform(&mut self, pod: &Pod, ordinal: i64) {
        let set = &self.update_set;
        let is_identified = identity::is_identified(set, pod, ordinal);
        let has_volumes = identity::has_volumes(set, pod, ordinal);
        if is_identified && has_volumes && self.has_owned_claims(set, member(pod)) {
            return;
        }
        let mut changed = pod.clone();
        if !is_identified {
            identity::identify(set, &mut changed, ordinal);
        }
        if !has_volumes {
            identity::give_volumes(set, &mut changed, ordinal);
            let (missing, why) = claims::missing(set, ordinal, self.world);
            if let Some(why) = why {
                self.steps.notes.push(failed(self.set, "FailedUpdate", "Update", &pod.metadata.name, &why));
                return;
            }
            self.steps.claims.extend(missing);
        }
        self.own_claims(member(pod));
        let name = &pod.metadata.name;
        let done = done(self.set, "SuccessfulUpdate", "Update", name);
        let failed = failed(self.set, "FailedUpdate", "Update", name, "{error}");
        self.steps.pods.push(Write::update(changed).telling(Some(done), Some(failed)));
    }

    /// Whether a pod's claims have the owners that the set's policy wants.
    fn has_owned_claims(&self, set: &StatefulSet, pod: Member<'_>) -> bool {
        claims::existing(set, pod.ordinal, self.world).all(|claim| retention::is_up_to_date(claim, set, pod))
    }

    /// Gives a pod's claims the owners that the set's policy wants.
    fn own_claims(&mut self, pod: Member<'_>) {
        for claim in claims::existing(self.set, pod.ordinal, self.world) {
            let name = &claim.metadata.name;
            if retention::is_anothers(claim, self.set, pod) {
                // The misspelt word is upstream's.
                let message = format!(
                    "PersistentVolumeClaim {name} has a conflicting OwnerReference that acts as a manging controller, the retention policy is ignored for this claim"
                );
                self.steps.notes.push(Note::warning(self.set, "ConflictingController", message));
            }
            let is_written = self.steps.owners.iter().any(|write| write.target.name == *name);
            if !is_written && !retention::is_up_to_date(claim, self.set, pod) {
                self.steps.owners.push(Write::update(retention::owned(claim, self.set, pod)));
            }
        }
    }

    /// Deletes a pod, if that is not decided already; whether it is now.
    fn delete(&mut self, pod: &Pod) -> bool {
        let name = &pod.metadata.name;
        if !self.steps.doomed.insert(pod.metadata.uid.clone()) {
            return false;
        }
        let done = done(self.set, "SuccessfulDelete", "Delete", name);
        let failed = failed(self.set, "FailedDelete", "Delete", name, "{error}");
        self.steps.pods.push(Write::delete(pod).telling(Some(done), Some(failed)));
        true
    }

    /// Deletes a pod for another of the update's revision.
    pub(super) fn replace(&mut self, pod: &Pod) {
        // An adopted pod can be of neither revision. Upstream takes it from the current ones as well, and the status that says -1 is refused.
        let is_current = identity::revision(pod) == self.revisions.current.metadata.name;
        if self.delete(pod) && is_current {
            self.steps.replaced += 1;
        }
    }
}

fn member(pod: &Pod) -> Member<'_> {
    let ordinal = identity::ordinal(pod).unwrap_or(-1);
    Member { name: &pod.metadata.name, uid: &pod.metadata.uid, ordinal }
}

pub(super) fn is_running_and_ready(pod: &Pod) -> bool {
    pod.status.phase == "Running" && pod::is_ready(pod)
}

fn done(set: &StatefulSet, reason: &'static str, verb: &str, pod: &str) -> Note {
    let message = format!("{verb} Pod {pod} in StatefulSet {} successful", set.metadata.name);
    Note::normal(set, reason, message)
}

fn failed(set: &StatefulSet, reason: &'static str, verb: &str, pod: &str, why: &str) -> Note {
    let message = format!("{verb} Pod {pod} in StatefulSet {} failed error: {why}", set.metadata.name);
    Note::warning(set, reason, message)
}
