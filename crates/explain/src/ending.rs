//! Objects that are being deleted and are still there: what holds them.

use std::time::Duration;

use api_kind::span;
use api_record::scalar::Time;
use api_types::core::v1::Pod;
use api_types::object_meta;
use base::time::Time as Now;

use crate::changes;
use crate::evidence::{Evidence, Subject};
use crate::finding::{Finding, Named, counted, few};
use crate::limits::SHOWN;

/// What is to be said of an object that is being deleted; `None` of one that is not.
pub(crate) fn explain(subject: &Subject, evidence: &Evidence) -> Option<Finding> {
    let meta = &subject.meta;
    let deleted = meta.deletion_timestamp?;
    let grace = meta.deletion_grace_period_seconds.unwrap_or(0);
    // The timestamp is when the grace ends.
    let asked = Time { seconds: deleted.seconds - grace };
    let held: Vec<Finding> =
        meta.finalizers.iter().map(|finalizer| holder(finalizer, subject, evidence)).collect();
    let mut finding = Finding::new("Terminating", words(subject, &held, deleted, evidence.now));
    finding = finding.since(Some(asked)).because(held);
    if subject.named.kind == "Pod" && meta.finalizers.is_empty() && is_late(deleted, evidence.now) {
        finding = finding.remedy(
            "the node's agent says when its containers have ended: see whether the node is ready, and what the pod's containers do with SIGTERM",
        );
    }
    Some(finding)
}

fn is_late(deleted: Time, now: Now) -> bool {
    Now::from(deleted) < now
}

fn words(subject: &Subject, held: &[Finding], deleted: Time, now: Now) -> String {
    if !held.is_empty() {
        let which = counted(held.len(), "finalizer", "finalizers");
        return format!(
            "it is being deleted, and stays until {which} {} removed",
            if held.len() == 1 { "is" } else { "are" }
        );
    }
    if subject.named.kind == "Pod" {
        let left = Now::from(deleted).since(now);
        return match left {
            Duration::ZERO => "it is being deleted, and its containers had until now to end".to_owned(),
            left => {
                let left = span(i64::try_from(left.as_secs()).unwrap_or(i64::MAX));
                format!("it is being deleted; its containers may take {left} more to end")
            }
        };
    }
    "it is being deleted".to_owned()
}

/// What a finalizer waits for.
fn holder(finalizer: &str, subject: &Subject, evidence: &Evidence) -> Finding {
    let finding = |message: String| Finding::new("Finalizer", format!("{finalizer}: {message}"));
    match finalizer {
        "foregroundDeletion" => foreground(subject, evidence, finding),
        "orphan" => finding("the garbage collector takes it out of what it owns first".into()),
        "kubernetes.io/pvc-protection" => {
            let users = users(subject, evidence);
            match users.is_empty() {
                true => finding("the claim is protected while pods use it".into()),
                false => finding(format!("pods use the claim: {}", few(users, SHOWN)))
                    .remedy("delete those pods; the claim goes when they have"),
            }
        }
        "kubernetes.io/pv-protection" => {
            finding("the volume is protected while a claim is bound to it".into())
                .remedy("delete the claim that spec.claimRef names")
        }
        "batch.kubernetes.io/job-tracking" => {
            finding("the job controller counts how the pod ended, and then lets it go".into())
        }
        "service.kubernetes.io/load-balancer-cleanup" => {
            finding("whoever made the load balancer takes it away first".into())
        }
        _ => {
            let who = changes::managers_of(&subject.meta, ".metadata.finalizers");
            let by = if who.is_empty() {
                String::new()
            } else {
                format!(" (finalizers were written by {})", few(who, SHOWN))
            };
            finding(format!("whoever put it there has to remove it{by}"))
                .remedy(format!("see whether the controller that owns {finalizer} runs; taking the finalizer out by hand skips its cleaning up"))
        }
    }
}

fn foreground(subject: &Subject, evidence: &Evidence, finding: impl Fn(String) -> Finding) -> Finding {
    let mut blocking: Vec<Named> = Vec::new();
    for (resource, object) in evidence.world.dependents_of(&subject.meta.uid) {
        let Some(meta) = object_meta(&**object) else { continue };
        let blocks = |owner: &&api_types::meta::v1::OwnerReference| {
            owner.uid == subject.meta.uid && owner.block_owner_deletion == Some(true)
        };
        if meta.owner_references.iter().find(blocks).is_some() {
            blocking.push(Named::of(resource, meta));
        }
    }
    match blocking.is_empty() {
        true => finding("what it owns goes first".into()),
        false => finding(format!("what it owns goes first, and is still there: {}", few(blocking, SHOWN))),
    }
}

fn users(subject: &Subject, evidence: &Evidence) -> Vec<String> {
    let (namespace, name) = (&subject.named.namespace, &subject.named.name);
    let pods = evidence.world.in_namespace::<Pod>(namespace);
    let uses = pods.filter(|pod| {
        !control_base::pod::is_terminal(pod) && api_volume::pod::claims(pod).any(|used| used.claim == *name)
    });
    uses.map(|pod| pod.metadata.name.clone()).collect()
}
