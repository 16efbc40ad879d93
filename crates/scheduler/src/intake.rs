//! Takes in what happens to nodes and pods.

use std::sync::Arc;

use api_types::core::v1::{Node, Pod as ApiPod};
use base::time::Time;

use crate::cluster::cohort::CohortKey;
use crate::cluster::node::Facts;
use crate::cluster::peers::{Alike, PeersKey};
use crate::cluster::pod::{DefaultSpread, Pending, Place, Pod, PodId, PodRef};
use crate::demand::Demand;
use crate::devices::claims::PodClaims;
use crate::queue::Ticket;
use crate::queue::hints::{Change, NodeState};
use crate::scheduler::Scheduler;
use crate::selectors::Owner;
use crate::shape::{Labels, Shape};
use crate::verdicts::ShapeId;
use crate::volumes::claims::Claims;
use scheduler_filters::node_ports::HostPort;

/// When a pod started that has not: later than any other.
const NOT_YET: Time = Time::from_unix_nanos(i64::MAX);

impl Scheduler {
    pub(crate) fn on_node(&mut self, node: &Node, now: Time) {
        let (at, change) = self.cluster.set_node(node);
        if change.before.is_some() && !change.facts_changed && !change.allocatable_changed {
            return;
        }
        // The change borrows the node's columns while groups are woken, so it gets copies of what is small.
        let nodes = &self.cluster.nodes;
        let name = nodes.name[at.index()].clone();
        let (facts, allocatable) = (nodes.facts[at.index()].clone(), nodes.allocatable[at.index()]);
        let extended = nodes.extended[at.index()].clone();
        let after = NodeState { name: &name, facts: &facts, allocatable: &allocatable, extended: &extended };
        match (&change.before, &change.allocatable_before) {
            (Some(facts), Some((allocatable, extended))) => {
                let before = NodeState { name: &name, facts, allocatable, extended };
                self.wake(&Change::NodeUpdated { before, after }, now);
            }
            _ => self.wake(&Change::NodeAdded(after), now),
        }
    }

    pub(crate) fn on_node_gone(&mut self, name: &str, now: Time) {
        let facts: Option<Facts> = self.cluster.remove_node(name);
        if let Some(facts) = facts {
            self.wake(&Change::NodeGone(&facts), now);
        }
    }

    pub(crate) fn on_pod(&mut self, pod: &ApiPod, now: Time) {
        if matches!(pod.status.phase.as_str(), "Succeeded" | "Failed") {
            self.on_pod_gone(&pod.metadata.uid, now);
            return;
        }
        let known = self.by_uid.get(pod.metadata.uid.as_str()).copied();
        match (known, pod.spec.node_name.is_empty()) {
            (None, true) => self.admit_pending(pod, now),
            (None, false) => self.admit_bound(pod, now),
            (Some(id), true) => self.update_pending(id, pod, now),
            (Some(id), false) => self.update_bound(id, pod, now),
        }
    }

    fn admit_pending(&mut self, pod: &ApiPod, now: Time) {
        let Some(profile) = self.cluster.profiles.find(&pod.spec.scheduler_name) else { return };
        let shape = Shape::of(pod, &self.cluster.profiles, profile);
        let (demand, ports) = (shape.demand.clone(), shape.ports.as_slice().into());
        let shape = self.verdicts.acquire(shape);
        let demand = if *demand == *self.verdicts.shape(shape).demand {
            self.verdicts.shape(shape).demand.clone()
        } else {
            demand
        };
        let (own, default_spread) = self.peers_of(pod, shape);
        let mut record = self.record(pod, demand, ports, own);
        let has_gates = !pod.spec.scheduling_gates.is_empty();
        let (ticket, nominated_by_api) = (Ticket::default(), false);
        record.pending = Some(Pending { shape, ticket, has_gates, default_spread, nominated_by_api });
        let id = self.insert(record);
        self.nominate_as_told(id, pod);
        let devices = self.cluster.pods[id].devices.clone();
        let gated = self.hold(id, devices.as_deref()) || has_gates;
        if pod.metadata.deletion_timestamp.is_some() {
            return self.retire(id, pod, now);
        }
        self.queue.enter(id, &mut self.cluster.pods[id], gated, now);
    }

    /// A pod on its way out is not tried any more. Where it is nominated to a node, its room stays until it has gone, as upstream's does.
    fn retire(&mut self, id: PodId, pod: &ApiPod, now: Time) {
        self.nominate_as_told(id, pod);
        if self.cluster.pods[id].nominated.is_none() {
            return self.on_pod_gone(&pod.metadata.uid, now);
        }
        self.queue.leave(id, &mut self.cluster.pods[id]);
    }

    fn admit_bound(&mut self, pod: &ApiPod, now: Time) {
        let ports = HostPort::of_pod(pod).into();
        let own = PeersKey::of(pod).carried_only();
        let record = self.record(pod, Arc::new(Demand::in_force(pod)), ports, own);
        let id = self.insert(record);
        let node = self.cluster.nodes.slot(&pod.spec.node_name);
        self.cluster.place(id, Place::Bound(node));
        self.wake_for_bound(id, now);
    }

    fn update_pending(&mut self, id: PodId, pod: &ApiPod, now: Time) {
        if pod.metadata.deletion_timestamp.is_some() && self.cluster.pods[id].place == Place::Nowhere {
            return self.retire(id, pod, now);
        }
        let Some(shape_before) = self.cluster.pods[id].pending.as_ref().map(|pending| pending.shape) else {
            return;
        };
        let profile = self.verdicts.shape(shape_before).profile;
        let shape = self.verdicts.acquire(Shape::of(pod, &self.cluster.profiles, profile));
        let (own, default_spread) = self.peers_of(pod, shape);
        let peers = self.cluster.acquire_peers(own);
        let cohort = self.cluster.acquire_cohort(cohort_key(pod));
        let has_gates = !pod.spec.scheduling_gates.is_empty();
        let devices = PodClaims::of(pod).map(Arc::new);
        let gated = self.hold(id, devices.as_deref()) || has_gates;
        let record = &mut self.cluster.pods[id];
        if let Some(pending) = &mut record.pending {
            pending.has_gates = has_gates;
        }
        let was_gated =
            record.pending.as_ref().is_some_and(|pending| pending.ticket.lane == crate::queue::Lane::Gated);
        let priority = pod.spec.priority.unwrap_or(0);
        let same = shape == shape_before
            && peers == record.peers
            && cohort == record.cohort
            && devices == record.devices;
        if same && gated == was_gated && priority == record.priority {
            self.release_parts(peers, cohort);
            self.verdicts.release(shape);
            self.nominate_as_told(id, pod);
            return;
        }
        let on = record.place.node().map(|node| self.cluster.nodes.name[node.index()].clone());
        self.queue.leave(id, &mut self.cluster.pods[id]);
        self.cluster.displace(id);
        let demand = self.verdicts.shape(shape).demand.clone();
        let record = &mut self.cluster.pods[id];
        let (peers_before, cohort_before) = (record.peers, record.cohort);
        (record.peers, record.cohort, record.demand, record.priority) = (peers, cohort, demand, priority);
        record.devices = devices;
        if let Some(pending) = &mut record.pending {
            pending.shape = shape;
            pending.default_spread = default_spread;
        }
        self.release_parts(peers_before, cohort_before);
        self.verdicts.release(shape_before);
        self.cluster.epoch += 1;
        self.nominate_as_told(id, pod);
        match on {
            None if gated || was_gated => self.queue.enter(id, &mut self.cluster.pods[id], gated, now),
            None => self.queue.resume(id, &mut self.cluster.pods[id], now),
            // The slot of a node that has gone may have been freed meanwhile; it has to be looked up.
            Some(node) => {
                let node = self.cluster.nodes.slot(&node);
                self.cluster.place(id, Place::Assumed(node));
            }
        }
    }

    fn update_bound(&mut self, id: PodId, pod: &ApiPod, now: Time) {
        let node = self.cluster.nodes.slot(&pod.spec.node_name);
        self.queue.leave(id, &mut self.cluster.pods[id]);
        self.cluster.devices.held.remove(&id);
        self.forget_pledge(id);
        self.cluster.nominate(id, None);
        let newly = !matches!(self.cluster.pods[id].place, Place::Bound(_));
        if let Some(pending) = self.cluster.pods[id].pending.take() {
            self.verdicts.release(pending.shape);
        }
        let cohort = self.cluster.acquire_cohort(cohort_key(pod));
        let demand = Demand::in_force(pod);
        let record = &mut self.cluster.pods[id];
        record.preempted |= is_preempted(pod);
        record.terminating = pod.metadata.deletion_timestamp.is_some();
        if let Some(start) = pod.status.start_time {
            record.since = Time::from_unix_seconds(start.seconds);
        }
        let same = record.place.node() == Some(node) && cohort == record.cohort && demand == *record.demand;
        if same {
            record.place = Place::Bound(node);
            self.cluster.release_cohort(cohort);
        } else {
            let (shrunk, before) = (is_smaller(&demand, &record.demand), record.cohort);
            self.cluster.displace(id);
            // The old node's slot may have been the last use of it; the new one has to be looked up after.
            let node = self.cluster.nodes.slot(&pod.spec.node_name);
            let record = &mut self.cluster.pods[id];
            record.cohort = cohort;
            if demand != *record.demand {
                record.demand = Arc::new(demand);
            }
            self.cluster.place(id, Place::Bound(node));
            if !newly {
                let keys =
                    (self.cluster.cohorts[before].key.clone(), self.cluster.cohorts[cohort].key.clone());
                if shrunk {
                    self.wake(&Change::PodShrunk, now);
                }
                self.wake(&Change::PodRelabelled { before: &keys.0, after: &keys.1 }, now);
            }
            self.cluster.release_cohort(before);
        }
        if newly {
            self.wake_for_bound(id, now);
        }
    }

    pub(crate) fn on_pod_gone(&mut self, uid: &str, now: Time) {
        let Some(id) = self.by_uid.remove(uid) else { return };
        self.queue.leave(id, &mut self.cluster.pods[id]);
        self.cluster.devices.held.remove(&id);
        self.forget_pledge(id);
        let kept_room = self.cluster.pods[id].nominated.is_some();
        self.cluster.nominate(id, None);
        let placed = self.cluster.displace(id).is_some();
        if placed || kept_room {
            self.wake_for_gone(id, now);
        }
        let Some(record) = self.cluster.pods.remove(id) else { return };
        if let Some(pending) = record.pending {
            self.verdicts.release(pending.shape);
        }
        self.release_parts(record.peers, record.cohort);
        self.cluster.epoch += 1;
    }

    fn wake_for_bound(&mut self, id: PodId, now: Time) {
        let cohort = self.cluster.cohorts[self.cluster.pods[id].cohort].key.clone();
        self.wake(&Change::PodBound(&cohort), now);
    }

    pub(crate) fn wake_for_gone(&mut self, id: PodId, now: Time) {
        let record = &self.cluster.pods[id];
        let (cohort, ports) = (self.cluster.cohorts[record.cohort].key.clone(), record.ports.clone());
        let claims = record.claims.clone();
        let peers = record.peers.map(|peers| self.cluster.peers[peers].key.clone());
        let anti_affinity = peers.as_ref().map_or(&[][..], |peers| &peers.anti_affinity);
        let claims = claims.as_deref();
        self.wake(&Change::PodGone { cohort: &cohort, ports: &ports, anti_affinity, claims }, now);
    }

    fn record(&mut self, pod: &ApiPod, demand: Arc<Demand>, ports: Arc<[HostPort]>, peers: PeersKey) -> Pod {
        Pod {
            of: PodRef {
                uid: pod.metadata.uid.as_str().into(),
                namespace: pod.metadata.namespace.as_str().into(),
                name: pod.metadata.name.as_str().into(),
                scheduler_name: pod.spec.scheduler_name.as_str().into(),
            },
            priority: pod.spec.priority.unwrap_or(0),
            since: pod.status.start_time.map_or(NOT_YET, |start| Time::from_unix_seconds(start.seconds)),
            terminating: pod.metadata.deletion_timestamp.is_some(),
            preempted: is_preempted(pod),
            may_preempt: pod.spec.preemption_policy.as_deref() != Some("Never"),
            demand,
            ports,
            claims: Claims::of(pod).map(Arc::new),
            devices: PodClaims::of(pod).map(Arc::new),
            cohort: self.cluster.acquire_cohort(cohort_key(pod)),
            peers: self.cluster.acquire_peers(peers),
            place: Place::Nowhere,
            nominated: None,
            pending: None,
        }
    }

    fn insert(&mut self, record: Pod) -> PodId {
        let uid = record.of.uid.clone();
        let id = self.cluster.pods.insert(record);
        self.by_uid.insert(uid, id);
        id
    }

    fn release_parts(
        &mut self,
        peers: Option<crate::cluster::peers::PeersId>,
        cohort: crate::cluster::cohort::CohortId,
    ) {
        if let Some(peers) = peers {
            self.cluster.release_peers(peers);
        }
        self.cluster.release_cohort(cohort);
    }

    /// What a pod demands of others, its default constraints included, and how those came about.
    fn peers_of(&self, pod: &ApiPod, shape: ShapeId) -> (PeersKey, Option<DefaultSpread>) {
        let own = PeersKey::of(pod);
        if !pod.spec.topology_spread_constraints.is_empty() {
            return (own, None);
        }
        let (meta, owner) = (&pod.metadata, Owner::of(pod));
        let with = self.spread_by_default(&own, shape, &meta.namespace, &meta.labels, owner.as_ref());
        let selectors = self.selectors.state(&meta.namespace);
        let default_spread = DefaultSpread { own: own.clone(), owner, selectors };
        (with.unwrap_or(own), Some(default_spread))
    }

    /// Demands with the default constraints of the shape's profile, for a pod of these labels; `None` if nothing selects its like.
    fn spread_by_default(
        &self,
        own: &PeersKey,
        shape: ShapeId,
        namespace: &str,
        labels: &Labels,
        owner: Option<&Owner>,
    ) -> Option<PeersKey> {
        let selector = self.selectors.alike(namespace, labels, owner)?;
        let shape = self.verdicts.shape(shape);
        let spreading = &self.cluster.profiles.of(shape.profile).spreading;
        let (required, tolerations) = (&shape.required, &shape.tolerations);
        Some(own.spread_by_default(&Alike { namespace, selector, required, tolerations, spreading }))
    }

    /// Brings the default constraints of a pod up to date with the services and controllers of its namespace.
    pub(crate) fn renew_default_spread(&mut self, id: PodId) {
        let record = &self.cluster.pods[id];
        let Some(pending) = &record.pending else { return };
        let Some(spread) = &pending.default_spread else { return };
        let state = self.selectors.state(&record.of.namespace);
        if spread.selectors == state {
            return;
        }
        let cohort = &self.cluster.cohorts[record.cohort].key;
        let (own, owner) = (&spread.own, spread.owner.as_ref());
        let with = self.spread_by_default(own, pending.shape, &cohort.namespace, &cohort.labels, owner);
        let key = with.unwrap_or_else(|| own.clone());
        let peers = self.cluster.acquire_peers(key);
        let record = &mut self.cluster.pods[id];
        let before = std::mem::replace(&mut record.peers, peers);
        if let Some(spread) = record.pending.as_mut().and_then(|pending| pending.default_spread.as_mut()) {
            spread.selectors = state;
        }
        if let Some(before) = before {
            self.cluster.release_peers(before);
            self.cluster.epoch += 1;
        }
    }

    /// Follows `status.nominatedNodeName`; a nomination of ours that the API has not taken in yet stays.
    fn nominate_as_told(&mut self, id: PodId, pod: &ApiPod) {
        let name = &pod.status.nominated_node_name;
        let node = if name.is_empty() { None } else { self.cluster.nodes.find(name) };
        let Some(pending) = &mut self.cluster.pods[id].pending else { return };
        let told_before = std::mem::replace(&mut pending.nominated_by_api, !name.is_empty());
        if self.cluster.pods[id].place == Place::Nowhere && (told_before || !name.is_empty()) {
            self.cluster.nominate(id, node);
        }
    }
}

fn cohort_key(pod: &ApiPod) -> CohortKey {
    CohortKey {
        namespace: pod.metadata.namespace.clone(),
        labels: pod.metadata.labels.clone(),
        terminating: pod.metadata.deletion_timestamp.is_some(),
    }
}

fn is_preempted(pod: &ApiPod) -> bool {
    pod.metadata.deletion_timestamp.is_some()
        && pod.status.conditions.iter().any(|condition| {
            condition.type_ == "DisruptionTarget"
                && condition.status == "True"
                && condition.reason == "PreemptionByScheduler"
        })
}

fn is_smaller(now: &Demand, before: &Demand) -> bool {
    let (now_amounts, before_amounts) = (&now.amounts, &before.amounts);
    now_amounts.cpu_milli < before_amounts.cpu_milli
        || now_amounts.memory_bytes < before_amounts.memory_bytes
        || now_amounts.ephemeral_bytes < before_amounts.ephemeral_bytes
        || now.extended.len() < before.extended.len()
}
