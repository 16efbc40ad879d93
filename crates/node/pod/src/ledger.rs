//! What a node has given to its pods, all together: who is taken in, whose resize there is room for, and whose waits.
//!
//! One ledger a node, which the workers of its pods ask; what it has decided about a pod is kept in that pod's record. A pod is counted with
//! what it was given until nothing of it runs any more, however little it asks for by then.
//!
//! Upstream: `pkg/kubelet/allocation/allocation_manager.go`. Nothing here is `Infeasible`: what a node can never give, admission refuses.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use api_meta::resources::ResourceList;
use api_types::core::v1::Pod;
use base::time::Time;

use crate::allocation::Allocation;
use crate::preemption::{Candidate, is_critical, victims};
use crate::record::Verdict;
use crate::resize::Progress;
use crate::resources::{Qos, qos};
use crate::room::{Shortage, demand, shortages};

/// Kubelet's word for a resize that waits for room.
const DEFERRED: &str = "Deferred";

/// What was given to a node's pods.
#[derive(Debug, Default)]
pub struct Ledger {
    allocatable: ResourceList,
    pods: BTreeMap<String, Entry>,
}

#[derive(Debug)]
struct Entry {
    /// As the API has it.
    pod: Arc<Pod>,
    given: Given,
    /// What that comes to.
    demand: ResourceList,
}

/// What was decided about a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Given {
    /// What it has.
    pub allocation: Allocation,
    /// Why it has not what it asks for.
    pub pending: Option<Progress>,
    /// It makes room for a pod that the node cannot do without, and is to end.
    pub preempted: bool,
}

impl Entry {
    fn new(pod: &Arc<Pod>, given: Given) -> Entry {
        let demand = demand(&given.allocation.applied(pod));
        Entry { pod: Arc::clone(pod), given, demand }
    }

    fn is_satisfied(&self) -> bool {
        Allocation::of(&self.pod) == self.given.allocation
    }

    /// Who is looked at first: those that give back, then by priority, quality of service, and how long they wait.
    fn rank(&self) -> (bool, Reverse<i32>, bool, i64) {
        let wished = demand(&self.pod);
        let more = |name: &str| {
            wished.get(name).is_some_and(|asked| self.demand.get(name).is_none_or(|has| asked > has))
        };
        (
            more("cpu") || more("memory"),
            Reverse(self.pod.spec.priority.unwrap_or(0)),
            qos(&self.pod) != Qos::Guaranteed,
            self.given.pending.as_ref().map_or(i64::MAX, |pending| pending.since_nanos),
        )
    }
}

impl Ledger {
    /// What the node has for pods.
    pub fn set_allocatable(&mut self, allocatable: ResourceList) {
        self.allocatable = allocatable;
    }

    /// Counts a pod that was taken in before, by an agent before this one.
    pub fn restore(&mut self, pod: &Arc<Pod>, given: Given) {
        self.pods.insert(pod.metadata.uid.clone(), Entry::new(pod, given));
    }

    /// Takes a new pod in, with all that it asks for. Returns whether others have to make room.
    ///
    /// # Errors
    /// Why the node has no room for it.
    pub fn admit(&mut self, pod: &Arc<Pod>) -> Result<bool, Verdict> {
        let uid = &pod.metadata.uid;
        if self.pods.contains_key(uid) {
            return Ok(false);
        }
        let others = self.pods.values().map(|entry| &entry.demand);
        let short = shortages(pod, others, &self.allocatable);
        let mut victims = Vec::new();
        match short.first() {
            Some(first) if !is_critical(pod) => return Err(rejected(&first.reason(), &first.message())),
            Some(_) => victims = self.victims(pod, &short)?,
            None => {}
        }
        for victim in &victims {
            if let Some(entry) = self.pods.get_mut(victim) {
                entry.given.preempted = true;
            }
        }
        let given = Given { allocation: Allocation::of(pod), ..Given::default() };
        self.pods.insert(uid.clone(), Entry::new(pod, given));
        Ok(!victims.is_empty())
    }

    fn victims(&self, pod: &Pod, short: &[Shortage]) -> Result<Vec<String>, Verdict> {
        let others: Vec<Candidate<'_>> =
            self.pods.iter().map(|(uid, entry)| (uid.as_str(), &*entry.pod, &entry.demand)).collect();
        victims(pod, &others, short).map_err(|error| {
            let message = format!(
                "Unexpected error while attempting to recover from admission failure: preemption: error finding a set of \
                 pods to preempt: {error}"
            );
            rejected("UnexpectedAdmissionError", &message)
        })
    }

    /// Takes over what the API says of a pod now. Returns whether it asks for something else than it was given, or has ceased to.
    pub fn see(&mut self, pod: &Arc<Pod>) -> bool {
        let Some(entry) = self.pods.get_mut(&pod.metadata.uid) else { return false };
        entry.pod = Arc::clone(pod);
        let satisfied = entry.is_satisfied();
        let was_pending = satisfied && entry.given.pending.take().is_some();
        !satisfied || was_pending
    }

    /// Forgets a pod of which nothing runs any more; returns whether that makes room.
    pub fn release(&mut self, uid: &str) -> bool {
        self.pods.remove(uid).is_some()
    }

    /// Gives what there is room for to those who ask for something else than they have. Returns whether anything was decided anew.
    pub fn retry(&mut self, now: Time) -> bool {
        let unsatisfied = self.pods.iter().filter(|(_, entry)| !entry.is_satisfied());
        let mut waiting: Vec<_> = unsatisfied.map(|(uid, entry)| (entry.rank(), uid.clone())).collect();
        waiting.sort();
        let mut decided = false;
        for (_, uid) in waiting {
            let others = self.pods.iter().filter(|(other, _)| **other != uid).map(|(_, entry)| &entry.demand);
            let Some(pod) = self.pods.get(&uid).map(|entry| Arc::clone(&entry.pod)) else { continue };
            let short = shortages(&pod, others, &self.allocatable).into_iter().next();
            let Some(entry) = self.pods.get_mut(&uid) else { continue };
            let given = match short {
                None => Given { allocation: Allocation::of(&pod), pending: None, ..entry.given.clone() },
                Some(short) => {
                    let before = entry.given.pending.as_ref();
                    let (message, generation) = (short.message(), pod.metadata.generation);
                    let pending = Progress::next(before, DEFERRED, &message, generation, now);
                    let said = |one: &Progress| (one.message.clone(), one.generation);
                    let same = before.is_some_and(|before| said(before) == said(&pending));
                    let pending = if same { before.cloned() } else { Some(pending) };
                    Given { pending, ..entry.given.clone() }
                }
            };
            if given != entry.given {
                decided = true;
                *entry = Entry::new(&pod, given);
            }
        }
        decided
    }

    /// What was decided about a pod; `None` if it was not taken in, or is gone.
    pub fn given(&self, uid: &str) -> Option<&Given> {
        self.pods.get(uid).map(|entry| &entry.given)
    }
}

fn rejected(reason: &str, message: &str) -> Verdict {
    Verdict { reason: reason.to_owned(), message: format!("Pod was rejected: {message}") }
}

#[cfg(test)]
mod tests;
