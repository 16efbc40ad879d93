//! Who has to leave tainted devices, when, and what is said of the rules.

use std::time::Duration;

use api_types::core::v1::PodResourceClaim;
use api_types::resource::v1::{
    AllocationResult, Device, DeviceRequestAllocationResult, DeviceTaint, DeviceTaintSelector,
    DeviceToleration,
};
use client::Revision;
use client::reconcile::Op;

use super::*;

fn at(seconds: i64) -> Time {
    Time::from_unix_seconds(seconds)
}

fn pod(name: &str, namespace: &str) -> Pod {
    let mut pod = Pod::default();
    (pod.metadata.namespace, pod.metadata.name) = (namespace.into(), name.into());
    pod.metadata.uid = format!("uid-of-{name}");
    pod.spec.node_name = "n".into();
    pod.spec.resource_claims = vec![PodResourceClaim {
        name: "gpu".into(),
        resource_claim_name: Some(name.into()),
        resource_claim_template_name: None,
    }];
    pod
}

/// The claim of a pod for a device, which tolerates taints for so long.
fn claim(of: &Pod, device: &str, seconds: Option<Option<i64>>) -> ResourceClaim {
    let mut claim = ResourceClaim::default();
    claim.metadata.namespace.clone_from(&of.metadata.namespace);
    claim.metadata.name.clone_from(&of.metadata.name);
    let toleration = seconds.map(|toleration_seconds| DeviceToleration {
        operator: "Exists".into(),
        effect: "NoExecute".into(),
        toleration_seconds,
        ..DeviceToleration::default()
    });
    let mut allocation = AllocationResult::default();
    allocation.devices.results = vec![DeviceRequestAllocationResult {
        driver: "d.io".into(),
        pool: "p".into(),
        device: device.into(),
        tolerations: toleration.into_iter().collect(),
        ..DeviceRequestAllocationResult::default()
    }];
    claim.status.allocation = Some(Box::new(allocation));
    claim.status.reserved_for = vec![claim::reference(&of.metadata.name, &of.metadata.uid)];
    claim
}

fn taint(effect: &str) -> DeviceTaint {
    DeviceTaint {
        key: "k".into(),
        effect: effect.into(),
        time_added: Some(at(100).into()),
        ..Default::default()
    }
}

fn slice(name: &str, generation: i64, effect: &str) -> ResourceSlice {
    let mut slice = ResourceSlice::default();
    slice.metadata.name = name.into();
    slice.spec.driver = "d.io".into();
    slice.spec.pool.name = "p".into();
    slice.spec.pool.generation = generation;
    let taints = if effect.is_empty() { Vec::new() } else { vec![taint(effect)] };
    slice.spec.devices = vec![Device { name: "a".into(), taints, ..Device::default() }];
    slice
}

fn rule(effect: &str, device: Option<&str>) -> DeviceTaintRule {
    let mut rule = DeviceTaintRule::default();
    (rule.metadata.name, rule.metadata.uid) = ("r".into(), "uid-of-r".into());
    rule.metadata.generation = 1;
    let selector = DeviceTaintSelector { device: device.map(str::to_owned), ..Default::default() };
    rule.spec.device_selector = Some(Box::new(selector));
    rule.spec.taint = taint(effect);
    rule
}

fn world(
    pods: impl IntoIterator<Item = Pod>,
    claims: impl IntoIterator<Item = ResourceClaim>,
    slices: impl IntoIterator<Item = ResourceSlice>,
    rules: impl IntoIterator<Item = DeviceTaintRule>,
) -> World {
    let world = World::default().with(pods, Revision(1)).with(claims, Revision(1));
    world.with(slices, Revision(1)).with(rules, Revision(1))
}

fn of_pod(name: &str) -> Key {
    Key::Pod("shop".into(), name.into())
}

#[test]
fn pods_leave_devices_that_they_do_not_tolerate() {
    let gone = ["patch pods/status shop/web", "delete pods shop/web"].as_slice();
    let web = || pod("web", "shop");
    let on_no_node = || {
        let mut pod = web();
        pod.spec.node_name.clear();
        pod
    };
    for (what, pod, tolerated, slices, rules, now, expected, again) in [
        ("no taint", web(), None, vec![slice("s", 1, "")], vec![], 100, &[][..], None),
        ("not evicting", web(), None, vec![slice("s", 1, "NoSchedule")], vec![], 100, &[], None),
        ("a driver's taint", web(), None, vec![slice("s", 1, "NoExecute")], vec![], 100, gone, None),
        ("on no node", on_no_node(), None, vec![slice("s", 1, "NoExecute")], vec![], 100, &[], None),
        ("for ever", web(), Some(None), vec![slice("s", 1, "NoExecute")], vec![], 100, &[], None),
        ("for a while", web(), Some(Some(30)), vec![slice("s", 1, "NoExecute")], vec![], 110, &[], Some(20)),
        (
            "for a while that is over",
            web(),
            Some(Some(30)),
            vec![slice("s", 1, "NoExecute")],
            vec![],
            130,
            gone,
            None,
        ),
        (
            "replaced",
            web(),
            None,
            vec![slice("s", 1, "NoExecute"), slice("t", 2, "")],
            vec![],
            100,
            &[],
            None,
        ),
        ("a rule", web(), None, vec![], vec![rule("NoExecute", None)], 100, gone, None),
        ("another device's rule", web(), None, vec![], vec![rule("NoExecute", Some("b"))], 100, &[], None),
        ("a rule without effect", web(), None, vec![], vec![rule("None", None)], 100, &[], None),
    ] {
        let world = world([pod.clone()], [claim(&pod, "a", tolerated)], slices, rules);
        let plan = DeviceTaintEviction::default().plan(&of_pod("web"), &world, at(now));
        assert_eq!(plan.describe(), expected, "{what}");
        assert_eq!(plan.again, again.map(Duration::from_secs), "{what}");
    }
}

#[test]
fn a_claim_that_is_not_the_pods_is_nothing_to_it() {
    let web = pod("web", "shop");
    let mut other = claim(&web, "a", None);
    other.status.reserved_for = vec![claim::reference("web", "another")];
    let world = world([web], [other], [slice("s", 1, "NoExecute")], []);
    let plan = DeviceTaintEviction::default().plan(&of_pod("web"), &world, at(100));
    assert!(plan.stages.is_empty());
}

#[test]
fn a_pod_that_need_not_go_after_all_is_told_so() {
    let controller = DeviceTaintEviction::default();
    let web = pod("web", "shop");
    let with = |revision: u64, effect: &str| {
        let world = world([web.clone()], [claim(&web, "a", Some(Some(30)))], [], []);
        world.with([slice("s", 1, effect)], Revision(revision))
    };
    assert!(controller.plan(&of_pod("web"), &with(1, "NoExecute"), at(110)).again.is_some());
    let plan = controller.plan(&of_pod("web"), &with(2, ""), at(115));
    assert_eq!(
        plan.events.iter().map(|note| note.message.as_str()).collect::<Vec<_>>(),
        ["Cancelling deletion"]
    );
}

fn condition(plan: &Plan) -> Option<String> {
    let write = plan.writes().next()?;
    let Op::Patch(_, patch) = &write.op else { return None };
    let own = &patch["status"]["conditions"][0];
    let text = |name: &str| own[name].as_str().unwrap_or_default().to_owned();
    Some(format!("{} {}: {}", text("status"), text("reason"), text("message")))
}

#[test]
fn a_rule_says_how_many_pods_have_to_go() {
    let (web, db) = (pod("web", "shop"), pod("db", "back"));
    let claims = || vec![claim(&web, "a", None), claim(&db, "b", None)];
    let pods = || vec![web.clone(), db.clone()];
    for (what, pods, rule, expected) in [
        (
            "two pods",
            pods(),
            rule("NoExecute", None),
            "True PodsPendingEviction: 2 pods need to be evicted in 2 different namespaces.",
        ),
        (
            "one pod",
            pods(),
            rule("NoExecute", Some("a")),
            "True PodsPendingEviction: 1 pod needs to be evicted in 1 namespace.",
        ),
        ("none", vec![], rule("NoExecute", None), "False NotStarted: "),
        (
            "no effect",
            pods(),
            rule("None", Some("a")),
            "False NoEffect: 1 published device selected. 1 allocated device selected. 1 pod would be evicted in 1 namespace if the effect was NoExecute. This information will not be updated again. Recreate the DeviceTaintRule to trigger an update.",
        ),
        (
            "another effect",
            pods(),
            rule("NoSchedule", None),
            "False OtherEffect: Eviction only happens for the NoExecute effect.",
        ),
    ] {
        let world = world(pods, claims(), [slice("s", 1, "")], [rule]);
        let plan = DeviceTaintEviction::default().plan(&Key::Rule("r".into()), &world, at(100));
        assert_eq!(condition(&plan).as_deref(), Some(expected), "{what}");
    }
}

#[test]
fn what_a_rule_says_is_brought_up_to_date_every_ten_seconds() {
    let controller = DeviceTaintEviction::default();
    let web = pod("web", "shop");
    let mut rule = rule("NoExecute", None);
    let seen = world([web.clone()], [claim(&web, "a", None)], [], [rule.clone()]);
    assert_eq!(controller.plan(&of_pod("web"), &seen, at(100)).describe().len(), 2);
    rule.status.conditions = vec![api_types::meta::v1::Condition {
        type_: "EvictionInProgress".into(),
        status: "True".into(),
        observed_generation: 1,
        last_transition_time: Some(at(100).into()),
        ..Default::default()
    }];
    let seen = world([], [claim(&web, "a", None)], [], [rule]);
    let early = controller.plan(&Key::Rule("r".into()), &seen, at(104));
    assert_eq!((early.stages.len(), early.again), (0, Some(Duration::from_secs(6))));
    let late = controller.plan(&Key::Rule("r".into()), &seen, at(110));
    assert_eq!(
        condition(&late).as_deref(),
        Some("False Completed: 1 pod evicted since starting the controller.")
    );
}
