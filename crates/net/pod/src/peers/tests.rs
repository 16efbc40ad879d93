//! Plans for peers on the same link, behind the tunnel, moving and leaving.

use super::*;
use host::netlink::{Link, Namespace, Netlink, SimNetlink};

fn here() -> Here {
    Here {
        cluster: "t".parse().unwrap(),
        addresses: vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
        pod_cidrs: vec!["10.1.0.0/24".parse().unwrap(), "fd00:0:0:1::/64".parse().unwrap()],
        cluster_cidrs: vec!["10.1.0.0/16".parse().unwrap(), "fd00::/48".parse().unwrap()],
        overlay: Some(Overlay { vni: 7, port: 4789 }),
    }
}

fn peer(addresses: &[&str], pod_cidrs: &[&str]) -> Peer {
    Peer {
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        pod_cidrs: pod_cidrs.iter().map(|text| text.parse().unwrap()).collect(),
    }
}

fn node() -> SimNetlink {
    let net = SimNetlink::default();
    let uplink =
        Link { name: "eth0".into(), kind: LinkKind::Other, mtu: 1500, up: true, mac: [2, 0, 0, 0, 0, 1] };
    let address = |text: &str| Address { link: "eth0".into(), cidr: text.parse().unwrap() };
    net.set_host(Network {
        links: [uplink].into(),
        addresses: [address("192.0.2.1/24"), address("2001:db8::1/64")].into(),
        ..Network::default()
    });
    net
}

fn converge(net: &SimNetlink, peers: &[Peer]) -> Network {
    let changes = plan(&here(), peers, &net.observe(&Namespace::Host).unwrap());
    net.apply(&Namespace::Host, &changes).unwrap();
    let after = net.observe(&Namespace::Host).unwrap();
    assert_eq!(plan(&here(), peers, &after), []);
    after
}

fn routes(network: &Network) -> Vec<String> {
    let show = |route: &Route| {
        let (link, via) = (route.link.as_deref().unwrap_or("-"), route.via.unwrap());
        format!("{} via {via} dev {link}", route.destination)
    };
    network.routes.iter().map(show).collect()
}

#[test]
fn a_node_on_the_same_link_is_the_next_hop_in_both_families() {
    let near = peer(&["192.0.2.2", "2001:db8::2"], &["10.1.2.0/24", "fd00:0:0:2::/64"]);
    let after = converge(&node(), &[near]);
    assert_eq!(
        routes(&after),
        ["10.1.2.0/24 via 192.0.2.2 dev eth0", "fd00:0:0:2::/64 via 2001:db8::2 dev eth0"]
    );
    assert!(after.link("ktvx").is_none(), "no tunnel without a need");
}

#[test]
fn a_node_elsewhere_is_reached_through_the_tunnel() {
    let far = peer(&["198.51.100.3"], &["10.1.3.0/24", "fd00:0:0:3::/64"]);
    let after = converge(&node(), &[far]);
    let mac = tunnel_mac("10.1.3.0/24".parse().unwrap());
    assert_eq!(
        routes(&after),
        [
            "10.1.3.0/24 via 10.1.3.0 dev ktvx".to_owned(),
            format!("fd00:0:0:3::/64 via {} dev ktvx", link_local(mac))
        ]
    );
    assert_eq!(
        after.forwards,
        [Forward { link: "ktvx".into(), mac, to: "198.51.100.3".parse().unwrap() }].into()
    );
    assert_eq!(after.neighbours.len(), 2);
    let tunnel = after.link("ktvx").unwrap();
    assert_eq!((tunnel.mtu, tunnel.up, tunnel.mac), (1450, true, tunnel_mac("10.1.0.0/24".parse().unwrap())));
    assert!(after.addresses.iter().any(|address| address.cidr.to_string() == "10.1.0.0/32"));
}

#[test]
fn nodes_that_leave_take_their_entries_with_them() {
    let net = node();
    let near = peer(&["192.0.2.2"], &["10.1.2.0/24"]);
    let far = peer(&["198.51.100.3"], &["10.1.3.0/24"]);
    let other = peer(&["198.51.100.4"], &["10.1.4.0/24"]);
    converge(&net, &[near.clone(), far.clone(), other.clone()]);
    let after = converge(&net, &[near.clone(), other]);
    assert_eq!(routes(&after).len(), 2);
    assert_eq!((after.neighbours.len(), after.forwards.len()), (1, 1));
    let after = converge(&net, &[near]);
    assert!(after.link("ktvx").is_none());
    assert!(converge(&net, &[]).routes.is_empty());
}

#[test]
fn a_node_that_changes_its_address_is_followed() {
    let net = node();
    converge(&net, &[peer(&["198.51.100.3"], &["10.1.3.0/24"])]);
    let after = converge(&net, &[peer(&["198.51.100.9"], &["10.1.3.0/24"])]);
    let to: Vec<String> = after.forwards.iter().map(|forward| forward.to.to_string()).collect();
    assert_eq!(to, ["198.51.100.9"]);
    let after = converge(&net, &[peer(&["192.0.2.9"], &["10.1.3.0/24"])]);
    assert_eq!(routes(&after), ["10.1.3.0/24 via 192.0.2.9 dev eth0"]);
}

#[test]
fn what_others_made_and_pods_routes_stay() {
    let net = node();
    let pod = here().cluster.pod_link("u");
    net.pin("/p".as_ref()).unwrap();
    let veth =
        Change::CreateVeth { name: pod.clone(), mtu: 1500, peer: "eth0".into(), peer_namespace: "/p".into() };
    let foreign = Route { protocol: 4, ..Route::direct("10.1.9.0/24".parse().unwrap(), "eth0") };
    let outside = Route::direct("172.16.0.0/16".parse().unwrap(), "eth0");
    let own = Route::direct("10.1.0.5/32".parse().unwrap(), &pod);
    let kept = [foreign, outside, own];
    let mut changes = vec![veth];
    changes.extend(kept.iter().cloned().map(Change::SetRoute));
    net.apply(&Namespace::Host, &changes).unwrap();
    assert_eq!(converge(&net, &[]).routes, kept.into());
}

#[test]
fn pods_leave_room_for_the_tunnel() {
    assert_eq!(pod_mtu(1500, true, Some("192.0.2.1".parse().unwrap())), 1450);
    assert_eq!(pod_mtu(1500, true, Some("fd00::1".parse().unwrap())), 1430);
    assert_eq!(pod_mtu(9000, false, None), 9000);
    assert_eq!(pod_mtu(1300, true, None), 1280);
    assert_eq!(pod_mtu(65_536, false, None), 65_535, "an address on the loopback device");
}
