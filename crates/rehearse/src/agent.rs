//! The nodes, as far as others see them: a new pod that has a node is ready, a deleted one has ended.
//!
//! Pods that had a node before are left as they were: that one crashes, say, is as it is.

use std::collections::BTreeSet;

use api_record::scalar;
use api_types::core::v1::Pod;
use base::time::Time;
use client::reconcile::{Controller, Name, Op, Plan, Wires, World, Write, resource_of};
use serde_json::{Value, json};

/// Of no pod's own: TEST-NET-1 leads nowhere.
const ADDRESS: &str = "192.0.2.1";

/// Plays the agents of all nodes.
pub struct Agents {
    /// The uids of pods that had a node before.
    known: BTreeSet<String>,
}

impl Agents {
    /// Agents that leave these pods as they are, by their uids.
    pub fn new(known: BTreeSet<String>) -> Agents {
        Agents { known }
    }
}

impl Controller for Agents {
    const NAME: &'static str = "node-agents";
    type Key = Name;

    fn wire(&self, wires: &mut Wires<Name>) {
        wires.primary::<Pod>();
    }

    fn plan(&self, (namespace, name): &Name, world: &World, now: Time) -> Plan {
        let mut plan = Plan::default();
        let Some(pod) = world.get::<Pod>(namespace, name) else { return plan };
        if pod.spec.node_name.is_empty() {
            return plan;
        }
        if pod.metadata.deletion_timestamp.is_some() {
            // What only waits for finalizers has ended already.
            if pod.metadata.deletion_grace_period_seconds != Some(0) {
                let end = Op::Delete { propagation: None, version: None, grace_seconds: Some(0) };
                plan.stage([Write::of(resource_of::<Pod>(), &pod.metadata, "", end)]);
            }
        } else if pod.status.phase == "Pending" && !self.known.contains(&pod.metadata.uid) {
            plan.stage([Write::patch(pod, "status", json!({ "status": running(pod, now) }))]);
        }
        plan
    }
}

/// The status of a pod whose containers all run and are ready.
fn running(pod: &Pod, now: Time) -> Value {
    let now = scalar::Time::from(now).to_string();
    let condition = |type_: &str| json!({"type": type_, "status": "True", "lastTransitionTime": now});
    let containers: Vec<Value> = pod
        .spec
        .containers
        .iter()
        .map(|container| {
            json!({
                "name": container.name,
                "image": container.image,
                "imageID": "",
                "ready": true,
                "started": true,
                "restartCount": 0,
                "state": {"running": {"startedAt": now}},
            })
        })
        .collect();
    let conditions = ["PodReadyToStartContainers", "Initialized", "ContainersReady", "Ready"].map(condition);
    json!({
        "phase": "Running",
        "startTime": now,
        "podIP": ADDRESS,
        "podIPs": [{"ip": ADDRESS}],
        "conditions": conditions,
        "containerStatuses": containers,
    })
}
