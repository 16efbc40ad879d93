//! Workloads: why one has not the pods that it wants, and what its controller would do next.

pub(crate) mod autoscaler;
pub(crate) mod cron_job;
pub(crate) mod daemon_set;
pub(crate) mod deployment;
pub(crate) mod job;
pub(crate) mod replica_set;
pub(crate) mod stateful_set;

use std::collections::BTreeMap;

use api_record::Record;
use api_types::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use api_types::batch::v1::{CronJob, Job};
use api_types::core::v1::{PersistentVolumeClaim, Pod, ReplicationController};
use api_types::meta::v1::ObjectMeta;
use client::reconcile::{Controller, Name, Op, Write};

use crate::evidence::Evidence;
use crate::finding::{Finding, counted};
use crate::{claim, pod};

/// How an object that is owned is, in a few words; empty if nothing is known of its kind.
pub(crate) fn state(object: &dyn Record) -> String {
    if let Some(set) = object.downcast_ref::<ReplicaSet>() {
        return replica_set::state(set);
    }
    if let Some(deployment) = object.downcast_ref::<Deployment>() {
        return deployment::state(deployment);
    }
    if let Some(set) = object.downcast_ref::<StatefulSet>() {
        return stateful_set::state(set);
    }
    if let Some(set) = object.downcast_ref::<DaemonSet>() {
        return daemon_set::state(set);
    }
    if let Some(job) = object.downcast_ref::<Job>() {
        return job::state(job);
    }
    if let Some(job) = object.downcast_ref::<CronJob>() {
        return cron_job::state(job);
    }
    if let Some(claim) = object.downcast_ref::<PersistentVolumeClaim>() {
        return claim::state(claim);
    }
    object.downcast_ref::<ReplicationController>().map(replica_set::controllers_state).unwrap_or_default()
}

/// What most controllers think about at once.
fn key_of(meta: &ObjectMeta) -> Name {
    (meta.namespace.clone(), meta.name.clone())
}

/// `2 of 3 pods ready`.
fn ready_of(ready: i32, wanted: i32) -> String {
    format!("{ready} of {} ready", counted(usize::try_from(wanted).unwrap_or(0), "pod", "pods"))
}

/// What is wrong with the pods of an owner, each in a finding.
fn sick(owner: &ObjectMeta, evidence: &Evidence) -> Vec<Finding> {
    evidence.world.owned_by::<Pod>(&owner.uid).filter_map(|own| pod::brief(own, evidence)).collect()
}

/// Pods that could not be made, by the event of the owner.
fn failed_creations(owner: &ObjectMeta, kind: &str, evidence: &Evidence) -> Option<Finding> {
    let told = evidence.events(owner, kind).into_iter().find(|told| told.reason == "FailedCreate")?;
    let finding = Finding::new("FailedCreate", told.message.clone()).since(told.time);
    Some(if told.message.contains("exceeded quota") {
        finding.remedy("raise the ResourceQuota that is named, or free some of it")
    } else if told.message.contains("admission webhook") {
        finding.remedy("ask whoever runs the webhook that is named")
    } else {
        finding
    })
}

/// The controller has not seen the object as it is now.
fn unobserved(observed: i64, meta: &ObjectMeta) -> Option<Finding> {
    (observed < meta.generation).then(|| {
        let why = "its controller has yet to look at what was changed last";
        Finding::new("NotObserved", why).remedy("if this lasts: see whether the controllers run")
    })
}

/// What the controller would do now, by its own plan; nothing where it only waits. It is what stands in the way that a controller
/// that runs has not done.
fn next_step<C: Controller>(controller: &C, key: &C::Key, evidence: &Evidence) -> Option<Finding> {
    let plan = controller.plan(key, &evidence.world, evidence.now);
    let mut steps: BTreeMap<String, usize> = BTreeMap::new();
    let mut order = Vec::new();
    for write in plan.writes().filter(|write| write.target.subresource.is_empty()) {
        let step = step(write);
        let count = steps.entry(step.clone()).or_default();
        if *count == 0 {
            order.push(step);
        }
        *count += 1;
    }
    if order.is_empty() {
        return None;
    }
    let said: Vec<String> = order
        .iter()
        .map(|step| match steps.get(step) {
            Some(1) | None => step.clone(),
            Some(count) => format!("{step} ({count} times)"),
        })
        .collect();
    Some(Finding::new("NextStep", format!("next its controller would {}", said.join(", "))))
}

fn step(write: &Write) -> String {
    let resource = &write.target.resource.plural;
    let one = resource.strip_suffix('s').unwrap_or(resource);
    let name = &write.target.name;
    match &write.op {
        Op::Create(_) if name.is_empty() => format!("make a {one}"),
        Op::Create(_) => format!("make the {one} {name}"),
        Op::Update(..) | Op::Patch(..) => format!("change the {one} {name}"),
        Op::Delete { .. } => format!("delete the {one} {name}"),
        Op::DeleteCollection => format!("delete all {resource}"),
    }
}
