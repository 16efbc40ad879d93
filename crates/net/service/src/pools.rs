//! Pools: numbered lists of endpoints. Pure.
//!
//! An endpoint keeps its index while it stays, so that one endpoint's coming or going is one element of the shared map (two
//! if the last one moves into the gap), and the pool's size is one verdict.

use std::collections::{BTreeMap, BTreeSet};

use crate::endpoints::Target;
use crate::limits::{POOL_ENDPOINTS_MAX, POOLS_MAX};
use crate::ruleset::MARK_TAG;
use crate::spec::{Protocol, ServiceName, TrafficPolicy};

/// What a pool is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PoolName {
    /// The service.
    pub service: ServiceName,
    /// The service port.
    pub port: u16,
    /// Its protocol.
    pub protocol: Protocol,
    /// The policy whose endpoints it holds.
    pub policy: TrafficPolicy,
    /// Whether it is of IPv4.
    pub four: bool,
}

/// A pool's number, already as a packet mark.
pub type Mark = u32;

/// A pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Its number.
    pub mark: Mark,
    /// Its endpoints by index.
    pub targets: Vec<Target>,
}

/// All pools.
#[derive(Clone, Debug, Default)]
pub struct Pools {
    pools: BTreeMap<PoolName, Pool>,
    used: BTreeSet<Mark>,
    last: u32,
}

impl Pools {
    /// Sets a pool's endpoints; it comes into being with its first and ends with its last. `found` is what the kernel has
    /// for it, if this process does not know it yet.
    pub fn set(&mut self, name: &PoolName, targets: &BTreeSet<Target>, found: Option<Pool>) -> Option<&Pool> {
        if targets.is_empty() {
            if let Some(pool) = self.pools.remove(name) {
                self.used.remove(&pool.mark);
            }
            return None;
        }
        if !self.pools.contains_key(name) {
            let found = found.filter(|pool| is_ours(pool.mark) && !self.used.contains(&pool.mark));
            let pool = match found {
                Some(pool) => pool,
                None => Pool { mark: self.fresh()?, targets: Vec::new() },
            };
            self.used.insert(pool.mark);
            self.pools.insert(name.clone(), pool);
        }
        let pool = self.pools.get_mut(name)?;
        pool.targets = arrange(&pool.targets, targets);
        Some(pool)
    }

    /// The pool of this name.
    pub fn get(&self, name: &PoolName) -> Option<&Pool> {
        self.pools.get(name)
    }

    /// Marks that the kernel has may not be given to other pools before those that have them are known.
    pub fn reserve_after(&mut self, marks: impl IntoIterator<Item = Mark>) {
        let highest = marks.into_iter().filter(|mark| is_ours(*mark)).map(|mark| mark & POOLS_MAX).max();
        self.last = self.last.max(highest.unwrap_or(0));
    }

    /// The next number, going round so that a number rests before it returns.
    fn fresh(&mut self) -> Option<Mark> {
        for _ in 0..=self.used.len() + 1 {
            self.last = if self.last >= POOLS_MAX { 1 } else { self.last + 1 };
            let mark = MARK_TAG | self.last;
            if !self.used.contains(&mark) {
                return Some(mark);
            }
        }
        None
    }
}

fn is_ours(mark: Mark) -> bool {
    mark & !POOLS_MAX == MARK_TAG && mark & POOLS_MAX != 0
}

/// The wanted endpoints in an order that moves as few of the old ones as possible.
pub fn arrange(old: &[Target], wanted: &BTreeSet<Target>) -> Vec<Target> {
    let mut seen = BTreeSet::new();
    let mut places: Vec<Option<Target>> = old
        .iter()
        .map(|target| Some(*target).filter(|one| wanted.contains(one) && seen.insert(*one)))
        .collect();
    let mut new = wanted.iter().filter(|target| !seen.contains(target)).copied();
    for place in places.iter_mut().filter(|place| place.is_none()) {
        *place = new.next();
    }
    places.extend(new.map(Some));
    let mut at = 0;
    while at < places.len() {
        if places[at].is_none() {
            places.swap_remove(at);
        } else {
            at += 1;
        }
    }
    places.into_iter().flatten().take(POOL_ENDPOINTS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn targets(numbers: &BTreeSet<u8>) -> BTreeSet<Target> {
        numbers.iter().map(|number| (std::net::IpAddr::from([10, 0, 0, *number]), 80)).collect()
    }

    proptest! {
        #[test]
        fn few_move_and_all_that_are_wanted_are_there(a in prop::collection::btree_set(0u8..40, 0..30), b in prop::collection::btree_set(0u8..40, 0..30)) {
            let (a, b) = (targets(&a), targets(&b));
            let first = arrange(&[], &a);
            let second = arrange(&first, &b);
            prop_assert_eq!(second.iter().copied().collect::<BTreeSet<_>>(), b.clone());
            prop_assert_eq!(second.len(), b.len());
            let changed = (0..first.len().max(second.len())).filter(|at| first.get(*at) != second.get(*at)).count();
            prop_assert!(changed <= 2 * a.difference(&b).count() + b.difference(&a).count());
        }
    }

    #[test]
    fn numbers_are_kept_and_not_reused_at_once() {
        let name = |port| PoolName {
            service: ServiceName::new("n", "s"),
            port,
            protocol: Protocol::Tcp,
            policy: TrafficPolicy::Cluster,
            four: true,
        };
        let some = targets(&[1, 2].into());
        let mut pools = Pools::default();
        let first = pools.set(&name(1), &some, None).unwrap().mark;
        assert_eq!(pools.set(&name(1), &targets(&[2].into()), None).unwrap().mark, first);
        assert!(pools.set(&name(1), &BTreeSet::new(), None).is_none());
        assert_ne!(pools.set(&name(1), &some, None).unwrap().mark, first);
        let found = Pool { mark: MARK_TAG | 77, targets: vec![] };
        assert_eq!(pools.set(&name(2), &some, Some(found.clone())).unwrap().mark, found.mark);
        assert_ne!(pools.set(&name(3), &some, Some(found.clone())).unwrap().mark, found.mark);
    }
}
