//! What the scheduler makes of every node for one pending pod: told node by node, for those who compare it with another.
//!
//! Nothing is decided: all nodes are looked at, and not only as many as an attempt wants, and whom preemption would evict is said of
//! each node that it could help on.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::Scheduler;
use crate::cluster::node::NodeIx;
use crate::cluster::pod::{PodId, PodRef};
use crate::cycle::Outcome;
use crate::diagnosis::{Diagnosis, NO_NODES};
use crate::preemption::{self, Preemption};
use scheduler_scores::Score;

/// What the scheduler makes of all nodes for one pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Why no node suits, if none does. What preemption would do is told of the nodes; here is only why it would do nothing.
    pub message: String,
    /// By name.
    pub nodes: BTreeMap<Arc<str>, Judgement>,
}

/// What the scheduler makes of one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judgement {
    /// The plugin that rejects it.
    pub plugin: Option<&'static str>,
    /// Why it is rejected.
    pub reasons: Vec<String>,
    /// Whether evicting pods could not help.
    pub is_final: bool,
    /// What each plugin gives it, weighted; empty for a node that is rejected.
    pub scores: BTreeMap<Score, i64>,
    /// Who would be evicted if no node suits.
    pub victims: Vec<PodRef>,
    /// How many evictions would go against disruption budgets.
    pub violations: usize,
    /// Whether eviction costs least here, or nowhere less.
    pub is_best: bool,
}

impl Scheduler {
    /// What it makes of all nodes for the pending pod of this uid; `None` if it knows no such pod.
    pub fn survey(&mut self, uid: &str) -> Option<Survey> {
        let id = *self.by_uid.get(uid)?;
        self.renew_default_spread(id);
        let shape = self.cluster.pods[id].pending.as_ref()?.shape;
        let mut judged = BTreeMap::new();
        let outcome = self.cycle.survey(&mut self.cluster, &mut self.verdicts, id, shape, &mut judged);
        let message = match outcome {
            Outcome::Node(_) | Outcome::Ask(_) => String::new(),
            Outcome::NoNodes => NO_NODES.to_owned(),
            Outcome::Error(error) => error,
            Outcome::Unfit(diagnosis) => {
                self.price(id, &diagnosis, &mut judged);
                diagnosis.message(None, &self.preempt_nothing(id, &diagnosis))
            }
        };
        let name = |at: NodeIx| self.cluster.nodes.name[at.index()].clone();
        Some(Survey { message, nodes: judged.into_iter().map(|(at, judged)| (name(at), judged)).collect() })
    }

    /// Why preemption would do nothing; empty if it would do something.
    fn preempt_nothing(&mut self, id: PodId, diagnosis: &Diagnosis) -> String {
        match self.preempt(id, diagnosis) {
            Preemption::Ineligible(says) | Preemption::Nothing(says) => says,
            Preemption::Candidates(_) => String::new(),
        }
    }

    /// Says whom preemption would evict, wherever it would.
    fn price(&mut self, id: PodId, diagnosis: &Diagnosis, judged: &mut BTreeMap<NodeIx, Judgement>) {
        let Some(shape) = self.cluster.pods[id].pending.as_ref().map(|pending| pending.shape) else { return };
        if diagnosis.resolvable.is_empty() || matches!(self.preempt(id, diagnosis), Preemption::Ineligible(_))
        {
            return;
        }
        let (shape, all) = (self.verdicts.shape(shape), usize::MAX);
        let (candidates, _) =
            preemption::candidates(&mut self.cluster, shape, &self.budgets, id, diagnosis, 0, all);
        let least = candidates.iter().map(|candidate| candidate.loss(&self.cluster)).min();
        for candidate in candidates {
            let judgement = judged.entry(candidate.node).or_default();
            judgement.is_best = Some(candidate.loss(&self.cluster)) == least;
            judgement.violations = candidate.violations;
            judgement.victims =
                candidate.victims.iter().map(|victim| self.cluster.pods[*victim].of.clone()).collect();
        }
    }
}
