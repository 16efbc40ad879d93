//! What is on a machine whether or not an agent runs: records, containers, addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use api_types::core::v1::Pod;
use base::time::Time;
use node_pod::allocation::{Allocation, Share};
use node_pod::container::id;
use node_pod::plan::Step;
use node_pod::record::{Exit, PodRecord, Stage, State, Waiting};
use node_pod::resources::pod_limits;
use tokio::sync::Notify;

use crate::dice::Dice;

/// What is about to happen to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coming {
    Started,
    Ready,
    Stopped,
    /// Its work is done, with this exit code.
    Done(i32),
}

/// The command of a container that ends by itself: how often in a thousand it fails, and how long it takes at most, in milliseconds.
pub const WORK: &str = "work";
/// The end of an image's name that no registry has.
pub const NOWHERE: &str = ":never";
/// What a container that fails may exit with.
const CODES: [i32; 3] = [1, 42, 137];

/// How long the work of a container will take, and what it will exit with; nothing for one that goes on for ever.
fn work(pod: &Pod, name: &str, dice: &Dice) -> Option<(Duration, i32)> {
    let container = pod.spec.containers.iter().find(|container| container.name == name)?;
    let [word, fails, longest] = container.command.as_slice() else { return None };
    let (fails, longest) = (fails.parse().ok()?, longest.parse().ok()?);
    let code = if dice.chance(fails) { *dice.pick(&CODES) } else { 0 };
    (word == WORK).then(|| (dice.millis(100, longest), code))
}

fn is_nowhere(pod: Option<&Pod>, name: &str) -> bool {
    let mut containers = pod.into_iter().flat_map(|pod| pod.spec.containers.iter());
    containers.any(|container| container.name == name && container.image.ends_with(NOWHERE))
}

/// What chance has in store for a step.
pub struct Luck<'a> {
    /// The dice.
    pub dice: &'a Dice,
    /// An image cannot be pulled.
    pub failing: bool,
    /// Addresses are given twice.
    pub reuses: bool,
}

/// A machine.
pub struct Machine {
    number: usize,
    records: BTreeMap<String, PodRecord>,
    coming: BTreeMap<(String, String), (Time, Coming)>,
    addresses: BTreeSet<u8>,
    given: u8,
    /// What comes of the containers that end by themselves.
    works: BTreeMap<(String, String), (Duration, i32)>,
    /// Until when the machine is not well.
    sick: Time,
    /// Tells whoever runs there that a container has ended by itself.
    pub deaths: Arc<Notify>,
}

impl Machine {
    /// A machine on which nothing runs.
    pub fn new(number: usize) -> Machine {
        Machine {
            number,
            records: BTreeMap::new(),
            coming: BTreeMap::new(),
            addresses: BTreeSet::new(),
            given: 0,
            works: BTreeMap::new(),
            sick: Time::EPOCH,
            deaths: Arc::default(),
        }
    }

    /// Begins records of pods that are new; forgets those that are over and gone. Answers all that there are.
    pub fn take_in(&mut self, shown: &BTreeMap<String, Pod>, now: Time) -> Vec<String> {
        for (uid, pod) in shown {
            let over = matches!(pod.status.phase.as_str(), "Succeeded" | "Failed");
            if !self.records.contains_key(uid) && (!over || pod.metadata.deletion_timestamp.is_some()) {
                let meta = &pod.metadata;
                let record = PodRecord::new(uid, &meta.namespace, &meta.name, now.unix_nanos());
                self.records.insert(uid.clone(), record);
            }
        }
        self.records.retain(|uid, record| shown.contains_key(uid) || record.stage != Stage::Terminated);
        self.records.keys().cloned().collect()
    }

    /// Makes the machine unwell until a time, whatever an agent's clock says.
    pub fn sicken(&mut self, until: Time) {
        self.sick = until;
    }

    /// Whether the machine is well at a time.
    pub fn is_well(&self, now: Time) -> bool {
        self.sick <= now
    }

    /// A pod's record.
    pub fn record(&self, uid: &str) -> Option<&PodRecord> {
        self.records.get(uid)
    }

    /// Whether anything of a pod runs.
    pub fn is_running(&self, uid: &str) -> bool {
        let record = self.records.get(uid);
        record.is_some_and(|record| record.containers.values().any(|container| container.is_running()))
    }

    /// When the next thing happens to a pod.
    pub fn next_event(&self, uid: &str) -> Option<Time> {
        self.coming.iter().filter(|((own, _), _)| own == uid).map(|(_, (at, _))| *at).min()
    }

    /// Lets happen what has come by now.
    pub fn pass_time(&mut self, uid: &str, now: Time) {
        loop {
            let due = self.coming.iter().find(|((own, _), (at, _))| own == uid && *at <= now);
            let Some((key, (at, what))) = due.map(|(key, coming)| (key.clone(), *coming)) else { return };
            self.coming.remove(&key);
            let Some(record) = self.records.get_mut(uid) else { continue };
            let container = record.container(&key.1);
            match what {
                Coming::Started => {
                    container.state = State::Running(at.unix_nanos());
                    container.waiting = None;
                    container.started = true;
                    container.post_started = true;
                    let ready = at + Duration::from_millis(300);
                    self.coming.insert(key, (ready, Coming::Ready));
                }
                Coming::Ready => {
                    container.ready = true;
                    if let Some((takes, code)) = self.works.remove(&key) {
                        self.coming.insert(key, (at + takes, Coming::Done(code)));
                    }
                }
                Coming::Stopped | Coming::Done(0) => self.end(uid, &key.1, 0, "Completed", now),
                Coming::Done(code) => self.end(uid, &key.1, code, "Error", now),
            }
        }
    }

    /// Carries out a step for a pod; answers whether that changed anything.
    pub fn carry_out(
        &mut self,
        uid: &str,
        pod: Option<&Pod>,
        step: &Step,
        now: Time,
        Luck { dice, failing, reuses }: Luck<'_>,
    ) -> bool {
        match step {
            Step::Sandbox => {
                let address = if reuses && dice.chance(500) { 1 } else { self.free_address() };
                self.addresses.insert(address);
                let text = format!("10.{}.0.{address}", self.number + 1);
                let Some(record) = self.records.get_mut(uid) else { return false };
                record.sandbox = true;
                record.addresses = vec![text];
                return self.give(uid, pod);
            }
            Step::Resize(_) => return self.give(uid, pod),
            Step::Start { container } => {
                let Some(record) = self.records.get_mut(uid) else { return false };
                let share = record.allocation.as_ref().map(|given| given.container(container));
                let known = record.container(container);
                if let Some(exit) = known.exit().filter(|_| !known.is_replaced()) {
                    let ended = Time::from_unix_nanos(exit.finished_nanos);
                    known.backoff.next(ended, now);
                }
                known.begin(|attempt| id(uid, container, attempt));
                known.actuated = share;
                if failing || is_nowhere(pod, container) {
                    let waiting =
                        Waiting { reason: "ErrImagePull".into(), message: "no such registry".into() };
                    known.abandon(waiting);
                    known.retry_nanos = (now + Duration::from_secs(10)).unix_nanos();
                } else {
                    let at = now + dice.millis(50, 2_000);
                    let key = (uid.to_owned(), container.clone());
                    if let Some(work) = pod.and_then(|pod| work(pod, container, dice)) {
                        self.works.insert(key.clone(), work);
                    }
                    self.coming.insert(key, (at, Coming::Started));
                }
            }
            Step::Stop { container, .. } => self.end(uid, container, 137, "Error", now),
            Step::Replace { container, .. } => {
                let Some(record) = self.records.get_mut(uid) else { return false };
                record.allocation = pod.map(Allocation::of).or(record.allocation.take());
                let known = record.container(container);
                known.replaced = Some(known.attempt);
                self.end(uid, container, 0, "Completed", now);
            }
            Step::Terminate { verdict } => {
                let Some(record) = self.records.get_mut(uid) else { return false };
                record.stage = Stage::Terminating;
                record.verdict.clone_from(verdict);
            }
            Step::StopAll => return self.stop_all(uid, now, dice),
            Step::Finish => {
                let Some(record) = self.records.get_mut(uid) else { return false };
                record.stage = Stage::Terminated;
                let freed = record.addresses.iter().filter_map(|it| it.rsplit('.').next()?.parse().ok());
                for address in freed.collect::<Vec<u8>>() {
                    self.addresses.remove(&address);
                }
            }
        }
        true
    }

    /// Gives a pod all that it asks for, and puts that in force: this machine has room for everybody.
    fn give(&mut self, uid: &str, pod: Option<&Pod>) -> bool {
        let (Some(record), Some(pod)) = (self.records.get_mut(uid), pod) else { return false };
        let given = Allocation::of(pod);
        for (name, known) in record.containers.iter_mut().filter(|(_, known)| known.is_running()) {
            known.actuated = Some(given.container(name));
        }
        record.group = pod_limits(pod);
        record.actuated = pod.spec.resources.as_deref().map(Share::of);
        record.allocation = Some(given);
        true
    }

    /// An address that is not in use; the one that was freed last is not given at once.
    fn free_address(&mut self) -> u8 {
        loop {
            self.given = self.given % 250 + 1;
            if !self.addresses.contains(&self.given) {
                return self.given;
            }
        }
    }

    fn stop_all(&mut self, uid: &str, now: Time, dice: &Dice) -> bool {
        let Some(record) = self.records.get(uid) else { return false };
        let active = record.containers.iter().filter(|(_, container)| container.is_active());
        let active: Vec<String> = active.map(|(name, _)| name.clone()).collect();
        let mut moved = false;
        for name in active {
            let key = (uid.to_owned(), name.clone());
            if matches!(self.coming.get(&key), Some((_, Coming::Stopped))) {
                continue;
            }
            let starting = self.records[uid].containers[&name].state == State::Starting;
            self.coming.remove(&key);
            if starting {
                self.end(uid, &name, 137, "ContainerStatusUnknown", now);
            } else {
                self.coming.insert(key, (now + dice.millis(10, 2_000), Coming::Stopped));
            }
            moved = true;
        }
        moved
    }

    fn end(&mut self, uid: &str, name: &str, code: i32, reason: &str, now: Time) {
        let key = (uid.to_owned(), name.to_owned());
        self.coming.remove(&key);
        self.works.remove(&key);
        let Some(record) = self.records.get_mut(uid) else { return };
        let container = record.container(name);
        let started_nanos = match container.state {
            State::Running(since) => since,
            _ => 0,
        };
        container.exited(Exit {
            code,
            reason: reason.to_owned(),
            started_nanos,
            finished_nanos: now.unix_nanos(),
            id: container.id.clone(),
            ..Exit::default()
        });
    }

    /// A running container dies; answers whether one did.
    pub fn kill_one(&mut self, now: Time, dice: &Dice) -> bool {
        let running = self.records.iter().flat_map(|(uid, record)| {
            let running = record.containers.iter().filter(|(_, container)| container.is_running());
            running.map(|(name, _)| (uid.clone(), name.clone()))
        });
        let running: Vec<(String, String)> = running.collect();
        if running.is_empty() {
            return false;
        }
        let (uid, name) = dice.pick(&running);
        let (code, reason) = *dice.pick(&[(137, "OOMKilled"), (1, "Error"), (0, "Completed")]);
        self.end(uid, name, code, reason, now);
        self.deaths.notify_one();
        true
    }

    /// The machine starts anew: nothing runs, and no pod has its network.
    pub fn reboot(&mut self, now: Time) {
        let active = self.records.iter().flat_map(|(uid, record)| {
            let active = record.containers.iter().filter(|(_, container)| container.is_active());
            active.map(|(name, _)| (uid.clone(), name.clone()))
        });
        for (uid, name) in active.collect::<Vec<_>>() {
            self.end(&uid, &name, 255, "Unknown", now);
        }
        for record in self.records.values_mut().filter(|record| record.stage == Stage::Syncing) {
            record.sandbox = false;
        }
    }
}
