//! Which claims are made, and whose.

use api_types::core::v1::{EphemeralVolumeSource, PersistentVolumeClaimTemplate, VolumeSource};
use client::Revision;

use super::*;

fn pod() -> Pod {
    let mut pod = Pod::default();
    (pod.metadata.namespace, pod.metadata.name) = ("shop".into(), "web".into());
    pod.metadata.uid = "u1".into();
    let mut template = PersistentVolumeClaimTemplate::default();
    template.metadata.labels.insert("a".into(), "b".into());
    template.spec.access_modes = vec!["ReadWriteOnce".into()];
    let ephemeral = EphemeralVolumeSource { volume_claim_template: Some(Box::new(template)) };
    let volume_source = VolumeSource { ephemeral: Some(Box::new(ephemeral)), ..Default::default() };
    pod.spec.volumes = vec![Volume { name: "scratch".into(), volume_source }];
    pod
}

fn planned(pod: &Pod, claims: Vec<PersistentVolumeClaim>) -> Plan {
    let world = World::default().with([pod.clone()], Revision(1)).with(claims, Revision(1));
    EphemeralVolumes.plan(&name("shop", "web"), &world, Time::EPOCH)
}

#[test]
fn a_pods_own_claim_is_made_once() {
    let plan = planned(&pod(), vec![]);
    let made = plan.writes().next().and_then(Write::object::<PersistentVolumeClaim>).expect("a claim");
    assert_eq!((made.metadata.namespace.as_str(), made.metadata.name.as_str()), ("shop", "web-scratch"));
    assert_eq!(made.metadata.labels["a"], "b");
    assert_eq!(made.spec.access_modes, ["ReadWriteOnce"]);
    assert!(pod::is_for(&pod(), made).is_ok());
    assert_eq!(planned(&pod(), vec![made.clone()]).writes().count(), 0);
    let mut going = pod();
    going.metadata.deletion_timestamp = Some(api_record::scalar::Time { seconds: 1 });
    assert_eq!(planned(&going, vec![]).writes().count(), 0);
}

#[test]
fn a_claim_of_that_name_that_is_somebody_elses_stays() {
    let mut other = PersistentVolumeClaim::default();
    (other.metadata.namespace, other.metadata.name) = ("shop".into(), "web-scratch".into());
    let plan = planned(&pod(), vec![other]);
    assert_eq!(plan.writes().count(), 0);
    assert_eq!(
        plan.events[0].message,
        "ephemeral volume scratch: PVC shop/web-scratch was not created for pod shop/web (pod is not owner)"
    );
    assert!(plan.failure.is_some());
}
