//! Which claims are made, reserved, let go of, and deleted.

use api_device::claim::{FINALIZER, POD_CLAIM};
use api_record::scalar;
use api_types::core::v1::{PodResourceClaim, PodResourceClaimStatus};
use api_types::meta::v1::OwnerReference;
use api_types::resource::v1::{AllocationResult, ResourceClaimConsumerReference};
use client::Revision;
use client::reconcile::{Guard, Op, Write};

use super::*;

fn pod(name: &str, uid: &str) -> Pod {
    let mut pod = Pod::default();
    (pod.metadata.namespace, pod.metadata.name) = ("shop".into(), name.into());
    pod.metadata.uid = uid.into();
    pod
}

fn with_template(mut pod: Pod, claim: &str) -> Pod {
    pod.spec.resource_claims.push(PodResourceClaim {
        name: claim.into(),
        resource_claim_template_name: Some("template".into()),
        resource_claim_name: None,
    });
    pod
}

fn with_status(mut pod: Pod, claim: &str, name: Option<&str>) -> Pod {
    let resource_claim_name = name.map(str::to_owned);
    pod.status
        .resource_claim_statuses
        .push(PodResourceClaimStatus { name: claim.into(), resource_claim_name });
    pod
}

fn on_node(mut pod: Pod) -> Pod {
    pod.spec.node_name = "n".into();
    pod
}

fn going(mut pod: Pod) -> Pod {
    pod.metadata.deletion_timestamp = Some(scalar::Time { seconds: 1 });
    pod
}

fn ended(mut pod: Pod) -> Pod {
    pod.status.phase = "Succeeded".into();
    pod
}

fn template() -> ResourceClaimTemplate {
    let mut template = ResourceClaimTemplate::default();
    (template.metadata.namespace, template.metadata.name) = ("shop".into(), "template".into());
    template.spec.metadata.labels.insert("a".into(), "b".into());
    template.spec.metadata.annotations.insert("c".into(), "d".into());
    template
}

fn claim(name: &str) -> ResourceClaim {
    let mut claim = ResourceClaim::default();
    (claim.metadata.namespace, claim.metadata.name) = ("shop".into(), name.into());
    claim.metadata.uid = format!("uid-of-{name}");
    claim
}

fn owned(mut claim: ResourceClaim, pod: &str, uid: &str, of: &str) -> ResourceClaim {
    claim.metadata.owner_references = vec![OwnerReference {
        api_version: "v1".into(),
        kind: "Pod".into(),
        name: pod.into(),
        uid: uid.into(),
        controller: Some(true),
        block_owner_deletion: None,
    }];
    claim.metadata.annotations.insert(POD_CLAIM.into(), of.into());
    claim
}

fn allocated(mut claim: ResourceClaim) -> ResourceClaim {
    claim.metadata.finalizers = vec![FINALIZER.into()];
    claim.status.allocation = Some(Box::new(AllocationResult::default()));
    claim
}

fn deallocated(claim: ResourceClaim) -> ResourceClaim {
    let mut claim = allocated(claim);
    claim.status.allocation = None;
    claim
}

fn reserved(mut claim: ResourceClaim, users: &[(&str, &str)]) -> ResourceClaim {
    claim.status.reserved_for =
        users.iter().map(|(name, uid)| api_device::claim::reference(name, uid)).collect();
    claim
}

fn deleted(mut claim: ResourceClaim) -> ResourceClaim {
    claim.metadata.deletion_timestamp = Some(scalar::Time { seconds: 1 });
    claim
}

fn world(
    pods: impl IntoIterator<Item = Pod>,
    claims: impl IntoIterator<Item = ResourceClaim>,
    templates: impl IntoIterator<Item = ResourceClaimTemplate>,
) -> World {
    World::default().with(pods, Revision(1)).with(claims, Revision(1)).with(templates, Revision(1))
}

/// What a write does, with what is left of a claim.
fn shown(write: &Write) -> String {
    let what = write.describe();
    let Some(claim) = write.object::<ResourceClaim>() else {
        return match &write.op {
            Op::Patch(_, patch) => format!("{what} {patch}"),
            _ => what,
        };
    };
    let users: Vec<&str> = claim.status.reserved_for.iter().map(|user| user.name.as_str()).collect();
    let allocated = if claim.status.allocation.is_some() { " allocated" } else { "" };
    let finalizers = if claim.metadata.finalizers.is_empty() { "" } else { " held" };
    format!("{what}: [{}]{allocated}{finalizers}", users.join(","))
}

fn planned(key: Key, world: &World) -> Vec<String> {
    let plan = ResourceClaims::default().plan(&key, world, Time::EPOCH);
    plan.writes().map(shown).collect()
}

fn of_pod(name: &str) -> Key {
    Key::Pod("shop".into(), name.into())
}

fn of_claim(name: &str) -> Key {
    Key::Claim("shop".into(), name.into())
}

#[test]
fn a_claim_is_made_of_its_template() {
    let world = world([with_template(pod("web", "u1"), "gpu")], [], [template()]);
    let plan = ResourceClaims::default().plan(&of_pod("web"), &world, Time::EPOCH);
    let made = plan.writes().next().and_then(Write::object::<ResourceClaim>).expect("a claim");
    assert_eq!(made.metadata.generate_name, "web-gpu-");
    assert_eq!((made.metadata.labels["a"].as_str(), made.metadata.annotations["c"].as_str()), ("b", "d"));
    assert_eq!(made.metadata.annotations[POD_CLAIM], "gpu");
    assert_eq!(
        made.metadata.owner_references,
        owned(claim(""), "web", "u1", "gpu").metadata.owner_references
    );
}

#[test]
fn what_is_made_is_written_into_the_pods_status_and_reserved() {
    let web = || with_template(pod("web", "u1"), "gpu");
    let known = || with_status(web(), "gpu", Some("web-gpu-x"));
    let own = || owned(claim("web-gpu-x"), "web", "u1", "gpu");
    let patch = r#"patch pods/status shop/web {"status":{"resourceClaimStatuses":[{"name":"gpu","resourceClaimName":"web-gpu-x"}]}}"#;
    let update = "update resourceclaims.resource.k8s.io/status shop/web-gpu-x: [web] allocated held";
    for (what, pod, claims, expected) in [
        ("an orphan", web(), vec![own()], vec![patch]),
        ("another's", web(), vec![owned(claim("o"), "web", "u0", "gpu")], vec!["create"]),
        ("another of its claims", web(), vec![owned(claim("o"), "web", "u1", "nic")], vec!["create"]),
        ("all is done", known(), vec![own()], vec![]),
        ("not needed", with_status(web(), "gpu", None), vec![], vec![]),
        ("deleted by accident", known(), vec![], vec!["create"]),
        ("replaced by another", known(), vec![owned(claim("web-gpu-x"), "web", "u0", "gpu")], vec!["create"]),
        ("on its way out", going(web()), vec![], vec![]),
        ("on a node, not allocated", on_node(known()), vec![own()], vec![]),
        ("on a node", on_node(known()), vec![allocated(own())], vec![update]),
        ("on a node, reserved", on_node(known()), vec![reserved(allocated(own()), &[("web", "u1")])], vec![]),
        ("left to the scheduler", known(), vec![allocated(own())], vec![]),
    ] {
        let done = planned(of_pod("web"), &world([pod], claims, [template()]));
        assert_eq!(done.len(), expected.len(), "{what}: {done:?}");
        for (one, wanted) in done.iter().zip(&expected) {
            assert!(one.starts_with(wanted), "{what}: {one}, not {wanted}");
        }
    }
}

#[test]
fn a_claim_that_does_not_show_is_made_only_if_it_is_not_there() {
    let pod = with_status(with_template(pod("web", "u1"), "gpu"), "gpu", Some("web-gpu-x"));
    let plan = ResourceClaims::default().plan(&of_pod("web"), &world([pod], [], [template()]), Time::EPOCH);
    let guards: Vec<&Guard> = plan.writes().flat_map(|write| &write.guards).collect();
    assert!(
        matches!(guards[..], [Guard::Absent(target, uid)] if target.name == "web-gpu-x" && uid.is_empty())
    );
}

#[test]
fn a_pod_that_has_ended_gets_no_claim_anew() {
    let web = || with_status(with_template(on_node(pod("web", "u1")), "gpu"), "gpu", Some("web-gpu-x"));
    for over in [ended(web()), going(web())] {
        assert_eq!(planned(of_pod("web"), &world([over], [], [template()])), [""; 0]);
    }
}

#[test]
fn a_missing_template_is_told_of() {
    let pod = with_template(pod("web", "u1"), "gpu");
    let plan = ResourceClaims::default().plan(&of_pod("web"), &world([pod], [], []), Time::EPOCH);
    assert_eq!(
        plan.events[0].message,
        "PodResourceClaim gpu: resource claim template \"template\": resourceclaimtemplate.resource.k8s.io \"template\" not found"
    );
    assert!(plan.failure.is_some() && plan.stages.is_empty());
}

#[test]
fn names_that_are_too_long_are_cut_in_proportion() {
    assert_eq!(made::base_of("web", "gpu"), "web-gpu-");
    let base = made::base_of(&"p".repeat(80), &"c".repeat(40));
    assert_eq!(base, format!("{}-{}", "p".repeat(37), "c".repeat(18)));
}

#[test]
fn who_is_done_with_a_claim_is_taken_off_it() {
    let shared = || reserved(allocated(claim("c")), &[("web", "u1"), ("db", "u2")]);
    let own = || reserved(allocated(owned(claim("c"), "web", "u1", "gpu")), &[("web", "u1")]);
    let (status, update) = (
        "update resourceclaims.resource.k8s.io/status shop/c",
        "update resourceclaims.resource.k8s.io shop/c",
    );
    let delete = "delete resourceclaims.resource.k8s.io shop/c".to_owned();
    for (what, pods, claim, expected) in [
        ("both run", vec![pod("web", "u1"), pod("db", "u2")], shared(), vec![]),
        (
            "one ended",
            vec![ended(pod("web", "u1")), pod("db", "u2")],
            shared(),
            vec![format!("{status}: [db] allocated held")],
        ),
        (
            "one was replaced",
            vec![pod("web", "u9"), pod("db", "u2")],
            shared(),
            vec![format!("{status}: [db] allocated held")],
        ),
        (
            "one never came to a node",
            vec![going(pod("web", "u1")), pod("db", "u2")],
            shared(),
            vec![format!("{status}: [db] allocated held")],
        ),
        ("one is on its way out", vec![on_node(going(pod("web", "u1"))), pod("db", "u2")], shared(), vec![]),
        ("both are gone", vec![], shared(), vec![format!("{status}: [] held")]),
        (
            "its own pod ended",
            vec![ended(pod("web", "u1"))],
            own(),
            vec![format!("{status}: [] held"), delete.clone()],
        ),
        ("its own pod is gone", vec![], own(), vec![format!("{status}: [] held")]),
        ("nobody used it yet", vec![], allocated(claim("c")), vec![]),
        (
            "nobody used it, and it is to go",
            vec![],
            deleted(allocated(claim("c"))),
            vec![format!("{status}: [] held")],
        ),
        ("somebody uses it, and it is to go", vec![pod("web", "u1")], deleted(own()), vec![]),
        (
            "it is held for nothing, and is to go",
            vec![],
            deleted(deallocated(claim("c"))),
            vec![format!("{update}: []")],
        ),
    ] {
        assert_eq!(planned(of_claim("c"), &world(pods, [claim], [])), expected, "{what}");
    }
}

#[test]
fn an_unknown_user_stays_and_one_that_does_not_show_is_looked_for() {
    let mut held = reserved(allocated(claim("c")), &[("web", "u1")]);
    held.status.reserved_for.push(ResourceClaimConsumerReference {
        api_group: "example.com".into(),
        resource: "things".into(),
        name: "thing".into(),
        uid: "u7".into(),
    });
    let plan = ResourceClaims::default().plan(&of_claim("c"), &world([], [held], []), Time::EPOCH);
    let write = plan.writes().next().expect("a write");
    assert!(shown(write).ends_with("[thing] allocated held"), "{}", shown(write));
    assert!(matches!(&write.guards[..], [Guard::Absent(target, uid)] if target.name == "web" && uid == "u1"));
}

#[test]
fn the_finalizer_goes_once_the_devices_are_given_back() {
    let controller = ResourceClaims::default();
    let plan = |claim: ResourceClaim| {
        let plan = controller.plan(&of_claim("c"), &world([], [claim], []), Time::EPOCH);
        plan.writes().map(shown).collect::<Vec<_>>()
    };
    let free = deallocated(claim("c"));
    // The scheduler is about to allocate it.
    assert_eq!(plan(free.clone()), [""; 0]);
    assert_eq!(plan(reserved(allocated(claim("c")), &[("web", "u1")])).len(), 1);
    assert_eq!(plan(free.clone()), ["update resourceclaims.resource.k8s.io shop/c: []"]);
    // It was faster, and the claim is somebody's again.
    assert_eq!(plan(allocated(claim("c"))), [""; 0]);
    assert_eq!(plan(free), [""; 0]);
}
