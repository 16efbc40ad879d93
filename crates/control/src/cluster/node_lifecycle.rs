//! Nodes that are not heard of: their conditions become unknown, their pods not ready, and taints keep pods away.
//!
//! Upstream: `pkg/controller/nodelifecycle`. A node's sign of life is the later of its lease's renewal and its own report.
//! Silence counts from this controller's own start at the earliest: a node could not be heard while there was no control plane.
//! A view that is behind would make silent nodes of all: a node's lease is asked for before the node is declared dead.
//! When no node at all is ready, nothing is evicted: then the fault is more likely here than there. Otherwise a zone's nodes are
//! evicted one after the other, as fast as `zone` says.

#[cfg(test)]
mod tests;
mod zone;

use std::time::Duration;

use api_meta::conditions::{self, FALSE, TRUE, UNKNOWN};
use api_types::coordination::v1::Lease;
use api_types::core::v1::{Node, NodeCondition, Pod, Taint};
use base::time::Time;
use client::reconcile::{
    Controller, Guard, Note, Op, Plan, Wires, World, Write, resource_of, service_account,
};
use client::{Caller, PatchKind, Target};
use serde_json::json;

use control_base::pod;

/// How long a node may be silent (`--node-monitor-grace-period`).
const GRACE: Duration = Duration::from_secs(50);
/// How long a new node may be silent (`--node-startup-grace-period`).
const STARTUP_GRACE: Duration = Duration::from_secs(60);
const LEASES: &str = "kube-node-lease";
const NOT_READY: &str = "node.kubernetes.io/not-ready";
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
/// Which condition, in which state, leads to which taint.
const TAINTS: [(&str, &str, &str); 7] = [
    ("Ready", FALSE, NOT_READY),
    ("Ready", UNKNOWN, UNREACHABLE),
    ("MemoryPressure", TRUE, "node.kubernetes.io/memory-pressure"),
    ("DiskPressure", TRUE, "node.kubernetes.io/disk-pressure"),
    ("PIDPressure", TRUE, "node.kubernetes.io/pid-pressure"),
    ("NetworkUnavailable", TRUE, "node.kubernetes.io/network-unavailable"),
    ("", "", "node.kubernetes.io/unschedulable"),
];

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// One node.
    Node(String),
    /// Whose pods are sent away next, in all zones.
    Evictions,
}

/// The controller of nodes' health.
pub struct NodeLifecycle {
    begun: Time,
}

impl NodeLifecycle {
    /// One that begins to listen now.
    pub fn new(now: Time) -> NodeLifecycle {
        NodeLifecycle { begun: now }
    }
}

impl Controller for NodeLifecycle {
    const NAME: &'static str = "node-lifecycle-controller";
    const SOURCE: &'static str = "node-controller";
    type Key = Key;

    fn wire(&self, wires: &mut Wires<Key>) {
        wires.maps::<Node>(|node, _| vec![Key::Node(node.metadata.name.clone())]);
        // How many nodes are ready says how fast the others are evicted, and so does whose turn has come.
        wires.maps_changed::<Node>(
            |old, new| ready(old) != ready(new) || old.metadata.labels != new.metadata.labels,
            |_, _| vec![Key::Evictions],
        );
        // A lease that is renewed changes nothing: its end is waited for. One that comes back does.
        wires.maps::<Lease>(|lease, world| {
            let name = &lease.metadata.name;
            let node = world.get::<Node>("", name).filter(|_| lease.metadata.namespace == LEASES);
            node.filter(|node| ready(node) != TRUE).map(|_| Key::Node(name.clone())).into_iter().collect()
        });
        wires.maps::<Pod>(|pod, world| {
            let node = world.get::<Node>("", &pod.spec.node_name).filter(|node| is_doubted(pod, node));
            node.map(|node| Key::Node(node.metadata.name.clone())).into_iter().collect()
        });
    }

    fn plan(&self, key: &Key, world: &World, now: Time) -> Plan {
        match key {
            Key::Node(name) => self.node(name, world, now),
            Key::Evictions => evictions(world, now),
        }
    }

    fn caller(&self) -> Caller {
        service_account("node-controller")
    }
}

impl NodeLifecycle {
    fn node(&self, key: &str, world: &World, now: Time) -> Plan {
        let mut plan = Plan::default();
        let Some(node) = world.get::<Node>("", key) else { return plan };
        let lease = world.get::<Lease>(LEASES, key);
        let end = silent_at(node, lease).max(self.begun + GRACE);
        let mut seen = node.clone();
        if end > now {
            plan.again_in(end.since(now) + Duration::from_secs(1));
        } else {
            report_silence(&mut seen, now);
        }
        if seen.status != node.status {
            plan.stage([Write::status(seen.clone()).guarded(still_silent(key, lease))]);
        }
        let state = ready(&seen);
        // The taints are bound to the version that they were read at, which a written status has made old: they come next.
        if plan.stages.is_empty() {
            // Who sends pods away already goes on, whatever the reason is now.
            plan.stage(tainted(node, node.spec.taints.iter().any(zone::sends_away), now));
        }
        if state != TRUE {
            let pods: Vec<&Pod> = pod::on_node(world, key).filter(|pod| is_doubted(pod, &seen)).collect();
            plan.stage(pods.iter().map(|pod| mark_not_ready(pod, now)));
            if seen.status != node.status && ready(node) == TRUE {
                let message = format!("Node {key} status is now: NodeNotReady");
                plan.events.push(Note::normal(node, "NodeNotReady", message));
            }
        }
        plan
    }
}

fn evictions(world: &World, now: Time) -> Plan {
    let evictions = zone::evictions(world, now);
    let begun = evictions.begun.iter().filter_map(|node| tainted(node, true, now));
    let ended = evictions.ended.iter().filter_map(|node| tainted(node, false, now));
    let mut plan = Plan { again: evictions.again, ..Plan::default() };
    plan.stage(begun.chain(ended));
    plan
}

/// What gives a node the taints that it should have, if it has others.
fn tainted(node: &Node, may_evict: bool, now: Time) -> Option<Write> {
    let taints = taints(node, may_evict, now);
    if taints == node.spec.taints {
        return None;
    }
    let taints: Vec<_> = taints.iter().map(written).collect();
    let version = &node.metadata.resource_version;
    let patch = json!({"metadata": {"resourceVersion": version}, "spec": {"taints": taints}});
    Some(Write::of(resource_of::<Node>(), &node.metadata, "", Op::Patch(PatchKind::Merge, patch)))
}

/// A node is declared dead only if it is not the view of its lease that is: nothing has renewed that since.
fn still_silent(node: &str, lease: Option<&Lease>) -> Guard {
    let target = Target {
        resource: resource_of::<Lease>().clone(),
        namespace: LEASES.to_owned(),
        name: node.to_owned(),
        subresource: String::new(),
    };
    Guard::Unchanged(target, lease.map(|lease| lease.metadata.resource_version.clone()).unwrap_or_default())
}

fn ready(node: &Node) -> &str {
    conditions::find(&node.status.conditions, "Ready").map_or(UNKNOWN, |condition| &condition.status)
}

/// Whether a pod is to be not ready because its node is not. A node that says itself that it is not ready goes on to speak for its pods: what
/// it says of one after that holds, as with upstream, which marks pods once a transition. Nobody would have the last word otherwise, and
/// both would write for ever. Of a node that is silent nothing is believed.
fn is_doubted(pod: &Pod, node: &Node) -> bool {
    let Some(said) = conditions::find(&pod.status.conditions, "Ready").filter(|it| it.status == TRUE) else {
        return false;
    };
    match conditions::find(&node.status.conditions, "Ready").filter(|it| it.status != UNKNOWN) {
        Some(own) if own.status == TRUE => false,
        Some(own) => match (said.last_transition_time, own.last_transition_time) {
            (Some(said), Some(own)) => Time::from(said) < Time::from(own),
            _ => true,
        },
        None => true,
    }
}

fn silent_at(node: &Node, lease: Option<&Lease>) -> Time {
    let created = node.metadata.creation_timestamp.map(Time::from).unwrap_or_default() + STARTUP_GRACE;
    let renewed = lease.and_then(|lease| lease.spec.renew_time).map(Time::from);
    let reported = conditions::find(&node.status.conditions, "Ready").and_then(|it| it.last_heartbeat_time);
    match renewed.max(reported.map(Time::from)) {
        Some(heard) => heard + GRACE,
        None => created,
    }
}

fn report_silence(node: &mut Node, now: Time) {
    let created = node.metadata.creation_timestamp;
    let all = &mut node.status.conditions;
    for type_ in ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"] {
        match all.iter_mut().find(|condition| condition.type_ == type_) {
            Some(condition) if condition.status == UNKNOWN => {}
            Some(condition) => {
                condition.status = UNKNOWN.into();
                condition.reason = "NodeStatusUnknown".into();
                condition.message = "Kubelet stopped posting node status.".into();
                condition.last_transition_time = Some(now.into());
            }
            None => all.push(NodeCondition {
                type_: type_.into(),
                status: UNKNOWN.into(),
                last_heartbeat_time: created,
                last_transition_time: Some(now.into()),
                reason: "NodeStatusNeverUpdated".into(),
                message: "Kubelet never posted node status.".into(),
            }),
        }
    }
}

/// The taints that a node should have; those that send pods away only if they may be sent.
fn taints(node: &Node, may_evict: bool, now: Time) -> Vec<Taint> {
    let holds = |(type_, status, _): &(&str, &str, &str)| match *type_ {
        "" => node.spec.unschedulable,
        "Ready" => ready(node) == *status,
        _ => conditions::is(&node.status.conditions, type_, status),
    };
    let mut wanted: Vec<(&str, &str)> = Vec::new();
    for row in TAINTS.iter().filter(|row| holds(row)) {
        wanted.push((row.2, "NoSchedule"));
        if row.0 == "Ready" && may_evict {
            wanted.push((row.2, "NoExecute"));
        }
    }
    let ours = |taint: &Taint| match taint.effect.as_str() {
        "NoSchedule" => TAINTS.iter().any(|row| row.2 == taint.key),
        _ => zone::sends_away(taint),
    };
    let is_wanted = |taint: &Taint| wanted.contains(&(&*taint.key, &*taint.effect));
    let mut taints: Vec<Taint> =
        node.spec.taints.iter().filter(|taint| !ours(taint) || is_wanted(taint)).cloned().collect();
    for (key, effect) in &wanted {
        if !taints.iter().any(|taint| taint.key == *key && taint.effect == *effect) {
            let (key, effect) = ((*key).to_owned(), (*effect).to_owned());
            taints.push(Taint { key, effect, time_added: Some(now.into()), ..Taint::default() });
        }
    }
    taints
}

fn written(taint: &Taint) -> serde_json::Value {
    let mut value = json!({"key": taint.key, "effect": taint.effect});
    if !taint.value.is_empty() {
        value["value"] = taint.value.as_str().into();
    }
    if let Some(time) = taint.time_added {
        value["timeAdded"] = time.to_string().into();
    }
    value
}

fn mark_not_ready(pod: &Pod, now: Time) -> Write {
    let now: api_record::scalar::Time = now.into();
    let condition = json!({"type": "Ready", "status": FALSE, "lastTransitionTime": now.to_string()});
    let note = Note::warning(pod, "NodeNotReady", "Node is not ready");
    Write::patch(pod, "status", json!({"status": {"conditions": [condition]}})).telling(Some(note), None)
}
