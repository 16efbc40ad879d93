//! A machine's addresses: the one that others reach it by, and those that a cluster's ranges must leave alone.

use std::net::IpAddr;

use host::netlink::{Cidr, Network, ROUTE_PROTOCOL};

/// The address of the link that the default route leaves by; without such a route, any that is not for this machine or its
/// link alone.
pub fn own(network: &Network) -> Option<IpAddr> {
    let default =
        network.routes.iter().find(|route| route.destination.prefix() == 0 && route.destination.is_ipv4());
    let uplink = default.and_then(|route| route.link.as_deref());
    // What `lo` has is the cluster's own: the pods' gateway, the DNS of an earlier start.
    let usable = || {
        let elsewhere = network.addresses.iter().filter(|address| address.link != "lo");
        elsewhere.filter(|address| is_reachable(address.cidr.address()))
    };
    let preferred = usable().find(|address| Some(address.link.as_str()) == uplink);
    preferred.or_else(|| usable().next()).map(|address| address.cidr.address())
}

/// What of this machine's network lies in a range that is to be a cluster's: an address of its own, or a next hop. In a wider network
/// around the range, as where a whole company is `10.0.0.0/8`, nothing else can be known to be taken.
pub fn covered(network: &Network, cluster_id: &str, range: Cidr) -> Option<String> {
    // What the cluster itself has there, from an earlier start.
    let foreign = |link: &str| link != "lo" && !link.starts_with(&format!("k{cluster_id}"));
    let mut own = network.addresses.iter().filter(|address| foreign(&address.link));
    if let Some(address) = own.find(|address| range.contains(address.cidr.address())) {
        return Some(format!("this machine's address {} of {}", address.cidr, address.link));
    }
    let hops = network.routes.iter().filter(|route| route.protocol != ROUTE_PROTOCOL).filter_map(|r| r.via);
    hops.into_iter().find(|hop| range.contains(*hop)).map(|hop| format!("the gateway {hop} of this machine"))
}

/// Whether an address is one of a network: services are of one family here, the fourth.
fn is_reachable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            !address.is_loopback() && !address.is_link_local() && !address.is_unspecified()
        }
        IpAddr::V6(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use host::netlink::{Address, Cidr, Route};

    use super::*;

    fn network(addresses: &[(&str, &str)], default: Option<&str>) -> Network {
        let mut network = Network::default();
        for (link, cidr) in addresses {
            network.addresses.insert(Address { link: (*link).into(), cidr: cidr.parse().expect("a cidr") });
        }
        if let Some(link) = default {
            let everything: Cidr = "0.0.0.0/0".parse().expect("a cidr");
            network.routes.insert(Route::direct(everything, link));
        }
        network
    }

    #[test]
    fn the_default_routes_link_comes_first() {
        let addresses = [
            ("lo", "127.0.0.1/8"),
            ("lo", "10.43.0.10/32"),
            ("eth0", "192.0.2.2/24"),
            ("eth1", "198.51.100.2/24"),
        ];
        let own = |default| own(&network(&addresses, default)).map(|address| address.to_string());
        assert_eq!(own(Some("eth1")).as_deref(), Some("198.51.100.2"));
        assert_eq!(own(None).as_deref(), Some("192.0.2.2"));
    }

    #[test]
    fn a_range_over_the_machines_own_network_is_found() {
        let addresses = [
            ("lo", "10.43.0.10/32"),
            ("kabcdvx", "10.42.0.0/32"),
            ("eth0", "10.0.0.5/8"),
            ("eth1", "192.0.2.2/24"),
        ];
        let mut network = network(&addresses, Some("eth1"));
        let gateway = Route {
            via: Some("192.0.3.1".parse().expect("an address")),
            protocol: 3,
            ..Route::direct("0.0.0.0/0".parse().expect("a cidr"), "eth1")
        };
        network.routes.insert(gateway);
        let covered = |range: &str| covered(&network, "abcd", range.parse().expect("a cidr"));
        assert_eq!(covered("10.42.0.0/16"), None, "within a wider network");
        assert_eq!(covered("10.43.0.0/16"), None, "the cluster's own");
        assert_eq!(covered("10.0.0.0/16").as_deref(), Some("this machine's address 10.0.0.5/8 of eth0"));
        assert_eq!(covered("192.0.2.0/23").as_deref(), Some("this machine's address 192.0.2.2/24 of eth1"));
        assert_eq!(covered("192.0.3.0/24").as_deref(), Some("the gateway 192.0.3.1 of this machine"));
    }

    #[test]
    fn a_machine_alone_has_none() {
        let alone = network(&[("lo", "127.0.0.1/8"), ("lo", "169.254.1.1/32"), ("eth0", "fe80::1/64")], None);
        assert_eq!(super::own(&alone), None);
    }
}
