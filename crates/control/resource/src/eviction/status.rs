//! What is said of a rule: how many pods have to go because of it, or would have to.

use std::collections::BTreeSet;

use api_device::claim;
use api_device::taint::{NO_EXECUTE, selects};
use api_meta::conditions;
use api_types::core::v1::Pod;
use api_types::meta::v1::Condition;
use api_types::resource::v1::{DeviceTaintRule, ResourceClaim, ResourceSlice};
use base::time::Time;
use client::reconcile::{Plan, World, Write};
use serde_json::json;

use super::due;
use super::tainted::{Tainted, current};
use crate::limits::RULE_STATUS;

const IN_PROGRESS: &str = "EvictionInProgress";

/// What to do about a rule's status. `evicted` is how many pods were evicted because of it.
pub(super) fn plan(
    rule: &DeviceTaintRule,
    world: &World,
    tainted: &Tainted,
    evicted: usize,
    now: Time,
) -> Plan {
    let mut plan = Plan::default();
    let said = conditions::find(&rule.status.conditions, IN_PROGRESS);
    if let Some(said) = said.filter(|said| said.observed_generation == rule.metadata.generation) {
        let since = said.last_transition_time.map_or(Time::EPOCH, Time::from);
        let left = (since + RULE_STATUS).since(now);
        if !left.is_zero() {
            plan.again_in(left);
            return plan;
        }
    }
    let new = condition(rule, world, tainted, evicted);
    if said.is_some_and(|said| is_same(said, &new)) {
        return plan;
    }
    let at: api_record::scalar::Time = now.into();
    let condition = json!({
        "type": new.type_,
        "status": new.status,
        "reason": new.reason,
        "message": new.message,
        "observedGeneration": new.observed_generation,
        "lastTransitionTime": at.to_string(),
    });
    plan.stage([Write::patch(rule, "status", json!({"status": {"conditions": [condition]}}))]);
    plan
}

fn is_same(one: &Condition, other: &Condition) -> bool {
    one.status == other.status
        && one.reason == other.reason
        && one.message == other.message
        && one.observed_generation == other.observed_generation
}

fn counted(count: usize, one: &str, many: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
}

/// How many pods have to go because of a rule, and in how many namespaces they are.
struct Pending {
    pods: usize,
    namespaces: usize,
}

impl Pending {
    fn places(&self) -> String {
        counted(self.namespaces, "namespace", "different namespaces")
    }
}

fn condition(rule: &DeviceTaintRule, world: &World, tainted: &Tainted, evicted: usize) -> Condition {
    let effect = rule.spec.taint.effect.as_str();
    let (mut status, mut message) = (conditions::FALSE, String::new());
    let reason = match effect {
        NO_EXECUTE => {
            let pending = pending(rule, world, tainted, &due::evicting(world));
            match pending.pods {
                0 if evicted > 0 => "Completed",
                0 => "NotStarted",
                pods => {
                    status = conditions::TRUE;
                    let pods = counted(pods, "pod needs", "pods need");
                    message = format!("{pods} to be evicted in {}.", pending.places());
                    "PodsPendingEviction"
                }
            }
        }
        "None" => {
            message = simulated(rule, world, tainted);
            "NoEffect"
        }
        _ => {
            "Eviction only happens for the NoExecute effect.".clone_into(&mut message);
            "OtherEffect"
        }
    };
    if evicted > 0 {
        let space = if message.is_empty() { "" } else { " " };
        let pods = counted(evicted, "pod", "pods");
        message.push_str(&format!("{space}{pods} evicted since starting the controller."));
    }
    Condition {
        type_: IN_PROGRESS.to_owned(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        message,
        observed_generation: rule.metadata.generation,
        last_transition_time: None,
    }
}

/// What the rule would do if it had an effect.
fn simulated(rule: &DeviceTaintRule, world: &World, tainted: &Tainted) -> String {
    let mut evicting = rule.clone();
    NO_EXECUTE.clone_into(&mut evicting.spec.taint.effect);
    let pending = pending(&evicting, world, tainted, &[&evicting]);
    let devices = current(world.all::<ResourceSlice>()).into_iter().map(|slice| {
        let spec = &slice.spec;
        let meant = spec.devices.iter().filter(|own| selects(rule, &spec.driver, &spec.pool.name, &own.name));
        meant.count()
    });
    let published = counted(devices.sum(), "published device", "published devices");
    let allocated = world.all::<ResourceClaim>().map(|claim| {
        let results = claim.status.allocation.iter().flat_map(|allocation| &allocation.devices.results);
        results.filter(|own| selects(rule, &own.driver, &own.pool, &own.device)).count()
    });
    let allocated = counted(allocated.sum(), "allocated device", "allocated devices");
    let (pods, places) = (counted(pending.pods, "pod", "pods"), pending.places());
    format!(
        "{published} selected. {allocated} selected. {pods} would be evicted in {places} if the effect was NoExecute. This information will not be updated again. Recreate the DeviceTaintRule to trigger an update."
    )
}

fn pending(rule: &DeviceTaintRule, world: &World, tainted: &Tainted, rules: &[&DeviceTaintRule]) -> Pending {
    let is_about = |claim: &&ResourceClaim| {
        let mut results = claim.status.allocation.iter().flat_map(|allocation| &allocation.devices.results);
        results.any(|own| selects(rule, &own.driver, &own.pool, &own.device))
    };
    let mut pods = BTreeSet::new();
    for claim in world.all::<ResourceClaim>().filter(is_about) {
        let namespace = &claim.metadata.namespace;
        for user in claim.status.reserved_for.iter().filter(|user| claim::is_pod(user)) {
            let Some(pod) = world.get::<Pod>(namespace, &user.name) else { continue };
            let is_here = pod.metadata.uid == user.uid && pod.metadata.deletion_timestamp.is_none();
            let eviction = due::of_pod(pod, world, tainted, rules).filter(|_| is_here);
            if eviction.is_some_and(|eviction| eviction.rules.contains(&rule.metadata.uid)) {
                pods.insert((namespace.as_str(), pod.metadata.name.as_str()));
            }
        }
    }
    let namespaces: BTreeSet<&str> = pods.iter().map(|(namespace, _)| *namespace).collect();
    Pending { pods: pods.len(), namespaces: namespaces.len() }
}
