//! Claims and volumes.

use api_types::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use api_types::storage::v1::StorageClass;
use serde_json::{Value, json};

use super::fixture::{Scene, reasons};

fn claim(class: Option<&str>) -> Value {
    json!({
        "metadata": {"name": "data", "namespace": "shop", "uid": "c"},
        "spec": {"storageClassName": class, "accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}}},
        "status": {"phase": "Pending"},
    })
}

fn class(name: &str, provisioner: &str, mode: &str) -> Value {
    json!({"metadata": {"name": name}, "provisioner": provisioner, "volumeBindingMode": mode})
}

fn volume(size: &str, mode: &str) -> Value {
    json!({
        "metadata": {"name": "v1", "uid": "v"},
        "spec": {"capacity": {"storage": size}, "accessModes": [mode], "storageClassName": "slow"},
        "status": {"phase": "Available"},
    })
}

#[test]
fn a_claim_tells_whom_it_waits_for() {
    for (claim, classes, wanted) in [
        (claim(None), vec![], "NoVolume[VolumeUnsuitable]"),
        (claim(Some("gone")), vec![], "ClassMissing"),
        (claim(Some("later")), vec![class("later", "p", "WaitForFirstConsumer")], "WaitForFirstConsumer"),
        (
            claim(Some("slow")),
            vec![class("slow", "kubernetes.io/no-provisioner", "Immediate")],
            "NoVolume[VolumeUnsuitable]",
        ),
        (claim(Some("fast")), vec![class("fast", "csi.example.com", "Immediate")], "Provisioning"),
    ] {
        let scene = Scene::new()
            .with::<PersistentVolumeClaim>([claim.clone()])
            .with::<PersistentVolume>([volume("1Gi", "ReadOnlyMany")])
            .with::<StorageClass>(classes)
            .with::<Pod>([]);
        let answer = scene.why::<PersistentVolumeClaim>("shop", "data");
        assert_eq!(reasons(&answer.findings), wanted, "{claim}");
    }
}

#[test]
fn why_a_volume_does_not_suit_is_told() {
    let scene = Scene::new()
        .with::<PersistentVolumeClaim>([claim(Some("slow"))])
        .with::<PersistentVolume>([volume("1Gi", "ReadOnlyMany")])
        .with::<StorageClass>([class("slow", "kubernetes.io/no-provisioner", "Immediate")]);
    let answer = scene.why::<PersistentVolumeClaim>("shop", "data");
    assert_eq!(
        answer.findings[0].because[0].message,
        "holds 1Gi, and 5Gi is asked for; has the access ReadOnlyMany"
    );
}

#[test]
fn a_claim_that_is_being_deleted_tells_who_uses_it() {
    let mut claim = claim(Some("slow"));
    claim["status"]["phase"] = "Bound".into();
    claim["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    claim["metadata"]["finalizers"] = json!(["kubernetes.io/pvc-protection"]);
    let user = json!({
        "metadata": {"name": "db", "namespace": "shop"},
        "spec": {"nodeName": "n", "volumes": [{"name": "d", "persistentVolumeClaim": {"claimName": "data"}}], "containers": []},
        "status": {"phase": "Running"},
    });
    let scene = Scene::new().with::<PersistentVolumeClaim>([claim]).with::<Pod>([user]);
    let answer = scene.why::<PersistentVolumeClaim>("shop", "data");
    assert_eq!(answer.findings[0].because[0].message, "kubernetes.io/pvc-protection: pods use the claim: db");
}

#[test]
fn a_released_volume_tells_what_becomes_of_it() {
    let mut volume = volume("1Gi", "ReadWriteOnce");
    volume["status"]["phase"] = "Released".into();
    volume["spec"]["persistentVolumeReclaimPolicy"] = "Retain".into();
    let answer = Scene::new().with::<PersistentVolume>([volume]).why::<PersistentVolume>("", "v1");
    assert_eq!(reasons(&answer.findings), "Released");
    assert!(answer.findings[0].message.contains("Retain"));
}
