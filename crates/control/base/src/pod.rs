//! What controllers ask about a pod, and how one comes from a template. Upstream: `pkg/api/v1/pod`,
//! `pkg/controller/controller_utils.go`.

use std::time::Duration;

use api_meta::{conditions, names};
use api_record::{Typed, scalar};
use api_types::core::v1::{Pod, PodCondition, PodTemplateSpec};
use api_types::meta::v1::{ObjectMeta, OwnerReference};
use base::time::Time;
use client::reconcile::{Note, World, Write};

/// The type of the condition that says that a pod is about to go for a reason that is not its own.
pub const DISRUPTION_TARGET: &str = "DisruptionTarget";

/// Whether all containers have stopped for good.
pub fn is_terminal(pod: &Pod) -> bool {
    matches!(pod.status.phase.as_str(), "Succeeded" | "Failed")
}

/// The pods that have ended.
pub fn terminal(world: &World) -> impl Iterator<Item = &Pod> {
    world.with_text(&["status", "phase"], |phase| matches!(phase, "Succeeded" | "Failed"))
}

/// The pods that are bound to a node.
pub fn on_node<'a>(world: &'a World, node: &'a str) -> impl Iterator<Item = &'a Pod> {
    world.with_text(&["spec", "nodeName"], move |name| name == node)
}

/// Whether it neither has ended nor is being deleted.
pub fn is_active(pod: &Pod) -> bool {
    !is_terminal(pod) && pod.metadata.deletion_timestamp.is_none()
}

/// Whether it is being deleted and has not ended yet.
pub fn is_terminating(pod: &Pod) -> bool {
    !is_terminal(pod) && pod.metadata.deletion_timestamp.is_some()
}

/// Its `Ready` condition.
pub fn ready_condition(pod: &Pod) -> Option<&PodCondition> {
    conditions::find(&pod.status.conditions, "Ready")
}

/// Whether it is ready.
pub fn is_ready(pod: &Pod) -> bool {
    conditions::is_true(&pod.status.conditions, "Ready")
}

/// Since when it has been ready; `None` if it is not, or nobody has written down since when.
pub fn ready_since(pod: &Pod) -> Option<scalar::Time> {
    ready_condition(pod).filter(|condition| condition.status == "True")?.last_transition_time
}

/// Whether it has been ready for this many seconds.
pub fn is_available(pod: &Pod, min_ready_seconds: i32, now: Time) -> bool {
    is_ready(pod) && available_in(pod, min_ready_seconds, now).is_some_and(|wait| wait.is_zero())
}

/// How long until it has been ready for this many seconds, if it stays ready; `None` if it is not, or never can be.
pub fn available_in(pod: &Pod, min_ready_seconds: i32, now: Time) -> Option<Duration> {
    if !is_ready(pod) {
        return None;
    }
    if min_ready_seconds == 0 {
        return Some(Duration::ZERO);
    }
    let since = Time::from(ready_since(pod)?);
    let wanted = Duration::from_secs(u64::try_from(min_ready_seconds).unwrap_or(0));
    Some((since + wanted).since(now))
}

/// That condition in a patch of the status, for this reason and from now on, or since it has been there.
pub fn disruption_target(pod: &Pod, reason: &str, message: &str, now: Time) -> serde_json::Value {
    let said = conditions::find(&pod.status.conditions, DISRUPTION_TARGET);
    let since =
        said.filter(|said| said.status == conditions::TRUE).and_then(|said| said.last_transition_time);
    serde_json::json!({
        "type": DISRUPTION_TARGET,
        "observedGeneration": pod.metadata.generation,
        "status": conditions::TRUE,
        "reason": reason,
        "message": message,
        "lastTransitionTime": since.unwrap_or_else(|| now.into()).to_string(),
    })
}

/// A new pod of a template, with a name to be generated from its owner's.
pub fn from_template(template: &PodTemplateSpec, owner: &ObjectMeta, reference: OwnerReference) -> Pod {
    let dashed = format!("{}-", owner.name);
    let fits = names::name_is_dns_subdomain(&dashed, true).is_empty();
    let metadata = ObjectMeta {
        generate_name: if fits { dashed } else { owner.name.clone() },
        namespace: owner.namespace.clone(),
        labels: template.metadata.labels.clone(),
        annotations: template.metadata.annotations.clone(),
        finalizers: template.metadata.finalizers.clone(),
        owner_references: vec![reference],
        ..ObjectMeta::default()
    };
    Pod { metadata, spec: template.spec.clone(), ..Pod::default() }
}

/// Makes a pod for an owner, who tells of it.
pub fn creation<T: Typed>(owner: &T, pod: Pod) -> Write {
    let done = Note::normal(owner, "SuccessfulCreate", "Created pod: {name}");
    let failed = Note::warning(owner, "FailedCreate", "Error creating: {error}");
    Write::create(pod).telling(Some(done), Some(failed))
}

/// Deletes a pod of an owner, who tells of it.
pub fn deletion<T: Typed>(owner: &T, pod: &Pod) -> Write {
    let done = Note::normal(owner, "SuccessfulDelete", "Deleted pod: {name}");
    let failed = Note::warning(owner, "FailedDelete", "Error deleting: {error}");
    Write::delete(pod).telling(Some(done), Some(failed))
}
