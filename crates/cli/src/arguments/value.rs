//! The values of flags: each parsed once, here, into a type that can hold nothing wrong. Pure.
//!
//! Used by [`super::flags`]. Messages stand behind "invalid value '…' for '--flag': " and say what would be right.

use std::fmt;
use std::net::IpAddr;

use api_record::scalar::Duration;
use clap::ValueEnum;
use clap::builder::PossibleValue;
use host::netlink::Cidr;
use serde::{Deserialize, Serialize};

/// A node's name: a DNS subdomain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeName(String);

impl NodeName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for NodeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A label of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The key, with its prefix.
    pub key: String,
    /// The value, possibly empty.
    pub value: String,
}

/// A taint of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taint {
    /// The key, with its prefix.
    pub key: String,
    /// The value, possibly empty.
    pub value: String,
    /// `NoSchedule`, `PreferNoSchedule` or `NoExecute`.
    pub effect: &'static str,
}

/// Ports from the first to the last, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortRange {
    /// The lowest port.
    pub first: u16,
    /// The highest port.
    pub last: u16,
}

impl PortRange {
    /// Whether the port is one of them.
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }

    /// Whether some port is in both.
    pub fn overlaps(self, other: PortRange) -> bool {
        self.first <= other.last && other.first <= self.last
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

/// Where a server's API is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerUrl {
    /// Host name or address, without brackets.
    pub host: String,
    /// The port; 6443 when the URL names none.
    pub port: u16,
}

impl fmt::Display for ServerUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", host_and_port(&self.host, self.port))
    }
}

/// `host:port`, with the brackets that an IPv6 address needs.
pub fn host_and_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// A packaged part that can be left out, by K3s's name for it. Those that Knarr does not bring at all are accepted too: they are out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Component {
    /// The cluster's DNS.
    Coredns,
    /// Load balancers for services.
    Servicelb,
    /// The ingress controller.
    Traefik,
    /// The default storage class.
    LocalStorage,
    /// The metrics API.
    MetricsServer,
}

impl ValueEnum for Component {
    fn value_variants<'a>() -> &'a [Component] {
        use Component::{Coredns, LocalStorage, MetricsServer, Servicelb, Traefik};
        &[Coredns, Servicelb, Traefik, LocalStorage, MetricsServer]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Component::Coredns => PossibleValue::new("coredns").alias("dns"),
            Component::Servicelb => PossibleValue::new("servicelb"),
            Component::Traefik => PossibleValue::new("traefik"),
            Component::LocalStorage => PossibleValue::new("local-storage"),
            Component::MetricsServer => PossibleValue::new("metrics-server"),
        })
    }
}

/// How often something happens, a second: a number above zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate(f32);

impl Rate {
    /// A number above zero.
    pub const fn new(per_second: f32) -> Rate {
        Rate(per_second)
    }

    /// The number.
    pub fn per_second(self) -> f64 {
        f64::from(self.0)
    }
}

/// No rate is made of what is no number.
impl Eq for Rate {}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

pub(super) fn rate(text: &str) -> Result<Rate, String> {
    let read = text.parse().ok().filter(|rate: &f32| rate.is_normal() && rate.is_sign_positive());
    read.map(Rate).ok_or_else(|| "a rate is a number above zero, such as 0.5".to_owned())
}

pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a duration looks like 30s or 1m30s".to_owned();
    text.parse().ok().filter(|duration: &Duration| duration.nanos >= 0).ok_or_else(wrong)
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(port) if port > 0 => Ok(port),
        _ => Err("a port is a number from 1 to 65535".to_owned()),
    }
}

pub(super) fn port_range(text: &str) -> Result<PortRange, String> {
    let parsed = text.split_once('-').and_then(|(first, last)| {
        Some(PortRange { first: port(first.trim()).ok()?, last: port(last.trim()).ok()? })
    });
    match parsed {
        Some(range) if range.first <= range.last => Ok(range),
        Some(_) => Err("the first port is above the last".to_owned()),
        None => Err("a range of ports looks like 30000-32767".to_owned()),
    }
}

pub(super) fn cidr(text: &str) -> Result<Cidr, String> {
    if text.contains(',') {
        return Err("one range only: a second address family is not supported".to_owned());
    }
    let cidr: Cidr = text.parse().map_err(|_| "a range looks like 10.42.0.0/16".to_owned())?;
    if cidr.network() == cidr {
        return Ok(cidr);
    }
    Err(format!("the address has bits beyond its prefix; did you mean {}?", cidr.network()))
}

pub(super) fn mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text.trim_start_matches("0o"), 8) {
        Ok(mode) if mode <= 0o777 => Ok(mode),
        _ => Err("a mode is an octal number such as 600".to_owned()),
    }
}

pub(crate) fn token(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("a token is not empty".to_owned());
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err("a token has no spaces or line ends".to_owned());
    }
    Ok(text.to_owned())
}

pub(super) fn server_url(text: &str) -> Result<ServerUrl, String> {
    let wrong = || "a server looks like https://10.0.0.1:6443".to_owned();
    let rest = text.strip_prefix("https://").ok_or_else(wrong)?;
    let authority = rest.strip_suffix('/').unwrap_or(rest);
    if authority.contains(['/', '@', '?', '#']) {
        return Err(wrong());
    }
    let (host, port_text) = match authority.strip_prefix('[') {
        Some(six) => {
            let (host, rest) = six.split_once(']').ok_or_else(wrong)?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| wrong())?;
            (host, rest.strip_prefix(':').or((rest.is_empty()).then_some("6443")).ok_or_else(wrong)?)
        }
        None => authority.split_once(':').unwrap_or((authority, "6443")),
    };
    let named = host.parse::<IpAddr>().is_ok() || is_subdomain(&host.to_lowercase());
    if !named {
        return Err(wrong());
    }
    Ok(ServerUrl { host: host.to_owned(), port: port(port_text)? })
}

pub(super) fn alternative_name(text: &str) -> Result<String, String> {
    let lower = text.to_lowercase();
    let name = lower.strip_prefix("*.").unwrap_or(&lower);
    if text.parse::<IpAddr>().is_ok() || is_subdomain(name) {
        return Ok(lower);
    }
    Err("a host name or an address".to_owned())
}

pub(super) fn domain(text: &str) -> Result<String, String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if is_subdomain(text) {
        return Ok(text.to_owned());
    }
    Err("a domain looks like cluster.local: lower case letters, digits, '-' and '.'".to_owned())
}

pub(crate) fn node_name(text: &str) -> Result<NodeName, String> {
    if is_subdomain(text) {
        return Ok(NodeName(text.to_owned()));
    }
    Err("a node's name has lower case letters, digits, '-' and '.', and begins and ends with a letter or digit".to_owned())
}

/// A flag of kubelet's that is honoured here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KubeletArg {
    /// The hard eviction thresholds, in kubelet's form.
    EvictionHard(String),
}

pub(super) fn kubelet_arg(text: &str) -> Result<KubeletArg, String> {
    match text.split_once('=') {
        Some(("eviction-hard", value)) => Ok(KubeletArg::EvictionHard(value.to_owned())),
        Some((name, _)) => Err(format!("kubelet's {name} is not honoured here: there is eviction-hard")),
        None => Err("an argument of kubelet's looks like eviction-hard=nodefs.available<5%".to_owned()),
    }
}

pub(super) fn label(text: &str) -> Result<Label, String> {
    let (key, value) = text.split_once('=').ok_or("a label looks like KEY=VALUE")?;
    check_key(key)?;
    check_value(value)?;
    Ok(Label { key: key.to_owned(), value: value.to_owned() })
}

pub(super) fn taint(text: &str) -> Result<Taint, String> {
    let (rest, effect) = text.rsplit_once(':').ok_or("a taint looks like KEY=VALUE:EFFECT")?;
    let (key, value) = rest.split_once('=').unwrap_or((rest, ""));
    let effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];
    let effect = effects
        .into_iter()
        .find(|known| *known == effect)
        .ok_or("the effect of a taint is NoSchedule, PreferNoSchedule or NoExecute")?;
    check_key(key)?;
    check_value(value)?;
    Ok(Taint { key: key.to_owned(), value: value.to_owned(), effect })
}

fn check_key(key: &str) -> Result<(), String> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    if prefix.is_some_and(|prefix| !is_subdomain(prefix)) {
        return Err("what stands before the '/' of a key is a DNS name".to_owned());
    }
    if name.is_empty() || !is_label_text(name) {
        return Err(
            "a key has 1 to 63 letters, digits, '-', '_' and '.', and begins and ends with a letter or digit"
                .to_owned(),
        );
    }
    Ok(())
}

fn check_value(value: &str) -> Result<(), String> {
    if is_label_text(value) {
        return Ok(());
    }
    Err("a value has up to 63 letters, digits, '-', '_' and '.', and begins and ends with a letter or digit"
        .to_owned())
}

fn is_label_text(text: &str) -> bool {
    let ends = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    text.len() <= 63
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
        && ends(text.chars().next())
        && ends(text.chars().last())
}

/// RFC 1123's subdomain, as upstream's `IsDNS1123Subdomain` has it.
fn is_subdomain(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_values_are_taken() {
        assert_eq!(port("6443"), Ok(6443));
        assert_eq!(port_range("1-2"), Ok(PortRange { first: 1, last: 2 }));
        assert_eq!(rate("0.5"), Ok(Rate(0.5)));
        assert_eq!(duration("1m30s").unwrap().to_string(), "1m30s");
        assert_eq!(mode("0644"), Ok(0o644));
        assert_eq!(mode("600"), Ok(0o600));
        assert_eq!(server_url("https://[fd00::1]/").unwrap().to_string(), "https://[fd00::1]:6443");
        assert_eq!(server_url("https://Box.lan:1").unwrap().to_string(), "https://Box.lan:1");
        assert_eq!(label("a.b/c=").unwrap(), Label { key: "a.b/c".into(), value: String::new() });
        assert_eq!(taint("k=v:NoExecute").unwrap().effect, "NoExecute");
        assert_eq!(taint("k:NoSchedule").unwrap().value, "");
        assert_eq!(domain("cluster.local.").unwrap(), "cluster.local");
        assert_eq!(alternative_name("*.Example.com").unwrap(), "*.example.com");
    }

    #[test]
    fn wrong_values_are_refused_with_what_would_be_right() {
        let said = |result: Result<(), String>| result.expect_err("the value is wrong");
        for (message, expected) in [
            (said(port("0").map(drop)), "1 to 65535"),
            (said(port("70000").map(drop)), "1 to 65535"),
            (said(port_range("9-3").map(drop)), "above the last"),
            (said(port_range("9").map(drop)), "30000-32767"),
            (said(cidr("10.42.1.0/16").map(drop)), "did you mean 10.42.0.0/16"),
            (said(cidr("10.42.0.0").map(drop)), "10.42.0.0/16"),
            (said(cidr("10.42.0.0/16,fd00::/56").map(drop)), "one range only"),
            (said(rate("0").map(drop)), "above zero"),
            (said(rate("NaN").map(drop)), "above zero"),
            (said(duration("-1s").map(drop)), "30s"),
            (said(mode("9").map(drop)), "octal"),
            (said(token(" ").map(drop)), "not empty"),
            (said(server_url("10.0.0.1").map(drop)), "https://"),
            (said(server_url("https://a/b").map(drop)), "https://"),
            (said(node_name("Big_Box").map(drop)), "lower case"),
            (said(label("novalue").map(drop)), "KEY=VALUE"),
            (said(taint("a=b:Never").map(drop)), "NoSchedule"),
        ] {
            assert!(message.contains(expected), "{message:?} should say {expected:?}");
        }
    }
}
