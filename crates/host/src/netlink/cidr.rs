//! An address with a prefix length, as node, pod and service ranges are written. Pure.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An address with the length of its network prefix. The host bits are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cidr {
    address: IpAddr,
    prefix: u8,
}

/// Text that is no CIDR.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address with a prefix length, such as 10.0.0.0/8")]
pub struct CidrError(String);

impl Cidr {
    /// An address with a prefix length in bits, which is cut to the family's 32 or 128.
    pub fn new(address: IpAddr, prefix: u8) -> Cidr {
        let bits = if address.is_ipv4() { 32 } else { 128 };
        Cidr { address, prefix: prefix.min(bits) }
    }

    /// The one address alone: /32 or /128.
    pub fn host(address: IpAddr) -> Cidr {
        Cidr::new(address, 128)
    }

    /// The address, host bits included.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The prefix length in bits.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// How many bits an address of this family has.
    pub fn bits(&self) -> u8 {
        if self.address.is_ipv4() { 32 } else { 128 }
    }

    /// Whether it is an IPv4 one.
    pub fn is_ipv4(&self) -> bool {
        self.address.is_ipv4()
    }

    /// The same with all host bits zero.
    pub fn network(&self) -> Cidr {
        Cidr { address: self.nth(0), prefix: self.prefix }
    }

    /// Whether `address` lies inside.
    pub fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.is_ipv4() && Cidr::new(address, self.prefix).network() == self.network()
    }

    /// How many addresses it has, at most `u128::MAX`.
    pub fn size(&self) -> u128 {
        1u128.checked_shl(u32::from(self.bits() - self.prefix)).unwrap_or(u128::MAX)
    }

    /// The address `index` places after the network's first, wrapping within the network.
    pub fn nth(&self, index: u128) -> IpAddr {
        let host = self.size().wrapping_sub(1);
        match self.address {
            IpAddr::V4(address) => {
                let base = u128::from(u32::from(address)) & !host;
                let value = base | (index & host);
                IpAddr::V4(Ipv4Addr::from(u32::try_from(value & u128::from(u32::MAX)).unwrap_or(u32::MAX)))
            }
            IpAddr::V6(address) => {
                let host = if self.prefix == 0 { u128::MAX } else { host };
                IpAddr::V6(Ipv6Addr::from((u128::from(address) & !host) | (index & host)))
            }
        }
    }

    /// How many places after the network's first `address` lies; `None` if it lies outside.
    pub fn index_of(&self, address: IpAddr) -> Option<u128> {
        if !self.contains(address) {
            return None;
        }
        Some(match (address, self.nth(0)) {
            (IpAddr::V4(a), IpAddr::V4(first)) => u128::from(u32::from(a) - u32::from(first)),
            (IpAddr::V6(a), IpAddr::V6(first)) => u128::from(a) - u128::from(first),
            _ => return None,
        })
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Cidr {
    type Err = CidrError;
    fn from_str(text: &str) -> Result<Cidr, CidrError> {
        let parsed = text.split_once('/').and_then(|(address, prefix)| {
            let address: IpAddr = address.parse().ok()?;
            let prefix: u8 = prefix.parse().ok()?;
            (prefix <= Cidr::host(address).bits()).then(|| Cidr::new(address, prefix))
        });
        parsed.ok_or_else(|| CidrError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_counted_within_the_network() {
        let cidr: Cidr = "10.1.2.7/24".parse().unwrap();
        assert_eq!(cidr.network().to_string(), "10.1.2.0/24");
        assert_eq!(cidr.size(), 256);
        assert_eq!(cidr.nth(9).to_string(), "10.1.2.9");
        assert_eq!(cidr.index_of("10.1.2.255".parse().unwrap()), Some(255));
        assert_eq!(cidr.index_of("10.1.3.0".parse().unwrap()), None);
        let six: Cidr = "fd00:1::/64".parse().unwrap();
        assert_eq!(six.nth(5).to_string(), "fd00:1::5");
        assert!(six.contains("fd00:1::ffff".parse().unwrap()));
        assert!(!six.contains("10.0.0.1".parse().unwrap()));
        assert!("0.0.0.0/0".parse::<Cidr>().unwrap().contains("1.2.3.4".parse().unwrap()));
        assert!("::/0".parse::<Cidr>().unwrap().contains("fd00::1".parse().unwrap()));
    }

    #[test]
    fn what_is_no_cidr_is_refused() {
        for text in ["", "10.0.0.0", "10.0.0.0/33", "::/129", "10.0.0/8", "a/8", "1.1.1.1/-1"] {
            assert!(text.parse::<Cidr>().is_err(), "{text}");
        }
    }
}
