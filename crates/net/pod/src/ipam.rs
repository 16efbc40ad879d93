//! Addresses for pods. Pure: it hands out and takes back, and is filled anew after a restart from what exists.
//!
//! An address that was freed is handed out last, so that a late packet or a stale cache entry meant for its old pod rarely
//! finds a new one. First come the addresses that were never used, in order; then the freed ones, oldest first.

use std::collections::{BTreeSet, VecDeque};
use std::net::IpAddr;

use host::netlink::Cidr;

/// The addresses of one range.
#[derive(Clone, Debug)]
pub struct Pool {
    cidr: Cidr,
    used: BTreeSet<u128>,
    /// The lowest place that was never handed out.
    fresh: u128,
    freed: VecDeque<u128>,
}

/// Every address of a family's ranges is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the pod range {0} has no free address")]
pub struct Exhausted(pub Cidr);

impl Pool {
    /// A range with all of its addresses free. Its first address stays out (the overlay's own), and IPv4's last
    /// (broadcast).
    pub fn new(cidr: Cidr) -> Pool {
        Pool { cidr: cidr.network(), used: BTreeSet::new(), fresh: 1, freed: VecDeque::new() }
    }

    /// One past the last place that may be handed out.
    fn end(&self) -> u128 {
        if self.cidr.is_ipv4() { self.cidr.size().saturating_sub(1) } else { self.cidr.size() }
    }

    fn take(&mut self) -> Option<IpAddr> {
        while self.fresh < self.end() {
            let place = self.fresh;
            self.fresh += 1;
            if self.used.insert(place) {
                return Some(self.cidr.nth(place));
            }
        }
        while let Some(place) = self.freed.pop_front() {
            if self.used.insert(place) {
                return Some(self.cidr.nth(place));
            }
        }
        None
    }

    fn mark(&mut self, address: IpAddr) -> bool {
        let Some(place) = self.cidr.index_of(address) else { return false };
        self.used.insert(place)
    }

    fn give_back(&mut self, address: IpAddr) {
        if let Some(place) = self.cidr.index_of(address)
            && self.used.remove(&place)
            && (1..self.end()).contains(&place)
            && place < self.fresh
        {
            self.freed.push_back(place);
        }
    }

    /// After everything in use is marked: goes on after the highest, with the gaps below as the freed ones.
    fn settle(&mut self) {
        let Some(highest) = self.used.last().copied() else { return };
        let gaps: Vec<u128> = gaps(&self.used, 1, highest).collect();
        self.fresh = highest.saturating_add(1).max(1);
        self.freed = gaps.into();
    }
}

/// Places from `from` up to `to` that are not in `used`, at most a few times as many as there are used ones.
fn gaps(used: &BTreeSet<u128>, from: u128, to: u128) -> impl Iterator<Item = u128> {
    const GAPS_MAX: usize = 65_536;
    (from..to).filter(|place| !used.contains(place)).take(GAPS_MAX)
}

/// The addresses of a node's pods: one of each family's ranges for each pod.
#[derive(Clone, Debug)]
pub struct Ipam {
    pools: Vec<Pool>,
}

impl Ipam {
    /// Over the node's pod ranges, with what exists taken. A dual-stack node has at least one range of each family; a pod's
    /// first address is of the first range's family.
    pub fn new(cidrs: &[Cidr], in_use: impl IntoIterator<Item = IpAddr>) -> Ipam {
        let mut pools: Vec<Pool> = cidrs.iter().copied().map(Pool::new).collect();
        for address in in_use {
            pools.iter_mut().for_each(|pool| {
                pool.mark(address);
            });
        }
        pools.iter_mut().for_each(Pool::settle);
        Ipam { pools }
    }

    /// One address of each family, or none at all.
    pub fn allocate(&mut self) -> Result<Vec<IpAddr>, Exhausted> {
        let mut families: Vec<bool> = Vec::new();
        for pool in &self.pools {
            if !families.contains(&pool.cidr.is_ipv4()) {
                families.push(pool.cidr.is_ipv4());
            }
        }
        let mut addresses = Vec::new();
        for four in families {
            let mut pools = self.pools.iter_mut().filter(|pool| pool.cidr.is_ipv4() == four);
            match pools.find_map(Pool::take) {
                Some(address) => addresses.push(address),
                None => {
                    let full = self.pools.iter().find(|pool| pool.cidr.is_ipv4() == four);
                    let error = full.map(|pool| Exhausted(pool.cidr));
                    self.release(&addresses);
                    return error.map_or(Ok(Vec::new()), Err);
                }
            }
        }
        Ok(addresses)
    }

    /// Takes addresses back. Those that are not in use are passed over.
    pub fn release(&mut self, addresses: &[IpAddr]) {
        for address in addresses {
            self.pools.iter_mut().for_each(|pool| pool.give_back(*address));
        }
    }

    /// Marks addresses as in use; false if one of them was already.
    pub fn claim(&mut self, addresses: &[IpAddr]) -> bool {
        addresses.iter().all(|address| self.pools.iter_mut().any(|pool| pool.mark(*address)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cidrs(texts: &[&str]) -> Vec<Cidr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn text(addresses: &[IpAddr]) -> Vec<String> {
        addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_pod_gets_one_address_of_each_family() {
        let mut ipam = Ipam::new(&cidrs(&["10.0.1.0/24", "fd00:1::/64"]), []);
        assert_eq!(text(&ipam.allocate().unwrap()), ["10.0.1.1", "fd00:1::1"]);
        assert_eq!(text(&ipam.allocate().unwrap()), ["10.0.1.2", "fd00:1::2"]);
    }

    #[test]
    fn freed_addresses_come_last_and_in_order() {
        let mut ipam = Ipam::new(&cidrs(&["10.0.1.0/29"]), []);
        let all: Vec<Vec<IpAddr>> = (0..4).map(|_| ipam.allocate().unwrap()).collect();
        ipam.release(&all[2]);
        ipam.release(&all[0]);
        let rest: Vec<String> = (0..4).flat_map(|_| text(&ipam.allocate().unwrap())).collect();
        assert_eq!(rest, ["10.0.1.5", "10.0.1.6", "10.0.1.3", "10.0.1.1"]);
        assert_eq!(ipam.allocate(), Err(Exhausted("10.0.1.0/29".parse().unwrap())));
    }

    #[test]
    fn nothing_is_kept_of_half_an_allocation() {
        let mut ipam = Ipam::new(&cidrs(&["10.0.1.0/24", "fd00:1::/127"]), []);
        ipam.allocate().unwrap();
        assert!(ipam.allocate().is_err());
        assert!(ipam.claim(&["10.0.1.2".parse().unwrap()]));
    }

    #[test]
    fn a_second_range_of_a_family_serves_when_the_first_is_full() {
        let mut ipam = Ipam::new(&cidrs(&["10.0.1.0/30", "10.0.2.0/30"]), []);
        let got: Vec<String> = (0..4).flat_map(|_| text(&ipam.allocate().unwrap())).collect();
        assert_eq!(got, ["10.0.1.1", "10.0.1.2", "10.0.2.1", "10.0.2.2"]);
    }

    #[test]
    fn what_exists_is_never_handed_out_after_a_restart() {
        let used = ["10.0.1.2", "10.0.1.4", "172.16.0.1"].map(|text| text.parse().unwrap());
        let mut ipam = Ipam::new(&cidrs(&["10.0.1.0/29"]), used);
        let rest: Vec<String> = (0..4).flat_map(|_| text(&ipam.allocate().unwrap())).collect();
        assert_eq!(rest, ["10.0.1.5", "10.0.1.6", "10.0.1.1", "10.0.1.3"]);
        assert!(ipam.allocate().is_err());
    }

    proptest! {
        #[test]
        fn no_address_is_out_twice(actions in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 0..200)) {
            let mut ipam = Ipam::new(&cidrs(&["10.0.1.0/28", "fd00::/120"]), []);
            let mut out: Vec<Vec<IpAddr>> = Vec::new();
            for (allocate, index) in actions {
                if allocate {
                    if let Ok(addresses) = ipam.allocate() {
                        prop_assert!(out.iter().flatten().all(|held| !addresses.contains(held)));
                        out.push(addresses);
                    } else {
                        prop_assert_eq!(out.len(), 14);
                    }
                } else if !out.is_empty() {
                    let gone = out.swap_remove(index.index(out.len()));
                    ipam.release(&gone);
                    ipam.release(&gone);
                }
            }
        }
    }
}
