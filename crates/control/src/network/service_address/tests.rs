//! What becomes of services and addresses that do not agree.

use client::reconcile::World;

use super::*;

const NOW: Time = Time::from_unix_seconds(1_000_000);

fn service(name: &str, addresses: &[&str]) -> Service {
    let mut service = Service::default();
    service.metadata.namespace = "a".into();
    service.metadata.name = name.into();
    service.metadata.uid = format!("uid-{name}");
    service.metadata.resource_version = "3".into();
    service.spec.cluster_ip = addresses.first().copied().unwrap_or_default().to_owned();
    service.spec.cluster_ips = addresses.iter().map(|address| (*address).to_owned()).collect();
    service
}

fn address(text: &str, parent: &str) -> IPAddress {
    let mut made = IPAddress::default();
    made.metadata.name = text.into();
    made.metadata.uid = format!("uid-{text}");
    made.metadata.resource_version = "3".into();
    made.metadata.creation_timestamp = Some((NOW - Duration::from_secs(300)).into());
    let labels = [(FAMILY, family(text.parse().expect("an address"))), (MANAGED_BY, MANAGER)];
    made.metadata.labels =
        labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    let (resource, name) = parent.split_once('/').expect("resource/name");
    made.spec.parent_ref = Some(Box::new(ParentReference {
        group: String::new(),
        resource: resource.into(),
        namespace: "a".into(),
        name: name.into(),
    }));
    made
}

fn world(services: Vec<Service>, addresses: Vec<IPAddress>) -> World {
    let mut range = ServiceCIDR::default();
    range.metadata.name = "kubernetes".into();
    range.spec.cidrs = vec!["10.96.0.0/16".into(), "fd00::/112".into()];
    let world = World::default().with([range], Revision(9));
    world.with(services, Revision(9)).with(addresses, Revision(9))
}

fn of_service(world: &World) -> Plan {
    ServiceAddresses.plan(&Key::Service(name("a", "web")), world, NOW)
}

fn of_address(world: &World) -> Plan {
    ServiceAddresses.plan(&Key::Address("10.96.0.7".into()), world, NOW)
}

fn said(plan: &Plan) -> Vec<&str> {
    let done = plan.writes().filter_map(|write| write.telling.as_ref()?.done.as_ref());
    plan.events.iter().chain(done).map(|note| note.reason).collect()
}

const CREATE: &str = "create ipaddresses.networking.k8s.io 10.96.0.7";
const DELETE: &str = "delete ipaddresses.networking.k8s.io 10.96.0.7";

/// Services, what is held, the writes that are wanted, and the reasons that are told.
type Case<H> = (Vec<Service>, H, &'static [&'static str], &'static [&'static str]);

#[test]
fn every_address_of_a_service_has_its_object() {
    let web = || service("web", &["10.96.0.7"]);
    let good = address("10.96.0.7", "services/web");
    let mut unlabelled = good.clone();
    unlabelled.metadata.labels.remove(MANAGED_BY);
    let other = || address("10.96.0.7", "services/other");
    let other_kind = address("10.96.0.7", "gateways/web");
    let cases: Vec<Case<Vec<IPAddress>>> = vec![
        (vec![web()], vec![good.clone()], &[], &[]),
        (vec![web()], vec![], &[CREATE], &["ClusterIPNotAllocated"]),
        (vec![web()], vec![unlabelled], &[DELETE, CREATE], &[]),
        (vec![web()], vec![other_kind], &[DELETE, CREATE], &["ClusterIPNotAllocated"]),
        (vec![web()], vec![other()], &[DELETE, CREATE], &["ClusterIPNotAllocated"]),
        (vec![web(), service("other", &["10.96.0.7"])], vec![other()], &[], &["ClusterIPAlreadyAllocated"]),
        (vec![service("web", &["10.97.0.7"])], vec![], &[], &["ClusterIPOutOfRange"]),
        (vec![service("web", &["nonsense"])], vec![], &[], &["ClusterIPNotValid"]),
        (vec![service("web", &["None"])], vec![], &[], &[]),
        (vec![], vec![good], &[], &[]),
    ];
    for (services, addresses, writes, reasons) in cases {
        let plan = of_service(&world(services, addresses));
        assert_eq!(
            (plan.describe(), said(&plan)),
            (writes.iter().map(|it| (*it).to_owned()).collect(), reasons.to_vec())
        );
    }
    let both = of_service(&world(vec![service("web", &["10.96.0.7", "fd00::7"])], vec![]));
    assert_eq!(both.stages.iter().map(Vec::len).collect::<Vec<_>>(), [2]);
    let made: &IPAddress = both.stages[0][1].object().expect("an address");
    assert_eq!(made.metadata.labels[FAMILY], "IPv6");
}

#[test]
fn no_object_is_without_its_service() {
    let web = || service("web", &["10.96.0.7"]);
    let good = address("10.96.0.7", "services/web");
    let mut young = good.clone();
    young.metadata.creation_timestamp = Some(NOW.into());
    let mut foreign = address("10.96.0.7", "gateways/web");
    foreign.metadata.labels.clear();
    let cases: Vec<Case<IPAddress>> = vec![
        (vec![web()], good.clone(), &[], &[]),
        (vec![], good.clone(), &[DELETE], &["IPAddressNotAllocated"]),
        (vec![], young.clone(), &[], &[]),
        (vec![service("web", &["10.96.0.8"])], good.clone(), &[DELETE], &["IPAddressWrongReference"]),
        (vec![], address("10.96.0.7", "gateways/web"), &[DELETE], &["IPAddressNotAllocated"]),
        (vec![], foreign, &[], &[]),
    ];
    for (services, held, writes, reasons) in cases {
        let plan = of_address(&world(services, vec![held]));
        assert_eq!(
            (plan.describe(), said(&plan)),
            (writes.iter().map(|it| (*it).to_owned()).collect(), reasons.to_vec())
        );
    }
    let waiting = of_address(&world(vec![], vec![young]));
    assert_eq!(waiting.again, Some(Duration::from_secs(61)));
}

#[test]
fn what_one_view_shows_before_the_other_is_looked_at_again() {
    let mut web = service("web", &["10.96.0.7"]);
    web.metadata.resource_version = "10".into();
    let early = of_service(&world(vec![web], vec![]));
    assert!(early.stages.is_empty() && early.again.is_some());
    let mut held = address("10.96.0.7", "services/web");
    held.metadata.resource_version = "10".into();
    let early = of_address(&world(vec![service("web", &["10.96.0.8"])], vec![held]));
    assert!(early.stages.is_empty() && early.again.is_some());
}
