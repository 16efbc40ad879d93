//! Deleting pods from nodes whose taints they do not tolerate, or no longer. Upstream: `pkg/controller/tainteviction`.
//!
//! How long a taint has been there is read from the taint; upstream counts from when it first saw it.

use std::time::Duration;

use api_meta::conditions;
use api_types::core::v1::{Node, Pod, Taint};
use base::time::Time;
use client::Caller;
use client::reconcile::{Controller, Name, Note, Plan, Wires, World, Write, name, service_account};
use serde_json::json;

use control_base::pod;
use control_base::taints::tolerates;

/// The controller of evictions by taints.
pub struct TaintEviction;

impl Controller for TaintEviction {
    const NAME: &'static str = "taint-eviction-controller";
    type Key = Name;

    fn wire(&self, wires: &mut Wires<Name>) {
        wires.maps::<Node>(|node, world| {
            if evicting(node).next().is_none() {
                return Vec::new();
            }
            let pods = pod::on_node(world, &node.metadata.name);
            pods.map(|pod| name(&pod.metadata.namespace, &pod.metadata.name)).collect()
        });
        wires.maps::<Pod>(|pod, world| {
            let node = world.get::<Node>("", &pod.spec.node_name);
            let tainted = node.is_some_and(|node| evicting(node).next().is_some());
            if tainted { vec![name(&pod.metadata.namespace, &pod.metadata.name)] } else { Vec::new() }
        });
    }

    fn plan(&self, (namespace, name): &Name, world: &World, now: Time) -> Plan {
        let mut plan = Plan::default();
        let Some(pod) = world.get::<Pod>(namespace, name) else { return plan };
        let node = world.get::<Node>("", &pod.spec.node_name);
        let Some(node) = node.filter(|_| pod.metadata.deletion_timestamp.is_none()) else { return plan };
        match due(pod, node, now) {
            None => {}
            Some(wait) if !wait.is_zero() => {
                plan.again_in(wait);
            }
            Some(_) => evict(&mut plan, pod, now),
        }
        plan
    }

    fn caller(&self) -> Caller {
        service_account("node-controller")
    }
}

fn evicting(node: &Node) -> impl Iterator<Item = &Taint> {
    node.spec.taints.iter().filter(|taint| taint.effect == "NoExecute")
}

/// How long until the pod has to go; `None` if it may stay.
fn due(pod: &Pod, node: &Node, now: Time) -> Option<Duration> {
    let mut since: Option<Time> = None;
    let mut seconds: Option<i64> = None;
    for taint in evicting(node) {
        let Some(toleration) = pod.spec.tolerations.iter().find(|it| tolerates(it, taint)) else {
            return Some(Duration::ZERO);
        };
        if let Some(own) = toleration.toleration_seconds {
            seconds = Some(seconds.map_or(own, |least| least.min(own)));
            let added = taint.time_added.map_or(now, Time::from);
            since = Some(since.map_or(added, |first| first.min(added)));
        }
    }
    let wait = Duration::from_secs(u64::try_from(seconds?).unwrap_or(0));
    Some((since? + wait).since(now))
}

fn evict(plan: &mut Plan, pod: &Pod, now: Time) {
    if !conditions::is_true(&pod.status.conditions, pod::DISRUPTION_TARGET) {
        let message = "Taint manager: deleting due to NoExecute taint";
        let condition = pod::disruption_target(pod, "DeletionByTaintManager", message, now);
        plan.stage([Write::patch(pod, "status", json!({"status": {"conditions": [condition]}}))]);
    }
    let message = format!("Marking for deletion Pod {}/{}", pod.metadata.namespace, pod.metadata.name);
    plan.events.push(Note::normal(pod, "TaintManagerEviction", message));
    plan.stage([Write::delete(pod)]);
}

#[cfg(test)]
mod tests {
    use api_types::core::v1::Toleration;
    use client::Revision;

    use super::*;

    fn plan(seconds: Option<Option<i64>>, now: i64) -> Plan {
        let mut node = Node::default();
        node.metadata.name = "n".into();
        node.spec.taints = vec![Taint {
            key: "k".into(),
            effect: "NoExecute".into(),
            time_added: Some(Time::from_unix_seconds(100).into()),
            ..Taint::default()
        }];
        let mut pod = Pod::default();
        pod.metadata.name = "p".into();
        pod.metadata.namespace = "shop".into();
        pod.spec.node_name = "n".into();
        let toleration = seconds.map(|toleration_seconds| Toleration {
            key: "k".into(),
            operator: "Exists".into(),
            toleration_seconds,
            ..Toleration::default()
        });
        pod.spec.tolerations = toleration.into_iter().collect();
        let world = World::default().with([node], Revision(1)).with([pod], Revision(1));
        TaintEviction.plan(&name("shop", "p"), &world, Time::from_unix_seconds(now))
    }

    #[test]
    fn pods_go_when_they_tolerate_a_taint_no_longer() {
        let gone = ["patch pods/status shop/p", "delete pods shop/p"];
        assert_eq!(plan(None, 100).describe(), gone);
        assert!(plan(Some(None), 100_000).stages.is_empty());
        let waiting = plan(Some(Some(300)), 150);
        assert_eq!((waiting.stages.len(), waiting.again), (0, Some(Duration::from_secs(250))));
        assert_eq!(plan(Some(Some(300)), 400).describe(), gone);
    }
}
