//! Counts of pods by topology domain, kept as pods and nodes come and go.

use std::collections::BTreeMap;

use super::gate::GateId;
use super::matcher::MatcherId;
use super::topology::Domains;
use scheduler_arena::SharedId;

/// The place of a tally.
pub(crate) type TallyId = SharedId<TallyKey, Tally>;

/// Which pods are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    /// Those that match.
    Matching(MatcherId),
    /// Those that carry this term, in this role.
    Carrying(MatcherId, Role),
}

/// What a carried term means to the pods that it matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Role {
    /// Stay away (required anti-affinity).
    Reject,
    /// Come (required affinity).
    Attract,
    /// Come, or stay away if negative (preferred terms).
    Weigh(i32),
}

/// What a tally counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TallyKey {
    pub(crate) source: Source,
    pub(crate) domains: Domains,
    /// Only pods on these nodes are counted.
    pub(crate) gate: Option<GateId>,
    /// Whether the least count over all domains is asked for.
    pub(crate) ranked: bool,
}

/// The least count where there is no domain: no node can be filtered by the skew then; upstream has the largest number here.
const NONE: u32 = i32::MAX as u32;

/// The counts of one [`TallyKey`].
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    counts: Vec<u32>,
    total: u64,
    rank: Option<Rank>,
}

/// The domains that have eligible nodes, by their counts.
#[derive(Debug, Default, PartialEq, Eq)]
struct Rank {
    eligible_nodes: Vec<u32>,
    domains_by_count: BTreeMap<u32, u32>,
    domains: u32,
}

impl Rank {
    fn are_enough(&self, min_domains: i32) -> bool {
        i64::from(self.domains) >= i64::from(min_domains)
    }

    fn move_domain(&mut self, from: Option<u32>, to: Option<u32>) {
        if let Some(from) = from {
            let domains = self.domains_by_count.entry(from).or_insert(1);
            *domains -= 1;
            if *domains == 0 {
                self.domains_by_count.remove(&from);
            }
        }
        if let Some(to) = to {
            *self.domains_by_count.entry(to).or_insert(0) += 1;
        }
    }
}

impl Tally {
    pub(crate) fn new(ranked: bool) -> Tally {
        Tally { rank: ranked.then(Rank::default), ..Tally::default() }
    }

    /// Pods in each domain; domains beyond its end have none.
    pub(crate) fn counts(&self) -> &[u32] {
        &self.counts
    }

    /// All pods in domains.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// Counts pods in, or out again; domain 0 has no counts.
    pub(crate) fn add(&mut self, domain: u32, pods: u32, sign: i64) {
        if domain == 0 || pods == 0 {
            return;
        }
        let at = domain as usize;
        if self.counts.len() <= at {
            self.counts.resize(at + 1, 0);
        }
        let before = self.counts[at];
        let after = if sign > 0 { before + pods } else { before - pods };
        self.counts[at] = after;
        self.total = self.total - u64::from(before) + u64::from(after);
        if let Some(rank) = &mut self.rank
            && rank.eligible_nodes.get(at).is_some_and(|nodes| *nodes > 0)
        {
            rank.move_domain(Some(before), Some(after));
        }
    }

    /// A node of the domain became eligible, or ceased to be.
    pub(crate) fn admit(&mut self, domain: u32, sign: i64) {
        let (at, count) = (domain as usize, self.counts.get(domain as usize).copied().unwrap_or(0));
        let Some(rank) = &mut self.rank else { return };
        if domain == 0 {
            return;
        }
        if rank.eligible_nodes.len() <= at {
            rank.eligible_nodes.resize(at + 1, 0);
        }
        let nodes = &mut rank.eligible_nodes[at];
        if sign > 0 {
            *nodes += 1;
            if *nodes == 1 {
                rank.domains += 1;
                rank.move_domain(None, Some(count));
            }
        } else {
            *nodes -= 1;
            if *nodes == 0 {
                rank.domains -= 1;
                rank.move_domain(Some(count), None);
            }
        }
    }

    /// The least count over the domains that have eligible nodes: 0 where there are fewer than `min_domains`.
    pub(crate) fn least(&self, min_domains: i32) -> u32 {
        let Some(rank) = self.rank.as_ref().filter(|rank| rank.are_enough(min_domains)) else { return 0 };
        rank.domains_by_count.keys().next().copied().unwrap_or(NONE)
    }

    /// How much more [`least`](Tally::least) would be with so many more pods in a domain: something if it is alone the emptiest.
    pub(crate) fn raised(&self, domain: u32, more: u32, min_domains: i32) -> u32 {
        let (at, least) = (domain as usize, self.least(min_domains));
        let Some(rank) = self.rank.as_ref().filter(|rank| rank.are_enough(min_domains)) else { return 0 };
        let count = self.counts.get(at).copied().unwrap_or(0);
        let eligible = rank.eligible_nodes.get(at).is_some_and(|nodes| *nodes > 0);
        if !eligible || count != least || rank.domains_by_count.get(&count) != Some(&1) {
            return 0;
        }
        let next = rank.domains_by_count.keys().nth(1).copied().unwrap_or(NONE);
        next.min(count + more) - least
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_count_follows_pods_and_nodes() {
        let mut tally = Tally::new(true);
        tally.admit(1, 1);
        tally.admit(2, 1);
        assert_eq!(tally.least(1), 0);
        tally.add(1, 3, 1);
        tally.add(2, 1, 1);
        assert_eq!((tally.least(1), tally.least(3), tally.total()), (1, 0, 4));
        tally.admit(2, -1);
        assert_eq!(tally.least(1), 3);
        tally.add(2, 1, -1);
        tally.admit(2, 1);
        assert_eq!(tally.least(1), 0);
    }
    #[test]
    fn the_least_count_grows_with_the_domain_that_is_alone_the_emptiest() {
        let mut tally = Tally::new(true);
        tally.admit(1, 1);
        assert_eq!(tally.raised(1, 2, 1), 2, "the only one");
        assert_eq!(tally.raised(1, 2, 2), 0, "too few domains: the least is 0 anyway");
        tally.admit(2, 1);
        assert_eq!(tally.raised(1, 2, 1), 0, "another is as empty");
        tally.add(2, 1, 1);
        assert_eq!(tally.raised(1, 2, 1), 1, "as far as the next");
        assert_eq!(tally.raised(2, 2, 1), 0, "not the emptiest");
        assert_eq!(tally.raised(3, 2, 1), 0, "of no node");
    }
}
