//! The best of the feasible nodes: raw values, normalised over them, weighted, summed.

use crate::checks::{Checks, Soft};
use crate::cluster::node::NodeIx;
use crate::random::Dice;
use crate::scores::{inter_pod_affinity, node_affinity, pod_topology_spread, taint_toleration, weight};
use crate::verdicts::Judge;

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
    /// The best of the feasible nodes; by chance among equals.
    pub(crate) fn best(&mut self, judge: &Judge<'_>, checks: &Checks<'_>, dice: &mut Dice) -> NodeIx {
        self.add_own(judge);
        if !checks.soft.is_empty() {
            self.add_spread(checks);
        }
        if !checks.weighed.is_empty() {
            self.add_affinity(checks);
        }
        let most = self.totals.iter().copied().max().unwrap_or(0);
        let equals = self.totals.iter().filter(|total| **total == most).count();
        let chosen = dice.below(equals.max(1));
        let mut best = self.totals.iter().zip(&self.feasible).filter(|(total, _)| **total == most);
        best.nth(chosen).map_or(self.feasible[0], |(_, node)| *node)
    }

    /// What no other pod takes part in.
    fn add_own(&mut self, judge: &Judge<'_>) {
        let (mut taints, mut affinity) = (0, 0);
        for node in &self.feasible {
            let cell = judge.known(*node);
            taints = taints.max(i64::from(cell.taints));
            affinity = affinity.max(i64::from(cell.affinity));
        }
        self.totals.clear();
        self.totals.extend(self.feasible.iter().map(|node| {
            let cell = judge.known(*node);
            let image = judge.images.get(node.index()).copied().unwrap_or(0);
            i64::from(cell.resources)
                + weight::IMAGE_LOCALITY * i64::from(image)
                + weight::TAINT_TOLERATION * taint_toleration::normalized(i64::from(cell.taints), taints)
                + weight::NODE_AFFINITY * node_affinity::normalized(i64::from(cell.affinity), affinity)
        }));
    }

    fn add_spread(&mut self, checks: &Checks<'_>) {
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
        for (total, raw) in self.totals.iter_mut().zip(&self.raw) {
            if let Some(raw) = raw {
                *total += weight::POD_TOPOLOGY_SPREAD * pod_topology_spread::normalized(*raw, least, most);
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

    fn add_affinity(&mut self, checks: &Checks<'_>) {
        let raw = |node: &NodeIx| -> i64 {
            let weighed = checks.weighed.iter();
            weighed.map(|(lens, weight)| i64::from(lens.count(lens.domain(*node))) * weight).sum()
        };
        self.raw.clear();
        self.raw.extend(self.feasible.iter().map(|node| Some(raw(node))));
        let values = || self.raw.iter().flatten().copied();
        let (least, most) = (values().min().unwrap_or(0), values().max().unwrap_or(0));
        for (total, raw) in self.totals.iter_mut().zip(self.raw.iter().flatten()) {
            *total += weight::INTER_POD_AFFINITY * inter_pod_affinity::normalized(*raw, least, most);
        }
    }
}
