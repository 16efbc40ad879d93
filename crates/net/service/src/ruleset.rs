//! The fixed part of the tables: sets, maps and chains, and the few chains that come with sizes and timeouts. Pure text.
//!
//! Why the odd forms: nft 1.0.6 knows a drawn index only as the `typeof` of an expression, and can add rules and elements
//! to a table that exists only if the other side names the rule's own protocol: hence a map of endpoints per protocol. In
//! the affinity's key the mark comes before the address, as the other way round it aborts.

use std::fmt;

use host::nft::{Command, Family, Table};

use crate::limits::AFFINITY_CLIENTS_MAX;
use crate::spec::Protocol;

/// The high byte of packet marks that stand for pools. The low 24 bits are the pool's number.
pub const MARK_TAG: u32 = 0x4b00_0000;
/// The bit of the connection's mark that asks for masquerading; cleared once it is done.
pub const MASQUERADE_BIT: u32 = 0x4000_0000;

/// The chain whose presence says that a table's fixed part is this release's.
pub const VERSION: &str = "version-2";

/// The families that have a table.
pub const FAMILIES: [Family; 2] = [Family::Ip, Family::Ip6];

/// The sets and maps whose elements are planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Set {
    /// Address, protocol, port → the kind of frontend.
    Vips,
    /// Address, protocol, port → pool.
    VipPools,
    /// Address, protocol, port → pool for pods and this node, where the policy is Local.
    VipNear,
    /// Protocol, node port → the kind of frontend.
    Ports,
    /// Protocol, node port → pool.
    PortPools,
    /// Protocol, node port → pool for pods and this node, where the policy is Local.
    PortNear,
    /// Address, protocol, port → drop or reject.
    Refused,
    /// Protocol, node port → drop or reject.
    RefusedPorts,
    /// Pool → balancing chain.
    Pools,
    /// Pool, index → TCP endpoint.
    TcpEndpoints,
    /// Pool, index → UDP endpoint.
    UdpEndpoints,
    /// Pool, index → SCTP endpoint.
    SctpEndpoints,
    /// Pool → chain that remembers the client's endpoint.
    AffinityPools,
    /// Endpoints on this node, twice: who calls itself.
    Hairpin,
    /// Load balancer address, protocol, port that has source ranges.
    Guarded,
    /// The same with an allowed range.
    Allowed,
    /// The cluster's pod ranges.
    Pods,
    /// The service ranges.
    Services,
}

impl Set {
    /// All of them.
    pub const ALL: [Set; 18] = [
        Set::Vips,
        Set::VipPools,
        Set::VipNear,
        Set::Ports,
        Set::PortPools,
        Set::PortNear,
        Set::Refused,
        Set::RefusedPorts,
        Set::Pools,
        Set::TcpEndpoints,
        Set::UdpEndpoints,
        Set::SctpEndpoints,
        Set::AffinityPools,
        Set::Hairpin,
        Set::Guarded,
        Set::Allowed,
        Set::Pods,
        Set::Services,
    ];

    /// The maps that lead to endpoints.
    pub const ENDPOINTS: [Set; 3] = [Set::TcpEndpoints, Set::UdpEndpoints, Set::SctpEndpoints];

    /// The map that leads to endpoints of a protocol.
    pub fn endpoints(protocol: Protocol) -> Set {
        match protocol {
            Protocol::Tcp => Set::TcpEndpoints,
            Protocol::Udp => Set::UdpEndpoints,
            Protocol::Sctp => Set::SctpEndpoints,
        }
    }

    /// The name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Set::Vips => "vips",
            Set::VipPools => "vip-pools",
            Set::VipNear => "vip-near",
            Set::Ports => "ports",
            Set::PortPools => "port-pools",
            Set::PortNear => "port-near",
            Set::Refused => "refused",
            Set::RefusedPorts => "refused-ports",
            Set::Pools => "pools",
            Set::TcpEndpoints => "tcp-endpoints",
            Set::UdpEndpoints => "udp-endpoints",
            Set::SctpEndpoints => "sctp-endpoints",
            Set::AffinityPools => "affinity-pools",
            Set::Hairpin => "hairpin",
            Set::Guarded => "guarded",
            Set::Allowed => "allowed",
            Set::Pods => "pods",
            Set::Services => "services",
        }
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The map of clients' affinities, filled by the kernel.
pub const AFFINITY: &str = "affinity";

/// The table of one cluster and family.
pub fn table(cluster: &str, family: Family) -> Table {
    Table { family, name: format!("knarr-{cluster}-service") }
}

/// The fixed part of a table.
pub fn skeleton(cluster: &str, family: Family) -> Command {
    let table = table(cluster, family);
    let (ip, address, icmp) =
        if family == Family::Ip { ("ip", "ipv4_addr", "icmp") } else { ("ip6", "ipv6_addr", "icmpv6") };
    let text = format!(
        "table {ip} {} {{\n  chain {VERSION} {{\n  }}\n{}{}{}}}\n",
        table.name,
        sets(ip, address),
        translation(ip),
        filters(ip, icmp),
    );
    Command::Define(table, text)
}

fn sets(ip: &str, address: &str) -> String {
    let frontend = format!("{address} . inet_proto . inet_service");
    let port = "inet_proto . inet_service";
    let typed = [
        ("map", "vips", format!("type {frontend} : verdict")),
        ("map", "vip-pools", format!("type {frontend} : mark")),
        ("map", "vip-near", format!("type {frontend} : mark")),
        ("map", "ports", format!("type {port} : verdict")),
        ("map", "port-pools", format!("type {port} : mark")),
        ("map", "port-near", format!("type {port} : mark")),
        ("map", "refused", format!("type {frontend} : verdict")),
        ("map", "refused-ports", format!("type {port} : verdict")),
        ("map", "pools", "type mark : verdict".to_owned()),
        ("map", "affinity-pools", "type mark : verdict".to_owned()),
        ("map", "tcp-endpoints", endpoints(ip, Protocol::Tcp)),
        ("map", "udp-endpoints", endpoints(ip, Protocol::Udp)),
        ("map", "sctp-endpoints", endpoints(ip, Protocol::Sctp)),
        (
            "map",
            AFFINITY,
            format!(
                "type mark . {address} : {address} . inet_service\n    flags dynamic,timeout\n    size {AFFINITY_CLIENTS_MAX}"
            ),
        ),
        ("set", "hairpin", format!("type {address} . {address}")),
        ("set", "guarded", format!("type {frontend}")),
        ("set", "allowed", format!("type {frontend} . {address}\n    flags interval")),
        ("set", "pods", format!("type {address}\n    flags interval")),
        ("set", "services", format!("type {address}\n    flags interval")),
    ];
    typed.iter().map(|(kind, name, body)| format!("  {kind} {name} {{\n    {body}\n  }}\n")).collect()
}

fn endpoints(ip: &str, protocol: Protocol) -> String {
    format!("typeof meta mark . numgen random mod 65536 : {ip} daddr . {} dport", protocol.name())
}

/// Chains that choose an endpoint, and those that end the choice: remember it, clear the mark, masquerade.
fn translation(ip: &str) -> String {
    let keep = !MASQUERADE_BIT;
    format!(
        "  chain masquerade-later {{
    ct mark set ct mark | {MASQUERADE_BIT:#x}
  }}
  chain internal {{
    {ip} saddr != @pods jump masquerade-later
    meta mark set {ip} daddr . meta l4proto . th dport map @vip-pools
    meta mark vmap @pools
  }}
  chain external-cluster {{
    jump masquerade-later
    meta mark set {ip} daddr . meta l4proto . th dport map @vip-pools
    meta mark vmap @pools
  }}
  chain external-near {{
    meta mark set {ip} daddr . meta l4proto . th dport map @vip-near
    meta mark vmap @pools
  }}
  chain external-local {{
    {ip} saddr @pods goto external-near
    fib saddr type local jump masquerade-later
    fib saddr type local goto external-near
    meta mark set {ip} daddr . meta l4proto . th dport map @vip-pools
    meta mark vmap @pools
  }}
  chain port-cluster {{
    jump masquerade-later
    meta mark set meta l4proto . th dport map @port-pools
    meta mark vmap @pools
  }}
  chain nearby {{
    meta mark set meta l4proto . th dport map @port-near
    meta mark vmap @pools
  }}
  chain port-local {{
    {ip} saddr @pods goto nearby
    fib saddr type local jump masquerade-later
    fib saddr type local goto nearby
    meta mark set meta l4proto . th dport map @port-pools
    meta mark vmap @pools
  }}
  chain frontends {{
    {ip} daddr . meta l4proto . th dport vmap @vips
    fib daddr type local meta l4proto . th dport vmap @ports
  }}
  chain settle {{
    meta mark vmap @affinity-pools
    meta mark set 0
  }}
  chain masquerade-now {{
    ct mark set ct mark & {keep:#x}
    masquerade fully-random
  }}
  chain forget {{
    ct mark set ct mark & {keep:#x}
  }}
  chain nat-prerouting {{
    type nat hook prerouting priority -100
    jump frontends
  }}
  chain nat-output {{
    type nat hook output priority -100
    jump frontends
  }}
  chain nat-input {{
    type nat hook input priority 100
    meta mark & 0xff000000 == {MARK_TAG:#x} jump settle
    ct mark & {MASQUERADE_BIT:#x} != 0 jump forget
  }}
  chain nat-postrouting {{
    type nat hook postrouting priority 100
    meta mark & 0xff000000 == {MARK_TAG:#x} jump settle
    ct mark & {MASQUERADE_BIT:#x} != 0 goto masquerade-now
    ct status dnat {ip} saddr . {ip} daddr @hairpin masquerade fully-random
  }}
"
    )
}

/// Chains that refuse: no endpoints, unassigned addresses of the service ranges, sources that are not allowed.
fn filters(ip: &str, icmp: &str) -> String {
    format!(
        "  chain refuse {{
    meta l4proto tcp reject with tcp reset
    reject with {icmp} type port-unreachable
  }}
  chain guard {{
    {ip} daddr . meta l4proto . th dport @guarded {ip} daddr . meta l4proto . th dport . {ip} saddr != @allowed drop
  }}
  chain check {{
    {ip} daddr . meta l4proto . th dport vmap @refused
    {ip} daddr @services fib daddr type != local goto refuse
  }}
  chain filter-prerouting {{
    type filter hook prerouting priority -110
    ct state new jump guard
  }}
  chain filter-output-first {{
    type filter hook output priority -110
    ct state new jump guard
  }}
  chain filter-input {{
    type filter hook input priority 0
    ct state new {ip} daddr . meta l4proto . th dport vmap @refused
    ct state new meta l4proto . th dport vmap @refused-ports
  }}
  chain filter-forward {{
    type filter hook forward priority 0
    ct state new jump check
  }}
  chain filter-output {{
    type filter hook output priority 0
    ct state new jump check
  }}
"
    )
}

/// The chain that balances over `size` endpoints.
pub fn balance_chain(size: usize, affinity: bool) -> String {
    if affinity { format!("sticky-{size}") } else { format!("lb-{size}") }
}

/// The chain that remembers a client's endpoint for `seconds`.
pub fn affinity_chain(seconds: u32) -> String {
    format!("remember-{seconds}")
}

/// The rules of a chain that comes with a size or a timeout; `None` for any other chain.
pub fn made_chain(name: &str, family: Family) -> Option<Vec<String>> {
    let (kind, number) = name.rsplit_once('-')?;
    let number: u32 = number.parse().ok()?;
    let ip = family.name();
    let each = |choice: &str| -> Vec<String> {
        let to = |protocol: Protocol| {
            let (name, map) = (protocol.name(), Set::endpoints(protocol));
            format!("meta l4proto {name} dnat {ip} to meta mark . {choice} map @{map}")
        };
        [Protocol::Tcp, Protocol::Udp, Protocol::Sctp].map(to).into()
    };
    let random = format!("numgen random mod {number}");
    match (kind, family) {
        ("lb", _) => Some(each(&random)),
        ("sticky", Family::Ip6) => Some(each(&format!("jhash {ip} saddr mod {number}"))),
        ("sticky", _) => {
            let known = format!(
                "meta l4proto {{ tcp, udp, sctp }} dnat {ip} to meta mark . {ip} saddr map @{AFFINITY}"
            );
            Some(std::iter::once(known).chain(each(&random)).collect())
        }
        ("remember", Family::Ip6) => Some(Vec::new()),
        ("remember", _) => Some(vec![format!(
            "update @affinity {{ meta mark . ct original {ip} saddr timeout {number}s : {ip} daddr . th dport }}"
        )]),
        _ => None,
    }
}
