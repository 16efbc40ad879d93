//! The state machine against the simulated tables: every sequence of changes ends where a fresh start would.

use super::*;
use crate::spec::{Endpoint, ServicePort, TrafficPolicy};
use host::nft::{Nft, SimNft};
use proptest::prelude::*;

fn config() -> Config {
    Config {
        cluster: "t".into(),
        node: NodeFacts { name: "a".into(), zone: String::new(), ips: vec!["192.0.2.1".parse().unwrap()] },
        pod_cidrs: vec!["10.1.0.0/16".parse().unwrap()],
        service_cidrs: vec!["10.96.0.0/16".parse().unwrap()],
    }
}

fn listed(nft: &SimNft) -> BTreeMap<Family, Contents> {
    let list = |family| nft.list(&ruleset::table("t", family)).unwrap().map(|contents| (family, contents));
    FAMILIES.into_iter().filter_map(list).collect()
}

fn sync(proxy: &mut Proxy, nft: &SimNft) -> Plan {
    let plan = proxy.plan();
    nft.apply(&plan.commands).unwrap();
    proxy.done(&plan);
    plan
}

fn name(number: usize) -> ServiceName {
    ServiceName::new("n", format!("s{number}"))
}

fn service(number: usize, protocol: Protocol, endpoints: &[u8]) -> (ServiceSpec, Endpoints) {
    let octet = u8::try_from(number).unwrap();
    let port =
        ServicePort { name: String::new(), protocol, port: 80, node_port: Some(30_000 + u16::from(octet)) };
    let spec = ServiceSpec {
        cluster_ips: vec![[10, 96, 0, octet].into()],
        ports: vec![port],
        ..ServiceSpec::default()
    };
    let one = |last: &u8| {
        Endpoint::ready([10, 1, 0, *last].into(), 8080, if last.is_multiple_of(2) { "a" } else { "b" })
    };
    (spec, Endpoints::from([(String::new(), endpoints.iter().map(one).collect())]))
}

#[test]
fn a_change_costs_what_changed() {
    let (nft, mut proxy) = (SimNft::default(), Proxy::new(config(), BTreeMap::new()));
    (1..100).for_each(|number| proxy.set(&name(number), Some(service(number, Protocol::Tcp, &[1, 3, 5]))));
    sync(&mut proxy, &nft);
    assert_eq!(proxy.plan(), Plan::default());
    proxy.set(&name(7), Some(service(7, Protocol::Tcp, &[1, 3, 5, 7])));
    let plan = sync(&mut proxy, &nft);
    let size = |command: &Command| match command {
        Command::Add(_, _, elements) => elements.len(),
        Command::Delete(_, _, keys) => keys.len(),
        _ => 0,
    };
    // A new chain for four, the verdict exchanged, the endpoint added.
    assert_eq!(plan.commands.iter().map(size).sum::<usize>(), 3, "{:?}", plan.commands);
    assert!(matches!(&plan.commands[0], Command::Chain(_, chain, _) if chain == "lb-4"));
}

#[test]
fn a_restart_finds_nothing_to_do_and_keeps_numbers() {
    let (nft, mut proxy) = (SimNft::default(), Proxy::new(config(), BTreeMap::new()));
    for number in 1..20 {
        let (mut spec, endpoints) = service(number, Protocol::Tcp, &[2, 3, 4]);
        spec.external_policy =
            if number.is_multiple_of(2) { TrafficPolicy::Local } else { TrafficPolicy::Cluster };
        proxy.set(&name(number), Some((spec, endpoints)));
    }
    sync(&mut proxy, &nft);
    proxy.set(&name(3), None);
    proxy.set(&name(5), Some(service(5, Protocol::Tcp, &[9, 3])));
    sync(&mut proxy, &nft);
    let mut again = Proxy::new(config(), listed(&nft));
    for (name, service) in &proxy.services {
        again.set(name, Some((service.spec.clone(), service.endpoints.clone())));
    }
    assert_eq!(again.plan().commands, []);
}

#[test]
fn the_first_by_name_has_a_contested_frontend() {
    let (nft, mut proxy) = (SimNft::default(), Proxy::new(config(), BTreeMap::new()));
    let contested = |number| {
        let (mut spec, endpoints) = service(number, Protocol::Tcp, &[1]);
        spec.ports[0].node_port = Some(31_000);
        Some((spec, endpoints))
    };
    proxy.set(&name(2), contested(2));
    sync(&mut proxy, &nft);
    let pool = |nft: &SimNft| listed(nft)[&Family::Ip].sets["port-pools"]["tcp . 31000"].clone();
    let of_two = pool(&nft);
    proxy.set(&name(1), contested(1));
    sync(&mut proxy, &nft);
    assert_ne!(pool(&nft), of_two);
    proxy.set(&name(1), None);
    sync(&mut proxy, &nft);
    assert_eq!(pool(&nft), of_two);
}

#[test]
fn a_refused_transaction_is_planned_again_from_a_listing() {
    let (nft, mut proxy) = (SimNft::default(), Proxy::new(config(), BTreeMap::new()));
    proxy.set(&name(1), Some(service(1, Protocol::Tcp, &[1])));
    sync(&mut proxy, &nft);
    proxy.set(&name(2), Some(service(2, Protocol::Tcp, &[1])));
    proxy.relist(listed(&nft));
    sync(&mut proxy, &nft);
    assert_eq!(listed(&nft)[&Family::Ip].sets["vips"].len(), 2);
    assert_eq!(proxy.plan().commands, []);
}

fn flow(to: &str, chosen: &str) -> Flow {
    let tuple = |source: &str, destination: &str, port| host::netlink::Tuple {
        source: source.parse().unwrap(),
        destination: destination.parse().unwrap(),
        source_port: port,
        destination_port: 80,
    };
    Flow {
        protocol: 17,
        original: tuple("10.1.0.9", to, 999),
        reply: tuple(chosen, "10.1.0.9", if chosen == to { 80 } else { 8080 }),
        id: 1,
        zone: 0,
    }
}

#[test]
fn udp_flows_to_removed_endpoints_are_stale() {
    let (nft, mut proxy) = (SimNft::default(), Proxy::new(config(), BTreeMap::new()));
    proxy.set(&name(1), Some(service(1, Protocol::Udp, &[1, 3])));
    let plan = sync(&mut proxy, &nft);
    let stale = |proxy: &Proxy, plan: &Plan, chosen| proxy.is_stale(&flow("10.96.0.1", chosen), &plan.udp);
    assert!(!stale(&proxy, &plan, "10.1.0.1") && stale(&proxy, &plan, "10.1.0.5"));
    assert!(stale(&proxy, &plan, "10.96.0.1"), "untranslated: made before there were endpoints");
    assert!(!proxy.is_stale(&flow("10.96.0.77", "10.1.0.5"), &plan.udp), "none of ours");
    proxy.set(&name(1), Some(service(1, Protocol::Udp, &[3])));
    let plan = sync(&mut proxy, &nft);
    assert!(stale(&proxy, &plan, "10.1.0.1") && !stale(&proxy, &plan, "10.1.0.3"));
    proxy.set(&name(1), None);
    let plan = sync(&mut proxy, &nft);
    assert!(stale(&proxy, &plan, "10.1.0.3") && !stale(&proxy, &plan, "10.96.0.1"));
}

#[test]
fn clients_of_a_removed_endpoint_are_to_be_forgotten() {
    let (nft, mut proxy) = (SimNft::default(), Proxy::new(config(), BTreeMap::new()));
    let sticky = |endpoints: &[u8]| {
        let (mut spec, endpoints) = service(1, Protocol::Tcp, endpoints);
        spec.affinity_seconds = Some(60);
        Some((spec, endpoints))
    };
    proxy.set(&name(1), sticky(&[1, 3, 5]));
    assert!(sync(&mut proxy, &nft).forget.is_empty());
    proxy.set(&name(1), sticky(&[3, 5]));
    let forget: Vec<String> = sync(&mut proxy, &nft).forget.into_iter().map(|one| one.target).collect();
    assert_eq!(forget, ["10.1.0.1 . 8080"]);
}

proptest! {
    #[test]
    fn any_history_ends_where_a_fresh_start_does(
        changes in prop::collection::vec((1usize..6, any::<bool>(), prop::collection::btree_set(1u8..9, 0..5), any::<bool>(), any::<bool>()), 1..25)
    ) {
        let (nft, mut proxy) = (SimNft::default(), Proxy::new(config(), BTreeMap::new()));
        let mut wanted = BTreeMap::new();
        for (number, keep, endpoints, local, sync_now) in changes {
            let (mut spec, endpoints) = service(number, Protocol::Tcp, &endpoints.into_iter().collect::<Vec<_>>());
            if local { spec.external_policy = TrafficPolicy::Local; spec.affinity_seconds = Some(9); }
            let one = keep.then_some((spec, endpoints));
            wanted.insert(name(number), one.clone());
            proxy.set(&name(number), one);
            if sync_now { sync(&mut proxy, &nft); }
        }
        sync(&mut proxy, &nft);
        let mut fresh = Proxy::new(config(), listed(&nft));
        wanted.into_iter().for_each(|(name, service)| fresh.set(&name, service));
        prop_assert_eq!(fresh.plan().commands, vec![]);
    }
}
