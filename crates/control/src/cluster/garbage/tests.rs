//! Small graphs and the plans that they lead to.

use api_record::scalar;
use api_types::apps::v1::{Deployment, ReplicaSet};
use api_types::core::v1::Pod;
use client::Revision;
use client::reconcile::{Guard, Op, resource_of};

use super::*;
use control_base::resources::built_in;

/// Metadata from `name uid finalizer…`, a `-` before the name meaning that it is going.
fn meta(text: &str, owners: &[&str]) -> ObjectMeta {
    let mut words = text.split(' ');
    let name = words.next().expect("a name");
    let going = name.strip_prefix('-');
    ObjectMeta {
        name: going.unwrap_or(name).into(),
        namespace: "shop".into(),
        uid: words.next().expect("a uid").into(),
        resource_version: "7".into(),
        finalizers: words.map(str::to_owned).collect(),
        deletion_timestamp: going.map(|_| scalar::Time::default()),
        owner_references: owners.iter().map(|owner| reference(owner)).collect(),
        ..ObjectMeta::default()
    }
}

/// A reference from `Kind/name/uid`.
fn reference(text: &str) -> OwnerReference {
    let parts: Vec<&str> = text.split('/').collect();
    OwnerReference {
        api_version: "apps/v1".into(),
        kind: parts[0].into(),
        name: parts[1].into(),
        uid: parts[2].into(),
        controller: None,
        block_owner_deletion: Some(true),
    }
}

fn deployment(text: &str) -> Deployment {
    Deployment { metadata: meta(text, &[]), ..Deployment::default() }
}

fn set(text: &str, owners: &[&str]) -> ReplicaSet {
    ReplicaSet { metadata: meta(text, owners), ..ReplicaSet::default() }
}

fn pod(text: &str, owners: &[&str]) -> Pod {
    Pod { metadata: meta(text, owners), ..Pod::default() }
}

fn world(deployments: Vec<Deployment>, sets: Vec<ReplicaSet>, pods: Vec<Pod>) -> World {
    World::default().with(deployments, Revision(7)).with(sets, Revision(7)).with(pods, Revision(7))
}

fn plan<T: api_record::Typed>(world: &World, name: &str) -> Plan {
    let key = Id { resource: resource_of::<T>().clone(), namespace: "shop".into(), name: name.into() };
    Garbage::new(&built_in()).plan(&key, world, Time::EPOCH)
}

fn propagation(plan: &Plan) -> Option<Propagation> {
    plan.writes().find_map(|write| match &write.op {
        Op::Delete { propagation, .. } => *propagation,
        _ => None,
    })
}

use client::Propagation;

#[test]
fn an_object_whose_owner_lives_is_kept() {
    let world = world(vec![deployment("d du")], vec![set("s su", &["Deployment/d/du"])], vec![]);
    assert!(plan::<ReplicaSet>(&world, "s").stages.is_empty());
}

#[test]
fn an_object_whose_owner_is_gone_goes_after_a_second_look() {
    let world = world(vec![deployment("d another")], vec![set("s su", &["Deployment/d/du"])], vec![]);
    let plan = plan::<ReplicaSet>(&world, "s");
    assert_eq!(plan.describe(), ["delete replicasets.apps shop/s"]);
    assert_eq!(propagation(&plan), Some(Propagation::Background));
    let write = &plan.stages[0][0];
    assert_eq!(write.uid, "su");
    assert!(matches!(&write.op, Op::Delete { version: Some(version), .. } if version == "7"));
    assert!(matches!(&write.guards[..], [Guard::Absent(target, uid)] if target.name == "d" && uid == "du"));
}

#[test]
fn an_owner_of_an_unknown_kind_keeps_what_it_owns() {
    let world = world(vec![], vec![set("s su", &["Widget/w/wu"])], vec![]);
    assert!(plan::<ReplicaSet>(&world, "s").stages.is_empty());
}

#[test]
fn a_second_owner_keeps_an_object_and_the_absent_one_is_taken_off() {
    let owners = ["Deployment/d/du", "Deployment/e/eu"];
    let world = world(vec![deployment("e eu")], vec![set("s su", &owners)], vec![]);
    let plan = plan::<ReplicaSet>(&world, "s");
    assert_eq!(plan.describe(), ["patch replicasets.apps shop/s"]);
    let Op::Patch(_, patch) = &plan.stages[0][0].op else { panic!("a patch") };
    assert_eq!(patch["metadata"]["ownerReferences"].as_array().map(Vec::len), Some(1));
    assert_eq!(patch["metadata"]["ownerReferences"][0]["uid"], "eu");
}

#[test]
fn foreground_deletion_goes_from_the_leaves_up() {
    let owner = || deployment("-d du foregroundDeletion");
    let full = world(
        vec![owner()],
        vec![set("s su", &["Deployment/d/du"])],
        vec![pod("p pu", &["ReplicaSet/s/su"])],
    );
    assert!(plan::<Deployment>(&full, "d").stages.is_empty(), "it waits for its set");
    assert_eq!(propagation(&plan::<ReplicaSet>(&full, "s")), Some(Propagation::Foreground));
    assert!(plan::<Pod>(&full, "p").stages.is_empty(), "its own owner is not going yet");
    let sets = vec![set("-s su foregroundDeletion", &["Deployment/d/du"])];
    let then = world(vec![owner()], sets, vec![pod("p pu", &["ReplicaSet/s/su"])]);
    assert_eq!(propagation(&plan::<Pod>(&then, "p")), Some(Propagation::Background));
    let empty = world(vec![owner()], vec![], vec![]);
    let last = plan::<Deployment>(&empty, "d");
    let Op::Patch(_, patch) = &last.stages[0][0].op else { panic!("a patch") };
    assert_eq!(patch["metadata"]["finalizers"], serde_json::json!([]));
}

#[test]
fn orphans_are_freed_before_their_owner_goes() {
    let world =
        world(vec![deployment("-d du orphan other")], vec![set("s su", &["Deployment/d/du"])], vec![]);
    assert!(plan::<ReplicaSet>(&world, "s").stages.is_empty());
    let plan = plan::<Deployment>(&world, "d");
    assert_eq!(plan.describe(), ["patch replicasets.apps shop/s", "patch deployments.apps shop/d"]);
    let Op::Patch(_, patch) = &plan.stages[1][0].op else { panic!("a patch") };
    assert_eq!(patch["metadata"]["finalizers"], serde_json::json!(["other"]));
}

#[test]
fn a_change_wakes_whoever_waits_for_it() {
    let garbage = Garbage::new(&built_in());
    let sets = vec![set("s su", &["Deployment/d/du"])];
    let world =
        world(vec![deployment("-d du foregroundDeletion")], sets, vec![pod("p pu", &["ReplicaSet/s/su"])]);
    let names = |meta: &ObjectMeta, resource: &Resource| {
        let keys = concerned(resource, meta, &garbage.kinds, &world);
        keys.into_iter().map(|key| key.name).collect::<Vec<_>>()
    };
    let going = deployment("-d du foregroundDeletion");
    assert_eq!(names(&going.metadata, resource_of::<Deployment>()), ["d", "s"]);
    let gone = set("old ou", &["Deployment/d/du"]);
    assert_eq!(names(&gone.metadata, resource_of::<ReplicaSet>()), ["old", "d"]);
    assert_eq!(names(&pod("p pu", &["ReplicaSet/s/su"]).metadata, resource_of::<Pod>()), ["p"]);
}
