//! Every node judged for a pod, and every feasible one rated.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Cycle, Outcome, Search, named};
use crate::cluster::Cluster;
use crate::cluster::node::NodeIx;
use crate::cluster::pod::PodId;
use crate::diagnosis::Diagnosis;
use crate::reason::{Reason, Refusal};
use crate::survey::Judgement;
use crate::verdicts::{ShapeId, Verdicts};

impl Cycle {
    /// Judges all nodes for a pending pod. The outcome's node is the first feasible one.
    pub(crate) fn survey(
        &mut self,
        cluster: &mut Cluster,
        verdicts: &mut Verdicts,
        pod: PodId,
        shape: ShapeId,
        judged: &mut BTreeMap<NodeIx, Judgement>,
    ) -> Outcome {
        cluster.order.lay_out();
        let nodes = cluster.order.nodes().to_vec();
        if nodes.is_empty() {
            return Outcome::NoNodes;
        }
        let refuse = |refusal: Refusal, judged: &mut BTreeMap<NodeIx, Judgement>| {
            let rejected = Judgement {
                plugin: Some(refusal.plugin().name()),
                reasons: vec![refusal.to_string()],
                is_final: true,
                ..Judgement::default()
            };
            judged.extend(nodes.iter().map(|node| (*node, rejected.clone())));
            Outcome::Unfit(Arc::new(Diagnosis::refused(refusal, nodes.len())))
        };
        let mut search = match Search::prepare(cluster, verdicts, pod, shape) {
            Ok(search) => search,
            Err(refusal) => return refuse(refusal, judged),
        };
        let profile = search.cluster.profiles.of(search.judge.shape().profile);
        let candidates = named(search.cluster, search.judge.shape()).unwrap_or_else(|| nodes.clone());
        search.collect(&candidates, 0, usize::MAX, &mut self.scratch.feasible);
        for node in &nodes {
            judged.insert(*node, search.judgement(*node, &candidates));
        }
        if let Some(error) = search.checks.error() {
            return Outcome::Error(error);
        }
        let feasible = self.scratch.feasible.clone();
        self.scratch.rate(&search.judge, &search.checks, |at, score, value| {
            if profile.scores(score) {
                let scores = &mut judged.entry(feasible[at]).or_default().scores;
                scores.insert(score, profile.weights.of(score) * value);
            }
        });
        match feasible.first() {
            Some(node) => Outcome::Node(*node),
            None => Outcome::Unfit(Arc::new(search.diagnose(&candidates, nodes.len()))),
        }
    }
}

impl Search<'_> {
    fn judgement(&self, node: NodeIx, candidates: &[NodeIx]) -> Judgement {
        let is_tried = candidates.contains(&node) || self.tried_apart(candidates) == Some(node);
        let reasons = if is_tried { self.reasons(node) } else { vec![self.not_named()] };
        Judgement {
            plugin: reasons.first().filter(|_| is_tried).map(|reason| reason.plugin().name()),
            is_final: reasons.iter().any(Reason::is_final),
            reasons: reasons.iter().map(Reason::to_string).collect(),
            ..Judgement::default()
        }
    }
}
