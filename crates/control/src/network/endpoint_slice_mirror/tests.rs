//! Endpoints, and the slices that mirror them.

use api_types::core::v1::{EndpointAddress, EndpointPort, EndpointSubset, ObjectReference};
use client::Revision;

use super::*;

fn metadata(name: &str) -> ObjectMeta {
    ObjectMeta { name: name.into(), namespace: "shop".into(), uid: name.into(), ..ObjectMeta::default() }
}

fn address(ip: &str) -> EndpointAddress {
    EndpointAddress { ip: ip.into(), ..EndpointAddress::default() }
}

fn port(name: &str, port: i32) -> EndpointPort {
    EndpointPort { name: name.into(), port, protocol: "TCP".into(), ..EndpointPort::default() }
}

fn subset(ready: &[&str], rest: &[&str], ports: &[(&str, i32)]) -> EndpointSubset {
    EndpointSubset {
        addresses: ready.iter().map(|ip| address(ip)).collect(),
        not_ready_addresses: rest.iter().map(|ip| address(ip)).collect(),
        ports: ports.iter().map(|(name, number)| port(name, *number)).collect(),
    }
}

fn endpoints(subsets: Vec<EndpointSubset>) -> Endpoints {
    let mut endpoints = Endpoints { metadata: metadata("web"), subsets };
    endpoints.metadata.labels.insert("a".into(), "b".into());
    endpoints.metadata.annotations =
        [(LAST_APPLIED, "x"), ("c", "d")].map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    endpoints
}

fn service() -> Service {
    Service { metadata: metadata("web"), ..Service::default() }
}

fn plan(endpoints: &Endpoints, service: Option<Service>, slices: &[EndpointSlice]) -> Plan {
    let world = World::default()
        .with([endpoints.clone()], Revision(1))
        .with(service, Revision(1))
        .with(slices.to_vec(), Revision(1));
    EndpointSliceMirroring.plan(&name("shop", "web"), &world, Time::EPOCH)
}

/// The slices that a plan makes, under names of their own.
fn made(plan: &Plan) -> Vec<EndpointSlice> {
    let all = plan.writes().filter_map(|write| write.object::<EndpointSlice>().cloned());
    let mut all: Vec<EndpointSlice> = all.collect();
    for (number, slice) in all.iter_mut().enumerate().filter(|(_, slice)| slice.metadata.name.is_empty()) {
        slice.metadata.name = format!("web-{number}");
    }
    all
}

/// Family, ports, and addresses with whether they are ready.
fn shown(slices: &[EndpointSlice]) -> Vec<String> {
    let one = |slice: &EndpointSlice| {
        let ports: Vec<String> =
            slice.ports.iter().map(|port| port.port.unwrap_or_default().to_string()).collect();
        let ready = |own: &Endpoint| if own.conditions.ready == Some(true) { "" } else { "!" };
        let all = slice.endpoints.iter().map(|own| format!("{}{}", ready(own), own.addresses[0]));
        format!("{} {} {}", slice.address_type, ports.join(","), all.collect::<Vec<_>>().join(","))
    };
    slices.iter().map(one).collect()
}

#[test]
fn each_set_of_ports_and_family_has_a_slice() {
    let own = endpoints(vec![
        subset(&["10.0.0.2", "010.0.0.1", "fd00::1"], &["10.0.0.3"], &[("http", 80), ("https", 443)]),
        subset(&["10.0.0.9"], &[], &[("dns", 53)]),
    ]);
    let slices = made(&plan(&own, Some(service()), &[]));
    assert_eq!(
        shown(&slices),
        ["IPv4 53 10.0.0.9", "IPv4 80,443 10.0.0.1,10.0.0.2,!10.0.0.3", "IPv6 80,443 fd00::1"]
    );
    let meta = &slices[0].metadata;
    let labels = [("a", "b"), (MANAGED_BY, MANAGER), (SERVICE_NAME, "web")];
    assert!(labels.iter().all(|(key, value)| meta.labels[*key] == *value) && meta.labels.len() == 3);
    assert_eq!(meta.annotations.keys().collect::<Vec<_>>(), ["c"]);
    assert_eq!(meta.generate_name, "web-");
    let owner = owners::controller_of(meta).expect("an owner");
    assert_eq!((owner.kind.as_str(), owner.uid.as_str()), ("Endpoints", "web"));
    assert!(plan(&own, Some(service()), &slices).stages.is_empty());
}

#[test]
fn subsets_are_made_canonical() {
    let own = endpoints(vec![
        subset(&["10.0.0.1"], &[], &[("a", 1)]),
        subset(&["10.0.0.1"], &[], &[("b", 2)]),
        subset(&["10.0.0.2"], &["10.0.0.2"], &[("c", 3)]),
    ]);
    assert_eq!(shown(&made(&plan(&own, Some(service()), &[]))), ["IPv4 1,2 10.0.0.1", "IPv4 3 !10.0.0.2"]);
    let bare = endpoints(vec![subset(&["10.0.0.1"], &[], &[])]);
    assert_eq!(shown(&made(&plan(&bare, Some(service()), &[]))), ["IPv4  10.0.0.1"]);
}

#[test]
fn a_slice_changes_with_its_endpoints_and_goes_with_its_ports() {
    let first = endpoints(vec![subset(&["10.0.0.1"], &[], &[("a", 1)])]);
    let slices = made(&plan(&first, Some(service()), &[]));
    let update = ["update endpointslices.discovery.k8s.io shop/web-0"];
    for subset in [
        subset(&["10.0.0.1", "10.0.0.2"], &[], &[("a", 1)]),
        subset(&[], &["10.0.0.1"], &[("a", 1)]),
        // The slice of other ports is used again.
        subset(&["10.0.0.1"], &[], &[("a", 2)]),
    ] {
        assert_eq!(plan(&endpoints(vec![subset]), Some(service()), &slices).describe(), update);
    }
    let mut renewed = first.clone();
    renewed.metadata.uid = "another".into();
    assert_eq!(plan(&renewed, Some(service()), &slices).describe(), update);
    let other = endpoints(vec![subset(&["fd00::1"], &[], &[("a", 1)])]);
    assert_eq!(
        plan(&other, Some(service()), &slices).describe(),
        ["create endpointslices.discovery.k8s.io shop/", "delete endpointslices.discovery.k8s.io shop/web-0"]
    );
}

#[test]
fn what_is_not_to_be_mirrored_has_no_slices() {
    let own = endpoints(vec![subset(&["10.0.0.1"], &[], &[("a", 1)])]);
    let slices = made(&plan(&own, Some(service()), &[]));
    let delete = ["delete endpointslices.discovery.k8s.io shop/web-0"];
    let mut skipped = own.clone();
    skipped.metadata.labels.insert(SKIP.into(), "true".into());
    assert_eq!(plan(&skipped, Some(service()), &slices).describe(), delete);
    let mut leader = own.clone();
    leader.metadata.annotations.insert(LEADER.into(), "{}".into());
    assert_eq!(plan(&leader, Some(service()), &slices).describe(), delete);
    let mut selecting = service();
    selecting.spec.selector.insert("a".into(), "b".into());
    assert_eq!(plan(&own, Some(selecting), &slices).describe(), delete);
    assert_eq!(plan(&own, None, &slices).describe(), delete);
    let mut foreign = slices.clone();
    foreign[0].metadata.labels.insert(MANAGED_BY.into(), "me".into());
    assert!(plan(&own, None, &foreign).stages.is_empty());
}

#[test]
fn what_is_left_out_is_told() {
    let many: Vec<String> =
        (0..1002).map(|number| format!("10.0.{}.{}", number / 256, number % 256)).collect();
    let mut all: Vec<&str> = many.iter().map(String::as_str).collect();
    all.push("x");
    let plan = plan(&endpoints(vec![subset(&all, &[], &[("a", 1)])]), Some(service()), &[]);
    assert_eq!(made(&plan)[0].endpoints.len(), 1000);
    let told: Vec<(&str, &str)> =
        plan.events.iter().map(|note| (note.reason, note.message.as_str())).collect();
    assert_eq!(
        told,
        [(
            "TooManyAddressesToMirror",
            "A max of 1000 addresses can be mirrored to EndpointSlices per Endpoints subset. 3 addresses were skipped"
        )]
    );
    let broken = super::tests::plan(&endpoints(vec![subset(&["x"], &[], &[("a", 1)])]), Some(service()), &[]);
    assert_eq!(broken.events[0].message, "Skipped 1 invalid IP addresses when mirroring to EndpointSlices");
    assert_eq!((broken.events.len(), broken.stages.len()), (1, 0));
}

#[test]
fn the_version_of_what_an_endpoint_refers_to_is_no_news() {
    let refer = |version: &str| {
        let mut own = endpoints(vec![subset(&["10.0.0.1"], &[], &[("a", 1)])]);
        let target =
            ObjectReference { name: "p".into(), resource_version: version.into(), ..Default::default() };
        own.subsets[0].addresses[0].target_ref = Some(Box::new(target));
        own
    };
    let slices = made(&plan(&refer("1"), Some(service()), &[]));
    assert!(plan(&refer("2"), Some(service()), &slices).stages.is_empty());
}
