//! The best of the feasible nodes: raw values, normalised over them, weighted, summed.

use crate::checks::{Checks, Soft};
use crate::cluster::node::NodeIx;
use crate::devices::wanted::Wanted;
use crate::profile::Weights;
use crate::random::Dice;
use crate::verdicts::Judge;
use scheduler_scores::{Score, inter_pod_affinity, node_affinity, pod_topology_spread, taint_toleration};

/// Buffers that ranking reuses.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) feasible: Vec<NodeIx>,
    totals: Vec<i64>,
    raw: Vec<Option<i64>>,
    seen: Vec<u32>,
    round: u32,
}

impl Scratch {
    /// The best of the feasible nodes; by chance among equals. Extenders may have something to add for each of them.
    pub(crate) fn best(
        &mut self,
        judge: &Judge<'_>,
        checks: &Checks<'_>,
        weights: &Weights,
        extra: &[i64],
        dice: &mut Dice,
    ) -> NodeIx {
        let mut totals = std::mem::take(&mut self.totals);
        totals.clear();
        totals.resize(self.feasible.len(), 0);
        self.rate(judge, checks, |at, score, value| totals[at] += weights.of(score) * value);
        totals.iter_mut().zip(extra).for_each(|(total, extra)| *total = total.saturating_add(*extra));
        self.totals = totals;
        let most = self.totals.iter().copied().max().unwrap_or(0);
        let equals = self.totals.iter().filter(|total| **total == most).count();
        let chosen = dice.below(equals.max(1));
        let mut best = self.totals.iter().zip(&self.feasible).filter(|(total, _)| **total == most);
        best.nth(chosen).map_or(self.feasible[0], |(_, node)| *node)
    }

    /// Tells what each score gives to each of the feasible nodes, by the node's place among them, normalised.
    pub(crate) fn rate(
        &mut self,
        judge: &Judge<'_>,
        checks: &Checks<'_>,
        mut tell: impl FnMut(usize, Score, i64),
    ) {
        self.rate_own(judge, &mut tell);
        if !checks.soft.is_empty() {
            self.rate_spread(checks, &mut tell);
        }
        if !checks.weighed.is_empty() {
            self.rate_affinity(checks, &mut tell);
        }
        if let Some(volumes) = checks.volumes.as_ref().filter(|volumes| volumes.are_rated()) {
            for (at, node) in self.feasible.iter().enumerate() {
                tell(at, Score::VolumeBinding, volumes.rating(*node));
            }
        }
        if let Some(devices) = checks.devices.as_ref().filter(|devices| devices.has_preferences()) {
            self.rate_devices(devices, &mut tell);
        }
    }

    /// What no other pod takes part in.
    fn rate_own(&self, judge: &Judge<'_>, tell: &mut impl FnMut(usize, Score, i64)) {
        let (mut taints, mut affinity) = (0, 0);
        for node in &self.feasible {
            let cell = judge.known(*node);
            taints = taints.max(i64::from(cell.taints));
            affinity = affinity.max(i64::from(cell.affinity));
        }
        for (at, node) in self.feasible.iter().enumerate() {
            let cell = judge.known(*node);
            let image = judge.images.get(node.index()).copied().unwrap_or(0);
            tell(at, Score::NodeResourcesFit, i64::from(cell.fit));
            tell(at, Score::NodeResourcesBalancedAllocation, i64::from(cell.balance));
            tell(at, Score::ImageLocality, i64::from(image));
            tell(at, Score::TaintToleration, taint_toleration::normalized(i64::from(cell.taints), taints));
            tell(at, Score::NodeAffinity, node_affinity::normalized(i64::from(cell.affinity), affinity));
        }
    }

    fn rate_spread(&mut self, checks: &Checks<'_>, tell: &mut impl FnMut(usize, Score, i64)) {
        let lacks_a_key = |node: NodeIx| {
            checks.soft_needs_all_keys && checks.soft.iter().any(|soft| soft.lens.domain(node) == 0)
        };
        let nodes: Vec<NodeIx> = self.feasible.iter().copied().filter(|node| !lacks_a_key(*node)).collect();
        let weights: Vec<f64> = checks.soft.iter().map(|soft| self.domain_weight(soft, &nodes)).collect();
        let (mut least, mut most) = (i64::MAX, 0);
        self.raw.clear();
        for node in &self.feasible {
            if lacks_a_key(*node) {
                self.raw.push(None);
                continue;
            }
            let mut sum = 0.0;
            for (soft, weight) in checks.soft.iter().zip(&weights) {
                let domain = soft.lens.domain(*node);
                if domain != 0 {
                    sum += pod_topology_spread::part(soft.count(*node, domain), soft.max_skew, *weight);
                }
            }
            let raw = pod_topology_spread::raw(sum);
            (least, most) = (least.min(raw), most.max(raw));
            self.raw.push(Some(raw));
        }
        for (at, raw) in self.raw.iter().enumerate() {
            if let Some(raw) = raw {
                tell(at, Score::PodTopologySpread, pod_topology_spread::normalized(*raw, least, most));
            }
        }
    }

    fn domain_weight(&mut self, soft: &Soft<'_>, nodes: &[NodeIx]) -> f64 {
        if soft.by_node {
            return pod_topology_spread::domain_weight(nodes.len());
        }
        self.round = self.round.wrapping_add(1);
        let mut domains = 0;
        for node in nodes {
            let domain = soft.lens.domain(*node) as usize;
            if self.seen.len() <= domain {
                self.seen.resize(domain + 1, 0);
            }
            if self.seen[domain] != self.round {
                self.seen[domain] = self.round;
                domains += 1;
            }
        }
        pod_topology_spread::domain_weight(domains)
    }

    /// Upstream's `DefaultNormalizeScore`.
    fn rate_devices(&mut self, devices: &Wanted<'_>, tell: &mut impl FnMut(usize, Score, i64)) {
        self.raw.clear();
        self.raw.extend(self.feasible.iter().map(|node| Some(devices.score(*node))));
        let most = self.raw.iter().flatten().copied().max().unwrap_or(0);
        for (at, raw) in self.raw.iter().flatten().enumerate() {
            tell(at, Score::DynamicResources, if most == 0 { 0 } else { raw * scheduler_scores::MAX / most });
        }
    }

    fn rate_affinity(&mut self, checks: &Checks<'_>, tell: &mut impl FnMut(usize, Score, i64)) {
        let raw = |node: &NodeIx| -> i64 {
            let weighed = checks.weighed.iter();
            weighed.map(|(lens, weight)| i64::from(lens.count(lens.domain(*node))) * weight).sum()
        };
        self.raw.clear();
        self.raw.extend(self.feasible.iter().map(|node| Some(raw(node))));
        let values = || self.raw.iter().flatten().copied();
        let (least, most) = (values().min().unwrap_or(0), values().max().unwrap_or(0));
        for (at, raw) in self.raw.iter().flatten().enumerate() {
            tell(at, Score::InterPodAffinity, inter_pod_affinity::normalized(*raw, least, most));
        }
    }
}
