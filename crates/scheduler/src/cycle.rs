//! One attempt to find a node for a pod: feasible nodes, then the best of them.
//!
//! As upstream does, only as many feasible nodes are looked for as the size of the cluster asks for, starting where the
//! last attempt stopped; among equally good ones chance decides.

pub(crate) mod asking;
pub(crate) mod ranking;
mod survey;

use std::sync::Arc;

use self::asking::Asked;
use crate::asking::Extenders;
use crate::checks::Checks;
use crate::cluster::Cluster;
use crate::cluster::cohort::CohortId;
use crate::cluster::node::NodeIx;
use crate::cluster::peers::PeersId;
use crate::cluster::pod::PodId;
use crate::devices;
use crate::diagnosis::Diagnosis;
use crate::limits::{MIN_FEASIBLE_NODES, MIN_FEASIBLE_PERCENTAGE};
use crate::nominated;
use crate::profile::Profile;
use crate::random::Dice;
use crate::reason::{Plugin, Reason, Refusal};
use crate::shape::Shape;
use crate::verdicts::{self, Judge, ShapeId, Verdict, Verdicts};
use crate::volumes::wanted::Wanted;

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Node(NodeIx),
    NoNodes,
    Unfit(Arc<Diagnosis>),
    /// Something is wrong with what the pod refers to.
    Error(String),
    /// It is extenders' turn.
    Ask(Asked),
}

/// What attempts remember from one to the next.
pub(crate) struct Cycle {
    /// The share of nodes to look for feasible ones among, in percent; 0 adapts to the size of the cluster.
    pub(crate) percentage: usize,
    /// What extenders are asked about.
    pub(crate) extenders: Extenders,
    start: usize,
    pub(crate) dice: Dice,
    scratch: ranking::Scratch,
    /// The last failure, as good as new while the cluster is the same.
    failure: Option<(Demands, u64, Arc<Diagnosis>)>,
}

/// All that an attempt depends on, apart from the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Demands {
    shape: ShapeId,
    cohort: CohortId,
    peers: Option<PeersId>,
    priority: i32,
}

impl Cycle {
    pub(crate) fn new(percentage: usize, extenders: Extenders, seed: u64) -> Cycle {
        Cycle {
            percentage,
            extenders,
            start: 0,
            dice: Dice::new(seed),
            scratch: ranking::Scratch::default(),
            failure: None,
        }
    }

    /// Looks for a node for a pending pod; at the one that it is nominated to first, unless extenders have spoken against that.
    pub(crate) fn attempt(
        &mut self,
        cluster: &mut Cluster,
        verdicts: &mut Verdicts,
        pod: PodId,
        shape: ShapeId,
        is_past_nominated: bool,
    ) -> Outcome {
        cluster.order.lay_out();
        let nodes = cluster.order.len();
        if nodes == 0 {
            return Outcome::NoNodes;
        }
        let record = &cluster.pods[pod];
        let demands =
            Demands { shape, cohort: record.cohort, peers: record.peers, priority: record.priority };
        let nominated = record.nominated;
        // Of volumes and devices nothing is remembered: others may be had by now.
        let has_claims = record.claims.is_some() || record.devices.is_some();
        if let Some((before, epoch, diagnosis)) = &self.failure
            && *before == demands
            && *epoch == cluster.epoch
            // Room that is kept from others may be this one's, as volumes may.
            && nominated.is_none()
            && !has_claims
        {
            return Outcome::Unfit(diagnosis.clone());
        }
        let mut search = match Search::prepare(cluster, verdicts, pod, shape) {
            Ok(search) => search,
            Err(refusal) => return Outcome::Unfit(Arc::new(Diagnosis::refused(refusal, nodes))),
        };
        let (cluster, extenders) = (search.cluster, self.extenders);
        let profile = cluster.profiles.of(search.judge.shape().profile);
        let named = named(cluster, search.judge.shape());
        let nominated = nominated.filter(|_| !is_past_nominated);
        match nominated.filter(|node| search.is_feasible(*node)) {
            Some(node) if extenders.filter => return Outcome::Ask(Asked::nominated(node)),
            Some(node) => return Outcome::Node(node),
            None => {}
        }
        let candidates: &[NodeIx] = named.as_deref().unwrap_or(cluster.order.nodes());
        // Where nothing is scored, the first feasible node is as good as any.
        let percentage = profile.percentage_of_nodes_to_score.unwrap_or(self.percentage);
        let is_choosy = !profile.weights.is_none() || extenders.filter || extenders.prioritize;
        let want = if is_choosy { to_find(percentage, candidates.len()) } else { 1 };
        let start = self.start;
        let looked_at = search.collect(candidates, start, want, &mut self.scratch.feasible);
        self.start = (start + looked_at) % nodes;
        if let Some(error) = search.checks.error() {
            return Outcome::Error(error);
        }
        match self.scratch.feasible.as_slice() {
            [] => {
                let diagnosis = Arc::new(search.diagnose(candidates, nodes));
                if !has_claims {
                    self.failure = Some((demands, cluster.epoch, diagnosis.clone()));
                }
                Outcome::Unfit(diagnosis)
            }
            [only] if !extenders.filter => Outcome::Node(*only),
            found if extenders.filter || extenders.prioritize => {
                let (before, after) = candidates.split_at(start % candidates.len());
                let looked_at = after.iter().chain(before).take(looked_at).copied().collect();
                Outcome::Ask(Asked::found(found.to_vec(), looked_at, named.is_some()))
            }
            _ => Outcome::Node(self.scratch.best(
                &search.judge,
                &search.checks,
                &profile.weights,
                &[],
                &mut self.dice,
            )),
        }
    }
}

/// Everything that is checked node by node for a pod, whose seeking has been ensured.
///
/// # Errors
/// If no node will do as things are.
pub(crate) fn checks<'a>(
    cluster: &'a Cluster,
    profile: &'a Profile,
    pod: PodId,
) -> Result<Checks<'a>, Refusal> {
    let volumes = Wanted::of(cluster, profile, pod)?;
    let devices = devices::wanted::Wanted::of(cluster, profile, pod)?;
    let record = &cluster.pods[pod];
    let checks = Checks::of(cluster, profile, record.cohort, record.peers);
    Ok(checks.with_volumes(volumes).with_devices(devices))
}

/// The nodes that the pod names, if it does.
fn named(cluster: &Cluster, shape: &Shape) -> Option<Vec<NodeIx>> {
    if !cluster.profiles.of(shape.profile).filters(Plugin::NodeAffinity) {
        return None;
    }
    let names = shape.required.node_names()?;
    let known = |node: &NodeIx| cluster.nodes.known[node.index()];
    Some(names.iter().filter_map(|name| cluster.nodes.find(name)).filter(known).collect())
}

/// How many feasible nodes are enough.
fn to_find(percentage: usize, nodes: usize) -> usize {
    if nodes < MIN_FEASIBLE_NODES {
        return nodes;
    }
    let share = match percentage {
        0 => 50usize.saturating_sub(nodes / 125).max(MIN_FEASIBLE_PERCENTAGE),
        share => share,
    };
    (nodes * share / 100).clamp(MIN_FEASIBLE_NODES.min(nodes), nodes)
}

struct Search<'a> {
    cluster: &'a Cluster,
    pod: PodId,
    judge: Judge<'a>,
    checks: Checks<'a>,
}

impl<'a> Search<'a> {
    /// Gets ready what is looked at for a pending pod; the order of nodes has been laid out.
    ///
    /// # Errors
    /// If no node will do as things are.
    fn prepare(
        cluster: &'a mut Cluster,
        verdicts: &'a mut Verdicts,
        pod: PodId,
        shape: ShapeId,
    ) -> Result<Search<'a>, Refusal> {
        if let Some(refusal) = &verdicts.shape(shape).refusal {
            return Err(refusal.clone());
        }
        if let Some(peers) = cluster.pods[pod].peers {
            cluster.ensure_seek(peers);
        }
        if cluster.pods[pod].devices.is_some() {
            cluster.devices.lay_out();
        }
        let cluster: &'a Cluster = cluster;
        let profile = cluster.profiles.of(verdicts.shape(shape).profile);
        let checks = checks(cluster, profile, pod)?;
        Ok(Search { cluster, pod, judge: verdicts.judge(shape, cluster), checks })
    }

    #[inline]
    fn is_feasible(&mut self, node: NodeIx) -> bool {
        self.judge.cell(self.cluster, node).verdict == Verdict::Fits
            && self.checks.volumes.as_ref().is_none_or(|volumes| volumes.fits(node))
            && self.checks.reject(node).is_none()
            && (self.cluster.nominated.is_empty()
                || nominated::reject(self.cluster, self.pod, self.judge.shape(), &self.checks, node)
                    .is_none())
            && self.checks.has_devices(node)
    }

    /// Collects feasible nodes from `start` on; tells how many nodes it looked at.
    fn collect(
        &mut self,
        candidates: &[NodeIx],
        start: usize,
        want: usize,
        feasible: &mut Vec<NodeIx>,
    ) -> usize {
        feasible.clear();
        if candidates.is_empty() {
            return 0;
        }
        let (before, after) = candidates.split_at(start % candidates.len());
        for (looked_at, node) in after.iter().chain(before).enumerate() {
            if self.is_feasible(*node) {
                feasible.push(*node);
                if feasible.len() == want {
                    return looked_at + 1;
                }
            }
        }
        candidates.len()
    }

    /// Why nodes are left out that the pod does not name. The plugin that rejects the node which it is nominated to is told with it,
    /// as upstream does: both are of one set there.
    fn not_named(&self) -> Reason {
        let nominated = self.cluster.pods[self.pod].nominated;
        let also = nominated.and_then(|node| self.reasons(node).first().map(Reason::plugin));
        Reason::NodeAffinityNames { also }
    }

    /// Why a node will not do, whether it was looked at or not.
    fn reasons(&self, node: NodeIx) -> Vec<Reason> {
        let verdict = verdicts::judge(self.judge.shape(), self.cluster, node).verdict;
        let mut reasons = Vec::new();
        explain(self.cluster, self.pod, self.judge.shape(), &self.checks, node, verdict, &mut reasons);
        reasons
    }

    /// The node that the pod is nominated to, which is tried first, also where the pod does not name it.
    fn tried_apart(&self, candidates: &[NodeIx]) -> Option<NodeIx> {
        self.cluster.pods[self.pod].nominated.filter(|node| !candidates.contains(node))
    }

    /// Why none of the candidates is feasible.
    fn diagnose(self, candidates: &[NodeIx], nodes: usize) -> Diagnosis {
        let not_named = self.not_named();
        let apart = self.tried_apart(candidates).map(|node| (node, self.reasons(node)));
        let Search { cluster, pod, checks, judge } = self;
        let shape = judge.shape();
        let mut diagnosis = Diagnosis { nodes, ..Diagnosis::default() };
        let (mut reasons, mut last): (Vec<Reason>, Vec<Reason>) = (Vec::new(), Vec::new());
        let mut alike = 0;
        for node in candidates {
            reasons.clear();
            explain(cluster, pod, shape, &checks, *node, judge.known(*node).verdict, &mut reasons);
            if !reasons.iter().any(Reason::is_final) {
                diagnosis.resolvable.push(*node);
            }
            if reasons != last {
                diagnosis.reject(&last, alike);
                std::mem::swap(&mut last, &mut reasons);
                alike = 0;
            }
            alike += 1;
        }
        if alike > 0 {
            diagnosis.reject(&last, alike);
        }
        let mut others = nodes - candidates.len();
        if let Some((node, reasons)) = apart {
            if !reasons.iter().any(Reason::is_final) {
                diagnosis.resolvable.push(node);
            }
            diagnosis.reject(&reasons, 1);
            others -= 1;
        }
        if others > 0 {
            diagnosis.reject(&[not_named], others);
        }
        diagnosis.to_deallocate =
            checks.devices.as_ref().map(devices::wanted::Wanted::to_deallocate).unwrap_or_default();
        diagnosis
    }
}

fn explain(
    cluster: &Cluster,
    pod: PodId,
    shape: &Shape,
    checks: &Checks<'_>,
    node: NodeIx,
    verdict: Verdict,
    reasons: &mut Vec<Reason>,
) {
    if matches!(verdict, Verdict::Fits | Verdict::Ports | Verdict::Resources) {
        nominated::crowd(cluster, pod, shape, node, verdict, reasons);
    }
    if reasons.is_empty() {
        verdicts::reasons(verdict, shape, cluster, node, reasons);
    }
    if reasons.is_empty() {
        checks.reject_volumes(node, reasons);
    }
    if reasons.is_empty() {
        let rejected = checks.reject(node);
        reasons.extend(rejected.or_else(|| nominated::by_place(cluster, pod, shape, checks, node)));
    }
    if reasons.is_empty() {
        checks.reject_devices(node, reasons);
    }
}

/// All reasons why a node does not take a pod, freshly judged.
pub(crate) fn rejections(
    cluster: &Cluster,
    pod: PodId,
    shape: &Shape,
    checks: &Checks<'_>,
    node: NodeIx,
    reasons: &mut Vec<Reason>,
) {
    let verdict = verdicts::judge(shape, cluster, node).verdict;
    explain(cluster, pod, shape, checks, node, verdict, reasons);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn larger_clusters_are_sampled_as_upstreams_are() {
        for (percentage, nodes, expected) in [
            (0, 10, 10),
            (0, 99, 99),
            (0, 100, 100),
            (0, 1000, 420),
            (0, 5000, 500),
            (0, 6000, 300),
            (30, 1000, 300),
            (5, 1000, 100),
        ] {
            assert_eq!(to_find(percentage, nodes), expected, "{percentage}% of {nodes}");
        }
    }
}
