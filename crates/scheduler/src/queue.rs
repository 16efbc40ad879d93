//! Which pod is next: by priority, then by how long it has waited.
//!
//! A pod that is to be scheduled is in one lane at a time: held by its gates or for want of claims, active, backing off after a failure or an
//! error, parked until something happens that may help it, or in flight while its binding is under way. Parked pods lie
//! together with those that failed for the same reasons with the same demands, so that an event is judged once for all of
//! them. As upstream does, an idle queue takes pods that back off after a failure early; those that met an error wait.

pub(crate) mod hints;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use base::time::Time;

use crate::cluster::cohort::CohortId;
use crate::cluster::peers::PeersId;
use crate::cluster::pod::{Pod, PodId};
use crate::devices::claims::PodClaims;
use crate::limits::{BACK_OFF_WINDOW, INITIAL_BACK_OFF, MAX_BACK_OFF, MAX_UNSCHEDULABLE};
use crate::reason::Plugins;
use crate::verdicts::ShapeId;
use crate::volumes::claims::Claims;

/// How many pods wait, and for what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// For their turn.
    pub active: usize,
    /// For their back-off to end.
    pub back_off: usize,
    /// For something to happen that may help them.
    pub unschedulable: usize,
}

/// Where a pod waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Lane {
    /// In no queue: in flight, or on its way between lanes.
    #[default]
    None,
    Gated,
    Active,
    BackOff,
    ErrorBackOff,
    Parked,
}

/// A pod's standing in the queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ticket {
    pub(crate) lane: Lane,
    /// When it last came into the queue.
    since: Time,
    /// Breaks ties between pods of one time.
    turn: u64,
    failures: u32,
    /// In a row.
    errors: u32,
    back_off_until: Time,
    rejectors: Plugins,
}

/// Pods that failed for the same reasons with the same demands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Group {
    pub(crate) rejectors: Plugins,
    pub(crate) shape: ShapeId,
    pub(crate) cohort: CohortId,
    pub(crate) peers: Option<PeersId>,
    pub(crate) claims: Option<Arc<Claims>>,
    pub(crate) devices: Option<Arc<PodClaims>>,
}

type Rank = (Reverse<i32>, Time, u64, PodId);

/// All pods that are to be scheduled.
#[derive(Default)]
pub(crate) struct Queue {
    active: BTreeSet<Rank>,
    back_off: BTreeSet<(Time, Rank)>,
    error_back_off: BTreeSet<(Time, Rank)>,
    parked: BTreeMap<Group, BTreeSet<PodId>>,
    parked_since: BTreeSet<(Time, PodId)>,
    turns: u64,
    pub(crate) back_off_times: BackOff,
}

impl Queue {
    /// A pod that is new, or whose gates have gone.
    pub(crate) fn enter(&mut self, id: PodId, pod: &mut Pod, gated: bool, now: Time) {
        self.turns += 1;
        let Some(pending) = &mut pod.pending else { return };
        pending.ticket = Ticket { since: now, turn: self.turns, ..Ticket::default() };
        if gated {
            pending.ticket.lane = Lane::Gated;
        } else {
            self.activate(id, pod);
        }
    }

    /// The next pod to be tried; it is in no lane afterwards.
    pub(crate) fn pop(&mut self) -> Option<PodId> {
        if let Some((.., id)) = self.active.pop_first() {
            return Some(id);
        }
        self.back_off.pop_first().map(|(_, (.., id))| id)
    }

    /// A pod that no node suits waits for what may help it.
    pub(crate) fn park(&mut self, id: PodId, pod: &mut Pod, rejectors: Plugins, now: Time) {
        let (cohort, peers) = (pod.cohort, pod.peers);
        let (claims, devices) = (pod.claims.clone(), pod.devices.clone());
        let Some(pending) = &mut pod.pending else { return };
        let ticket = &mut pending.ticket;
        ticket.since = now;
        ticket.failures += 1;
        ticket.errors = 0;
        ticket.rejectors = rejectors;
        ticket.back_off_until = self.back_off_times.until(now, ticket.failures);
        ticket.lane = Lane::Parked;
        let group = Group { rejectors, shape: pending.shape, cohort, peers, claims, devices };
        self.parked.entry(group).or_default().insert(id);
        self.parked_since.insert((now, id));
    }

    /// A pod that met an error is tried again later.
    pub(crate) fn retry(&mut self, id: PodId, pod: &mut Pod, now: Time) {
        let Some(pending) = &mut pod.pending else { return };
        let ticket = &mut pending.ticket;
        ticket.since = now;
        ticket.errors += 1;
        ticket.rejectors = Plugins::default();
        ticket.back_off_until = self.back_off_times.until(now, ticket.errors);
        ticket.lane = Lane::ErrorBackOff;
        let until = ticket.back_off_until;
        self.error_back_off.insert((until, rank(id, pod)));
    }

    /// Takes a pod out of its lane; to be called before anything that its place depends on changes.
    pub(crate) fn leave(&mut self, id: PodId, pod: &mut Pod) {
        let (rank, cohort, peers) = (rank(id, pod), pod.cohort, pod.peers);
        let Some(pending) = &mut pod.pending else { return };
        let ticket = &mut pending.ticket;
        match std::mem::take(&mut ticket.lane) {
            Lane::None | Lane::Gated => {}
            Lane::Active => {
                self.active.remove(&rank);
            }
            Lane::BackOff => {
                self.back_off.remove(&(ticket.back_off_until, rank));
            }
            Lane::ErrorBackOff => {
                self.error_back_off.remove(&(ticket.back_off_until, rank));
            }
            Lane::Parked => {
                let (claims, devices) = (pod.claims.clone(), pod.devices.clone());
                let (rejectors, shape) = (ticket.rejectors, pending.shape);
                let group = Group { rejectors, shape, cohort, peers, claims, devices };
                if let Some(pods) = self.parked.get_mut(&group) {
                    pods.remove(&id);
                    if pods.is_empty() {
                        self.parked.remove(&group);
                    }
                }
                self.parked_since.remove(&(ticket.since, id));
            }
        }
    }

    /// Lets a pod that is in no lane be tried again, once it has backed off.
    pub(crate) fn resume(&mut self, id: PodId, pod: &mut Pod, now: Time) {
        let Some(pending) = &mut pod.pending else { return };
        if pending.ticket.back_off_until <= now {
            self.activate(id, pod);
            return;
        }
        let until = pending.ticket.back_off_until;
        if pending.ticket.errors > 0 {
            pending.ticket.lane = Lane::ErrorBackOff;
            self.error_back_off.insert((until, rank(id, pod)));
        } else {
            pending.ticket.lane = Lane::BackOff;
            self.back_off.insert((until, rank(id, pod)));
        }
    }

    fn activate(&mut self, id: PodId, pod: &mut Pod) {
        if let Some(pending) = &mut pod.pending {
            pending.ticket.lane = Lane::Active;
        }
        self.active.insert(rank(id, pod));
    }

    /// The groups of parked pods.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &Group> {
        self.parked.keys()
    }

    /// The pods of a group.
    pub(crate) fn of_group(&self, group: &Group) -> impl Iterator<Item = PodId> {
        self.parked.get(group).into_iter().flatten().copied()
    }

    /// The pods whose back-off is over, or which have been parked for too long.
    pub(crate) fn due(&self, now: Time) -> Vec<PodId> {
        let over = |lane: &BTreeSet<(Time, Rank)>| -> Vec<PodId> {
            lane.iter().take_while(|(until, _)| *until <= now).map(|(_, rank)| rank.3).collect()
        };
        let mut due = over(&self.back_off);
        due.extend(over(&self.error_back_off));
        let parked = self.parked_since.iter().take_while(|(since, _)| *since + MAX_UNSCHEDULABLE <= now);
        due.extend(parked.map(|(_, id)| *id));
        due
    }

    /// When something is due; `None` if that takes an event.
    pub(crate) fn wake_at(&self) -> Option<Time> {
        let back_off = self.back_off.first().map(|(until, _)| *until);
        let error = self.error_back_off.first().map(|(until, _)| *until);
        let parked = self.parked_since.first().map(|(since, _)| *since + MAX_UNSCHEDULABLE);
        [back_off, error, parked].into_iter().flatten().min()
    }

    /// How many pods could be tried now.
    pub(crate) fn ready(&self) -> usize {
        self.active.len() + self.back_off.len()
    }

    /// How many pods wait in each lane.
    pub(crate) fn waiting(&self) -> Waiting {
        Waiting {
            active: self.active.len(),
            back_off: self.back_off.len() + self.error_back_off.len(),
            unschedulable: self.parked_since.len(),
        }
    }
}

fn rank(id: PodId, pod: &Pod) -> Rank {
    let ticket = pod.pending.as_ref().map(|pending| &pending.ticket);
    let (since, turn) = ticket.map_or((Time::EPOCH, 0), |ticket| (ticket.since, ticket.turn));
    (Reverse(pod.priority), since, turn, id)
}

/// How long pods back off: the first time, and at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BackOff {
    pub(crate) initial: Duration,
    pub(crate) most: Duration,
}

impl Default for BackOff {
    fn default() -> Self {
        BackOff { initial: INITIAL_BACK_OFF, most: MAX_BACK_OFF }
    }
}

impl BackOff {
    fn until(self, now: Time, times: u32) -> Time {
        let doubled = self.initial.checked_mul(1 << (times - 1).min(16)).unwrap_or(Duration::MAX);
        let window = BACK_OFF_WINDOW.as_nanos() as i64;
        let until = now + doubled.min(self.most);
        Time::from_unix_nanos(until.unix_nanos().div_euclid(window) * window)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn back_off_doubles_up_to_its_limit_and_ends_with_a_window() {
        let now = Time::from_unix_nanos(10_900_000_000);
        let back_off = BackOff::default();
        let seconds = [1, 2, 3, 4, 5, 60].map(|times| back_off.until(now, times).unix_seconds() - 10);
        assert_eq!(seconds, [1, 2, 4, 8, 10, 10]);
        assert_eq!(back_off.until(now, 1).unix_nanos() % 1_000_000_000, 0);
    }
}
