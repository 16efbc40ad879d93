//! IP addresses and CIDRs, strict for new fields and as lenient as upstream always was for old ones.
//!
//! "Sloppy" is upstream's word: leading zeros are ignored and IPv4-mapped IPv6 addresses stand for their IPv4 address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::field::{ErrorList, FieldError, Path};
use crate::quote;

/// An address and the length of its network's prefix, counted in the bits of the address's own family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// The address, bits beyond the prefix included.
    pub address: IpAddr,
    /// The prefix's bits.
    pub bits: u8,
}

impl Cidr {
    /// The network: the same with all bits beyond the prefix cleared.
    pub fn network(self) -> Cidr {
        let address = match self.address {
            IpAddr::V4(v4) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from(u32::from(v4) & mask))
            }
            IpAddr::V6(v6) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from(u128::from(v6) & mask))
            }
        };
        Cidr { address, bits: self.bits }
    }

    /// Whether an address is one of the network's.
    pub fn contains(self, address: IpAddr) -> bool {
        address.is_ipv4() == self.address.is_ipv4() && Cidr { address, ..self }.network() == self.network()
    }

    /// Whether all addresses of another network are of this one.
    pub fn covers(self, other: Cidr) -> bool {
        self.bits <= other.bits && self.contains(other.address)
    }

    /// The network's last address: of IPv4, the one for broadcasts.
    pub fn last(self) -> IpAddr {
        match self.network().address {
            IpAddr::V4(v4) => {
                let hosts = u32::MAX.checked_shr(self.bits.into()).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from(u32::from(v4) | hosts))
            }
            IpAddr::V6(v6) => {
                let hosts = u128::MAX.checked_shr(self.bits.into()).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from(u128::from(v6) | hosts))
            }
        }
    }
}

impl std::fmt::Display for Cidr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

fn without_zeros(part: &str) -> &str {
    let trimmed = part.trim_start_matches('0');
    if trimmed.is_empty() && !part.is_empty() { "0" } else { trimmed }
}

/// The address as written, mapped ones as IPv6.
fn parse_unmapped(text: &str) -> Option<IpAddr> {
    let plain: Vec<String> = text
        .split(':')
        .map(|group| group.split('.').map(without_zeros).collect::<Vec<_>>().join("."))
        .collect();
    plain.join(":").parse().ok()
}

/// Reads an address as leniently as old fields do; IPv4-mapped addresses become IPv4.
pub fn parse_ip_sloppy(text: &str) -> Option<IpAddr> {
    parse_unmapped(text).map(|address| address.to_canonical())
}

/// Reads a CIDR as leniently as old fields do.
pub fn parse_cidr_sloppy(text: &str) -> Option<Cidr> {
    let (address, bits) = text.split_once('/')?;
    let address = parse_unmapped(address)?;
    if bits.is_empty() || bits.len() > 8 || !bits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let bits: u32 = bits.parse().ok()?;
    let bits = u8::try_from(bits).ok().filter(|bits| *bits <= if address.is_ipv4() { 32 } else { 128 })?;
    match (address, address.to_canonical()) {
        (IpAddr::V6(_), v4 @ IpAddr::V4(_)) if bits >= 96 => Some(Cidr { address: v4, bits: bits - 96 }),
        _ => Some(Cidr { address, bits }),
    }
}

fn mapped(text: &str) -> bool {
    matches!(text.parse::<IpAddr>(), Ok(address @ IpAddr::V6(_)) if address.to_canonical().is_ipv4())
}

fn parse_ip(path: &Path, text: &str, strict: bool) -> Result<IpAddr, ErrorList> {
    let Some(address) = parse_ip_sloppy(text) else {
        let detail = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
        return Err(FieldError::invalid(path, text, detail).into());
    };
    if strict && text.parse::<IpAddr>().is_err() {
        return Err(FieldError::invalid(path, text, "must not have leading 0s").into());
    }
    if strict && mapped(text) {
        return Err(FieldError::invalid(path, text, "must not be an IPv4-mapped IPv6 address").into());
    }
    Ok(address)
}

/// The address of a field older than strict checks; `valid_old` are the values it had before, which stay good.
pub fn is_valid_ip_for_legacy_field(path: &Path, text: &str, strict: bool, valid_old: &[&str]) -> ErrorList {
    if valid_old.contains(&text) {
        return ErrorList::new();
    }
    parse_ip(path, text, strict).err().unwrap_or_default()
}

/// An address in canonical form.
pub fn is_valid_ip(path: &Path, text: &str) -> ErrorList {
    match parse_ip(path, text, true) {
        Err(errors) => errors,
        Ok(address) => canonical(path, text, &address.to_string()),
    }
}

fn canonical(path: &Path, text: &str, wanted: &str) -> ErrorList {
    if text == wanted {
        return ErrorList::new();
    }
    FieldError::invalid(path, text, format!("must be in canonical form ({})", quote::go(wanted))).into()
}

/// What to warn of in an address that [`is_valid_ip_for_legacy_field`] let pass.
pub fn ip_warnings(path: &Path, text: &str) -> Vec<String> {
    let Some(address) = parse_ip_sloppy(text) else { return Vec::new() };
    let shown = address.to_string();
    let (quoted, wanted) = (quote::go(text), quote::go(&shown));
    if text.parse::<IpAddr>().is_err() || mapped(text) {
        return vec![format!("{path}: non-standard IP address {quoted} is invalid: use {wanted}")];
    }
    if address.is_ipv6() && shown != text {
        return vec![format!(
            "{path}: IPv6 address {quoted} should be in RFC 5952 canonical format ({wanted})"
        )];
    }
    Vec::new()
}

/// Whether the strict reading of upstream's `netip.ParsePrefix` takes it.
fn strictly_written(text: &str) -> bool {
    text.split_once('/').is_some_and(|(address, bits)| {
        address.parse::<IpAddr>().is_ok() && (bits == "0" || !bits.starts_with('0'))
    })
}

fn has_mapped(text: &str) -> bool {
    text.split_once('/').is_some_and(|(address, _)| mapped(address))
}

fn parse_cidr(path: &Path, text: &str, strict: bool) -> Result<Cidr, ErrorList> {
    let Some(cidr) = parse_cidr_sloppy(text) else {
        let detail = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";
        return Err(FieldError::invalid(path, text, detail).into());
    };
    let detail = if !strict {
        return Ok(cidr);
    } else if !strictly_written(text) {
        "must not have leading 0s in IP or prefix length"
    } else if has_mapped(text) {
        "must not have an IPv4-mapped IPv6 address"
    } else if cidr != cidr.network() {
        "must not have bits set beyond the prefix length"
    } else {
        return Ok(cidr);
    };
    Err(FieldError::invalid(path, text, detail).into())
}

/// The CIDR of a field older than strict checks; `valid_old` are the values it had before, which stay good.
pub fn is_valid_cidr_for_legacy_field(
    path: &Path,
    text: &str,
    strict: bool,
    valid_old: &[&str],
) -> ErrorList {
    if valid_old.contains(&text) {
        return ErrorList::new();
    }
    parse_cidr(path, text, strict).err().unwrap_or_default()
}

/// A network in canonical form.
pub fn is_valid_cidr(path: &Path, text: &str) -> ErrorList {
    match parse_cidr(path, text, true) {
        Err(errors) => errors,
        Ok(cidr) => canonical(path, text, &cidr.network().to_string()),
    }
}

/// An interface's address with its prefix in canonical form; bits beyond the prefix are part of it.
pub fn is_interface_address(path: &Path, text: &str) -> ErrorList {
    match parse_cidr_sloppy(text) {
        None => {
            let detail = "must be a valid address in CIDR form, (e.g. 10.9.8.7/24 or 2001:db8::1/64)";
            FieldError::invalid(path, text, detail).into()
        }
        Some(cidr) => {
            // A mapped address whose prefix ends before the IPv4 part has no sensible form; this one is upstream's.
            let address = cidr.address.to_canonical();
            let skewed = address.is_ipv4() && cidr.bits > 32;
            let bits = if skewed { i16::from(cidr.bits) - 96 } else { i16::from(cidr.bits) };
            canonical(path, text, &format!("{address}/{bits}"))
        }
    }
}

/// What to warn of in a CIDR that [`is_valid_cidr_for_legacy_field`] let pass.
pub fn cidr_warnings(path: &Path, text: &str) -> Vec<String> {
    let Some(cidr) = parse_cidr_sloppy(text) else { return Vec::new() };
    let network = cidr.network();
    let (quoted, wanted) = (quote::go(text), quote::go(&network.to_string()));
    let mut warnings = Vec::new();
    if cidr != network {
        let bits = if text.contains(':') { 128 } else { 32 };
        let single = Cidr { address: cidr.address.to_canonical(), bits };
        let single = quote::go(&single.to_string());
        warnings.push(format!(
            "{path}: CIDR value {quoted} is ambiguous in this context (should be {wanted} or {single}?)"
        ));
    }
    if !strictly_written(text) || has_mapped(text) {
        warnings.push(format!("{path}: non-standard CIDR value {quoted} is invalid: use {wanted}"));
    }
    if warnings.is_empty() && cidr.address.is_ipv6() && cidr.to_string() != text {
        let shown = quote::go(&cidr.to_string());
        warnings.push(format!(
            "{path}: IPv6 CIDR value {quoted} should be in RFC 5952 canonical format ({shown})"
        ));
    }
    warnings
}
