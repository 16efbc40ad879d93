//! Pods that nobody will clear away: too many that have ended, those of nodes that are gone or out of service, and those that are to go
//! and never came to a node.
//!
//! Upstream: `pkg/controller/podgc`. It looks at everything every 20 seconds; here a pod or a node that changes is looked at,
//! and only the pods that have ended are counted so seldom. A node must have been missing for a while, and be missing from the
//! API itself, before its pods go. State: since when nodes have been missing, which a restart begins to count anew, as upstream's.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use api_meta::conditions;
use api_types::core::v1::{Node, Pod};
use base::time::Time;
use client::Target;
use client::reconcile::{Controller, Guard, Op, Plan, Wires, World, Write, resource_of};
use serde_json::{Value, json};

use control_base::pod;

/// How many pods that have ended may be there (`--terminated-pod-gc-threshold`).
const MOST_ENDED: usize = 12_500;
/// How often they are counted (`gcCheckPeriod`).
const PERIOD: Duration = Duration::from_secs(20);
/// How long a node must be missing (`quarantineTime`).
const QUARANTINE: Duration = Duration::from_secs(40);
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// The collector of pods.
#[derive(Default)]
pub struct PodGarbage {
    missing: Mutex<BTreeMap<String, Time>>,
    counted: Mutex<Option<Time>>,
}

/// What it thinks about at once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The pods that have ended.
    Ended,
    /// The pods of a node.
    Node(String),
    /// A pod without a node, by namespace and name.
    Pod(String, String),
}

impl Controller for PodGarbage {
    const NAME: &'static str = "pod-garbage-collector";
    type Key = Key;

    fn wire(&self, wires: &mut Wires<Key>) {
        wires.maps::<Node>(|node, _| vec![Key::Node(node.metadata.name.clone())]);
        wires.maps::<Pod>(|pod, world| {
            let mut keys = Vec::new();
            if pod::is_terminal(pod) {
                keys.push(Key::Ended);
            }
            let going = pod.metadata.deletion_timestamp.is_some();
            let on = &pod.spec.node_name;
            if on.is_empty() {
                if going {
                    keys.push(Key::Pod(pod.metadata.namespace.clone(), pod.metadata.name.clone()));
                }
            } else if world.get::<Node>("", on).is_none_or(|node| going && is_out_of_service(node)) {
                keys.push(Key::Node(on.clone()));
            }
            keys
        });
    }

    fn plan(&self, key: &Key, world: &World, now: Time) -> Plan {
        let mut plan = Plan::default();
        match key {
            Key::Ended => self.ended(&mut plan, world, now),
            Key::Node(name) => self.node(&mut plan, name, world, now),
            Key::Pod(namespace, name) => {
                let pod = world.get::<Pod>(namespace, name);
                let left =
                    |pod: &&Pod| pod.metadata.deletion_timestamp.is_some() && pod.spec.node_name.is_empty();
                collect(&mut plan, &pod.into_iter().filter(left).collect::<Vec<_>>(), None, None);
            }
        }
        plan
    }
}

impl PodGarbage {
    fn ended(&self, plan: &mut Plan, world: &World, now: Time) {
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(wait) = counted.map(|at| (at + PERIOD).since(now)).filter(|wait| !wait.is_zero()) {
            plan.again_in(wait);
            return;
        }
        *counted = Some(now);
        let mut ended: Vec<&Pod> = pod::terminal(world).collect();
        let surplus = ended.len().saturating_sub(MOST_ENDED);
        if surplus > 0 {
            // Evicted pods first: they are no controller's record of its work.
            ended.sort_by_key(|pod| {
                let meta = &pod.metadata;
                (!is_evicted(pod), meta.creation_timestamp.map(Time::from), &meta.name)
            });
            collect(plan, &ended[..surplus], None, None);
        }
    }

    fn node(&self, plan: &mut Plan, name: &str, world: &World, now: Time) {
        let node = world.get::<Node>("", name);
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        if node.is_some() {
            missing.remove(name);
        }
        if node.is_some_and(|node| !is_out_of_service(node)) {
            return;
        }
        let pods = pod::on_node(world, name);
        if node.is_some() {
            let going = pods.filter(|pod| pod.metadata.deletion_timestamp.is_some());
            return collect(plan, &going.collect::<Vec<_>>(), None, None);
        }
        let pods: Vec<&Pod> = pods.collect();
        if pods.is_empty() {
            missing.remove(name);
            return;
        }
        let end = *missing.entry(name.to_owned()).or_insert(now) + QUARANTINE;
        if end > now {
            plan.again_in(end.since(now));
            return;
        }
        let target = Target {
            resource: resource_of::<Node>().clone(),
            namespace: String::new(),
            name: name.to_owned(),
            subresource: String::new(),
        };
        collect(plan, &pods, Some(now), Some(&Guard::Absent(target, String::new())));
    }
}

/// Whether somebody has said that the node will not come back as it was.
fn is_out_of_service(node: &Node) -> bool {
    !conditions::is_true(&node.status.conditions, "Ready")
        && node.spec.taints.iter().any(|taint| taint.key == OUT_OF_SERVICE)
}

fn is_evicted(pod: &Pod) -> bool {
    pod.status.phase == "Failed" && pod.status.reason == "Evicted"
}

/// Has pods fail that have not ended, and deletes them at once; `orphaned` is the time if their node is gone.
fn collect(plan: &mut Plan, pods: &[&Pod], orphaned: Option<Time>, guard: Option<&Guard>) {
    let guarded = |write: Write| match guard {
        Some(guard) => write.guarded(guard.clone()),
        None => write,
    };
    let running = pods.iter().filter(|pod| !pod::is_terminal(pod));
    plan.stage(running.map(|pod| guarded(Write::patch(*pod, "status", failed(pod, orphaned)))));
    // What is being deleted with no time left waits for finalizers only.
    let left = pods.iter().filter(|pod| {
        let meta = &pod.metadata;
        meta.deletion_timestamp.is_none() || meta.deletion_grace_period_seconds != Some(0)
    });
    plan.stage(left.map(|pod| {
        let op = Op::Delete { propagation: None, version: None, grace_seconds: Some(0) };
        guarded(Write::of(resource_of::<Pod>(), &pod.metadata, "", op))
    }));
}

fn failed(pod: &Pod, orphaned: Option<Time>) -> Value {
    let mut status = json!({"phase": "Failed", "observedGeneration": pod.metadata.generation});
    if let Some(now) = orphaned {
        let message = "PodGC: node no longer exists";
        status["conditions"] = json!([pod::disruption_target(pod, "DeletionByPodGC", message, now)]);
    }
    json!({"status": status})
}
