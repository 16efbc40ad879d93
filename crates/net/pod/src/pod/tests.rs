//! Plans against the simulated kernel.

use super::*;
use host::netlink::SimNetlink;

fn want(addresses: &[&str]) -> PodWant {
    PodWant {
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        mtu: 1450,
        sysctls: vec![("net/ipv4/ip_unprivileged_port_start".into(), "0".into())],
        node: vec!["192.0.2.1".parse().unwrap()],
    }
}

fn place(uid: &str) -> Place {
    Place::of(&"t".parse().unwrap(), Path::new("/run/ns"), uid)
}

/// Plans and applies until nothing is left, which must be after one round.
fn converge(net: &SimNetlink, place: &Place, want: Option<&PodWant>) {
    for step in plan(place, want, &observe(net, place).unwrap()) {
        apply(net, &step).unwrap();
    }
    assert_eq!(plan(place, want, &observe(net, place).unwrap()), []);
}

#[test]
fn a_pod_is_wired_once_and_then_left_alone() {
    let net = SimNetlink::default();
    let (place, want) = (place("u1"), want(&["10.0.0.2", "fd00::2"]));
    converge(&net, &place, Some(&want));
    let host = net.observe(&Namespace::Host).unwrap();
    let routes: Vec<String> = host.routes.iter().map(|route| route.destination.to_string()).collect();
    assert_eq!(routes, ["10.0.0.2/32", "fd00::2/128"]);
    let inside = net.observe(&Namespace::Pinned(place.pin.clone())).unwrap();
    assert!(inside.links.iter().all(|link| link.up));
    assert_eq!(inside.routes.len(), 3);
}

#[test]
fn wiring_goes_on_wherever_it_was_interrupted() {
    let (place, want) = (place("u1"), want(&["10.0.0.2", "fd00::2"]));
    let all = plan(&place, Some(&want), &PodHave::default());
    for done in 0..all.len() {
        let net = SimNetlink::default();
        all[..done].iter().for_each(|step| apply(&net, step).unwrap());
        converge(&net, &place, Some(&want));
        converge(&net, &place, None);
    }
}

#[test]
fn a_lost_namespace_is_made_anew_with_a_new_pair() {
    let net = SimNetlink::default();
    let (place, want) = (place("u1"), want(&["10.0.0.2"]));
    converge(&net, &place, Some(&want));
    let have = PodHave { pinned: false, inside: Network::default(), ..observe(&net, &place).unwrap() };
    let steps = plan(&place, Some(&want), &have);
    assert_eq!(steps[0], Step::Pin(place.pin.clone()));
    assert!(matches!(&steps[1], Step::Change(Namespace::Host, changes)
        if changes[0] == Change::DeleteLink(place.link.clone())));
}

#[test]
fn unwiring_leaves_nothing_and_is_repeatable() {
    let net = SimNetlink::default();
    let place = place("u1");
    converge(&net, &place, Some(&want(&["10.0.0.2"])));
    converge(&net, &place, None);
    converge(&net, &place, None);
    let host = net.observe(&Namespace::Host).unwrap();
    assert!(host.link(&place.link).is_none() && host.routes.is_empty());
    assert!(!net.is_pinned(&place.pin).unwrap());
}

#[test]
fn an_end_whose_namespace_is_gone_is_deleted_itself() {
    let place = place("u1");
    let link = Link {
        name: place.link.clone(),
        kind: host::netlink::LinkKind::Veth,
        mtu: 1450,
        up: true,
        mac: [0; 6],
    };
    let have = PodHave { link: Some(link), ..PodHave::default() };
    let steps = plan(&place, None, &have);
    assert_eq!(steps, [Step::Change(Namespace::Host, vec![Change::DeleteLink(place.link.clone())])]);
}
