//! The parts together, in memory.

use super::*;
use crate::rules::Protocol;
use host::netlink::{Address, Change, SimNetlink, SimRecords};
use host::nft::{Family, SimNft};

struct Node {
    netlink: Arc<SimNetlink>,
    nft: Arc<SimNft>,
    records: Arc<SimRecords>,
}

impl Node {
    fn new() -> Node {
        Node { netlink: Arc::default(), nft: Arc::default(), records: Arc::default() }
    }

    fn start(&self) -> PodNetwork {
        let config = Config {
            here: Here {
                cluster: "t".parse().unwrap(),
                addresses: vec!["192.0.2.1".parse().unwrap()],
                pod_cidrs: vec!["10.1.0.0/29".parse().unwrap()],
                cluster_cidrs: vec!["10.1.0.0/16".parse().unwrap()],
                overlay: None,
            },
            no_masquerade: vec![],
            namespaces: "/run/ns".into(),
            mtu: None,
        };
        PodNetwork::restore(config, self.netlink.clone(), self.nft.clone(), self.records.clone()).unwrap()
    }
}

fn pod(uid: &str) -> PodRequest {
    PodRequest { uid: uid.into(), ..PodRequest::default() }
}

#[test]
fn a_restart_keeps_addresses_and_hands_none_out_twice() {
    let node = Node::new();
    let network = node.start();
    let a = network.add(&pod("a")).unwrap();
    network.add(&pod("b")).unwrap();
    let network = node.start();
    assert_eq!(network.add(&pod("a")).unwrap(), a);
    let c = network.add(&pod("c")).unwrap();
    assert_eq!(c.addresses, ["10.1.0.3".parse::<IpAddr>().unwrap()]);
    assert_eq!(network.pods().len(), 3);
}

#[test]
fn an_address_that_is_routed_counts_as_used_even_without_its_record() {
    let node = Node::new();
    node.start().add(&pod("a")).unwrap();
    node.records.remove("a").unwrap();
    let network = node.start();
    assert_eq!(network.add(&pod("b")).unwrap().addresses, ["10.1.0.2".parse::<IpAddr>().unwrap()]);
    network.retain(&["b".to_owned()].into()).unwrap();
    assert_eq!(node.netlink.pinned("/run/ns".as_ref()).unwrap(), ["/run/ns/b".into()].into());
}

#[test]
fn pods_that_are_gone_leave_nothing() {
    let node = Node::new();
    let network = node.start();
    network.sync_node(&[]).unwrap();
    let port = HostPort { protocol: Protocol::Tcp, host_ip: None, host_port: 80, container_port: 8080 };
    network.add(&PodRequest { host_ports: vec![port], ..pod("a") }).unwrap();
    let ports = || {
        node.nft
            .elements(&"t".parse::<crate::names::ClusterId>().unwrap().table(Family::Ip), "hostports")
            .unwrap()
    };
    assert_eq!(ports()["tcp . 80"], "10.1.0.1 . 8080");
    let network = node.start();
    network.retain(&BTreeSet::new()).unwrap();
    assert!(ports().is_empty() && network.pods().is_empty());
    assert!(node.records.load().unwrap().is_empty());
    let host = node.netlink.observe(&Namespace::Host).unwrap();
    assert!(host.routes.is_empty() && host.links.len() == 1);
}

#[test]
fn a_full_range_is_an_error_and_removal_makes_room() {
    let node = Node::new();
    let network = node.start();
    (0..6).for_each(|index| drop(network.add(&pod(&format!("p{index}"))).unwrap()));
    assert!(matches!(network.add(&pod("one-more")), Err(PodNetworkError::Exhausted(_))));
    network.remove("p3").unwrap();
    network.remove("p3").unwrap();
    assert_eq!(network.add(&pod("one-more")).unwrap().addresses, ["10.1.0.4".parse::<IpAddr>().unwrap()]);
}

#[test]
fn a_uid_that_leaves_the_folder_is_refused() {
    let network = Node::new().start();
    for uid in ["", "../x", "a/b", "."] {
        assert!(matches!(network.add(&pod(uid)), Err(PodNetworkError::Uid(_))), "{uid}");
        assert!(network.remove(uid).is_err());
    }
}

#[test]
fn what_others_took_is_given_back_to_pods_that_are_there() {
    let node = Node::new();
    let network = node.start();
    network.sync_node(&[]).unwrap();
    network.add(&pod("a")).unwrap();
    network.add(&pod("b")).unwrap();
    network.remove("b").unwrap();
    assert_eq!(network.mend(&[]).unwrap(), 0);
    let before = node.netlink.observe(&Namespace::Host).unwrap();
    let routes = before.routes.iter().cloned().map(Change::DeleteRoute);
    let gateway = Address { link: "lo".to_owned(), cidr: Cidr::host(pod::GATEWAY.into()) };
    let taken: Vec<_> = routes.chain([Change::DeleteAddress(gateway)]).collect();
    node.netlink.apply(&Namespace::Host, &taken).unwrap();
    assert_eq!(network.mend(&[]).unwrap(), 2);
    assert_eq!(node.netlink.observe(&Namespace::Host).unwrap(), before);
}
