//! Brings tallies into being as demands of other pods come up, and lets them go with the last pod that needs them.

use super::cohort::CohortId;
use super::gate::{Gate, GateId, GateKey};
use super::matcher::{Matcher, MatcherId, MatcherKey, Term};
use super::peers::{HOSTNAME, Peers, PeersId, PeersKey, Seek, Spread};
use super::tally::{Role, Source, Tally, TallyId, TallyKey};
use super::topology::{Column, ColumnId, Domains};
use super::{Cluster, add, domain};

impl Cluster {
    /// The slot of these demands, used once more; none for a pod without any.
    pub(crate) fn acquire_peers(&mut self, key: PeersKey) -> Option<PeersId> {
        if key.is_empty() {
            return None;
        }
        if let Some(id) = self.peers.acquire(&key) {
            return Some(id);
        }
        let mut carried = Vec::new();
        for (term, topology) in &key.anti_affinity {
            carried.push(self.acquire_carried(term, topology, Role::Reject));
        }
        for (term, topology) in &key.affinity {
            carried.push(self.acquire_carried(term, topology, Role::Attract));
        }
        for (weight, term, topology) in &key.preferred {
            carried.push(self.acquire_carried(term, topology, Role::Weigh(*weight)));
        }
        Some(self.peers.insert(key, Peers { carried, seek: None }))
    }

    pub(crate) fn release_peers(&mut self, id: PeersId) {
        let Some(peers) = self.peers.release(id) else { return };
        for tally in peers.item.carried {
            self.release_tally(tally);
        }
        let Some(seek) = peers.item.seek else { return };
        let required = seek.hard.into_iter().chain(seek.affinity).chain(seek.anti_affinity);
        let preferred = seek.preferred.into_iter().map(|(column, tally, _)| (column, Some(tally)));
        for (column, tally) in
            required.map(|(column, tally)| (column, Some(tally))).chain(seek.soft).chain(preferred)
        {
            if let Some(tally) = tally {
                self.release_tally(tally);
            }
            self.columns.release(column);
        }
    }

    /// Sees to it that what such a pod looks for is counted.
    pub(crate) fn ensure_seek(&mut self, id: PeersId) {
        if self.peers[id].item.seek.is_some() {
            return;
        }
        let key = self.peers[id].key.clone();
        let mut seek = Seek::default();
        for spread in &key.hard {
            seek.hard.push(self.acquire_hard(&key, spread));
        }
        for spread in &key.soft {
            seek.soft.push(self.acquire_soft(&key, spread));
        }
        for (_, topology) in &key.affinity {
            seek.affinity.push(self.acquire_matching(key.affinity_matcher(), topology));
        }
        for (term, topology) in &key.anti_affinity {
            seek.anti_affinity.push(self.acquire_matching(one(term), topology));
        }
        for (weight, term, topology) in &key.preferred {
            let (column, tally) = self.acquire_matching(one(term), topology);
            seek.preferred.push((column, tally, i64::from(*weight)));
        }
        self.peers[id].item.seek = Some(seek);
    }

    fn acquire_carried(&mut self, term: &Term, topology: &str, role: Role) -> TallyId {
        let matcher = self.acquire_matcher(one(term));
        let column = self.acquire_column(topology);
        let key = TallyKey {
            source: Source::Carrying(matcher, role),
            domains: Domains::Label(column),
            gate: None,
            ranked: false,
        };
        self.acquire_tally(key)
    }

    fn acquire_matching(&mut self, matcher: MatcherKey, topology: &str) -> (ColumnId, TallyId) {
        let matcher = self.acquire_matcher(matcher);
        let column = self.acquire_column(topology);
        self.columns.retain(column);
        let key = TallyKey {
            source: Source::Matching(matcher),
            domains: Domains::Label(column),
            gate: None,
            ranked: false,
        };
        (column, self.acquire_tally(key))
    }

    fn acquire_hard(&mut self, key: &PeersKey, spread: &Spread) -> (ColumnId, TallyId) {
        let column = self.acquire_column(&spread.key);
        self.columns.retain(column);
        let gate = self.acquire_gate(gate(key, spread, &key.hard, true));
        let matcher = self.acquire_matcher(spread.matcher().unwrap_or_else(nothing));
        let key = TallyKey {
            source: Source::Matching(matcher),
            domains: Domains::Label(column),
            gate: Some(gate),
            ranked: true,
        };
        (column, self.acquire_tally(key))
    }

    fn acquire_soft(&mut self, key: &PeersKey, spread: &Spread) -> (ColumnId, Option<TallyId>) {
        let column = self.acquire_column(&spread.key);
        let Some(matcher) = spread.matcher() else { return (column, None) };
        let matcher = self.acquire_matcher(matcher);
        let (domains, gate) = if spread.key == HOSTNAME {
            (Domains::Nodes, None)
        } else {
            self.columns.retain(column);
            let gate = gate(key, spread, &key.soft, key.soft_needs_all_keys);
            (Domains::Label(column), Some(self.acquire_gate(gate)))
        };
        let key = TallyKey { source: Source::Matching(matcher), domains, gate, ranked: false };
        (column, Some(self.acquire_tally(key)))
    }

    /// A tally; the uses of what the key names go over to it.
    fn acquire_tally(&mut self, key: TallyKey) -> TallyId {
        if let Some(id) = self.tallies.acquire(&key) {
            self.release_parts(&key);
            return id;
        }
        let id = self.tallies.insert(key, Tally::new(key.ranked));
        match key.source {
            Source::Carrying(matcher, _) => self.matchers[matcher].item.carrying.push(id),
            Source::Matching(matcher) => {
                self.matchers[matcher].item.matching.push(id);
                self.fill(id, matcher);
            }
        }
        id
    }

    fn fill(&mut self, id: TallyId, matcher: MatcherId) {
        let Cluster { tallies, cohorts, columns, gates, .. } = self;
        let tally = &mut tallies[id];
        if tally.key.ranked {
            for at in self.nodes.all() {
                let open = tally.key.gate.is_none_or(|gate| gates[gate].item.is_open(at));
                let domain = domain(columns, tally.key.domains, at);
                if open && domain != 0 {
                    tally.item.admit(domain, 1);
                }
            }
        }
        for (_, cohort) in cohorts.iter() {
            if cohort.item.matched_by.binary_search(&matcher).is_ok() {
                for (node, pods) in &cohort.item.placed {
                    add(tally, columns, gates, *node, *pods, 1);
                }
            }
        }
    }

    fn release_tally(&mut self, id: TallyId) {
        let Some(tally) = self.tallies.release(id) else { return };
        match tally.key.source {
            Source::Carrying(matcher, _) => self.matchers[matcher].item.carrying.retain(|other| *other != id),
            Source::Matching(matcher) => self.matchers[matcher].item.matching.retain(|other| *other != id),
        }
        self.release_parts(&tally.key);
    }

    fn release_parts(&mut self, key: &TallyKey) {
        let (Source::Carrying(matcher, _) | Source::Matching(matcher)) = key.source;
        self.release_matcher(matcher);
        if let Domains::Label(column) = key.domains {
            self.columns.release(column);
        }
        if let Some(gate) = key.gate {
            self.gates.release(gate);
        }
    }

    fn acquire_column(&mut self, topology: &str) -> ColumnId {
        let key = topology.to_owned();
        if let Some(id) = self.columns.acquire(&key) {
            return id;
        }
        let mut column = Column::default();
        for at in self.nodes.all() {
            let value = self.nodes.facts[at.index()].labels.get(topology);
            column.set(at, value.map(String::as_str));
        }
        self.columns.insert(key, column)
    }

    fn acquire_gate(&mut self, key: GateKey) -> GateId {
        if let Some(id) = self.gates.acquire(&key) {
            return id;
        }
        let mut gate = Gate::default();
        for at in self.nodes.all() {
            gate.set(at, key.admits(&self.nodes.name[at.index()], &self.nodes.facts[at.index()]));
        }
        self.gates.insert(key, gate)
    }

    fn acquire_matcher(&mut self, key: MatcherKey) -> MatcherId {
        if let Some(id) = self.matchers.acquire(&key) {
            return id;
        }
        let cohorts: Vec<CohortId> = match key.label() {
            Some((name, value)) => self.cohorts_by_label.get(name, value).collect(),
            None => self.cohorts.iter().map(|(id, _)| id).collect(),
        };
        let found: Vec<CohortId> =
            cohorts.into_iter().filter(|id| self.is_match(&key, &self.cohorts[*id].key)).collect();
        let id = self.matchers.insert(key, Matcher::default());
        match self.matchers[id].key.label() {
            Some((name, value)) => self.matchers_by_label.insert(name, value, id),
            None => {
                self.matchers_without_label.insert(id);
            }
        }
        for cohort in found {
            let matched_by = &mut self.cohorts[cohort].item.matched_by;
            if let Err(at) = matched_by.binary_search(&id) {
                matched_by.insert(at, id);
            }
        }
        id
    }

    fn release_matcher(&mut self, id: MatcherId) {
        let Some(matcher) = self.matchers.release(id) else { return };
        let label = matcher.key.label();
        match label {
            Some((name, value)) => self.matchers_by_label.remove(name, value, id),
            None => {
                self.matchers_without_label.remove(&id);
            }
        }
        let cohorts: Vec<CohortId> = match label {
            Some((name, value)) => self.cohorts_by_label.get(name, value).collect(),
            None => self.cohorts.iter().map(|(id, _)| id).collect(),
        };
        for cohort in cohorts {
            let matched_by = &mut self.cohorts[cohort].item.matched_by;
            if let Ok(at) = matched_by.binary_search(&id) {
                matched_by.remove(at);
            }
        }
    }
}

fn one(term: &Term) -> MatcherKey {
    MatcherKey { terms: vec![term.clone()], living_only: false }
}

/// Matches no pod; for constraints that count none.
fn nothing() -> MatcherKey {
    let nothing = api_meta::labels::Selector::nothing();
    let term =
        Term { namespaces: Default::default(), namespace_selector: nothing.clone(), selector: nothing };
    MatcherKey { terms: vec![term], living_only: true }
}

fn gate(key: &PeersKey, spread: &Spread, all: &[Spread], needs_all_keys: bool) -> GateKey {
    let mut keys: Vec<String> =
        if needs_all_keys { all.iter().map(|spread| spread.key.clone()).collect() } else { Vec::new() };
    keys.sort_unstable();
    keys.dedup();
    GateKey {
        keys,
        required: spread.honor_affinity.then(|| key.required.clone()),
        tolerations: spread.honor_taints.then(|| key.tolerations.clone()),
    }
}
