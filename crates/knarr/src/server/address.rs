//! The address that others reach this machine by.

use std::net::IpAddr;

use host::netlink::Network;

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
    fn a_machine_alone_has_none() {
        let alone = network(&[("lo", "127.0.0.1/8"), ("lo", "169.254.1.1/32"), ("eth0", "fe80::1/64")], None);
        assert_eq!(super::own(&alone), None);
    }
}
