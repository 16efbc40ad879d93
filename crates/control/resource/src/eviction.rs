//! Pods whose devices are tainted so that they have to go, and what is said of the rules that taint devices.
//!
//! Upstream: `pkg/controller/devicetainteviction`. A taint counts from the time that it carries; one that carries none, from when its
//! object was made.

mod due;
mod status;
mod tainted;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api_device::{claim, taint};
use api_meta::conditions;
use api_types::core::v1::Pod;
use api_types::resource::v1::{
    DeviceTaintRule, ResourceClaim, ResourceClaimConsumerReference, ResourceSlice,
};
use base::time::Time;
use client::reconcile::{Controller, Note, Plan, Wires, World, Write, resource_of};
use control_base::pod;
use serde_json::json;

use due::Eviction;
use tainted::Tainted;

/// Evicts pods from devices whose taints their claims do not tolerate.
#[derive(Default)]
pub struct DeviceTaintEviction {
    memory: Mutex<Memory>,
}

/// What is remembered from one plan to the next.
#[derive(Default)]
struct Memory {
    /// The tainted devices of slices, as good as new while the view is at the same revision.
    tainted: Option<(client::Revision, Arc<Tainted>)>,
    /// The uids of pods that were evicted, by the uid of the rule that was a reason.
    evicted: BTreeMap<String, BTreeSet<String>>,
    /// The uids of pods that are going to be evicted.
    waiting: BTreeSet<String>,
}

/// What is thought about at once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A pod that uses devices, by namespace and name.
    Pod(String, String),
    /// A rule, by name.
    Rule(String),
}

impl Controller for DeviceTaintEviction {
    const NAME: &'static str = "device-taint-eviction-controller";
    type Key = Key;

    fn wire(&self, wires: &mut Wires<Key>) {
        // Rules come first: what is said of one is said before a pod is evicted because of it.
        let is_changed = |old: &DeviceTaintRule, new: &DeviceTaintRule| {
            old.spec != new.spec || old.metadata.uid != new.metadata.uid
        };
        wires.maps_changed::<DeviceTaintRule>(is_changed, |rule, world| {
            let mut keys = vec![Key::Rule(rule.metadata.name.clone())];
            if rule.spec.taint.effect == taint::NO_EXECUTE {
                keys.extend(users(world, |driver, pool, device| taint::selects(rule, driver, pool, device)));
            }
            keys
        });
        wires.maps::<ResourceSlice>(|slice, world| {
            let names = tainted::names(slice);
            let (driver, pool) = (&slice.spec.driver, &slice.spec.pool.name);
            match names.is_empty() {
                true => Vec::new(),
                false => users(world, |of, at, device| of == driver && at == pool && names.contains(device)),
            }
        });
        wires.maps::<ResourceClaim>(|claim, _| match claim.status.allocation {
            Some(_) => of_claim(claim).collect(),
            None => Vec::new(),
        });
        let is_moved = |old: &Pod, new: &Pod| {
            old.spec.node_name != new.spec.node_name
                || old.status.resource_claim_statuses != new.status.resource_claim_statuses
                || old.metadata.deletion_timestamp != new.metadata.deletion_timestamp
                || old.metadata.uid != new.metadata.uid
        };
        wires.maps_changed::<Pod>(is_moved, |pod, world| {
            if pod.spec.resource_claims.is_empty() || pod.spec.node_name.is_empty() {
                return Vec::new();
            }
            let rules =
                world.all::<DeviceTaintRule>().filter(|rule| rule.spec.taint.effect == taint::NO_EXECUTE);
            let mut keys: Vec<Key> = rules.map(|rule| Key::Rule(rule.metadata.name.clone())).collect();
            keys.push(Key::Pod(pod.metadata.namespace.clone(), pod.metadata.name.clone()));
            keys
        });
    }

    fn plan(&self, key: &Key, world: &World, now: Time) -> Plan {
        match key {
            Key::Pod(namespace, name) => match world.get::<Pod>(namespace, name) {
                Some(pod) => self.pod(pod, world, now),
                None => Plan::default(),
            },
            Key::Rule(name) => match world.get::<DeviceTaintRule>("", name) {
                Some(rule) => self.rule(rule, world, now),
                None => Plan::default(),
            },
        }
    }
}

impl DeviceTaintEviction {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tainted(&self, world: &World) -> Arc<Tainted> {
        let revision = world.snapshot(resource_of::<ResourceSlice>()).map(client::Snapshot::revision);
        let revision = revision.unwrap_or(client::Revision(0));
        let mut memory = self.memory();
        if let Some((at, known)) = &memory.tainted
            && *at == revision
        {
            return Arc::clone(known);
        }
        let fresh = Arc::new(Tainted::of(world.all::<ResourceSlice>()));
        memory.tainted = Some((revision, Arc::clone(&fresh)));
        fresh
    }

    fn pod(&self, pod: &Pod, world: &World, now: Time) -> Plan {
        let mut plan = Plan::default();
        let uid = &pod.metadata.uid;
        if pod.metadata.deletion_timestamp.is_some() {
            self.memory().waiting.remove(uid);
            return plan;
        }
        let tainted = self.tainted(world);
        let rules = due::evicting(world);
        match due::of_pod(pod, world, &tainted, &rules) {
            None => {
                if self.memory().waiting.remove(uid) {
                    plan.events.push(told(pod, "Cancelling deletion"));
                }
            }
            Some(eviction) if eviction.when > now => {
                self.memory().waiting.insert(uid.clone());
                plan.again_in(eviction.when.since(now));
            }
            Some(eviction) => {
                self.evicted(uid, &eviction);
                evict(&mut plan, pod, now);
            }
        }
        plan
    }

    fn evicted(&self, uid: &str, eviction: &Eviction) {
        let mut memory = self.memory();
        memory.waiting.remove(uid);
        for rule in &eviction.rules {
            memory.evicted.entry(rule.clone()).or_default().insert(uid.to_owned());
        }
    }

    fn rule(&self, rule: &DeviceTaintRule, world: &World, now: Time) -> Plan {
        let known: BTreeSet<&str> =
            world.all::<DeviceTaintRule>().map(|rule| rule.metadata.uid.as_str()).collect();
        let evicted = {
            let mut memory = self.memory();
            memory.evicted.retain(|uid, _| known.contains(uid.as_str()));
            memory.evicted.get(&rule.metadata.uid).map_or(0, BTreeSet::len)
        };
        status::plan(rule, world, &self.tainted(world), evicted, now)
    }
}

/// The keys of the pods that use devices which are meant, by driver, pool and name.
fn users(world: &World, is_meant: impl Fn(&str, &str, &str) -> bool) -> Vec<Key> {
    let uses = |claim: &&ResourceClaim| {
        let results = claim.status.allocation.iter().flat_map(|allocation| &allocation.devices.results);
        results.into_iter().any(|own| is_meant(&own.driver, &own.pool, &own.device))
    };
    world.all::<ResourceClaim>().filter(uses).flat_map(of_claim).collect()
}

/// The keys of the pods that a claim is reserved for.
fn of_claim(claim: &ResourceClaim) -> impl Iterator<Item = Key> + '_ {
    let pods = claim.status.reserved_for.iter().filter(|user| claim::is_pod(user));
    let key =
        |user: &ResourceClaimConsumerReference| Key::Pod(claim.metadata.namespace.clone(), user.name.clone());
    pods.map(key)
}

fn told(pod: &Pod, message: &str) -> Note {
    Note::normal(pod, "DeviceTaintManagerEviction", message.to_owned())
}

fn evict(plan: &mut Plan, pod: &Pod, now: Time) {
    if !conditions::is_true(&pod.status.conditions, pod::DISRUPTION_TARGET) {
        let message = "Device Taint manager: deleting due to NoExecute taint";
        let condition = pod::disruption_target(pod, "DeletionByDeviceTaintManager", message, now);
        plan.stage([Write::patch(pod, "status", json!({"status": {"conditions": [condition]}}))]);
    }
    plan.events.push(told(pod, "Marking for deletion"));
    plan.stage([Write::delete(pod)]);
}
