//! The cluster as the scheduler sees it: nodes, the pods on them, and counts of both, kept event by event.
//!
//! Nothing here is computed again from scratch: an event touches the node it is about and the tallies that count its pod.
//! Only the first use of a new term, constraint or topology key looks at what is there already.

pub(crate) mod cohort;
pub(crate) mod gate;
pub(crate) mod images;
pub(crate) mod matcher;
pub(crate) mod node;
pub(crate) mod order;
pub(crate) mod peers;
pub(crate) mod pod;
mod seek;
pub(crate) mod tally;
pub(crate) mod topology;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use api_types::core::v1::Node;

use self::cohort::{ByLabel, Cohort, CohortId, CohortKey};
use self::gate::{Gate, GateKey};
use self::images::Images;
use self::matcher::{Matcher, MatcherId, MatcherKey};
use self::node::{Allocatable, Facts, NodeIx, Nodes};
use self::order::Order;
use self::peers::{Peers, PeersKey};
use self::pod::{Place, Pod, PodId};
use self::tally::{Tally, TallyKey};
use self::topology::{Column, Domains};
use crate::demand::Amounts;
use crate::devices::Devices;
use crate::filters::node_resources_fit::Extended;
use crate::profile::Profiles;
use crate::shape::Labels;
use crate::volumes::Volumes;
use scheduler_arena::{Arena, Interned, Shared};
use scheduler_scores::image_locality;

/// What is known of the cluster.
#[derive(Default)]
pub(crate) struct Cluster {
    pub(crate) profiles: Profiles,
    pub(crate) nodes: Nodes,
    pub(crate) order: Order,
    pub(crate) images: Images,
    pub(crate) pods: Arena<Pod>,
    pub(crate) columns: Interned<String, Column>,
    pub(crate) gates: Interned<GateKey, Gate>,
    pub(crate) tallies: Interned<TallyKey, Tally>,
    pub(crate) matchers: Interned<MatcherKey, Matcher>,
    matchers_by_label: ByLabel<MatcherId>,
    matchers_without_label: BTreeSet<MatcherId>,
    pub(crate) cohorts: Interned<CohortKey, Cohort>,
    cohorts_by_label: ByLabel<CohortId>,
    pub(crate) peers: Interned<PeersKey, Peers>,
    namespaces: HashMap<String, Labels>,
    pub(crate) volumes: Volumes,
    pub(crate) devices: Devices,
    /// Pods that preemption made room for, by the node they are to get.
    pub(crate) nominated: BTreeMap<NodeIx, Vec<PodId>>,
    /// Changes with every change of nodes or placed pods.
    pub(crate) epoch: u64,
}

/// What changed of a node.
#[derive(Clone, Debug, Default)]
pub(crate) struct NodeChange {
    /// What it said of itself before; `None` for a new node.
    pub(crate) before: Option<Facts>,
    pub(crate) allocatable_before: Option<(Amounts, Vec<Extended>)>,
    pub(crate) facts_changed: bool,
    pub(crate) allocatable_changed: bool,
}

impl Cluster {
    /// Takes in a node as it is now.
    pub(crate) fn set_node(&mut self, node: &Node) -> (NodeIx, NodeChange) {
        let at = self.nodes.slot(&node.metadata.name);
        let known = self.nodes.known[at.index()];
        let facts = Facts::of(node);
        let allocatable = Allocatable::of(node);
        let mut change = NodeChange::default();
        let before = (self.nodes.allocatable[at.index()], self.nodes.extended[at.index()].clone());
        if known {
            change.before = Some(self.nodes.facts[at.index()].clone());
            change.facts_changed = self.nodes.facts[at.index()] != facts;
        }
        self.set_images(at, node);
        if !known || change.facts_changed {
            self.set_facts(at, facts);
            self.epoch += 1;
        }
        let listed = |of: &[Extended]| -> BTreeMap<String, i64> {
            let there = of.iter().filter(|resource| resource.allocatable != 0);
            there.map(|resource| (resource.name.to_string(), resource.allocatable)).collect()
        };
        let now: BTreeMap<String, i64> = allocatable
            .extended
            .iter()
            .filter(|(_, amount)| *amount != 0)
            .map(|(name, amount)| (name.to_string(), *amount))
            .collect();
        change.allocatable_changed = !known || before.0 != allocatable.amounts || listed(&before.1) != now;
        if change.allocatable_changed {
            self.nodes.set_allocatable(at, &allocatable);
            self.epoch += 1;
        }
        if known {
            change.allocatable_before = Some(before);
        }
        (at, change)
    }

    /// Forgets a node; pods that are bound to it stay until they are deleted themselves.
    pub(crate) fn remove_node(&mut self, name: &str) -> Option<Facts> {
        let at = self.nodes.find(name)?;
        if !self.nodes.known[at.index()] {
            return None;
        }
        let before = self.nodes.facts[at.index()].clone();
        for pod in self.nominated.remove(&at).unwrap_or_default() {
            self.pods[pod].nominated = None;
        }
        self.tell(at, -1);
        self.order.remove(at, &order::zone(&before.labels));
        self.nodes.known[at.index()] = false;
        self.nodes.facts[at.index()] = Facts::default();
        self.tell(at, 1);
        for image in std::mem::take(&mut self.nodes.images[at.index()]) {
            self.images.remove(&image, at);
        }
        self.nodes.set_allocatable(at, &Allocatable::default());
        self.nodes.release(at);
        self.epoch += 1;
        Some(before)
    }

    fn set_images(&mut self, at: NodeIx, node: &Node) {
        let mut names: Vec<(String, i64)> = Vec::new();
        for image in &node.status.images {
            names.extend(image.names.iter().map(|name| (name.clone(), image.size_bytes)));
        }
        let unchanged = {
            let before = &self.nodes.images[at.index()];
            before.len() == names.len() && before.iter().zip(&names).all(|(before, (name, _))| before == name)
        };
        if unchanged {
            return;
        }
        for image in std::mem::take(&mut self.nodes.images[at.index()]) {
            self.images.remove(&image, at);
        }
        for (name, size_bytes) in &names {
            self.images.insert(name, *size_bytes, at);
        }
        self.nodes.images[at.index()] = names.into_iter().map(|(name, _)| name).collect();
        self.epoch += 1;
    }

    fn set_facts(&mut self, at: NodeIx, facts: Facts) {
        let zone = order::zone(&facts.labels);
        if self.nodes.known[at.index()] {
            let before = order::zone(&self.nodes.facts[at.index()].labels);
            if before != zone {
                self.order.remove(at, &before);
                self.order.insert(at, &zone);
            }
        } else {
            self.order.insert(at, &zone);
        }
        self.tell(at, -1);
        self.nodes.known[at.index()] = true;
        self.nodes.facts[at.index()] = facts;
        self.nodes.touch(at);
        self.tell(at, 1);
    }

    /// Takes the node and its pods out of all counts (-1) before its facts change, and puts them in again (1) after.
    fn tell(&mut self, at: NodeIx, sign: i64) {
        let known = self.nodes.known[at.index()];
        if sign > 0 {
            for (_, column) in self.columns.iter_mut() {
                let value = self.nodes.facts[at.index()].labels.get(&*column.key).map(String::as_str);
                column.item.set(at, if known { value } else { None });
            }
            for (_, gate) in self.gates.iter_mut() {
                let open =
                    known && gate.key.admits(&self.nodes.name[at.index()], &self.nodes.facts[at.index()]);
                gate.item.set(at, open);
            }
            self.admit(at, 1);
        }
        for index in 0..self.nodes.pods[at.index()].len() {
            let pod = self.nodes.pods[at.index()][index];
            self.count(pod, at, sign);
        }
        if sign < 0 {
            self.admit(at, -1);
        }
    }

    fn admit(&mut self, at: NodeIx, sign: i64) {
        for (_, tally) in self.tallies.iter_mut() {
            if !tally.key.ranked {
                continue;
            }
            let open = tally.key.gate.is_none_or(|gate| self.gates[gate].item.is_open(at));
            let domain = domain(&self.columns, tally.key.domains, at);
            if open && domain != 0 {
                tally.item.admit(domain, sign);
            }
        }
    }

    /// Puts a pod on a node.
    pub(crate) fn place(&mut self, pod: PodId, place: Place) {
        let Some(at) = place.node() else { return };
        let record = &mut self.pods[pod];
        assert_eq!(record.place, Place::Nowhere, "a pod is placed once");
        record.place = place;
        let cohort = record.cohort;
        self.nodes.take(at, &record.demand, &record.ports, 1);
        self.nodes.pods[at.index()].push(pod);
        if let Some(claims) = &record.claims {
            self.volumes.count(claims.named(), true);
        }
        self.cohorts[cohort].item.place(at, 1);
        self.count(pod, at, 1);
        self.epoch += 1;
    }

    /// Takes a pod from its node; tells which it was.
    pub(crate) fn displace(&mut self, pod: PodId) -> Option<NodeIx> {
        let record = &mut self.pods[pod];
        let at = record.place.node()?;
        record.place = Place::Nowhere;
        let cohort = record.cohort;
        self.nodes.take(at, &record.demand, &record.ports, -1);
        self.nodes.pods[at.index()].retain(|other| *other != pod);
        if let Some(claims) = &record.claims {
            self.volumes.count(claims.named(), false);
        }
        self.cohorts[cohort].item.place(at, -1);
        self.count(pod, at, -1);
        self.nodes.release(at);
        self.epoch += 1;
        Some(at)
    }

    /// Adds a pod on a node to every tally that counts it, or takes it out.
    fn count(&mut self, pod: PodId, at: NodeIx, sign: i64) {
        let Cluster { pods, cohorts, matchers, tallies, columns, gates, peers, .. } = self;
        let record = &pods[pod];
        for matcher in &cohorts[record.cohort].item.matched_by {
            for tally in &matchers[*matcher].item.matching {
                add(&mut tallies[*tally], columns, gates, at, 1, sign);
            }
        }
        if let Some(peers_id) = record.peers {
            for tally in &peers[peers_id].item.carried {
                add(&mut tallies[*tally], columns, gates, at, 1, sign);
            }
        }
    }

    /// Nominates a pod to a node, or to none.
    pub(crate) fn nominate(&mut self, pod: PodId, node: Option<NodeIx>) {
        let before = std::mem::replace(&mut self.pods[pod].nominated, node);
        if before == node {
            return;
        }
        if let Some(before) = before
            && let Some(pods) = self.nominated.get_mut(&before)
        {
            pods.retain(|other| *other != pod);
            if pods.is_empty() {
                self.nominated.remove(&before);
            }
        }
        if let Some(node) = node {
            self.nominated.entry(node).or_default().push(pod);
        }
        self.epoch += 1;
    }

    /// The labels of a namespace are now these.
    pub(crate) fn set_namespace(&mut self, name: &str, labels: Option<&Labels>) {
        let before = match labels {
            Some(labels) => self.namespaces.insert(name.to_owned(), labels.clone()),
            None => self.namespaces.remove(name),
        };
        if before.as_ref().unwrap_or(&Labels::new()) == labels.unwrap_or(&Labels::new()) {
            return;
        }
        let there = self.cohorts.iter().filter(|(_, cohort)| cohort.key.namespace == name);
        let cohorts: Vec<CohortId> = there.map(|(id, _)| id).collect();
        for cohort in cohorts {
            self.count_cohort(cohort, -1);
            let matched_by = self.matchers_of(cohort);
            self.cohorts[cohort].item.matched_by = matched_by;
            self.count_cohort(cohort, 1);
        }
        self.epoch += 1;
    }

    fn count_cohort(&mut self, cohort: CohortId, sign: i64) {
        let Cluster { cohorts, matchers, tallies, columns, gates, .. } = self;
        for matcher in &cohorts[cohort].item.matched_by {
            for tally in &matchers[*matcher].item.matching {
                for (node, pods) in &cohorts[cohort].item.placed {
                    add(&mut tallies[*tally], columns, gates, *node, *pods, sign);
                }
            }
        }
    }

    /// The labels of a namespace, as far as known.
    pub(crate) fn namespace(&self, name: &str) -> &Labels {
        const NONE: &Labels = &Labels::new();
        self.namespaces.get(name).unwrap_or(NONE)
    }

    /// A cohort, used once more.
    pub(crate) fn acquire_cohort(&mut self, key: CohortKey) -> CohortId {
        if let Some(id) = self.cohorts.acquire(&key) {
            return id;
        }
        let id = self.cohorts.insert(key, Cohort::default());
        let key = self.cohorts[id].key.clone();
        for (name, value) in &key.labels {
            self.cohorts_by_label.insert(name, value, id);
        }
        self.cohorts[id].item.matched_by = self.matchers_of(id);
        id
    }

    pub(crate) fn release_cohort(&mut self, id: CohortId) {
        if let Some(cohort) = self.cohorts.release(id) {
            for (name, value) in &cohort.key.labels {
                self.cohorts_by_label.remove(name, value, id);
            }
        }
    }

    fn matchers_of(&self, cohort: CohortId) -> Vec<MatcherId> {
        let key = &self.cohorts[cohort].key;
        let by_label = key.labels.iter().flat_map(|(name, value)| self.matchers_by_label.get(name, value));
        let candidates = by_label.chain(self.matchers_without_label.iter().copied());
        let mut found: Vec<MatcherId> =
            candidates.filter(|id| self.is_match(&self.matchers[*id].key, key)).collect();
        found.sort_unstable();
        found
    }

    /// Whether the pods of a cohort match.
    pub(crate) fn is_match(&self, matcher: &MatcherKey, cohort: &CohortKey) -> bool {
        !(matcher.living_only && cohort.terminating)
            && matcher.matches(&cohort.namespace, self.namespace(&cohort.namespace), &cohort.labels)
    }

    /// The image score of every node that has any of these images, for a pod that uses them.
    pub(crate) fn image_scores(&self, names: &[String], scores: &mut Vec<u8>) {
        scores.clear();
        scores.resize(self.nodes.slots(), 0);
        let mut sums: BTreeMap<NodeIx, i64> = BTreeMap::new();
        for image in names.iter().filter_map(|name| self.images.get(name)) {
            let worth = image_locality::worth(image.size_bytes, image.nodes.len(), self.order.len());
            for node in &image.nodes {
                *sums.entry(*node).or_insert(0) += worth;
            }
        }
        for (node, sum) in sums {
            scores[node.index()] = image_locality::score(sum, names.len()) as u8;
        }
    }
}

/// The domain of a node; 0 for none.
fn domain(columns: &Interned<String, Column>, domains: Domains, at: NodeIx) -> u32 {
    match domains {
        Domains::Nodes => at.index() as u32 + 1,
        Domains::Label(column) => columns[column].item.domain(at),
    }
}

fn add(
    tally: &mut Shared<TallyKey, Tally>,
    columns: &Interned<String, Column>,
    gates: &Interned<GateKey, Gate>,
    at: NodeIx,
    pods: u32,
    sign: i64,
) {
    if tally.key.gate.is_none_or(|gate| gates[gate].item.is_open(at)) {
        tally.item.add(domain(columns, tally.key.domains, at), pods, sign);
    }
}
