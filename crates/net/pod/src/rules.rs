//! The pod network's nftables: masquerading of what leaves the cluster, and host ports. Pure.
//!
//! One table per family with fixed chains; what changes is elements. The hooks come just before those of services, so a
//! host port wins over a node port of the same number, as with the portmap plugin.

use std::collections::BTreeMap;
use std::net::IpAddr;

use host::netlink::Cidr;
use host::nft::{Command, Contents, Elements, Family};
use serde::{Deserialize, Serialize};

use crate::names::ClusterId;

/// A transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// The name in nft's notation.
    pub fn name(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        }
    }
}

/// A port of the node that leads to a port of a pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostPort {
    /// The protocol.
    pub protocol: Protocol,
    /// The address of the node; all of them if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_ip: Option<IpAddr>,
    /// The node's port.
    pub host_port: u16,
    /// The pod's port.
    pub container_port: u16,
}

/// What the rules should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesWant {
    /// The cluster.
    pub cluster: ClusterId,
    /// The ranges of this node's pods.
    pub pod_cidrs: Vec<Cidr>,
    /// What pods reach without masquerading: the cluster's pod ranges and whatever else knows the way back.
    pub cluster_cidrs: Vec<Cidr>,
    /// Each pod's addresses and host ports.
    pub pods: Vec<(Vec<IpAddr>, Vec<HostPort>)>,
}

/// A table's fixed part. Its first line is its version: a table with another is replaced.
fn skeleton(table: &str, family: Family) -> String {
    let four = family == Family::Ip;
    let (ip, address, local) = if four {
        ("ip", "ipv4_addr", "ct status dnat ip saddr 127.0.0.0/8 masquerade")
    } else {
        ("ip6", "ipv6_addr", "ct status dnat ip6 saddr ::1 masquerade")
    };
    let (multicast, loopback) = if four { ("224.0.0.0/4", "127.0.0.0/8") } else { ("ff00::/8", "::1") };
    format!(
        "table {ip} {table} {{
  chain version-1 {{
  }}
  set pods {{
    type {address}
    flags interval
  }}
  set cluster {{
    type {address}
    flags interval
  }}
  set self {{
    type {address} . {address}
  }}
  map hostports {{
    type inet_proto . inet_service : {address} . inet_service
  }}
  map hostports-at {{
    type {address} . inet_proto . inet_service : {address} . inet_service
  }}
  chain guard {{
    type filter hook prerouting priority -300
    iifname != \"lo\" {ip} daddr {loopback} drop
  }}
  chain hostport {{
    meta l4proto {{ tcp, udp, sctp }} dnat {ip} to {ip} daddr . meta l4proto . th dport map @hostports-at
    meta l4proto {{ tcp, udp, sctp }} dnat {ip} to meta l4proto . th dport map @hostports
  }}
  chain prerouting {{
    type nat hook prerouting priority -101
    fib daddr type local goto hostport
  }}
  chain output {{
    type nat hook output priority -101
    fib daddr type local goto hostport
  }}
  chain postrouting {{
    type nat hook postrouting priority 100
    ct status dnat {ip} saddr . {ip} daddr @self masquerade
    {local}
    {ip} saddr @pods {ip} daddr != {multicast} {ip} daddr != @cluster masquerade fully-random
  }}
}}"
    )
}

/// The chain whose presence says that a table's fixed part is this release's.
const VERSION: &str = "version-1";

/// A range in nft's notation: a single address stands without its length.
fn range(cidr: &Cidr) -> String {
    if cidr.prefix() == cidr.bits() { cidr.address().to_string() } else { cidr.network().to_string() }
}

fn of_family(address: &IpAddr, family: Family) -> bool {
    address.is_ipv4() == (family == Family::Ip)
}

fn wanted(want: &RulesWant, family: Family) -> BTreeMap<&'static str, Elements> {
    let ranges = |cidrs: &[Cidr]| -> Elements {
        let of = cidrs.iter().filter(|cidr| of_family(&cidr.address(), family));
        of.map(|cidr| (range(cidr), String::new())).collect()
    };
    let mut sets = BTreeMap::from([
        ("pods", ranges(&want.pod_cidrs)),
        ("cluster", ranges(&want.cluster_cidrs)),
        ("self", Elements::new()),
        ("hostports", Elements::new()),
        ("hostports-at", Elements::new()),
    ]);
    for (addresses, ports) in &want.pods {
        let Some(address) = addresses.iter().find(|address| of_family(address, family)) else { continue };
        for port in ports {
            // An unspecified address means all of them, as an absent one does.
            let at = port.host_ip.filter(|at| !at.is_unspecified());
            if port.host_ip.is_some_and(|at| !of_family(&at, family)) {
                continue;
            }
            let key = format!("{} . {}", port.protocol.name(), port.host_port);
            let (set, key) = match at {
                Some(at) => ("hostports-at", format!("{at} . {key}")),
                None => ("hostports", key),
            };
            let value = format!("{address} . {}", port.container_port);
            // The first pod keeps a port that two of them ask for, as the scheduler keeps such pods apart.
            sets.entry(set).or_default().entry(key).or_insert(value);
            sets.entry("self").or_default().insert(format!("{address} . {address}"), String::new());
        }
    }
    sets
}

/// The families that have rules.
pub const FAMILIES: [Family; 2] = [Family::Ip, Family::Ip6];

/// The transaction from what a family's table holds to what it should.
pub fn plan(want: &RulesWant, family: Family, have: Option<&Contents>) -> Vec<Command> {
    let table = want.cluster.table(family);
    let current = have.filter(|have| have.chains.iter().any(|chain| chain == VERSION));
    let mut commands = Vec::new();
    if current.is_none() {
        commands.push(Command::Define(table.clone(), skeleton(&table.name, family)));
    }
    let nothing = Elements::new();
    for (set, wanted) in wanted(want, family) {
        let held = current.and_then(|have| have.sets.get(set)).unwrap_or(&nothing);
        let gone: Vec<String> = held
            .iter()
            .filter(|(key, value)| wanted.get(*key) != Some(value))
            .map(|(key, _)| key.clone())
            .collect();
        let new: Elements = wanted.into_iter().filter(|(key, value)| held.get(key) != Some(value)).collect();
        if !gone.is_empty() {
            commands.push(Command::Delete(table.clone(), set.to_owned(), gone));
        }
        if !new.is_empty() {
            commands.push(Command::Add(table.clone(), set.to_owned(), new));
        }
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;
    use host::nft::{Nft, SimNft};

    fn want(pods: Vec<(Vec<IpAddr>, Vec<HostPort>)>) -> RulesWant {
        RulesWant {
            cluster: "t".parse().unwrap(),
            pod_cidrs: vec!["10.1.0.0/24".parse().unwrap(), "fd00:1::/64".parse().unwrap()],
            cluster_cidrs: vec!["10.1.0.0/16".parse().unwrap(), "192.0.2.1/32".parse().unwrap()],
            pods,
        }
    }

    fn port(host_ip: Option<&str>, host_port: u16) -> HostPort {
        let host_ip = host_ip.map(|text| text.parse().unwrap());
        HostPort { protocol: Protocol::Tcp, host_ip, host_port, container_port: 8080 }
    }

    fn converge(nft: &SimNft, want: &RulesWant) {
        for family in FAMILIES {
            let table = want.cluster.table(family);
            nft.apply(&plan(want, family, nft.list(&table).unwrap().as_ref())).unwrap();
            assert_eq!(plan(want, family, nft.list(&table).unwrap().as_ref()), []);
        }
    }

    #[test]
    fn host_ports_come_and_go_as_elements() {
        let nft = SimNft::default();
        let pod = vec!["10.1.0.2".parse().unwrap(), "fd00:1::2".parse().unwrap()];
        let ports = vec![port(None, 80), port(Some("192.0.2.1"), 81), port(Some("::"), 82)];
        converge(&nft, &want(vec![(pod, ports)]));
        let four = nft.list(&want(vec![]).cluster.table(Family::Ip)).unwrap().unwrap();
        assert_eq!(four.sets["hostports"], [("tcp . 80".to_owned(), "10.1.0.2 . 8080".to_owned())].into());
        assert_eq!(
            four.sets["hostports-at"],
            [("192.0.2.1 . tcp . 81".to_owned(), "10.1.0.2 . 8080".to_owned())].into()
        );
        let six = nft.list(&want(vec![]).cluster.table(Family::Ip6)).unwrap().unwrap();
        assert_eq!(six.sets["hostports"].keys().collect::<Vec<_>>(), ["tcp . 80", "tcp . 82"]);
        converge(&nft, &want(vec![]));
        let four = nft.list(&want(vec![]).cluster.table(Family::Ip)).unwrap().unwrap();
        assert!(four.sets["hostports"].is_empty() && four.sets["self"].is_empty());
        assert_eq!(four.sets["cluster"].keys().collect::<Vec<_>>(), ["10.1.0.0/16", "192.0.2.1"]);
    }

    #[test]
    fn a_table_of_another_release_is_replaced() {
        let have = Contents { chains: vec!["version-0".into()], ..Contents::default() };
        assert!(matches!(&plan(&want(vec![]), Family::Ip, Some(&have))[0], Command::Define(..)));
    }
}
