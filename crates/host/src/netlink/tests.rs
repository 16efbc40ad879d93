//! The kernel's form against real namespaces. They need root, as the node does.

use super::*;

struct Pins(Vec<PathBuf>);

impl Pins {
    fn new(names: &[&str]) -> (tempfile::TempDir, Pins) {
        let folder = tempfile::tempdir().unwrap();
        let pins = Pins(names.iter().map(|name| folder.path().join(name)).collect());
        pins.0.iter().for_each(|path| LinuxNetlink::new().pin(path).unwrap());
        (folder, pins)
    }
}

impl Drop for Pins {
    fn drop(&mut self) {
        self.0.iter().for_each(|path| LinuxNetlink::new().unpin(path).unwrap());
    }
}

#[test]
fn pins_come_and_go_and_both_are_idempotent() {
    let (folder, pins) = Pins::new(&["a"]);
    let net = LinuxNetlink::new();
    assert!(net.is_pinned(&pins.0[0]).unwrap());
    net.pin(&pins.0[0]).unwrap();
    assert_eq!(net.pinned(folder.path()).unwrap(), BTreeSet::from([pins.0[0].clone()]));
    net.unpin(&pins.0[0]).unwrap();
    net.unpin(&pins.0[0]).unwrap();
    assert!(!net.is_pinned(&pins.0[0]).unwrap());
    assert!(net.pinned(folder.path()).unwrap().is_empty());
    assert!(net.pinned(&folder.path().join("none")).unwrap().is_empty());
}

fn changes(peer_namespace: PathBuf) -> Vec<Change> {
    let cidr = |text: &str| text.parse::<Cidr>().unwrap();
    let ip = |text: &str| text.parse().unwrap();
    let vx = || "vx0".to_owned();
    let mac = [2, 0, 0, 0, 0, 9];
    vec![
        Change::SetUp("lo".into()),
        Change::AddAddress(Address { link: "lo".into(), cidr: cidr("169.254.1.1/32") }),
        Change::AddAddress(Address { link: "lo".into(), cidr: cidr("192.168.9.1/32") }),
        Change::CreateVeth { name: "va".into(), mtu: 1400, peer: "eth0".into(), peer_namespace },
        Change::AddAddress(Address { link: "va".into(), cidr: cidr("fe80::1/64") }),
        Change::SetRoute(Route::direct(cidr("10.9.0.2/32"), "va")),
        Change::SetRoute(Route::direct(cidr("fd00:9::2/128"), "va")),
        Change::CreateVxlan { name: vx(), vni: 42, port: 4789, local: ip("192.168.9.1"), mac, mtu: 1350 },
        Change::SetUp(vx()),
        Change::SetMtu(vx(), 1300),
        Change::SetNeighbour(Neighbour { link: vx(), address: ip("10.9.1.0"), mac: [2, 0, 0, 0, 0, 7] }),
        Change::SetForward(Forward { link: vx(), mac: [2, 0, 0, 0, 0, 7], to: ip("192.168.9.2") }),
        Change::SetRoute(Route {
            via: Some(ip("10.9.1.0")),
            onlink: true,
            mtu: Some(1280),
            ..Route::direct(cidr("10.9.1.0/24"), "vx0")
        }),
        Change::SetSysctl { key: "net/ipv4/ip_forward".into(), value: "1".into() },
        Change::SetSysctl { key: "net/none/such".into(), value: "1".into() },
    ]
}

fn undo(network: &Network) -> Vec<Change> {
    let mut changes = Vec::new();
    changes.extend(
        network.routes.iter().filter(|r| r.protocol == ROUTE_PROTOCOL).cloned().map(Change::DeleteRoute),
    );
    changes.extend(network.forwards.iter().filter(|f| f.link == "vx0").cloned().map(Change::DeleteForward));
    changes.extend(network.neighbours.iter().cloned().map(Change::DeleteNeighbour));
    changes.extend(network.addresses.iter().filter(|a| a.link == "va").cloned().map(Change::DeleteAddress));
    changes.extend(["vx0", "va"].map(|name| Change::DeleteLink(name.into())));
    changes
}

#[test]
fn what_is_applied_is_observed_and_applying_again_changes_nothing() {
    let (_folder, pins) = Pins::new(&["node", "pod"]);
    let net = LinuxNetlink::at(&pins.0[0]);
    let wanted = changes(pins.0[1].clone());
    net.apply(&Namespace::Host, &wanted).unwrap();
    let once = net.observe(&Namespace::Host).unwrap();
    for change in &wanted {
        match change {
            Change::AddAddress(address) => assert!(once.addresses.contains(address), "{address:?} {once:?}"),
            Change::SetRoute(route) => assert!(once.routes.contains(route), "{route:?} {:?}", once.routes),
            Change::SetNeighbour(n) => assert!(once.neighbours.contains(n), "{n:?} {:?}", once.neighbours),
            Change::SetForward(f) => assert!(once.forwards.contains(f), "{f:?} {:?}", once.forwards),
            _ => {}
        }
    }
    let vxlan = once.link("vx0").unwrap();
    assert_eq!(
        vxlan.kind,
        LinkKind::Vxlan { vni: 42, port: 4789, local: Some("192.168.9.1".parse().unwrap()) }
    );
    assert_eq!((vxlan.mtu, vxlan.up), (1300, true));
    assert_eq!(once.link("va").map(|link| (link.kind.clone(), link.mtu)), Some((LinkKind::Veth, 1400)));
    assert_eq!(net.link(&Namespace::Host, "va").unwrap().as_ref(), once.link("va"));
    assert_eq!(net.link(&Namespace::Host, "none").unwrap(), None);
    let pod = Namespace::Pinned(pins.0[1].clone());
    assert!(net.observe(&pod).unwrap().link("eth0").is_some());
    assert_eq!(net.sysctl(&Namespace::Host, "net/ipv4/ip_forward").unwrap().as_deref(), Some("1"));
    assert_eq!(net.sysctl(&pod, "net/none/such").unwrap(), None);

    net.apply(&Namespace::Host, &wanted).unwrap();
    let twice = net.observe(&Namespace::Host).unwrap();
    assert_eq!(
        (twice.routes, twice.neighbours, twice.forwards),
        (once.routes.clone(), once.neighbours.clone(), once.forwards.clone())
    );

    let undone = undo(&once);
    net.apply(&Namespace::Host, &undone).unwrap();
    net.apply(&Namespace::Host, &undone).unwrap();
    let bare = net.observe(&Namespace::Host).unwrap();
    assert!(bare.link("va").is_none() && bare.link("vx0").is_none());
    assert!(bare.routes.iter().all(|route| route.protocol != ROUTE_PROTOCOL));
}

#[test]
fn the_sim_holds_what_the_kernel_would() {
    let net = SimNetlink::default();
    let pod = PathBuf::from("/pins/pod");
    net.pin(&pod).unwrap();
    let wanted = changes(pod.clone());
    net.apply(&Namespace::Host, &wanted).unwrap();
    net.apply(&Namespace::Host, &wanted).unwrap();
    let network = net.observe(&Namespace::Host).unwrap();
    assert_eq!((network.routes.len(), network.forwards.len(), network.links.len()), (3, 1, 3));
    net.unpin(&pod).unwrap();
    assert!(
        net.link(&Namespace::Host, "va").unwrap().is_none(),
        "the peer's namespace takes the pair with it"
    );
    let error = net.apply(&Namespace::Host, &[Change::SetUp("none".into())]).unwrap_err();
    assert!(matches!(error, NetlinkError::NoLink(_)));
}

#[test]
fn tracked_connections_are_listed_and_deleted() {
    let (_folder, pins) = Pins::new(&["node"]);
    let net = LinuxNetlink::at(&pins.0[0]);
    net.apply(&Namespace::Host, &[Change::SetUp("lo".into())]).unwrap();
    let rules = "table ip t { chain c { type filter hook output priority 0; ct state new accept; }; }";
    crate::nft::Nft::run(&crate::nft::LinuxNft::at(&pins.0[0]), rules).unwrap();
    within(&pins.0[0], || {
        let (a, b) = (bound(), bound());
        a.send_to(b"x", b.local_addr().unwrap()).unwrap();
    })
    .unwrap();
    let flows = net.flows(17).unwrap();
    assert_eq!(flows.len(), 1, "{flows:?}");
    assert_eq!(flows[0].original.destination_port, flows[0].reply.source_port);
    assert!(net.flows(6).unwrap().is_empty());
    net.delete_flow(&flows[0]).unwrap();
    net.delete_flow(&flows[0]).unwrap();
    assert!(net.flows(17).unwrap().is_empty());
}

fn bound() -> std::net::UdpSocket {
    std::net::UdpSocket::bind("127.0.0.1:0").unwrap()
}

#[test]
fn a_record_is_replaced_whole_and_unfinished_ones_are_not_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let records = FileRecords::new(folder.path().join("records"));
    assert!(records.load().unwrap().is_empty());
    records.save("a", b"1").unwrap();
    records.save("a", b"2").unwrap();
    std::fs::write(folder.path().join("records/b.new"), b"half").unwrap();
    assert_eq!(records.load().unwrap(), [("a".to_owned(), b"2".to_vec())].into());
    records.remove("a").unwrap();
    records.remove("a").unwrap();
    assert!(records.load().unwrap().is_empty());
}
