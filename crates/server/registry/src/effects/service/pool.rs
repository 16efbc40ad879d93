//! A range of addresses to allocate from (KEP-3070: its lower part is left to those who choose for themselves).

use std::net::IpAddr;

use api_meta::names::parse_cidr_sloppy;

/// The kind of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) const ALL: [Family; 2] = [Family::V4, Family::V6];

    pub(super) fn of(address: IpAddr) -> Family {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }

    pub(super) fn named(name: &str) -> Option<Family> {
        Family::ALL.into_iter().find(|family| family.name() == name)
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Family::V4 => "IPv4",
            Family::V6 => "IPv6",
        }
    }

    pub(super) fn other(self) -> Family {
        match self {
            Family::V4 => Family::V6,
            Family::V6 => Family::V4,
        }
    }

    pub(super) fn address(self, number: u128) -> IpAddr {
        match self {
            Family::V4 => IpAddr::from(u32::try_from(number).unwrap_or(u32::MAX).to_be_bytes()),
            Family::V6 => IpAddr::from(number.to_be_bytes()),
        }
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

/// The usable addresses of a CIDR, as numbers: from `first` to `last`, those below `dynamic` for static use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pool {
    pub(super) family: Family,
    first: u128,
    dynamic: u128,
    last: u128,
}

impl Pool {
    /// Without the network's own address and IPv4's broadcast address; `None` where that leaves nothing.
    pub(super) fn of(cidr: &str) -> Option<Pool> {
        let network = parse_cidr_sloppy(cidr)?.network();
        let family = Family::of(network.address);
        let (width, broadcast) = if family == Family::V4 { (32, 1) } else { (128, 0) };
        let host_bits = width - u32::from(network.bits);
        let span = u128::MAX.checked_shr(128 - host_bits).unwrap_or(0);
        let first = number(network.address).checked_add(1)?;
        let last = (number(network.address) + span).checked_sub(broadcast)?;
        let dynamic = first + u128::from(static_part(span.saturating_add(1)));
        (first <= last).then_some(Pool { family, first, dynamic, last })
    }

    pub(super) fn contains(self, address: IpAddr) -> bool {
        Family::of(address) == self.family && (self.first..=self.last).contains(&number(address))
    }

    /// Every address once: first the dynamic part, then the static one, each from a place that `below` draws.
    pub(super) fn candidates(self, below: impl Fn(u128) -> u128) -> impl Iterator<Item = IpAddr> {
        let parts = [(self.dynamic, self.last), (self.first, self.dynamic.saturating_sub(1))];
        let parts = parts.map(|(low, high)| {
            let count = if low > high { 0 } else { (high - low).saturating_add(1) };
            (low, high, count, low + below(count.max(1)).min(high.saturating_sub(low)))
        });
        parts
            .into_iter()
            .filter(|(_, _, count, _)| *count > 0)
            .flat_map(|(low, high, _, start)| (start..=high).chain(low..start))
            .map(move |number| self.family.address(number))
    }
}

/// `min(max(16, size / 16), 256)`, and nothing of ranges of 16 and fewer.
fn static_part(size: u128) -> u16 {
    if size <= 16 { 0 } else { u16::try_from((size / 16).clamp(16, 256)).unwrap_or(256) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(cidr: &str) -> Option<(String, String, String)> {
        let pool = Pool::of(cidr)?;
        let show = |number| pool.family.address(number).to_string();
        Some((show(pool.first), show(pool.dynamic), show(pool.last)))
    }

    #[test]
    fn ranges_leave_out_what_is_no_host_and_a_static_part() {
        let cases = [
            ("10.96.0.0/12", "10.96.0.1", "10.96.1.1", "10.111.255.254"),
            ("10.0.0.0/24", "10.0.0.1", "10.0.0.17", "10.0.0.254"),
            ("10.0.0.0/28", "10.0.0.1", "10.0.0.1", "10.0.0.14"),
            ("fd00::/112", "fd00::1", "fd00::101", "fd00::ffff"),
            ("fd00::/64", "fd00::1", "fd00::101", "fd00::ffff:ffff:ffff:ffff"),
        ];
        for (cidr, first, dynamic, last) in cases {
            let wanted = (first.to_owned(), dynamic.to_owned(), last.to_owned());
            assert_eq!(ends(cidr), Some(wanted), "{cidr}");
        }
        assert_eq!(ends("10.0.0.0/32"), None);
        assert_eq!(ends("10.0.0.0/31"), None);
    }

    #[test]
    fn candidates_are_all_addresses_once_dynamic_ones_first() {
        let pool = Pool::of("10.0.0.0/27").expect("a range");
        let all: Vec<IpAddr> = pool.candidates(|bound| bound / 2).collect();
        let mut sorted = all.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!((all.len(), sorted.len()), (30, 30));
        assert_eq!(all[0].to_string(), "10.0.0.24");
        assert!(all[..14].iter().all(|address| *address >= IpAddr::from([10, 0, 0, 17])));
        assert!(all[14..].iter().all(|address| *address < IpAddr::from([10, 0, 0, 17])));
    }
}
