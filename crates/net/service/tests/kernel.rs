//! Services in real namespaces: packets of pods, nodes and outsiders through real tables.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "clients and servers of the test"
)]

#[path = "../../pod/tests/kernel/lab.rs"]
mod lab;

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use host::netlink::{Address, Change, Namespace, Netlink as _};
use lab::{Lab, Node, by, cidr, ip, pod, serve, tcp, tcp_in_vain, udp, udp_from, udp_in_vain, udp_socket};
use net_pod::network::PodNetwork;
use net_service::dataplane::Dataplane;
use net_service::node::NodeWant;
use net_service::proxy::Config;
use net_service::spec::{
    Endpoint, Endpoints, NodeFacts, Protocol, ServiceName, ServicePort, ServiceSpec, TrafficPolicy,
};

const VIP: &str = "10.96.0.10";
const VIP_6: &str = "fd96::10";
const UNASSIGNED: &str = "10.96.0.99";

/// A node `a` with an uplink to an outsider, its pod network and its services.
struct Stage {
    lab: Lab,
    node: Node,
    world: PathBuf,
    pods: PodNetwork,
    services: Dataplane,
}

fn services(node: &Node, name: &str) -> Dataplane {
    let node_ips = node.config.here.addresses.clone();
    let service_cidrs = vec![cidr("10.96.0.0/16"), cidr("fd96::/112")];
    let config = Config {
        cluster: "lab".into(),
        node: NodeFacts { name: name.into(), zone: String::new(), ips: node_ips.clone() },
        pod_cidrs: vec![cidr("10.70.0.0/16"), cidr("fd70::/48")],
        service_cidrs: service_cidrs.clone(),
    };
    let mut services = Dataplane::restore(config, Arc::new(node.netlink()), Arc::new(node.nft())).unwrap();
    services.sync_node(&NodeWant { service_cidrs, node_ips }).unwrap();
    services.sync().unwrap();
    services
}

fn stage() -> Stage {
    let lab = Lab::new();
    let node = lab.node("a", &["192.168.77.1", "fd77::1"], &["10.70.1.0/24", "fd70:0:0:1::/64"], None);
    let world = lab.namespace("world");
    lab.cable(
        (&node.pin, "up0", &["192.168.77.1/24", "fd77::1/64"]),
        (&world, "eth0", &["192.168.77.9/24", "fd77::9/64"]),
    );
    let pods = node.start();
    pods.sync_node(&[]).unwrap();
    let services = services(&node, "a");
    Stage { lab, node, world, pods, services }
}

impl Stage {
    /// A pod that serves on port 8080 under its own name.
    fn server(&self, name: &str) -> PathBuf {
        let pod = pod(&self.pods, name);
        serve(&pod.pin, 8080, name);
        pod.pin
    }

    fn set(&mut self, spec: &ServiceSpec, endpoints: &[&str]) {
        set(&mut self.services, spec, endpoints);
    }
}

/// Endpoints are written `address` or `address@node`, those without a node being on `a`.
fn set(services: &mut Dataplane, spec: &ServiceSpec, endpoints: &[&str]) {
    let one = |text: &&str| {
        let (address, node) = text.split_once('@').unwrap_or((text, "a"));
        Endpoint::ready(ip(address), 8080, node)
    };
    let all: Vec<Endpoint> = endpoints.iter().map(one).collect();
    let named = spec.ports.iter().map(|port| (port.name.clone(), all.clone()));
    services.set(&ServiceName::new("default", "web"), Some((spec.clone(), Endpoints::from_iter(named))));
    services.sync().unwrap();
}

fn spec(node_port: Option<u16>) -> ServiceSpec {
    let port = |name: &str, protocol| ServicePort { name: name.into(), protocol, port: 80, node_port };
    ServiceSpec {
        cluster_ips: vec![ip(VIP), ip(VIP_6)],
        ports: vec![port("tcp", Protocol::Tcp), port("udp", Protocol::Udp)],
        ..ServiceSpec::default()
    }
}

#[test]
fn a_cluster_address_leads_to_its_pod_from_other_pods_itself_and_the_node() {
    let mut stage = stage();
    let one = stage.server("one");
    let two = pod(&stage.pods, "two").pin;
    stage.set(&spec(None), &["10.70.1.1", "fd70:0:0:1::1"]);
    by(tcp(&two, VIP, 80), "one", "10.70.1.2");
    by(udp(&two, VIP, 80), "one", "10.70.1.2");
    by(tcp(&two, VIP_6, 80), "one", "fd70:0:0:1::2");
    by(udp(&two, VIP_6, 80), "one", "fd70:0:0:1::2");
    for vip in [VIP, VIP_6] {
        assert_eq!(tcp(&one, vip, 80).unwrap().0, "one", "a pod reaches itself");
        assert_eq!(udp(&one, vip, 80).unwrap().0, "one", "a pod reaches itself");
        assert_eq!(tcp(&stage.node.pin, vip, 80).unwrap().0, "one");
        assert_eq!(udp(&stage.node.pin, vip, 80).unwrap().0, "one");
    }
}

#[test]
fn a_node_port_answers_outsiders_pods_and_the_node_on_all_its_addresses() {
    let mut stage = stage();
    let one = stage.server("one");
    let two = pod(&stage.pods, "two").pin;
    stage.set(&spec(Some(30_080)), &["10.70.1.1", "fd70:0:0:1::1"]);
    let node = &stage.node.pin;
    for from in [&stage.world, &two, &one, node] {
        for at in ["192.168.77.1", "fd77::1"] {
            assert_eq!(tcp(from, at, 30_080).unwrap().0, "one", "{from:?} {at}");
            assert_eq!(udp(from, at, 30_080).unwrap().0, "one", "{from:?} {at}");
        }
    }
    assert_eq!(tcp(node, "127.0.0.1", 30_080).unwrap().0, "one");
    assert_eq!(udp(node, "127.0.0.1", 30_080).unwrap().0, "one");
}

#[test]
fn what_has_no_endpoint_or_no_service_is_refused_at_once() {
    let mut stage = stage();
    let two = pod(&stage.pods, "two").pin;
    stage.set(&spec(Some(30_080)), &[]);
    for from in [&two, &stage.node.pin] {
        for to in [VIP, UNASSIGNED] {
            assert_eq!(tcp(from, to, 80), Err(ErrorKind::ConnectionRefused), "{from:?} {to}");
            // A local sender's own packet is rejected while it is being sent, which the kernel reports as EPERM.
            let error = udp(from, to, 80).unwrap_err();
            assert!(
                [ErrorKind::ConnectionRefused, ErrorKind::PermissionDenied].contains(&error),
                "{from:?} {error}"
            );
        }
        // Without a default route IPv6 says so before the rules are asked: a route to `lo` rejects what is forwarded.
        let error = tcp(from, VIP_6, 80).unwrap_err();
        assert!(
            [ErrorKind::ConnectionRefused, ErrorKind::NetworkUnreachable].contains(&error),
            "{from:?} {error}"
        );
    }
    assert_eq!(tcp(&stage.world, "192.168.77.1", 30_080), Err(ErrorKind::ConnectionRefused));
    assert_eq!(udp(&stage.world, "192.168.77.1", 30_080), Err(ErrorKind::ConnectionRefused));
    stage.server("one");
    stage.set(&spec(Some(30_080)), &["10.70.1.2", "fd70:0:0:1::2"]);
    by(tcp(&two, VIP, 80), "one", "10.70.1.1");
    assert_eq!(tcp(&two, VIP, 81), Err(ErrorKind::ConnectionRefused), "another port of a service's address");
    let local = ServiceSpec { internal_policy: TrafficPolicy::Local, ..spec(None) };
    stage.set(&local, &["10.70.1.2@b"]);
    assert_eq!(tcp_in_vain(&two, VIP, 80), ErrorKind::TimedOut, "policy Local drops");
    stage.services.set(&ServiceName::new("default", "web"), None);
    stage.services.sync().unwrap();
    assert_eq!(tcp(&two, VIP, 80), Err(ErrorKind::ConnectionRefused));
}

#[test]
fn an_address_of_the_range_that_is_the_nodes_own_is_answered() {
    let stage = stage();
    let two = pod(&stage.pods, "two").pin;
    let own = "10.96.0.53";
    let address = Address { link: "lo".into(), cidr: cidr("10.96.0.53/32") };
    stage.node.netlink().apply(&Namespace::Host, &[Change::AddAddress(address)]).unwrap();
    serve(&stage.node.pin, 8080, "dns");
    by(tcp(&two, own, 8080), "dns", "10.70.1.1");
    by(tcp(&stage.node.pin, own, 8080), "dns", own);
    by(udp(&stage.node.pin, own, 8080), "dns", own);
    assert_eq!(tcp(&stage.node.pin, UNASSIGNED, 8080), Err(ErrorKind::ConnectionRefused));
}

fn servers(from: &Path, to: &str, count: usize) -> BTreeSet<String> {
    (0..count).map(|_| tcp(from, to, 80).unwrap().0).collect()
}

#[test]
fn clients_are_spread_and_with_affinity_stay_until_their_endpoint_leaves() {
    let mut stage = stage();
    ["one", "two", "three"].iter().for_each(|name| drop(stage.server(name)));
    let client = pod(&stage.pods, "client").pin;
    let all = ["10.70.1.1", "10.70.1.2", "10.70.1.3", "fd70:0:0:1::1", "fd70:0:0:1::2", "fd70:0:0:1::3"];
    stage.set(&spec(None), &all);
    assert_eq!(servers(&client, VIP, 60).len(), 3);
    let sticky = ServiceSpec { affinity_seconds: Some(600), ..spec(None) };
    stage.set(&sticky, &all);
    assert_eq!(servers(&client, VIP_6, 20).len(), 1);
    let first = servers(&client, VIP, 20);
    assert_eq!(first.len(), 1);
    let address = match first.first().unwrap().as_str() {
        "one" => "10.70.1.1",
        "two" => "10.70.1.2",
        _ => "10.70.1.3",
    };
    let rest: Vec<&str> = all.into_iter().filter(|one| *one != address).collect();
    stage.set(&sticky, &rest);
    let second = servers(&client, VIP, 20);
    assert_eq!(second.len(), 1);
    assert_ne!(first, second);
    stage.set(&sticky, &all);
    assert_eq!(servers(&client, VIP, 20), second, "an endpoint that comes takes no client");
}

#[test]
fn a_udp_client_that_keeps_its_socket_moves_with_the_endpoints() {
    let mut stage = stage();
    stage.server("one");
    stage.server("two");
    let client = pod(&stage.pods, "client").pin;
    let socket = udp_socket(&client);
    let ask = |socket| udp_from(socket, VIP, 80, Duration::from_secs(10)).map(|said| said.0);
    stage.set(&spec(None), &[]);
    assert_eq!(ask(&socket), Err(ErrorKind::ConnectionRefused));
    stage.set(&spec(None), &["10.70.1.1"]);
    assert_eq!(ask(&socket), Ok("one".into()));
    stage.set(&spec(None), &["10.70.1.2"]);
    assert_eq!(ask(&socket), Ok("two".into()));
    stage.set(&spec(None), &["10.70.1.1", "10.70.1.2"]);
    assert_eq!(ask(&socket), Ok("two".into()), "a flow whose endpoint stays is not touched");
}

#[test]
fn external_addresses_and_source_ranges() {
    let mut stage = stage();
    stage.server("one");
    let world = &stage.world.clone();
    stage.lab.route(world, "203.0.113.0/24", "192.168.77.1", "eth0");
    let open = ServiceSpec {
        external_ips: vec![ip("203.0.113.5")],
        load_balancer_ips: vec![ip("203.0.113.6")],
        ..spec(None)
    };
    stage.set(&open, &["10.70.1.1"]);
    assert_eq!(tcp(world, "203.0.113.5", 80).unwrap().0, "one");
    assert_eq!(tcp(world, "203.0.113.6", 80).unwrap().0, "one");
    let elsewhere = ServiceSpec { source_ranges: vec![cidr("198.51.100.0/24")], ..open.clone() };
    stage.set(&elsewhere, &["10.70.1.1"]);
    assert_eq!(tcp(world, "203.0.113.5", 80).unwrap().0, "one", "external addresses have no ranges");
    assert_eq!(tcp_in_vain(world, "203.0.113.6", 80), ErrorKind::TimedOut);
    let here = ServiceSpec { source_ranges: vec![cidr("192.168.0.0/16"), cidr("192.168.77.9/32")], ..open };
    stage.set(&here, &["10.70.1.1"]);
    assert_eq!(tcp(world, "203.0.113.6", 80).unwrap().0, "one");
}

#[test]
fn two_nodes_with_policies_cluster_and_local() {
    let lab = Lab::new();
    let a = lab.node("a", &["192.168.77.1"], &["10.70.1.0/24"], None);
    let b = lab.node("b", &["192.168.77.2"], &["10.70.2.0/24"], None);
    let world = lab.namespace("world");
    lab.cable((&a.pin, "up0", &["192.168.77.1/24"]), (&b.pin, "up0", &["192.168.77.2/24"]));
    lab.cable((&a.pin, "out0", &["192.168.10.1/24"]), (&world, "to-a", &["192.168.10.9/24"]));
    lab.cable((&b.pin, "out0", &["192.168.20.1/24"]), (&world, "to-b", &["192.168.20.9/24"]));
    let (on_a, on_b) = (a.start(), b.start());
    on_a.sync_node(&[b.as_peer()]).unwrap();
    on_b.sync_node(&[a.as_peer()]).unwrap();
    let client = pod(&on_a, "client").pin;
    let far = pod(&on_b, "far").pin;
    serve(&far, 8080, "far");
    let (mut of_a, mut of_b) = (services(&a, "a"), services(&b, "b"));
    let endpoint = ["10.70.2.1@b"];
    for services in [&mut of_a, &mut of_b] {
        set(services, &spec(Some(30_080)), &endpoint);
    }
    by(tcp(&client, VIP, 80), "far", "10.70.1.1");
    by(tcp(&a.pin, VIP, 80), "far", "192.168.77.1");
    by(tcp(&world, "192.168.10.1", 30_080), "far", "192.168.77.1");
    by(udp(&world, "192.168.10.1", 30_080), "far", "192.168.77.1");
    assert_eq!(tcp(&world, "192.168.20.1", 30_080).unwrap().0, "far");

    let local = ServiceSpec { external_policy: TrafficPolicy::Local, ..spec(Some(30_080)) };
    for services in [&mut of_a, &mut of_b] {
        set(services, &local, &endpoint);
    }
    by(tcp(&world, "192.168.20.1", 30_080), "far", "192.168.20.9");
    assert_eq!(tcp_in_vain(&world, "192.168.10.1", 30_080), ErrorKind::TimedOut);
    assert!(udp_in_vain(&world, "192.168.10.1", 30_080) != ErrorKind::ConnectionRefused);
    by(tcp(&client, "192.168.77.1", 30_080), "far", "10.70.1.1");
    by(tcp(&a.pin, "192.168.77.1", 30_080), "far", "192.168.77.1");
}

#[test]
fn a_restart_takes_over_and_removal_leaves_no_table() {
    let mut stage = stage();
    stage.server("one");
    let two = pod(&stage.pods, "two").pin;
    stage.set(&spec(None), &["10.70.1.1", "fd70:0:0:1::1"]);
    let before =
        host::nft::Nft::list(&stage.node.nft(), &net_service::ruleset::table("lab", host::nft::Family::Ip));
    let mut services = Dataplane::restore(
        Config {
            cluster: "lab".into(),
            node: NodeFacts { name: "a".into(), ..NodeFacts::default() },
            pod_cidrs: vec![cidr("10.70.0.0/16"), cidr("fd70::/48")],
            service_cidrs: vec![cidr("10.96.0.0/16"), cidr("fd96::/112")],
        },
        Arc::new(stage.node.netlink()),
        Arc::new(stage.node.nft()),
    )
    .unwrap();
    by(tcp(&two, VIP, 80), "one", "10.70.1.2");
    set(&mut services, &spec(None), &["10.70.1.1", "fd70:0:0:1::1"]);
    let after =
        host::nft::Nft::list(&stage.node.nft(), &net_service::ruleset::table("lab", host::nft::Family::Ip));
    assert_eq!(before.unwrap(), after.unwrap());
    by(tcp(&two, VIP, 80), "one", "10.70.1.2");
    services.remove().unwrap();
    for family in net_service::ruleset::FAMILIES {
        let table = net_service::ruleset::table("lab", family);
        assert_eq!(host::nft::Nft::list(&stage.node.nft(), &table).unwrap(), None);
    }
}
