//! Addresses and their ranges (`library/{ip,cidr}.go`): no leading zeros, no zones, no IPv4 mapped into IPv6.

use std::fmt;
use std::net::IpAddr;

use super::{Answer, bool, failed};
use crate::value::Value;

/// A range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    address: IpAddr,
    length: u8,
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.length)
    }
}

impl Cidr {
    fn parse(text: &str) -> Result<Cidr, String> {
        let wrong = |why: &str| {
            format!(
                "network address parse error during conversion from string: netip.ParsePrefix({text:?}): {why}"
            )
        };
        let (address, length) = text.rsplit_once('/').ok_or_else(|| wrong("no '/'"))?;
        let address = ip(address).map_err(|why| wrong(&why))?;
        let plain = !length.is_empty() && length.bytes().all(|digit| digit.is_ascii_digit());
        let plain = plain && (length == "0" || !length.starts_with('0'));
        let length: u8 =
            plain.then(|| length.parse().ok()).flatten().ok_or_else(|| wrong("bad bits after slash"))?;
        if length > bits(address).1 {
            return Err(wrong("prefix length out of range"));
        }
        Ok(Cidr { address, length })
    }

    fn masked(self) -> Cidr {
        let (value, size) = bits(self.address);
        let value = value & mask(self.length, size);
        let address = match self.address {
            IpAddr::V4(_) => IpAddr::V4((value as u32).into()),
            IpAddr::V6(_) => IpAddr::V6(value.into()),
        };
        Cidr { address, ..self }
    }

    fn contains(self, address: IpAddr) -> bool {
        self.address.is_ipv4() == address.is_ipv4()
            && (Cidr { address, ..self }).masked().address == self.masked().address
    }

    fn contains_range(self, other: Cidr) -> bool {
        self.length <= other.length && self.contains(other.address)
    }
}

fn bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(address) => (u32::from(address).into(), 32),
        IpAddr::V6(address) => (address.into(), 128),
    }
}

fn mask(length: u8, size: u8) -> u128 {
    if length == 0 { 0 } else { u128::MAX << (size - length) }
}

/// An address as Kubernetes lets it be written in CEL.
fn ip(text: &str) -> Result<IpAddr, String> {
    let address: IpAddr = text.parse().map_err(|_| format!("ParseAddr({text:?}): unable to parse IP"))?;
    match address {
        IpAddr::V6(mapped) if mapped.to_ipv4_mapped().is_some() => {
            Err("IPv4-mapped IPv6 address is not allowed".to_owned())
        }
        address => Ok(address),
    }
}

fn parsed(text: &str) -> Result<IpAddr, String> {
    ip(text).map_err(|why| format!("IP Address {text:?} parse error during conversion from string: {why}"))
}

pub(super) fn call(name: &str, values: &[Value]) -> Option<Answer> {
    Some(match (name, values) {
        ("ip", [Value::String(text)]) => parsed(text).map_or_else(failed, |address| Ok(Value::Ip(address))),
        ("isIP", [Value::String(text)]) => bool(ip(text).is_ok()),
        ("ip.isCanonical", [Value::String(text)]) => {
            parsed(text).map_or_else(failed, |address| bool(address.to_string() == **text))
        }
        ("cidr", [Value::String(text)]) => {
            Cidr::parse(text).map_or_else(failed, |range| Ok(Value::Cidr(range)))
        }
        ("isCIDR", [Value::String(text)]) => bool(Cidr::parse(text).is_ok()),
        ("ip", [Value::Cidr(range)]) => Ok(Value::Ip(range.address)),
        ("masked", [Value::Cidr(range)]) => Ok(Value::Cidr(range.masked())),
        ("prefixLength", [Value::Cidr(range)]) => Ok(Value::Int(range.length.into())),
        ("containsIP", [Value::Cidr(range), Value::Ip(address)]) => bool(range.contains(*address)),
        ("containsIP", [Value::Cidr(range), Value::String(text)]) => {
            parsed(text).map_or_else(failed, |address| bool(range.contains(address)))
        }
        ("containsCIDR", [Value::Cidr(range), Value::Cidr(other)]) => bool(range.contains_range(*other)),
        ("containsCIDR", [Value::Cidr(range), Value::String(text)]) => {
            Cidr::parse(text).map_or_else(failed, |other| bool(range.contains_range(other)))
        }
        (name, [Value::Ip(address)]) => return of_address(name, *address),
        _ => return None,
    })
}

fn of_address(name: &str, address: IpAddr) -> Option<Answer> {
    let link_local = match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.segments()[0] & 0xffc0 == 0xfe80,
    };
    let link_local_multicast = match address {
        IpAddr::V4(address) => address.octets()[..3] == [224, 0, 0],
        IpAddr::V6(address) => address.segments()[0] & 0xff0f == 0xff02,
    };
    let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
    Some(match name {
        "family" => Ok(Value::Int(if address.is_ipv4() { 4 } else { 6 })),
        "isUnspecified" => bool(address.is_unspecified()),
        "isLoopback" => bool(address.is_loopback()),
        "isLinkLocalMulticast" => bool(link_local_multicast),
        "isLinkLocalUnicast" => bool(link_local),
        // As Go's `IsGlobalUnicast`: private addresses are among them.
        "isGlobalUnicast" => bool(
            !broadcast
                && !address.is_unspecified()
                && !address.is_loopback()
                && !address.is_multicast()
                && !link_local,
        ),
        _ => return None,
    })
}
