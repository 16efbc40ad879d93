//! What is held, and until when.

use api_record::{Typed, scalar};
use api_types::core::v1::{PersistentVolumeClaimVolumeSource, Volume, VolumeSource};
use api_types::object_meta;
use client::Revision;
use client::reconcile::{Guard, Op};

use super::*;

fn claim(going: bool, finalizers: &[&str]) -> PersistentVolumeClaim {
    let mut claim = PersistentVolumeClaim::default();
    claim.metadata.namespace = "shop".into();
    claim.metadata.name = "data".into();
    claim.metadata.deletion_timestamp = going.then_some(scalar::Time { seconds: 1 });
    claim.metadata.finalizers = finalizers.iter().map(|one| (*one).to_owned()).collect();
    claim
}

fn pod(node: &str, of: &str) -> Pod {
    let mut pod = Pod::default();
    pod.metadata.namespace = "shop".into();
    pod.metadata.name = "web".into();
    pod.spec.node_name = node.into();
    let source = PersistentVolumeClaimVolumeSource { claim_name: of.into(), ..Default::default() };
    let volume_source =
        VolumeSource { persistent_volume_claim: Some(Box::new(source)), ..Default::default() };
    pod.spec.volumes = vec![Volume { name: "v".into(), volume_source }];
    pod
}

fn finalizers<T: Typed>(plan: &Plan) -> Option<Vec<String>> {
    let write = plan.writes().next()?;
    assert!(matches!(write.op, Op::Update(..)));
    object_meta(write.object::<T>()?).map(|meta| meta.finalizers.clone())
}

#[test]
fn a_claim_is_held_while_a_pod_on_a_node_uses_it() {
    let none = Vec::<String>::new();
    for (claim, pods, expected) in [
        (claim(false, &[]), vec![], Some(vec![CLAIM.to_owned()])),
        (claim(false, &[CLAIM]), vec![], None),
        (claim(true, &[CLAIM]), vec![pod("n1", "data")], None),
        (claim(true, &[CLAIM]), vec![pod("", "data")], Some(none.clone())),
        (claim(true, &[CLAIM]), vec![pod("n1", "other")], Some(none.clone())),
        (claim(true, &["other", CLAIM]), vec![], Some(vec!["other".to_owned()])),
        (claim(true, &["other"]), vec![], None),
    ] {
        let count = pods.len();
        let going = claim.metadata.deletion_timestamp.is_some();
        let world = World::default().with([claim], Revision(5)).with(pods, Revision(7));
        let plan = ClaimProtection.plan(&name("shop", "data"), &world, Time::EPOCH);
        assert_eq!(finalizers::<PersistentVolumeClaim>(&plan), expected);
        for write in plan.writes().filter(|_| going) {
            assert!(matches!(&write.guards[..], [Guard::Current(_, Revision(7), seen)] if *seen == count));
        }
    }
}

#[test]
fn a_volume_is_held_while_it_is_bound() {
    for (phase, expected) in [("Bound", None), ("Released", Some(Vec::new()))] {
        let mut volume = PersistentVolume::default();
        volume.metadata.name = "v".into();
        volume.metadata.deletion_timestamp = Some(scalar::Time { seconds: 1 });
        volume.metadata.finalizers = vec![VOLUME.into()];
        volume.status.phase = phase.into();
        let world = World::default().with([volume], Revision(5));
        let plan = VolumeProtection.plan(&name("", "v"), &world, Time::EPOCH);
        assert_eq!(finalizers::<PersistentVolume>(&plan), expected);
    }
}

#[test]
fn a_class_of_attributes_is_held_while_a_claim_has_had_it() {
    for (current, expected) in [("fast", None), ("slow", Some(Vec::new()))] {
        let mut class = VolumeAttributesClass::default();
        class.metadata.name = "fast".into();
        class.metadata.deletion_timestamp = Some(scalar::Time { seconds: 1 });
        class.metadata.finalizers = vec![CLASS.into()];
        let mut claim = claim(false, &[CLAIM]);
        claim.status.current_volume_attributes_class_name = Some(current.into());
        let world = World::default().with([class], Revision(5)).with([claim], Revision(5));
        let plan = AttributesClassProtection.plan(&name("", "fast"), &world, Time::EPOCH);
        assert_eq!(finalizers::<VolumeAttributesClass>(&plan), expected);
    }
}
