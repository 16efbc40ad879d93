//! Jobs: pods that are to succeed, counted exactly once.
//!
//! Upstream: `pkg/controller/job`. Each pod carries a finalizer until it is counted: first the pod's uid is written into the
//! job's status, then the finalizer is taken off, then the count goes up and the uid leaves. What upstream does in one go with up to
//! three writes of the status takes as many plans here, each from what the views show.
//!
//! What differs: upstream remembers failures for the back-off of new pods in memory; here the pods that are still there tell
//! of them, so a restart forgets nothing, but a pod that was deleted and is gone holds up its successor no longer.
//! A pod with the finalizer whose job is gone or finished is a key of its own ([`Key::Stray`]).

mod back_off;
mod condition;
mod failure_policy;
mod indexes;
mod making;
mod removal;
mod success_policy;
mod sync;
#[cfg(test)]
mod tests;
mod track;

use std::time::Duration;

use api_meta::gvk::GroupVersionKind;
use api_meta::labels::Selector;
use api_meta::owners;
use api_types::batch::v1::Job;
use api_types::core::v1::Pod;
use base::time::Time;
use client::Target;
use client::reconcile::{BackOff, Controller, Guard, Note, Plan, Wires, World, Write, resource_of};

use control_base::claim::claim_picked;
use sync::Sync;

pub(super) use condition::{finished, is_complete};

/// The kind that its pods name as their owner's.
pub(super) const KIND: GroupVersionKind<'static> =
    GroupVersionKind { group: "batch", version: "v1", kind: "Job" };

/// What keeps a pod until it is counted.
const FINALIZER: &str = "batch.kubernetes.io/job-tracking";

/// Who runs the jobs that do not say who does.
const CONTROLLER: &str = "kubernetes.io/job-controller";

/// The controller of Jobs.
pub struct Jobs;

/// What the controller of jobs thinks about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The job of a namespace and a name.
    Job(String, String),
    /// A pod, by namespace and name, that keeps the finalizer although no job counts it any more.
    Stray(String, String),
}

impl Controller for Jobs {
    const NAME: &'static str = "job-controller";
    const BACK_OFF: BackOff = BackOff { first: Duration::from_secs(1), longest: Duration::from_secs(60) };
    type Key = Key;

    fn wire(&self, wires: &mut Wires<Key>) {
        wires.maps::<Job>(|job, world| {
            let meta = &job.metadata;
            let mut keys = vec![Key::Job(meta.namespace.clone(), meta.name.clone())];
            let current = world.get::<Job>(&meta.namespace, &meta.name);
            if current.is_none_or(|current| current.metadata.uid != meta.uid || finished(current).is_some()) {
                keys.extend(world.owned_by::<Pod>(&meta.uid).filter(|pod| is_tracked(pod)).map(stray));
            }
            keys
        });
        wires.maps::<Pod>(|pod, world| {
            let namespace = &pod.metadata.namespace;
            let job = |job: &Job| Key::Job(namespace.clone(), job.metadata.name.clone());
            let Some(owner) = owners::controller_of(&pod.metadata) else {
                let jobs = world.in_namespace::<Job>(namespace);
                let picking =
                    jobs.filter(|job| selector(job).is_some_and(|it| it.matches(&pod.metadata.labels)));
                return picking.map(job).chain(is_tracked(pod).then(|| stray(pod))).collect();
            };
            if owners::kind_of(owner) != Some(KIND) {
                return Vec::new();
            }
            let named = world.get::<Job>(namespace, &owner.name).filter(|job| job.metadata.uid == owner.uid);
            match named.filter(|job| finished(job).is_none()) {
                Some(named) => vec![job(named)],
                None if is_tracked(pod) => vec![stray(pod)],
                None => Vec::new(),
            }
        });
    }

    fn plan(&self, key: &Key, world: &World, now: Time) -> Plan {
        match key {
            Key::Job(namespace, name) => plan_job(namespace, name, world, now),
            Key::Stray(namespace, name) => plan_stray(namespace, name, world),
        }
    }
}

fn plan_job(namespace: &str, name: &str, world: &World, now: Time) -> Plan {
    let mut plan = Plan::default();
    let Some(job) = world.get::<Job>(namespace, name) else { return plan };
    if is_managed_elsewhere(job) || finished(job).is_some() {
        return plan;
    }
    if !matches!(job.spec.completion_mode.as_deref(), None | Some("NonIndexed" | "Indexed")) {
        let why = "Skipped Job sync because completion mode is unknown";
        plan.events.push(Note::warning(job, "UnknownCompletionMode", why));
        return plan;
    }
    let Some(selector) = selector(job) else { return plan };
    let owned = world.owned_by::<Pod>(&job.metadata.uid).filter(|pod| pod.metadata.namespace == namespace);
    let candidates = owned.chain(world.orphans(namespace, &selector));
    let claimed = claim_picked(job, KIND, |_, meta| selector.matches(&meta.labels), &[FINALIZER], candidates);
    if !claimed.writes.is_empty() {
        // Planned again when the views show whose pods they are, and that they have the finalizer.
        plan.stage(claimed.writes);
        return plan;
    }
    Sync::new(job, claimed.objects, world, now).plan()
}

/// Takes the finalizer off a pod that no job counts any more.
fn plan_stray(namespace: &str, name: &str, world: &World) -> Plan {
    let mut plan = Plan::default();
    let Some(pod) = world.get::<Pod>(namespace, name).filter(|pod| is_tracked(pod)) else { return plan };
    let mut write = untrack(pod);
    if let Some(owner) = owners::controller_of(&pod.metadata) {
        if owners::kind_of(owner) != Some(KIND) {
            return plan;
        }
        match world.get::<Job>(namespace, &owner.name).filter(|job| job.metadata.uid == owner.uid) {
            Some(job) if is_managed_elsewhere(job) || finished(job).is_none() => return plan,
            Some(_) => {}
            // The view of jobs may lag behind that of pods.
            None => {
                write = write.guarded(Guard::Absent(job_named(namespace, &owner.name), owner.uid.clone()))
            }
        }
    }
    plan.stage([write]);
    plan
}

fn job_named(namespace: &str, name: &str) -> Target {
    Target {
        resource: resource_of::<Job>().clone(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        subresource: String::new(),
    }
}

fn stray(pod: &Pod) -> Key {
    Key::Stray(pod.metadata.namespace.clone(), pod.metadata.name.clone())
}

fn selector(job: &Job) -> Option<Selector> {
    Selector::from_api(job.spec.selector.as_deref()).ok()
}

fn is_managed_elsewhere(job: &Job) -> bool {
    job.spec.managed_by.as_deref().is_some_and(|name| name != CONTROLLER)
}

fn is_suspended(job: &Job) -> bool {
    job.spec.suspend == Some(true)
}

fn is_indexed(job: &Job) -> bool {
    job.spec.completion_mode.as_deref() == Some("Indexed")
}

/// Whether a pod waits to be counted.
fn is_tracked(pod: &Pod) -> bool {
    pod.metadata.finalizers.iter().any(|finalizer| finalizer == FINALIZER)
}

/// Takes the finalizer off a pod.
fn untrack(pod: &Pod) -> Write {
    Write::patch(
        pod,
        "",
        serde_json::json!({"metadata": {"$deleteFromPrimitiveList/finalizers": [FINALIZER]}}),
    )
}

/// Whether a pod counts as failed: one that is being deleted does, unless only failed pods are replaced.
fn has_failed(pod: &Pod, job: &Job) -> bool {
    match pod.status.phase.as_str() {
        "Failed" => true,
        "Succeeded" => false,
        _ => !replaces_only_failed(job) && pod.metadata.deletion_timestamp.is_some(),
    }
}

/// Whether a pod that is being deleted is replaced only when it has ended.
fn replaces_only_failed(job: &Job) -> bool {
    job.spec.pod_replacement_policy.as_deref() == Some("Failed")
}

fn count(items: usize) -> i32 {
    i32::try_from(items).unwrap_or(i32::MAX)
}
