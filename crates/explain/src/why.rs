//! The whole answer: what is to be said of the object's own kind, and what of any object.

use api_record::Typed;
use api_types::apps::v1::{DaemonSet, Deployment, ReplicaSet, StatefulSet};
use api_types::autoscaling::v2::HorizontalPodAutoscaler;
use api_types::batch::v1::{CronJob, Job};
use api_types::core::v1::{
    Namespace, Node, PersistentVolume, PersistentVolumeClaim, Pod, ReplicationController, Service,
};
use api_types::policy::v1::PodDisruptionBudget;
use serde_json::Value;

use crate::answer::Answer;
use crate::evidence::{Evidence, Subject};
use crate::finding::Finding;
use crate::limits::EVENTS;
use crate::workload::{autoscaler, cron_job, daemon_set, deployment, job, replica_set, stateful_set};
use crate::{budget, changes, claim, condition, ending, kin, namespace, node, pod, service, volume};

/// How it is, and why.
type Said = (String, Vec<Finding>);

/// Why an object is as it is.
pub fn why(subject: &Subject, evidence: &Evidence) -> Answer {
    let (mut state, mut findings) = of_kind(subject, evidence).unwrap_or_else(|| of_any(&subject.object));
    let told_already = findings.iter().any(|finding| finding.reason == "Terminating");
    if let Some(ending) = ending::explain(subject, evidence).filter(|_| !told_already) {
        findings.insert(0, ending);
    }
    if subject.meta.deletion_timestamp.is_some() && !state.starts_with("Terminating") {
        state = if state.is_empty() { "Terminating".to_owned() } else { format!("Terminating, {state}") };
    }
    let mut events = evidence.events(&subject.meta, &subject.named.kind);
    events.truncate(EVENTS);
    Answer {
        subject: subject.named.clone(),
        state,
        findings,
        owners: kin::owners(subject, evidence),
        owned: kin::owned(&subject.meta.uid, evidence),
        changes: changes::of(&subject.meta),
        events,
        unread: evidence.unread.iter().map(|unread| format!("{}: {}", unread.resource, unread.why)).collect(),
    }
}

/// What is said of a kind whose meaning is known here; `None` for others.
fn of_kind(subject: &Subject, evidence: &Evidence) -> Option<Said> {
    let as_is = |state: String, findings: Vec<Finding>| Some((state, findings));
    match (subject.named.group(), subject.named.kind.as_str()) {
        ("", "Pod") => found::<Pod>(subject, evidence)
            .and_then(|own| as_is(pod::state(own, evidence), pod::explain(own, evidence))),
        ("", "Node") => found::<Node>(subject, evidence)
            .and_then(|own| as_is(node::state(own), node::explain(own, evidence))),
        ("", "Service") => found::<Service>(subject, evidence)
            .and_then(|own| as_is(service::state(own, evidence), service::explain(own, evidence))),
        ("", "PersistentVolumeClaim") => found::<PersistentVolumeClaim>(subject, evidence)
            .and_then(|own| as_is(claim::state(own), claim::explain(own, evidence))),
        ("", "PersistentVolume") => found::<PersistentVolume>(subject, evidence)
            .and_then(|own| as_is(volume::state(own), volume::explain(own, evidence))),
        ("", "Namespace") => found::<Namespace>(subject, evidence)
            .and_then(|own| as_is(own.status.phase.clone(), namespace::explain(own))),
        _ => of_workload(subject, evidence),
    }
}

fn of_workload(subject: &Subject, evidence: &Evidence) -> Option<Said> {
    match (subject.named.group(), subject.named.kind.as_str()) {
        ("", "ReplicationController") => found::<ReplicationController>(subject, evidence)
            .map(|own| (replica_set::controllers_state(own), replica_set::explain_controller(own, evidence))),
        ("apps", "Deployment") => found::<Deployment>(subject, evidence)
            .map(|own| (deployment::state(own), deployment::explain(own, evidence))),
        ("apps", "ReplicaSet") => found::<ReplicaSet>(subject, evidence)
            .map(|own| (replica_set::state(own), replica_set::explain(own, evidence))),
        ("apps", "StatefulSet") => found::<StatefulSet>(subject, evidence)
            .map(|own| (stateful_set::state(own), stateful_set::explain(own, evidence))),
        ("apps", "DaemonSet") => found::<DaemonSet>(subject, evidence)
            .map(|own| (daemon_set::state(own), daemon_set::explain(own, evidence))),
        ("batch", "Job") => {
            found::<Job>(subject, evidence).map(|own| (job::state(own), job::explain(own, evidence)))
        }
        ("batch", "CronJob") => found::<CronJob>(subject, evidence)
            .map(|own| (cron_job::state(own), cron_job::explain(own, evidence))),
        ("autoscaling", "HorizontalPodAutoscaler") => found::<HorizontalPodAutoscaler>(subject, evidence)
            .map(|own| (autoscaler::state(own), autoscaler::explain(own))),
        ("policy", "PodDisruptionBudget") => found::<PodDisruptionBudget>(subject, evidence)
            .map(|own| (budget::state(own), budget::explain(own, evidence))),
        _ => None,
    }
}

fn found<'a, T: Typed>(subject: &Subject, evidence: &'a Evidence) -> Option<&'a T> {
    evidence.world.get::<T>(&subject.named.namespace, &subject.named.name)
}

/// What the object says of itself as most kinds do: a phase, and conditions.
fn of_any(object: &Value) -> Said {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let phase = [text("/status/phase"), text("/status/state")].into_iter().find(|text| !text.is_empty());
    let mut findings = condition::troubles(object);
    let number = |pointer: &str| object.pointer(pointer).and_then(Value::as_i64);
    if let (Some(observed), Some(generation)) =
        (number("/status/observedGeneration"), number("/metadata/generation"))
        && observed < generation
    {
        let why = "its controller has yet to look at what was changed last (status.observedGeneration)";
        findings.push(Finding::new("NotObserved", why));
    }
    (phase.unwrap_or_default().to_owned(), findings)
}
