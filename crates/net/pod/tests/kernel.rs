//! The pod network in real namespaces: pods of one node, two nodes on one link, two nodes with a router between them.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "clients and servers of the test"
)]

#[path = "kernel/lab.rs"]
mod lab;

use std::collections::BTreeSet;

use host::netlink::{Namespace, Netlink};
use lab::{Lab, by, fetch, pod, serve, serve_bulk, tcp, tcp_in_vain, udp};
use net_pod::network::PodRequest;
use net_pod::peers::Overlay;
use net_pod::rules::{HostPort, Protocol};

const PODS_A: &[&str] = &["10.70.1.0/24", "fd70:0:0:1::/64"];
const PODS_B: &[&str] = &["10.70.2.0/24", "fd70:0:0:2::/64"];

#[test]
fn pods_of_one_node_reach_each_other_the_node_and_the_world() {
    let lab = Lab::new();
    let node = lab.node("a", &["192.168.77.1", "fd77::1"], PODS_A, None);
    let world = lab.namespace("world");
    lab.cable(
        (&node.pin, "up0", &["192.168.77.1/24", "fd77::1/64"]),
        (&world, "eth0", &["192.168.77.9/24", "fd77::9/64"]),
    );
    let network = node.start();
    network.sync_node(&[]).unwrap();
    network.sync_node(&[]).unwrap();
    let (one, two) = (pod(&network, "one"), pod(&network, "two"));
    serve(&one.pin, 80, "one");
    serve(&node.pin, 81, "node");
    serve(&world, 82, "world");

    by(tcp(&two.pin, "10.70.1.1", 80), "one", "10.70.1.2");
    by(tcp(&two.pin, "fd70:0:0:1::1", 80), "one", "fd70:0:0:1::2");
    by(udp(&two.pin, "10.70.1.1", 80), "one", "10.70.1.2");
    by(tcp(&one.pin, "10.70.1.1", 80), "one", "10.70.1.1");
    by(tcp(&node.pin, "10.70.1.1", 80), "one", "192.168.77.1");
    by(tcp(&node.pin, "fd70:0:0:1::1", 80), "one", "fd77::1");
    by(tcp(&two.pin, "192.168.77.1", 81), "node", "10.70.1.2");
    // The world knows no way back to pods: it sees the node.
    by(tcp(&two.pin, "192.168.77.9", 82), "world", "192.168.77.1");
    by(tcp(&two.pin, "fd77::9", 82), "world", "fd77::1");
    by(udp(&two.pin, "192.168.77.9", 82), "world", "192.168.77.1");
}

#[test]
fn host_ports_lead_to_their_pod_from_everywhere() {
    let lab = Lab::new();
    let node = lab.node("a", &["192.168.77.1"], PODS_A, None);
    let world = lab.namespace("world");
    lab.cable((&node.pin, "up0", &["192.168.77.1/24"]), (&world, "eth0", &["192.168.77.9/24"]));
    let network = node.start();
    network.sync_node(&[]).unwrap();
    let port = |protocol| HostPort { protocol, host_ip: None, host_port: 8080, container_port: 80 };
    let request = PodRequest {
        uid: "web".into(),
        host_ports: vec![port(Protocol::Tcp), port(Protocol::Udp)],
        ..PodRequest::default()
    };
    network.add(&request).unwrap();
    let other = pod(&network, "other");
    let web = network.namespace("web");
    serve(&web, 80, "web");
    by(tcp(&world, "192.168.77.1", 8080), "web", "192.168.77.9");
    by(udp(&world, "192.168.77.1", 8080), "web", "192.168.77.9");
    by(tcp(&other.pin, "192.168.77.1", 8080), "web", "10.70.1.2");
    assert_eq!(tcp(&web, "192.168.77.1", 8080).unwrap().0, "web", "a pod reaches itself");
    assert_eq!(tcp(&node.pin, "192.168.77.1", 8080).unwrap().0, "web");
    assert_eq!(tcp(&node.pin, "127.0.0.1", 8080).unwrap().0, "web");
    network.remove("web").unwrap();
    tcp_in_vain(&world, "192.168.77.1", 8080);
}

#[test]
fn removal_and_restart_leave_exactly_what_is_wanted() {
    let lab = Lab::new();
    let node = lab.node("a", &["192.168.77.1"], PODS_A, None);
    let world = lab.namespace("world");
    lab.cable((&node.pin, "up0", &["192.168.77.1/24"]), (&world, "eth0", &["192.168.77.9/24"]));
    let network = node.start();
    network.sync_node(&[]).unwrap();
    let one = pod(&network, "one");
    pod(&network, "two");
    serve(&one.pin, 80, "one");
    let network = node.start();
    assert_eq!(pod(&network, "one").addresses, one.addresses, "a restart changes nothing");
    by(tcp(&one.pin, "10.70.1.1", 80), "one", "10.70.1.1");
    network.retain(&BTreeSet::from(["one".to_owned()])).unwrap();
    let pins = node.netlink().pinned(&node.config.namespaces).unwrap();
    assert_eq!(pins, [one.pin.clone()].into());
    let routes = node.netlink().observe(&Namespace::Host).unwrap().routes;
    assert!(routes.iter().all(|route| route.destination.to_string() != "10.70.1.2/32"));
    assert_eq!(pod(&network, "three").addresses[0].to_string(), "10.70.1.3", "a freed address comes last");
}

#[test]
fn nodes_on_one_link_route_directly() {
    let lab = Lab::new();
    let (a, b) = (
        lab.node("a", &["192.168.77.1", "fd77::1"], PODS_A, Some(Overlay { vni: 42, port: 4789 })),
        lab.node("b", &["192.168.77.2", "fd77::2"], PODS_B, Some(Overlay { vni: 42, port: 4789 })),
    );
    lab.cable(
        (&a.pin, "up0", &["192.168.77.1/24", "fd77::1/64"]),
        (&b.pin, "up0", &["192.168.77.2/24", "fd77::2/64"]),
    );
    let (on_a, on_b) = (a.start(), b.start());
    on_a.sync_node(&[b.as_peer()]).unwrap();
    on_b.sync_node(&[a.as_peer()]).unwrap();
    let (one, two) = (pod(&on_a, "one"), pod(&on_b, "two"));
    serve(&two.pin, 80, "two");
    by(tcp(&one.pin, "10.70.2.1", 80), "two", "10.70.1.1");
    by(tcp(&one.pin, "fd70:0:0:2::1", 80), "two", "fd70:0:0:1::1");
    by(udp(&one.pin, "10.70.2.1", 80), "two", "10.70.1.1");
    by(tcp(&a.pin, "10.70.2.1", 80), "two", "192.168.77.1");
    assert!(a.netlink().link(&Namespace::Host, &lab::cluster().overlay_link()).unwrap().is_none());
}

#[test]
fn nodes_with_a_router_between_them_use_the_tunnel() {
    let lab = Lab::new();
    let overlay = Some(Overlay { vni: 42, port: 4789 });
    let a = lab.node("a", &["192.168.77.1"], PODS_A, overlay);
    let b = lab.node("b", &["192.168.88.1"], PODS_B, overlay);
    let router = lab.namespace("router");
    lab.forward(&router);
    lab.cable((&a.pin, "up0", &["192.168.77.1/24"]), (&router, "to-a", &["192.168.77.254/24"]));
    lab.cable((&b.pin, "up0", &["192.168.88.1/24"]), (&router, "to-b", &["192.168.88.254/24"]));
    lab.route(&a.pin, "0.0.0.0/0", "192.168.77.254", "up0");
    lab.route(&b.pin, "0.0.0.0/0", "192.168.88.254", "up0");
    let (on_a, on_b) = (a.start(), b.start());
    on_a.sync_node(&[b.as_peer()]).unwrap();
    on_b.sync_node(&[a.as_peer()]).unwrap();
    let before = a.netlink().observe(&Namespace::Host).unwrap();
    on_a.sync_node(&[b.as_peer()]).unwrap();
    assert_eq!(a.netlink().observe(&Namespace::Host).unwrap(), before, "a second round finds nothing to do");
    let (one, two) = (pod(&on_a, "one"), pod(&on_b, "two"));
    assert_eq!(
        a.netlink().observe(&Namespace::Pinned(one.pin.clone())).unwrap().link("eth0").unwrap().mtu,
        1450
    );
    serve(&two.pin, 80, "two");
    by(tcp(&one.pin, "10.70.2.1", 80), "two", "10.70.1.1");
    by(tcp(&one.pin, "fd70:0:0:2::1", 80), "two", "fd70:0:0:1::1");
    by(udp(&one.pin, "10.70.2.1", 80), "two", "10.70.1.1");
    by(tcp(&a.pin, "10.70.2.1", 80), "two", "10.70.1.0");
    serve_bulk(&two.pin, 81, 1 << 20);
    for from in [&one.pin, &a.pin] {
        assert_eq!(fetch(from, "10.70.2.1", 81), 1 << 20, "full packets fit through the tunnel");
    }
    assert_eq!(fetch(&one.pin, "fd70:0:0:2::1", 81), 1 << 20);
    on_a.sync_node(&[]).unwrap();
    assert!(a.netlink().link(&Namespace::Host, &lab::cluster().overlay_link()).unwrap().is_none());
}
