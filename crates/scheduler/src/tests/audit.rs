//! Counts everything anew, and compares that with what was kept event by event.

use std::collections::BTreeMap;

use crate::cluster::node::{NodeIx, Nodes};
use crate::cluster::pod::Place;
use crate::cluster::tally::{Source, Tally};
use crate::cluster::topology::Domains;
use crate::scheduler::Scheduler;
use crate::volumes::Volumes;

impl Scheduler {
    /// # Panics
    /// If what is kept differs from what there is.
    pub(crate) fn audit(&self) {
        self.audit_nodes();
        self.audit_cohorts();
        self.audit_topology();
        self.audit_tallies();
        self.audit_volumes();
        self.cluster.devices.audit();
        self.verdicts.audit(&self.cluster);
    }

    fn audit_nodes(&self) {
        let kept = &self.cluster.nodes;
        let mut anew = Nodes::default();
        for index in 0..kept.slots() {
            anew.slot(&format!("slot-{index}"));
        }
        for (id, pod) in self.cluster.pods.iter() {
            if let Some(node) = pod.place.node() {
                anew.take(node, &pod.demand, &pod.ports, 1);
                assert!(kept.pods[node.index()].contains(&id));
            }
        }
        for at in 0..kept.slots() {
            assert_eq!(kept.requested[at], anew.requested[at], "{}", kept.name[at]);
            assert_eq!(kept.scored[at], anew.scored[at]);
            assert_eq!(kept.ports[at], anew.ports[at]);
            assert_eq!(kept.pods[at].len() as i64, anew.requested[at].pods);
            let used = |nodes: &Nodes| -> BTreeMap<String, i64> {
                let used = nodes.extended[at].iter().filter(|resource| resource.requested != 0);
                used.map(|resource| (resource.name.to_string(), resource.requested)).collect()
            };
            assert_eq!(used(kept), used(&anew));
        }
        let mut order: Vec<NodeIx> = kept.all().collect();
        order.sort_unstable();
        assert_eq!(order.len(), self.cluster.order.len());
    }

    fn audit_volumes(&self) {
        let mut anew = Volumes::default();
        for (_, pod) in self.cluster.pods.iter().filter(|(_, pod)| pod.place.node().is_some()) {
            if let Some(claims) = &pod.claims {
                anew.count(claims.named(), true);
            }
        }
        assert_eq!(self.cluster.volumes.uses(), anew.uses());
        for id in self.pledges.keys() {
            assert!(matches!(self.cluster.pods[*id].place, Place::Assumed(_)));
        }
    }

    fn audit_cohorts(&self) {
        for (id, cohort) in self.cluster.cohorts.iter() {
            let mut placed: BTreeMap<NodeIx, u32> = BTreeMap::new();
            for (_, pod) in self.cluster.pods.iter().filter(|(_, pod)| pod.cohort == id) {
                if let Some(node) = pod.place.node() {
                    *placed.entry(node).or_insert(0) += 1;
                }
            }
            assert_eq!(cohort.item.placed, placed);
            let matching = self
                .cluster
                .matchers
                .iter()
                .filter(|(_, matcher)| self.cluster.is_match(&matcher.key, &cohort.key));
            let matched_by: Vec<_> = matching.map(|(matcher, _)| matcher).collect();
            assert_eq!(cohort.item.matched_by, matched_by, "{:?}", cohort.key);
        }
    }

    fn audit_topology(&self) {
        let nodes = &self.cluster.nodes;
        for (_, column) in self.cluster.columns.iter() {
            let mut values: BTreeMap<u32, &str> = BTreeMap::new();
            for at in nodes.all() {
                let value = nodes.facts[at.index()].labels.get(&*column.key).map(String::as_str);
                let domain = column.item.domain(at);
                assert_eq!(value.is_none(), domain == 0);
                if let Some(value) = value {
                    assert_eq!(*values.entry(domain).or_insert(value), value);
                }
            }
        }
        for (_, gate) in self.cluster.gates.iter() {
            for at in nodes.all() {
                let open = gate.key.admits(&nodes.name[at.index()], &nodes.facts[at.index()]);
                assert_eq!(gate.item.is_open(at), open);
            }
        }
    }

    fn audit_tallies(&self) {
        let cluster = &self.cluster;
        let domain = |domains: Domains, at: NodeIx| match domains {
            Domains::Nodes => at.index() as u32 + 1,
            Domains::Label(column) => cluster.columns[column].item.domain(at),
        };
        for (id, tally) in cluster.tallies.iter() {
            let mut anew = Tally::new(tally.key.ranked);
            let open = |at: NodeIx| tally.key.gate.is_none_or(|gate| cluster.gates[gate].item.is_open(at));
            for at in cluster.nodes.all().filter(|at| open(*at)) {
                anew.admit(domain(tally.key.domains, at), 1);
            }
            for (_, pod) in cluster.pods.iter() {
                let Some(at) = pod.place.node().filter(|at| open(*at)) else { continue };
                let times = match tally.key.source {
                    Source::Matching(matcher) => usize::from(
                        cluster.is_match(&cluster.matchers[matcher].key, &cluster.cohorts[pod.cohort].key),
                    ),
                    Source::Carrying(..) => pod.peers.map_or(0, |peers| {
                        cluster.peers[peers].item.carried.iter().filter(|other| **other == id).count()
                    }),
                };
                anew.add(domain(tally.key.domains, at), times as u32, 1);
            }
            assert_eq!(tally.item.total(), anew.total());
            let (kept, counted) = (tally.item.counts(), anew.counts());
            for at in 0..kept.len().max(counted.len()) {
                assert_eq!(kept.get(at).unwrap_or(&0), counted.get(at).unwrap_or(&0));
            }
            for min_domains in 1..4 {
                assert_eq!(tally.item.least(min_domains), anew.least(min_domains));
            }
        }
    }
}
