//! Deployments: what a rollout waits for.

use api_kind::span;
use api_meta::conditions;
use api_types::apps::v1::{Deployment, ReplicaSet};
use api_types::core::v1::Pod;
use control_workload::{Bounds, Deployments, split_sets};

use super::replica_set::wanted as wanted_of;
use super::{failed_creations, key_of, next_step, ready_of, sick, unobserved};
use crate::evidence::Evidence;
use crate::finding::{Finding, Named, counted};

const DEFAULT_REPLICAS: i32 = 1;

fn wanted(deployment: &Deployment) -> i32 {
    deployment.spec.replicas.unwrap_or(DEFAULT_REPLICAS)
}

/// How a deployment is, in a few words.
pub(crate) fn state(deployment: &Deployment) -> String {
    let status = &deployment.status;
    let wanted = wanted(deployment);
    let ready = ready_of(status.ready_replicas, wanted);
    let is_whole = status.observed_generation >= deployment.metadata.generation
        && status.updated_replicas == wanted
        && status.replicas == wanted
        && status.available_replicas == wanted;
    match (deployment.spec.paused, is_whole) {
        (true, _) => format!("{ready}, paused"),
        (false, true) => format!("rolled out, {ready}"),
        (false, false) => format!("rolling out, {ready}, {} of the new template", status.updated_replicas),
    }
}

/// Why a deployment is not rolled out.
pub(crate) fn explain(deployment: &Deployment, evidence: &Evidence) -> Vec<Finding> {
    let mut findings: Vec<Finding> =
        unobserved(deployment.status.observed_generation, &deployment.metadata).into_iter().collect();
    if deployment.spec.paused {
        let remedy = format!(
            "kubectl -n {} rollout resume deployment {}",
            deployment.metadata.namespace, deployment.metadata.name
        );
        findings
            .push(Finding::new("Paused", "it is paused: a new template is not rolled out").remedy(remedy));
    }
    findings.extend(deadline(deployment));
    findings.extend(rollout(deployment, evidence));
    if evidence.knows::<Pod>() && evidence.knows::<ReplicaSet>() {
        findings.extend(next_step(&Deployments, &key_of(&deployment.metadata), evidence));
    }
    findings
}

fn deadline(deployment: &Deployment) -> Option<Finding> {
    let said = conditions::find(&deployment.status.conditions, "Progressing")?;
    if said.reason != "ProgressDeadlineExceeded" {
        return None;
    }
    let after = deployment
        .spec
        .progress_deadline_seconds
        .map_or_else(String::new, |seconds| format!(" of {}", span(i64::from(seconds))));
    let why = format!(
        "nothing has got on within the progress deadline{after}: {}; it goes on all the same as soon as it can",
        said.message
    );
    let undo = format!(
        "kubectl -n {} rollout undo deployment {}",
        deployment.metadata.namespace, deployment.metadata.name
    );
    Some(Finding::new("ProgressDeadlineExceeded", why).since(said.last_transition_time).remedy(undo))
}

/// How far it has come, within which bounds, and what is wrong with the pods of each set.
fn rollout(deployment: &Deployment, evidence: &Evidence) -> Option<Finding> {
    let status = &deployment.status;
    let wanted = wanted(deployment);
    let sets: Vec<&ReplicaSet> = evidence.world.owned_by::<ReplicaSet>(&deployment.metadata.uid).collect();
    let (new, old) = split_sets(deployment, &sets);
    let old_pods: i32 = old.iter().map(|set| set.status.replicas).sum();
    let new_available = new.as_ref().map_or(0, |set| set.status.available_replicas);
    if new_available >= wanted && old_pods == 0 && status.available_replicas >= wanted {
        return None;
    }
    let mut because: Vec<Finding> = Vec::new();
    if let Some(new) = &new {
        because.extend(of_set("NewSet", "the new set", new, evidence));
    }
    for set in old.iter().filter(|set| set.status.replicas > 0 || wanted_of(set) > 0) {
        because.extend(of_set("OldSet", "an old set", set, evidence));
    }
    because.extend(bounds(deployment, old_pods, status.available_replicas));
    let message = format!(
        "{} of {} wanted are of the new template and available, and {old_pods} of old ones are there",
        new_available,
        counted(usize::try_from(wanted).unwrap_or(0), "pod", "pods"),
    );
    Some(Finding::new("Rollout", message).because(because))
}

/// What a set wants, what it has, and why it has no more.
fn of_set(reason: &str, word: &str, set: &ReplicaSet, evidence: &Evidence) -> Option<Finding> {
    let (wanted, status) = (wanted_of(set), &set.status);
    let mut sick = sick(&set.metadata, evidence);
    if status.replicas < wanted {
        let failure =
            conditions::find(&set.status.conditions, "ReplicaFailure").filter(|said| said.status == "True");
        let failure = failure
            .map(|said| Finding::new(&said.reason, said.message.clone()).since(said.last_transition_time));
        sick.splice(0..0, failure.or_else(|| failed_creations(&set.metadata, "ReplicaSet", evidence)));
    }
    let message = format!(
        "is {word}: it wants {}, has {}, and {} available",
        counted(usize::try_from(wanted).unwrap_or(0), "pod", "pods"),
        status.replicas,
        if status.available_replicas == 1 {
            "1 is".to_owned()
        } else {
            format!("{} are", status.available_replicas)
        },
    );
    let named = Named::new("apps/v1", "ReplicaSet", &set.metadata.namespace, &set.metadata.name);
    Some(Finding::new(reason, message).about(named).because(sick))
}

/// Why old pods stay, and no more new ones are made: the strategy's arithmetic.
fn bounds(deployment: &Deployment, old_pods: i32, available: i32) -> Option<Finding> {
    let wanted = wanted(deployment);
    if deployment.spec.strategy.type_ == "Recreate" {
        return (old_pods > 0).then(|| {
            Finding::new(
                "Recreate",
                format!(
                    "its strategy is Recreate: new pods are made when the {old_pods} old ones have ended"
                ),
            )
        });
    }
    if old_pods == 0 {
        return None;
    }
    let Bounds { surge, unavailable } = Bounds::of(deployment);
    let (most, least) = (wanted + surge, wanted - unavailable);
    let mut message = format!(
        "its strategy allows {most} pods at most ({wanted} and maxSurge {surge}), and wants {least} available at least ({wanted} less maxUnavailable {unavailable})"
    );
    if available <= least {
        message
            .push_str(&format!(": {available} are available, so none of the old ones goes until another is"));
    }
    Some(Finding::new("RollingUpdate", message))
}
