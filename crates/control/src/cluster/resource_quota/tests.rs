//! Worlds, and what quotas come to say in them.

use api_record::scalar;
use api_types::core::v1::ConfigMap;

use super::*;
use control_base::resources::built_in;

fn list(pairs: &[(&str, &str)]) -> ResourceList {
    pairs.iter().map(|(name, text)| ((*name).to_owned(), text.parse().expect("a quantity"))).collect()
}

fn quota(hard: &[(&str, &str)], used: &[(&str, &str)]) -> ResourceQuota {
    let mut quota = ResourceQuota::default();
    quota.metadata.namespace = "shop".into();
    quota.metadata.name = "q".into();
    quota.metadata.resource_version = "5".into();
    quota.spec.hard = list(hard);
    quota.status.hard = if used.is_empty() { ResourceList::new() } else { list(hard) };
    quota.status.used = list(used);
    quota
}

fn pod(name: &str, phase: &str, cpu: &str) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.namespace = "shop".into();
    pod.metadata.name = name.into();
    pod.status.phase = phase.into();
    pod.spec.containers = vec![Default::default()].into();
    pod.spec.containers[0].resources.requests = list(&[("cpu", cpu)]);
    pod
}

fn controller() -> ResourceQuotas {
    ResourceQuotas::new(&built_in())
}

fn plan(quota: ResourceQuota, pods: Vec<Pod>, seen: u64) -> Plan {
    let world = World::default().with([quota], Revision(5)).with(pods, Revision(seen));
    let world = world.with([ConfigMap::default()], Revision(seen));
    controller().plan(&name("shop", "q"), &world, Time::EPOCH)
}

fn used(plan: &Plan) -> Option<String> {
    let quota: &ResourceQuota = plan.writes().next()?.object()?;
    Some(api_quota::shown(&quota.status.used))
}

#[test]
fn what_is_there_is_counted() {
    let hard = [("pods", "5"), ("requests.cpu", "2"), ("configmaps", "3")];
    let pods = || vec![pod("a", "Running", "500m"), pod("b", "Pending", "1"), pod("c", "Succeeded", "1")];
    for (before, after) in [
        (&[][..], Some("configmaps=0,pods=2,requests.cpu=1500m")),
        (&[("configmaps", "0"), ("pods", "2"), ("requests.cpu", "1500m")], None),
        (
            &[("configmaps", "0"), ("pods", "3"), ("requests.cpu", "2500m")],
            Some("configmaps=0,pods=2,requests.cpu=1500m"),
        ),
    ] {
        let plan = plan(quota(&hard, before), pods(), 9);
        assert_eq!(used(&plan).as_deref(), after);
        assert_eq!(plan.again, Some(RESYNC));
        assert!(plan.writes().all(|write| write.guards.is_empty()));
    }
}

#[test]
fn what_nobody_counts_is_kept_as_it_was() {
    let hard = [("count/widgets.example.com", "5")];
    let before = [("count/widgets.example.com", "4"), ("pods", "1")];
    assert_eq!(used(&plan(quota(&hard, &before), vec![], 9)).as_deref(), Some("count/widgets.example.com=4"));
}

#[test]
fn a_count_that_rests_on_an_older_view_needs_a_consistent_read() {
    let plan = plan(quota(&[("pods", "5")], &[("pods", "2")]), vec![pod("a", "Running", "1")], 4);
    let write = plan.writes().next().expect("a write");
    assert!(
        matches!(&write.guards[..], [Guard::Current(target, Revision(4), 1)] if target.resource.plural == "pods")
    );
}

#[test]
fn a_pod_that_should_be_gone_is_counted_no_more_when_its_time_comes() {
    let mut going = pod("a", "Running", "1");
    going.metadata.deletion_timestamp = Some(scalar::Time { seconds: 30 });
    going.metadata.deletion_grace_period_seconds = Some(30);
    let world = World::default()
        .with([quota(&[("pods", "5")], &[("pods", "1")])], Revision(5))
        .with([going], Revision(9));
    let at = |seconds| Time::EPOCH + Duration::from_secs(seconds);
    let early = controller().plan(&name("shop", "q"), &world, at(10));
    assert_eq!((used(&early), early.again), (None, Some(Duration::from_millis(50_001))));
    assert_eq!(used(&controller().plan(&name("shop", "q"), &world, at(61))).as_deref(), Some("pods=0"));
}

#[test]
fn a_charge_alone_wakes_nobody() {
    let mut wires = Wires::default();
    controller().wire(&mut wires);
    let sources = wires.into_sources();
    let woken = |quota: ResourceQuota| {
        let world = World::default().with([quota.clone()], Revision(5));
        sources[0].about(None, Some(&quota), &world).len()
    };
    assert_eq!(woken(quota(&[("pods", "5")], &[("pods", "2")])), 0);
    assert_eq!(woken(quota(&[("pods", "5")], &[])), 1);
    let mut raised = quota(&[("pods", "5")], &[("pods", "2")]);
    raised.spec.hard = list(&[("pods", "6")]);
    assert_eq!(woken(raised), 1);
}

#[test]
fn after_a_conflict_the_view_is_given_a_moment() {
    let resource = api_meta::gvk::GroupResource { group: "", resource: "resourcequotas" };
    let status = client::Status::conflict(resource, "q", "modified");
    let world = World::default()
        .with([quota(&[("pods", "5")], &[("pods", "2")])], Revision(5))
        .with(vec![pod("a", "Running", "1")], Revision(9))
        .after(Some(client::reconcile::Failure { status, write: None }));
    let plan = controller().plan(&name("shop", "q"), &world, Time::EPOCH);
    assert_eq!((used(&plan), plan.again), (None, Some(PAUSE)));
}
