//! When ranges are ready, and when they may go.

use client::Revision;

use super::*;

const NOW: Time = Time::from_unix_seconds(1_000);

fn range(own: &str, cidrs: &[&str]) -> ServiceCIDR {
    let mut range = ServiceCIDR::default();
    range.metadata.name = own.into();
    range.metadata.finalizers = vec![FINALIZER.into()];
    range.spec.cidrs = cidrs.iter().map(|cidr| (*cidr).to_owned()).collect();
    range
}

fn going(own: &str, cidrs: &[&str], seconds: u64) -> ServiceCIDR {
    let mut range = range(own, cidrs);
    range.metadata.deletion_timestamp = Some((NOW - Duration::from_secs(seconds)).into());
    range
}

fn address(text: &str) -> IPAddress {
    let mut address = IPAddress::default();
    address.metadata.name = text.into();
    let labels = [("ipaddress.kubernetes.io/managed-by", "ipallocator.k8s.io")];
    address.metadata.labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    address
}

/// What is done about the first range, and what its condition then says.
fn done(ranges: &[ServiceCIDR], addresses: &[&str]) -> (Vec<String>, String, Option<Duration>) {
    let held: Vec<IPAddress> = addresses.iter().map(|text| address(text)).collect();
    let world = World::default().with(ranges.to_vec(), Revision(9)).with(held, Revision(9));
    let plan = ServiceCidrs.plan(&name("", &ranges[0].metadata.name), &world, NOW);
    let condition = plan.writes().find_map(|write| write.object::<ServiceCIDR>()?.status.conditions.first());
    let said = condition.map(|own| format!("{} {} {}", own.type_, own.status, own.reason));
    (plan.describe(), said.unwrap_or_default(), plan.again)
}

#[test]
fn a_range_is_held_and_then_ready() {
    let mut new = range("more", &["10.1.0.0/24"]);
    new.metadata.finalizers.clear();
    assert_eq!(done(&[new], &[]).0, ["update servicecidrs.networking.k8s.io more"]);
    let mut held = range("more", &["10.1.0.0/24"]);
    let (writes, said, _) = done(&[held.clone()], &[]);
    assert_eq!(writes, ["update servicecidrs.networking.k8s.io/status more"]);
    assert_eq!(said, "Ready True ");
    held.status.conditions = vec![Condition {
        type_: "Ready".into(),
        status: "True".into(),
        message: "Kubernetes Service CIDR is ready".into(),
        ..Condition::default()
    }];
    assert_eq!(done(&[held], &[]).0, [""; 0]);
}

/// A range, the others, the addresses, and whether it may go.
type Case = (&'static [&'static str], &'static [&'static str], &'static [&'static str], bool);

#[test]
fn a_range_goes_once_nobody_needs_it_and_servers_know() {
    let waits = |seconds| Some(Duration::from_secs(seconds));
    let released = ["update servicecidrs.networking.k8s.io more"];
    let cases: [Case; 9] = [
        (&["10.1.0.0/24"], &[], &[], true),
        (&["10.1.0.0/24"], &[], &["10.1.0.7"], false),
        (&["10.1.0.0/24"], &[], &["10.2.0.7"], true),
        (&["10.1.0.0/24"], &["10.1.0.0/16"], &["10.1.0.7"], true),
        (&["10.1.0.0/24"], &["10.1.0.0/25"], &["10.1.0.7"], true),
        (&["10.1.0.0/24"], &["10.1.0.0/25"], &["10.1.0.200"], false),
        // The smaller range cannot give its own last address.
        (&["10.1.0.0/24"], &["10.1.0.0/25"], &["10.1.0.127"], false),
        (&["10.1.0.0/24", "fd00::/112"], &["10.0.0.0/8"], &["10.1.0.7"], true),
        (&["10.1.0.0/24", "fd00::/112"], &["10.0.0.0/8"], &["fd00::7"], false),
    ];
    for (own, others, addresses, may_go) in cases {
        let ranges = |seconds| {
            let others = others.iter().enumerate().map(|(index, cidr)| range(&format!("o{index}"), &[cidr]));
            [going("more", own, seconds)].into_iter().chain(others).collect::<Vec<_>>()
        };
        let (early, late) = (done(&ranges(4), addresses), done(&ranges(10), addresses));
        if may_go {
            assert_eq!((early.0, early.2), (Vec::new(), waits(6)), "{own:?}");
            assert_eq!(late.0, released, "{own:?}");
        } else {
            assert_eq!(late.1, "Ready False Terminating", "{own:?}");
            assert_eq!(early, late, "{own:?}");
        }
    }
}

#[test]
fn addresses_of_others_hold_no_range() {
    let mut own = address("10.1.0.7");
    own.metadata.labels.clear();
    let world =
        World::default().with([going("more", &["10.1.0.0/24"], 10)], Revision(9)).with([own], Revision(9));
    let plan = ServiceCidrs.plan(&name("", "more"), &world, NOW);
    assert_eq!(plan.describe(), ["update servicecidrs.networking.k8s.io more"]);
}
