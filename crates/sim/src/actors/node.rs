//! A node: a machine that outlives its agent, and an agent that decides by the pod state machine that ships.
//!
//! Only what touches a kernel is played here: sandboxes, starts and ends of containers take time and may fail. When to do which
//! is `node-pod`'s plan, what the API is shown its status.

mod machine;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api_meta::{conditions, fields};
use api_record::scalar;
use api_types::coordination::v1::Lease;
use api_types::core::v1::{Node, NodeCondition, Pod};
use base::time::{Clock, Time};
use client::{Api as _, Caller, RawView, Scope, Status};
use node_pod::plan::{Plan, Step, plan};
use node_pod::record::Stage;
use node_pod::{env, status};
use serde_json::json;

use super::requests::{Hand, object};
use crate::dice::Dice;
use crate::executor::Group;
use crate::line::Line;
use crate::profile::Defect;
use crate::world::{World, lock, resources};

use machine::Luck;
pub use machine::{Machine, NOWHERE, WORK};

/// How often the lease is renewed (`nodeLeaseDurationSeconds` / 4).
const RENEW: Duration = Duration::from_secs(10);
/// The wait after something that failed.
const AGAIN: Duration = Duration::from_secs(1);
const LEASES: &str = "kube-node-lease";

struct Agent {
    world: Arc<World>,
    hand: Hand,
    name: String,
    clock: Arc<dyn Clock>,
    dice: Dice,
    machine: Arc<Mutex<Machine>>,
    /// Pods as the API answered last, which may be newer than the view.
    known: BTreeMap<String, Pod>,
}

/// Starts the agent of a node.
pub fn start(world: &Arc<World>, group: Group, name: &str) {
    let line = Line::new(world, group, name, true);
    let who = Caller::new(&format!("system:node:{name}"), &["system:nodes", "system:authenticated"]);
    let agent = Agent {
        world: Arc::clone(world),
        clock: line.clock(),
        dice: world.dice.fork(name),
        hand: Hand { line, who },
        name: name.to_owned(),
        machine: world.machine(name),
        known: BTreeMap::new(),
    };
    world.executor.spawn(group, agent.run());
}

impl Agent {
    async fn run(mut self) {
        let view = self.open().await;
        let mut changed = view.changed();
        let deaths = Arc::clone(&lock(&self.machine).deaths);
        let mut renewal = self.clock.now();
        loop {
            let now = self.clock.now();
            // The clock may have been set back.
            renewal = renewal.min(now + RENEW);
            if now >= renewal {
                renewal = match self.renew().await {
                    Ok(()) => now + RENEW,
                    Err(_) => now + AGAIN,
                };
            }
            let wake = self.sync(&view).await.unwrap_or(renewal).min(renewal);
            let wait = wake.since(self.clock.now());
            tokio::select! {
                biased;
                // The view is filled by a task of the same life.
                _ = changed.changed() => {}
                () = deaths.notified() => {}
                () = self.clock.sleep(wait) => {}
            }
        }
    }

    async fn open(&self) -> RawView {
        let fields = fields::Selector::equal("spec.nodeName", self.name.as_str());
        let scope = Scope { fields, ..Scope::all(resources::PODS) };
        loop {
            match self.hand.line.view(&self.hand.who, scope.clone()).await {
                Ok(view) => return view,
                Err(_) => self.clock.sleep(AGAIN).await,
            }
        }
    }

    /// Says that the node is there, and ready.
    async fn renew(&self) -> Result<(), Status> {
        let mut node = match self.hand.get::<Node>("", &self.name).await {
            Err(status) if status.is_not_found() => {
                let node =
                    json!({"metadata": {"name": self.name, "labels": {"kubernetes.io/hostname": self.name}}});
                self.hand.create(object::<Node>(&node)).await?
            }
            other => other?,
        };
        let now = self.clock.now();
        // Once faults are over, nobody falls ill any more.
        let well = !self.world.is_faulty() || lock(&self.machine).is_well(self.world.executor.now());
        if conditions::is_true(&node.status.conditions, "Ready") != well || node.status.allocatable.is_empty()
        {
            let room = json!({"status": {
                "capacity": {"cpu": "4", "memory": "8Gi", "pods": "110"},
                "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"},
            }});
            let room = object::<Node>(&room).status;
            (node.status.capacity, node.status.allocatable) = (room.capacity, room.allocatable);
            for (type_, state) in [
                ("Ready", if well { "True" } else { "False" }),
                ("MemoryPressure", "False"),
                ("DiskPressure", "False"),
                ("PIDPressure", "False"),
            ] {
                node.status.conditions.retain(|condition| condition.type_ != type_);
                node.status.conditions.push(NodeCondition {
                    type_: type_.into(),
                    status: state.into(),
                    last_heartbeat_time: Some(now.into()),
                    last_transition_time: Some(now.into()),
                    ..NodeCondition::default()
                });
            }
            self.hand.update(node, "status").await?;
        }
        let renewed = Some(scalar::MicroTime::from(now));
        match self.hand.get::<Lease>(LEASES, &self.name).await {
            Ok(mut lease) => {
                lease.spec.renew_time = renewed;
                self.hand.update(lease, "").await.map(drop)
            }
            Err(status) if status.is_not_found() => {
                let lease = json!({"metadata": {"name": self.name, "namespace": LEASES}});
                let mut lease: Lease = object(&lease);
                lease.spec.holder_identity = Some(self.name.clone());
                lease.spec.lease_duration_seconds = Some(40);
                lease.spec.renew_time = renewed;
                self.hand.create(lease).await.map(drop)
            }
            Err(status) => Err(status),
        }
    }

    /// Brings every pod one step on, and the API up to date; answers when to come back. Does nothing before the view has
    /// synced: what is not shown yet may be there.
    async fn sync(&mut self, view: &RawView) -> Option<Time> {
        let snapshot = view.snapshot();
        if !snapshot.is_synced() {
            return None;
        }
        let shown = snapshot.iter().filter_map(|object| object.downcast_ref::<Pod>());
        let shown: BTreeMap<String, Pod> =
            shown.map(|pod| (pod.metadata.uid.clone(), self.newest(pod))).collect();
        self.known.retain(|uid, _| shown.contains_key(uid));
        let now = self.clock.now();
        let mut wake: Option<Time> = None;
        let all = lock(&self.machine).take_in(&shown, now);
        for uid in all {
            let pod = shown.get(&uid);
            let next = self.advance(&uid, pod, now);
            let mut told = Ok(());
            if let Some(pod) = pod {
                told = self.report(&uid, pod, now).await;
            }
            let next = if told.is_err() { Some(now + AGAIN) } else { next };
            wake = match (wake, next) {
                (Some(wake), Some(next)) => Some(wake.min(next)),
                (wake, next) => wake.or(next),
            };
        }
        wake
    }

    fn newest(&self, shown: &Pod) -> Pod {
        let number = |pod: &Pod| pod.metadata.resource_version.parse::<u64>().unwrap_or(0);
        let known = self.known.get(&shown.metadata.uid).filter(|known| number(known) > number(shown));
        known.unwrap_or(shown).clone()
    }

    /// Carries out what the state machine wants, until it waits for something.
    fn advance(&self, uid: &str, pod: Option<&Pod>, now: Time) -> Option<Time> {
        let machine = Arc::clone(&self.machine);
        let mut machine = lock(&machine);
        machine.pass_time(uid, now);
        loop {
            let record = machine.record(uid)?;
            let Plan { steps, wake } = plan(pod, record, now);
            let mut moved = false;
            for step in steps {
                if matches!(step, Step::Terminate { .. }) {
                    self.check_end(uid, machine.is_running(uid));
                }
                let failing = self.world.is_faulty() && self.dice.chance(self.world.profile.failed_pulls);
                let reuses = self.world.defect == Some(Defect::PodAddressTwice);
                let luck = Luck { dice: &self.dice, failing, reuses };
                moved |= machine.carry_out(uid, pod, &step, now, luck);
            }
            if !moved {
                let next = machine.next_event(uid);
                return match (wake, next) {
                    (Some(wake), Some(next)) => Some(wake.min(next)),
                    (wake, next) => wake.or(next),
                };
            }
        }
    }

    /// A pod that runs is ended only if the API wants that: whatever an agent sees or does not see.
    fn check_end(&self, uid: &str, running: bool) {
        if !running {
            return;
        }
        let history = self.world.history();
        let pod = history.all::<Pod>().find(|pod| pod.metadata.uid == uid);
        let wanted = pod.filter(|pod| {
            pod.metadata.deletion_timestamp.is_none()
                && !matches!(pod.status.phase.as_str(), "Succeeded" | "Failed")
        });
        if let Some(pod) = wanted {
            let why = format!("{} ended pod {}, which nobody had deleted", self.name, pod.metadata.name);
            drop(history);
            self.world.violate(format!("fail static: {why}"));
        }
    }

    async fn report(&mut self, uid: &str, pod: &Pod, now: Time) -> Result<(), Status> {
        let (wanted, over) = {
            let machine = lock(&self.machine);
            let Some(record) = machine.record(uid) else { return Ok(()) };
            let node = env::Node { name: self.name.clone(), ..env::Node::default() };
            (status::compute(pod, record, &node, now), record.stage == Stage::Terminated)
        };
        let (namespace, name) = (&pod.metadata.namespace, &pod.metadata.name);
        if wanted != pod.status {
            let mut next = pod.clone();
            next.status = wanted;
            match self.hand.update(next, "status").await {
                Ok(kept) => {
                    self.known.insert(uid.to_owned(), kept);
                }
                Err(status) if status.is_not_found() => return Ok(()),
                Err(status) if status.is_conflict() => {
                    let newest = self.hand.get::<Pod>(namespace, name).await?;
                    if newest.metadata.uid == uid {
                        self.known.insert(uid.to_owned(), newest);
                    }
                    return Err(status);
                }
                Err(status) => return Err(status),
            }
        }
        if over && pod.metadata.deletion_timestamp.is_some() {
            let deleted = self.hand.delete::<Pod>((namespace, name), Some(uid), Some(0), None).await;
            return match deleted {
                Err(status) if status.is_not_found() || status.is_conflict() => Ok(()),
                other => other,
            };
        }
        Ok(())
    }
}
