//! The rest of an attempt, once extenders have said which of the feasible nodes would do.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Cycle, Outcome, Search, explain};
use crate::asking::Rejected;
use crate::cluster::Cluster;
use crate::cluster::node::NodeIx;
use crate::cluster::pod::PodId;
use crate::diagnosis::Diagnosis;
use crate::reason::{Plugin, Reason};
use crate::verdicts::{ShapeId, Verdicts};

/// What extenders are asked about, and what is needed to go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The feasible nodes.
    pub(crate) nodes: Vec<NodeIx>,
    /// All nodes that were looked at; `None` where it was the nominated one alone.
    looked_at: Option<Vec<NodeIx>>,
    /// Whether other nodes are none of those that the pod names.
    is_named: bool,
}

impl Asked {
    /// About the node that the pod is nominated to.
    pub(super) fn nominated(node: NodeIx) -> Asked {
        Asked { nodes: vec![node], looked_at: None, is_named: false }
    }

    /// About all that were found.
    pub(super) fn found(nodes: Vec<NodeIx>, looked_at: Vec<NodeIx>, is_named: bool) -> Asked {
        Asked { nodes, looked_at: Some(looked_at), is_named }
    }

    /// Whether it is about the node that the pod is nominated to.
    pub(crate) fn is_nominated(&self) -> bool {
        self.looked_at.is_none()
    }
}

impl Cycle {
    /// What comes of an attempt for a pod of a shape; `None` if nobody who passed is feasible any more.
    pub(crate) fn conclude(
        &mut self,
        cluster: &mut Cluster,
        verdicts: &mut Verdicts,
        (pod, shape): (PodId, ShapeId),
        asked: &Asked,
        passed: &[(Arc<str>, i64)],
        rejected: &BTreeMap<String, Rejected>,
    ) -> Option<Outcome> {
        cluster.order.lay_out();
        let nodes = cluster.order.len();
        let mut search = Search::prepare(cluster, verdicts, pod, shape).ok()?;
        let cluster = search.cluster;
        if passed.is_empty() {
            return Some(Outcome::Unfit(Arc::new(search.diagnose_asked(asked, rejected, nodes))));
        }
        let known = |(name, extra): &(Arc<str>, i64)| {
            let node = cluster.nodes.find(name).filter(|node| cluster.nodes.known[node.index()])?;
            Some((node, *extra))
        };
        let still: Vec<(NodeIx, i64)> =
            passed.iter().filter_map(known).filter(|(node, _)| search.is_feasible(*node)).collect();
        if search.checks.error().is_some() {
            return None;
        }
        match still.as_slice() {
            [] => None,
            [(only, _)] => Some(Outcome::Node(*only)),
            several => {
                let extra: Vec<i64> = several.iter().map(|(_, extra)| *extra).collect();
                self.scratch.feasible.clear();
                self.scratch.feasible.extend(several.iter().map(|(node, _)| *node));
                let weights = &cluster.profiles.of(search.judge.shape().profile).weights;
                let (judge, checks) = (&search.judge, &search.checks);
                Some(Outcome::Node(self.scratch.best(judge, checks, weights, &extra, &mut self.dice)))
            }
        }
    }
}

impl Search<'_> {
    /// Why none of the nodes would do that were looked at. What an extender says of a node stands in place of what plugins say; one of which
    /// nobody says anything is not counted, and eviction is no help there.
    fn diagnose_asked(self, asked: &Asked, rejected: &BTreeMap<String, Rejected>, nodes: usize) -> Diagnosis {
        let not_named = asked.is_named.then(|| self.not_named());
        let Search { cluster, pod, checks, judge } = self;
        let mut diagnosis = Diagnosis { nodes, ..Diagnosis::default() };
        let mut reasons: Vec<Reason> = Vec::new();
        let mut told = rejected.len();
        for node in asked.looked_at.iter().flatten().filter(|node| cluster.nodes.known[node.index()]) {
            if rejected.contains_key(&*cluster.nodes.name[node.index()]) {
                continue;
            }
            reasons.clear();
            let verdict = crate::verdicts::judge(judge.shape(), cluster, *node).verdict;
            explain(cluster, pod, judge.shape(), &checks, *node, verdict, &mut reasons);
            if reasons.is_empty() {
                continue;
            }
            told += 1;
            if !reasons.iter().any(Reason::is_final) {
                diagnosis.resolvable.push(*node);
            }
            diagnosis.reject(&reasons, 1);
        }
        for (name, own) in rejected {
            *diagnosis.reasons.entry(own.why.clone()).or_insert(0) += 1;
            let node = cluster.nodes.find(name).filter(|node| cluster.nodes.known[node.index()]);
            diagnosis.resolvable.extend(node.filter(|_| !own.is_final));
        }
        if let Some(not_named) = not_named.filter(|_| told < nodes) {
            diagnosis.reject(&[not_named], nodes - told);
        }
        diagnosis.rejectors.insert(Plugin::Extender);
        diagnosis.to_deallocate =
            checks.devices.as_ref().map(crate::devices::wanted::Wanted::to_deallocate).unwrap_or_default();
        diagnosis
    }
}
