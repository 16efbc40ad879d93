//! What services need of the node besides rules: a way to cluster addresses, and 127.0.0.1 as a source of routed packets.
//! [`plan`] is pure.
//!
//! A local sender's packet is translated only after it was routed, so there must be some route to the service ranges. A
//! default route will do; without one the range is routed to `lo`. `route_localnet` lets a connection to 127.0.0.1 and a
//! node port leave the node; packets from outside with such addresses are dropped by the pod network's rules.

use std::net::IpAddr;

use host::netlink::{Change, Cidr, Namespace, Netlink, NetlinkError, Network, ROUTE_PROTOCOL, Route};

/// What should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeWant {
    /// The ranges of cluster addresses.
    pub service_cidrs: Vec<Cidr>,
    /// This node's addresses: what the node's own clients send from.
    pub node_ips: Vec<IpAddr>,
}

/// What is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeHave {
    /// Links, addresses and routes.
    pub network: Network,
    /// The value of [`ROUTE_LOCALNET`].
    pub route_localnet: Option<String>,
}

/// The sysctl that lets 127.0.0.0/8 be routed.
pub const ROUTE_LOCALNET: &str = "net/ipv4/conf/all/route_localnet";

/// Reads what is there.
pub fn observe(netlink: &dyn Netlink) -> Result<NodeHave, NetlinkError> {
    let network = netlink.observe(&Namespace::Host)?;
    Ok(NodeHave { network, route_localnet: netlink.sysctl(&Namespace::Host, ROUTE_LOCALNET)? })
}

/// The changes from `have` to `want`.
pub fn plan(want: &NodeWant, have: &NodeHave) -> Vec<Change> {
    let mut changes = Vec::new();
    for cidr in &want.service_cidrs {
        let family = |other: &Cidr| other.is_ipv4() == cidr.is_ipv4();
        let has_default = have
            .network
            .routes
            .iter()
            .any(|route| route.destination.prefix() == 0 && family(&route.destination));
        let source = want.node_ips.iter().find(|ip| ip.is_ipv4() == cidr.is_ipv4()).copied();
        let route = Route { source, ..Route::direct(cidr.network(), "lo") };
        let ours = |old: &&Route| old.destination == route.destination && old.protocol == ROUTE_PROTOCOL;
        let held = have.network.routes.iter().find(ours);
        match (has_default, held) {
            (true, Some(held)) => changes.push(Change::DeleteRoute(held.clone())),
            (false, held) if held != Some(&route) => changes.push(Change::SetRoute(route)),
            _ => {}
        }
    }
    if have.route_localnet.as_deref() == Some("0") {
        changes.push(Change::SetSysctl { key: ROUTE_LOCALNET.to_owned(), value: "1".to_owned() });
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_service_range_is_routed_only_where_nothing_else_leads_there() {
        let want = NodeWant {
            service_cidrs: vec!["10.96.0.0/16".parse().unwrap()],
            node_ips: vec!["192.0.2.1".parse().unwrap()],
        };
        let mut have = NodeHave::default();
        let [Change::SetRoute(route)] = &plan(&want, &have)[..] else { panic!("one route") };
        assert_eq!((route.link.as_deref(), route.source), (Some("lo"), want.node_ips.first().copied()));
        have.network.routes.insert(route.clone());
        assert_eq!(plan(&want, &have), []);
        let default = Route { protocol: 3, ..Route::direct("0.0.0.0/0".parse().unwrap(), "eth0") };
        have.network.routes.insert(default);
        assert_eq!(plan(&want, &have), [Change::DeleteRoute(route.clone())]);
    }
}
