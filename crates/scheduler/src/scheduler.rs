//! The scheduler itself: takes events in, keeps the state, and runs attempts.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use api_meta::labels::Selector;
use base::time::Time;

use crate::asking::{Asking, Extenders};
use crate::cluster::Cluster;
use crate::cluster::node::NodeIx;
use crate::cluster::pod::{Place, PodId};
use crate::cycle::{Cycle, Outcome};
use crate::diagnosis::{Diagnosis, NO_NODES};
use crate::event::{Action, Event, Failure, FailureReason, Nomination, Outputs};
use crate::limits::{INITIAL_BACK_OFF, MAX_BACK_OFF};
use crate::preemption::budgets::Budgets;
use crate::preemption::{self, Candidate, Preemption};
use crate::profile::{DEFAULT_NAME, Profile, Profiles};
use crate::queue::hints::Change;
use crate::queue::{BackOff, Lane, Queue, Waiting};
use crate::reason::{Plugin, Plugins};
use crate::selectors::{Owner, Selectors};
use crate::verdicts::Verdicts;
use crate::volumes::binding::{Pledge, Pledges};

/// How a scheduler is set up.
#[derive(Clone, Debug)]
pub struct Config {
    /// How pods are scheduled, by the scheduler that they ask for; the default profile if there is none.
    pub profiles: Vec<Profile>,
    /// Look for feasible nodes until this share of all nodes has been found; 0 adapts to the size of the cluster.
    pub percentage_of_nodes_to_score: usize,
    /// How long a pod backs off that could not be scheduled for the first time.
    pub initial_back_off: Duration,
    /// How long a pod backs off at most.
    pub max_back_off: Duration,
    /// What extenders are asked about.
    pub extenders: Extenders,
    /// Where chance starts from.
    pub seed: u64,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            profiles: vec![Profile::named(DEFAULT_NAME)],
            percentage_of_nodes_to_score: 0,
            initial_back_off: INITIAL_BACK_OFF,
            max_back_off: MAX_BACK_OFF,
            extenders: Extenders::default(),
            seed: 0,
        }
    }
}

/// The scheduler's state.
pub struct Scheduler {
    pub(crate) cluster: Cluster,
    pub(crate) verdicts: Verdicts,
    pub(crate) selectors: Selectors,
    pub(crate) budgets: Budgets,
    pub(crate) queue: Queue,
    pub(crate) by_uid: HashMap<Arc<str>, PodId>,
    /// Pods that have a node and wait for their volumes or devices there.
    pub(crate) pledges: Pledges,
    pub(crate) cycle: Cycle,
    pub(crate) asking: Asking,
    pub(crate) actions: Vec<Action>,
}

impl Scheduler {
    /// A scheduler that knows of nothing yet.
    pub fn new(config: Config) -> Scheduler {
        let mut cluster = Cluster::default();
        cluster.profiles = Profiles::new(config.profiles);
        let mut queue = Queue::default();
        queue.back_off_times = BackOff { initial: config.initial_back_off, most: config.max_back_off };
        Scheduler {
            cluster,
            verdicts: Verdicts::default(),
            selectors: Selectors::default(),
            budgets: Budgets::default(),
            queue,
            by_uid: HashMap::new(),
            pledges: Pledges::new(),
            cycle: Cycle::new(config.percentage_of_nodes_to_score, config.extenders, config.seed),
            asking: Asking::default(),
            actions: Vec::new(),
        }
    }

    /// Takes in what happened, or goes on with what is ready.
    pub fn step(&mut self, event: Event<'_>, now: Time) -> Outputs {
        self.cluster.devices.now = now;
        let rouses = self.cycle.extenders.filter && self.asking.rouses(&event, &self.cluster.profiles);
        match event {
            Event::Node(node) => self.on_node(node, now),
            Event::NodeGone(name) => self.on_node_gone(name, now),
            Event::Pod(pod) => self.on_pod(pod, now),
            Event::PodGone(uid) => self.on_pod_gone(uid, now),
            Event::Namespace(namespace) => {
                self.cluster.set_namespace(&namespace.metadata.name, Some(&namespace.metadata.labels));
            }
            Event::NamespaceGone(name) => self.cluster.set_namespace(name, None),
            Event::Budget(budget) => self.budgets.set(budget),
            Event::BudgetGone { namespace, name } => self.budgets.remove(namespace, name),
            Event::BindDone { uid, result } => self.on_bind_done(uid, result, now),
            Event::Claim(claim) => self.on_claim(claim, now),
            Event::ClaimGone { namespace, name } => self.on_claim_gone(namespace, name, now),
            Event::Volume(volume) => self.on_volume(volume, now),
            Event::VolumeGone(name) => self.on_volume_gone(name, now),
            Event::Class(class) => self.on_class(class, now),
            Event::ClassGone(name) => self.cluster.volumes.remove_class(name),
            Event::CsiNode(node) => self.on_csi_node(node, now),
            Event::CsiNodeGone(name) => self.on_csi_node_gone(name),
            Event::Driver(driver) => {
                self.cluster.volumes.drivers.set(&driver.metadata.name, Some(driver));
            }
            Event::DriverGone(name) => self.cluster.volumes.drivers.set(name, None),
            Event::Room(room) => self.on_room(room, now),
            Event::RoomGone { namespace, name } => {
                self.cluster.volumes.drivers.remove_room(namespace, name);
            }
            Event::Attachment(attachment) => self.on_attachment(attachment),
            Event::AttachmentGone(name) => self.on_attachment_gone(name, now),
            Event::VolumesWritten { uid, result } => self.on_volumes_written(uid, result, now),
            Event::DeviceClaim(claim) => self.on_device_claim(claim, now),
            Event::DeviceClaimGone { namespace, name } => self.on_device_claim_gone(namespace, name, now),
            Event::DeviceClass(class) => self.on_device_class(class, now),
            Event::DeviceClassGone(name) => self.on_device_class_gone(name),
            Event::Slice(slice) => self.on_slice(slice, now),
            Event::SliceGone(name) => self.on_slice_gone(name),
            Event::TaintRule(rule) => self.on_taint_rule(rule, now),
            Event::TaintRuleGone(name) => self.on_taint_rule_gone(name, now),
            Event::DevicesWritten { uid, claims, result } => {
                self.on_devices_written(uid, claims, result, now);
            }
            Event::Answered { number, answer } => self.on_answer(number, answer, now),
            Event::EvictionFailed { uid } => self.on_eviction_failed(uid),
            Event::Run { attempts } => self.run(attempts, now),
            selectors => self.on_selector(selectors),
        }
        if rouses {
            self.wake(&Change::Other, now);
        }
        Outputs {
            actions: std::mem::take(&mut self.actions),
            ready: if self.asking.is_open() { 0 } else { self.queue.ready() },
            wake_at: self.wake_at(),
        }
    }

    fn wake_at(&self) -> Option<Time> {
        let pledged = self.pledges.values().filter_map(Pledge::wake_at).min();
        [self.queue.wake_at(), pledged].into_iter().flatten().min()
    }

    /// How many pods wait, and for what.
    pub fn waiting(&self) -> Waiting {
        self.queue.waiting()
    }

    fn on_selector(&mut self, event: Event<'_>) {
        let selectors = &mut self.selectors;
        match event {
            Event::Service(service) => {
                let selector = Some(&service.spec.selector).filter(|selector| !selector.is_empty());
                selectors.set_service(&service.metadata.namespace, &service.metadata.name, selector);
            }
            Event::ServiceGone { namespace, name } => selectors.set_service(namespace, name, None),
            Event::ReplicationController(controller) => {
                let (meta, selector) =
                    (&controller.metadata, Selector::from_labels(&controller.spec.selector));
                let owner = Owner::new(crate::OwnerKind::ReplicationController, &meta.name);
                selectors.set_owner(&meta.namespace, owner, Some(&selector));
            }
            Event::ReplicaSet(set) => {
                let (meta, selector) = (&set.metadata, Selector::from_api(set.spec.selector.as_deref()).ok());
                let owner = Owner::new(crate::OwnerKind::ReplicaSet, &meta.name);
                selectors.set_owner(&meta.namespace, owner, selector.as_ref());
            }
            Event::StatefulSet(set) => {
                let (meta, selector) = (&set.metadata, Selector::from_api(set.spec.selector.as_deref()).ok());
                let owner = Owner::new(crate::OwnerKind::StatefulSet, &meta.name);
                selectors.set_owner(&meta.namespace, owner, selector.as_ref());
            }
            Event::OwnerGone { kind, namespace, name } => {
                selectors.set_owner(namespace, Owner::new(kind, name), None);
            }
            _ => {}
        }
    }

    fn run(&mut self, attempts: usize, now: Time) {
        if self.pledges.values().any(|pledge| pledge.wake_at().is_some_and(|at| at <= now)) {
            self.keep_pledges(now);
        }
        for id in self.queue.due(now) {
            let pod = &mut self.cluster.pods[id];
            self.queue.leave(id, pod);
            self.queue.resume(id, pod, now);
        }
        for _ in 0..attempts {
            if self.asking.is_open() {
                break;
            }
            let Some(id) = self.queue.pop() else { break };
            if let Some(pending) = &mut self.cluster.pods[id].pending {
                pending.ticket.lane = Lane::None;
                self.attempt(id, now);
            }
        }
    }

    pub(crate) fn attempt(&mut self, id: PodId, now: Time) {
        self.asking.begin();
        self.renew_default_spread(id);
        let Some(shape) = self.cluster.pods[id].pending.as_ref().map(|pending| pending.shape) else { return };
        let outcome = self.cycle.attempt(&mut self.cluster, &mut self.verdicts, id, shape, false);
        self.settle(id, outcome, now);
    }

    /// Does what follows from an attempt.
    pub(crate) fn settle(&mut self, id: PodId, outcome: Outcome, now: Time) {
        match outcome {
            Outcome::Ask(asked) => self.ask_about_nodes(id, asked),
            Outcome::Node(node) => self.assume(id, node, now),
            Outcome::NoNodes => {
                let message = NO_NODES.to_owned();
                self.fail(id, FailureReason::Unschedulable, message, Plugins::default(), Nomination::Clear);
                self.queue.retry(id, &mut self.cluster.pods[id], now);
            }
            Outcome::Unfit(diagnosis) => self.reject(id, diagnosis, now),
            Outcome::Error(error) => {
                let reason = FailureReason::SchedulerError;
                self.fail(id, reason, error, Plugins::default(), Nomination::Clear);
                self.queue.retry(id, &mut self.cluster.pods[id], now);
            }
        }
    }

    fn assume(&mut self, id: PodId, node: NodeIx, now: Time) {
        self.cluster.nominate(id, None);
        let waits = self.pledge(id, node, now);
        self.cluster.place(id, Place::Assumed(node));
        if waits {
            return;
        }
        let pod = self.cluster.pods[id].of.clone();
        self.actions.push(Action::Bind { pod, node: self.cluster.nodes.name[node.index()].clone() });
    }

    fn reject(&mut self, id: PodId, diagnosis: Arc<Diagnosis>, now: Time) {
        match self.preempt(id, &diagnosis) {
            Preemption::Candidates(candidates) if self.cycle.extenders.preempt => {
                self.ask_about_victims(id, diagnosis, &candidates);
            }
            found => self.reject_after(id, &diagnosis, found, now),
        }
    }

    /// Rejects a pod once it is known whom preemption may evict.
    pub(crate) fn reject_after(&mut self, id: PodId, diagnosis: &Diagnosis, found: Preemption, now: Time) {
        let (says, nomination) = match found {
            Preemption::Ineligible(says) => (says, Nomination::Keep),
            Preemption::Nothing(says) => {
                self.cluster.nominate(id, None);
                (says, Nomination::Clear)
            }
            Preemption::Candidates(candidates) => {
                let Some(Candidate { node, victims, .. }) =
                    candidates.into_iter().min_by_key(|candidate| candidate.loss(&self.cluster))
                else {
                    return;
                };
                self.cluster.nominate(id, Some(node));
                let name = self.cluster.nodes.name[node.index()].clone();
                for victim in &victims {
                    self.cluster.pods[*victim].preempted = true;
                }
                let victims = victims
                    .into_iter()
                    .map(|victim| self.cluster.pods[victim].of.clone())
                    .collect::<Vec<_>>();
                let preemptor = self.cluster.pods[id].of.clone();
                let says = format!(
                    "found a potential placement for pod on node {name}, preempting {} victims",
                    victims.len()
                );
                self.actions.push(Action::Preempt { preemptor, node: name.clone(), victims });
                self.unnominate_lower(id, node, now);
                (says, Nomination::Node(name))
            }
        };
        let done = self.deallocate(id, &diagnosis.to_deallocate);
        let done = done.then_some("deallocation of ResourceClaim completed");
        let message = diagnosis.message(done, &says);
        self.fail(id, FailureReason::Unschedulable, message, diagnosis.rejectors, nomination);
        let pod = &mut self.cluster.pods[id];
        self.queue.park(id, pod, diagnosis.rejectors, now);
        if self.asking.may_help(diagnosis.rejectors) {
            self.queue.leave(id, pod);
            self.queue.resume(id, pod, now);
        }
    }

    /// Looks for pods to evict, and evicts none.
    pub(crate) fn preempt(&mut self, id: PodId, diagnosis: &Diagnosis) -> Preemption {
        let Scheduler { cluster, verdicts, budgets, cycle, .. } = self;
        preemption::preempt(cluster, verdicts, budgets, id, diagnosis, &mut cycle.dice)
    }

    /// Pods of lower priority lose their nomination to a node that another gets, and look for one again.
    fn unnominate_lower(&mut self, id: PodId, node: NodeIx, now: Time) {
        let priority = self.cluster.pods[id].priority;
        let nominated = self.cluster.nominated.get(&node).into_iter().flatten().copied();
        let lower: Vec<PodId> =
            nominated.filter(|other| self.cluster.pods[*other].priority < priority).collect();
        for other in lower {
            self.cluster.nominate(other, None);
            let record = &mut self.cluster.pods[other];
            self.actions.push(Action::Unnominate { pod: record.of.clone() });
            if record.pending.as_ref().is_some_and(|pending| pending.ticket.lane == Lane::Parked) {
                self.queue.leave(other, record);
                self.queue.resume(other, record, now);
            }
        }
    }

    pub(crate) fn fail(
        &mut self,
        id: PodId,
        reason: FailureReason,
        message: String,
        plugins: Plugins,
        nomination: Nomination,
    ) {
        let pod = self.cluster.pods[id].of.clone();
        let all = Plugin::ALL.iter().copied().chain([Plugin::Extender]);
        let plugins = all.filter(|plugin| plugins.has(*plugin)).collect();
        self.actions.push(Action::Failed(Failure { pod, reason, message, plugins, nomination }));
    }

    fn on_bind_done(&mut self, uid: &str, result: Result<(), &str>, now: Time) {
        let Some(&id) = self.by_uid.get(uid) else { return };
        let pod = &mut self.cluster.pods[id];
        match (result, pod.place) {
            (Ok(()), place) => {
                if let Some(node) = place.node() {
                    let (pod, node) = (pod.of.clone(), self.cluster.nodes.name[node.index()].clone());
                    self.actions.push(Action::Scheduled { pod, node });
                }
            }
            (Err(error), Place::Assumed(_)) => {
                self.cluster.displace(id);
                self.unreserve(id);
                let (reason, message) = (FailureReason::SchedulerError, error.to_owned());
                self.fail(id, reason, message, Plugins::default(), Nomination::Clear);
                self.queue.retry(id, &mut self.cluster.pods[id], now);
                self.wake_for_gone(id, now);
            }
            // It was seen bound after all: the answer got lost, not the binding.
            (Err(_), _) => {}
        }
    }

    fn on_eviction_failed(&mut self, uid: &str) {
        if let Some(&id) = self.by_uid.get(uid) {
            self.cluster.pods[id].preempted = false;
        }
    }

    /// Lets parked pods be tried again that a change may help.
    pub(crate) fn wake(&mut self, change: &Change<'_>, now: Time) {
        if self.asking.is_open() {
            self.note_meanwhile(change);
        }
        let (cluster, verdicts) = (&self.cluster, &self.verdicts);
        let namespace = |name: &str| cluster.namespace(name);
        let helped: Vec<PodId> = self
            .queue
            .groups()
            .filter(|group| {
                let wants = crate::queue::hints::Wants {
                    shape: verdicts.shape(group.shape),
                    cohort: &cluster.cohorts[group.cohort].key,
                    peers: group.peers.map(|peers| &*cluster.peers[peers].key),
                    claims: group.claims.as_deref(),
                    devices: group.devices.as_deref(),
                    namespace: &namespace,
                };
                crate::queue::hints::may_help(change, group.rejectors, &wants)
            })
            .flat_map(|group| self.queue.of_group(group))
            .collect();
        for id in helped {
            let pod = &mut self.cluster.pods[id];
            self.queue.leave(id, pod);
            self.queue.resume(id, pod, now);
        }
    }
}
