//! Volumes, with claims and when those have gone.

use api_types::core::v1::{CSIPersistentVolumeSource, PersistentVolume};

use super::fixture::*;

const PROVISIONED_BY: &str = "pv.kubernetes.io/provisioned-by";

fn used(policy: &str) -> PersistentVolume {
    with(of(volume("v", "1Gi"), "c", "uid-c"), |volume| {
        volume.status.phase = "Bound".into();
        volume.spec.persistent_volume_reclaim_policy = policy.into();
    })
}

fn made_by(volume: PersistentVolume, provisioner: &str) -> PersistentVolume {
    with(volume, |volume| {
        volume.metadata.annotations.insert(PROVISIONED_BY.into(), provisioner.into());
    })
}

#[test]
fn a_new_volume_becomes_available() {
    let new = |volume| with(volume, |volume| volume.status.phase = "Pending".into());
    let settled = Cluster::of([new(volume("v", "1Gi"))], []).ends("free", &["v Available nobody"], &[]);
    let since = settled.volumes[0].status.last_phase_transition_time;
    assert_eq!(since.map(|time| time.seconds), Some(7));
    Cluster::of([new(of(volume("v", "1Gi"), "c", ""))], []).ends(
        "kept for a claim to come",
        &["v Available c/"],
        &[],
    );
}

#[test]
fn a_volume_whose_claim_has_gone_is_dealt_with_as_its_policy_says() {
    let nobody = "error getting deleter volume plugin for volume \"v\": no deletable volume plugin matched";
    let elsewhere = "host_path deleter only supports /tmp/.+ but received provided /data";
    let csi = |policy| {
        with(used(policy), |volume| {
            let source = &mut volume.spec.persistent_volume_source;
            source.host_path = None;
            source.csi = Some(Box::new(CSIPersistentVolumeSource::default()));
        })
    };
    let empty = with(used("Delete"), |volume| volume.spec.persistent_volume_source.host_path = None);
    let cases = [
        ("kept", used("Retain"), "Released", vec![]),
        ("nobody deletes it", empty, "Failed", vec![format!("Warning VolumeFailedDelete: {nobody}")]),
        (
            "nobody deletes what lies there",
            used("Delete"),
            "Failed",
            vec![format!("Warning VolumeFailedDelete: {elsewhere}")],
        ),
        (
            "nor for whoever made it",
            made_by(used("Delete"), "kubernetes.io/host-path"),
            "Failed",
            vec![format!("Warning VolumeFailedDelete: {elsewhere}")],
        ),
        ("its driver does", csi("Delete"), "Released", vec![]),
        ("its provisioner does", made_by(used("Delete"), "example.com/made"), "Released", vec![]),
        ("a plugin's driver does", made_by(used("Delete"), "kubernetes.io/gce-pd"), "Released", vec![]),
        (
            "a plugin that is no more",
            made_by(used("Delete"), "kubernetes.io/quobyte"),
            "Failed",
            vec!["Warning VolumeFailedDelete: no volume plugin matched name: kubernetes.io/quobyte".into()],
        ),
        (
            "nobody wipes it",
            csi("Recycle"),
            "Failed",
            vec!["Warning VolumeFailedRecycle: No recycler plugin found for the volume!".into()],
        ),
        (
            "no such policy",
            used("Burn"),
            "Failed",
            vec![
                "Warning VolumeUnknownReclaimPolicy: Volume has unrecognized PersistentVolumeReclaimPolicy"
                    .into(),
            ],
        ),
    ];
    for (what, volume, phase, events) in cases {
        let events: Vec<&str> = events.iter().map(String::as_str).collect();
        Cluster::of([volume], []).ends(what, &[&format!("v {phase} c/uid-c")], &events);
    }
    let again = asking(claim("c", "1Gi"), |claim| claim.metadata.uid = "uid-2".into());
    let settled = Cluster::of([used("Retain")], [again]).settle();
    assert_eq!(settled.volumes[0].status.phase, "Released", "a new claim of the old name gets nothing");
    assert_eq!(settled.claims[0].status.phase, "Pending");
}

fn wiped(cluster: Cluster, phase: &str) -> Cluster {
    let mut cluster = cluster.settle();
    let mut pods = cluster.pods.iter_mut();
    pods.find(|pod| pod.metadata.name == "recycler-for-v").expect("a pod wipes it").status.phase =
        phase.into();
    cluster.settle()
}

#[test]
fn a_volume_is_available_again_when_a_pod_has_wiped_it() {
    let cluster = Cluster::of([used("Recycle")], []).settle();
    let pod = &cluster.pods[0];
    assert_eq!((pod.metadata.namespace.as_str(), pod.metadata.name.as_str()), ("default", "recycler-for-v"));
    assert_eq!(pod.spec.active_deadline_seconds, Some(60));
    let source = pod.spec.volumes[0].volume_source.host_path.as_deref();
    assert_eq!(source.map(|own| own.path.as_str()), Some("/data"));
    let ours = with(used("Recycle"), |volume| {
        volume.metadata.annotations.insert("pv.kubernetes.io/bound-by-controller".into(), "yes".into());
    });
    let done = wiped(Cluster::of([ours], []), "Succeeded");
    assert_eq!(done.text(), "v Available nobody\n");
    assert_eq!(
        (done.events, done.pods.len()),
        (vec!["Normal VolumeRecycled: Volume recycled".to_owned()], 0)
    );
}

#[test]
fn a_pod_that_could_not_wipe_a_volume_is_told_of_and_another_tries() {
    let failed = wiped(Cluster::of([used("Recycle")], []), "Failed");
    let said = "Warning VolumeFailedRecycle: Recycle failed: failed to recycle volume: pod failed, pod.Status.Message unknown";
    assert_eq!((failed.text().as_str(), &failed.events[..]), ("v Failed c/uid-c\n", &[said.to_owned()][..]));
    assert_eq!(failed.pods.len(), 0, "it waits before it tries again");
    let later = Cluster { later: 15, ..failed };
    assert_eq!(wiped(later, "Succeeded").text(), "v Available c/\n");
}

#[test]
fn a_pod_that_somebody_else_has_made_proves_nothing() {
    let mut forged = pod("recycler-for-v", "other");
    forged.metadata.namespace = "default".into();
    forged.status.phase = "Succeeded".into();
    let cluster = Cluster { pods: vec![forged], ..Cluster::of([used("Recycle")], []) }.settle();
    let said = "Warning VolumeFailedRecycle: Recycle failed: old recycler pod found, will retry later";
    assert_eq!(
        (cluster.text().as_str(), &cluster.events[..]),
        ("v Failed c/uid-c\n", &[said.to_owned()][..])
    );
    assert_eq!(cluster.pods.len(), 0, "it is taken away");
    let later = Cluster { later: 15, ..cluster }.settle();
    assert_eq!(later.pods[0].status.phase, "", "ours");
}

#[test]
fn a_volume_that_pods_use_is_not_wiped() {
    let cluster = Cluster { pods: vec![pod("web", "c")], ..Cluster::of([used("Recycle")], []) };
    let said = "Normal VolumeFailedRecycle: Volume is used by pods: shop/web";
    cluster.ends("", &["v Released c/uid-c"], &[said]);
}

#[test]
fn a_volume_whose_claim_is_bound_elsewhere_is_let_go() {
    let elsewhere = || {
        let claim = asking(claim("c", "1Gi"), |claim| {
            claim.spec.volume_name = "w".into();
            claim.status.phase = "Bound".into();
            claim.status.access_modes = vec!["ReadWriteOnce".into()];
        });
        annotated(claim, &["pv.kubernetes.io/bind-completed"])
    };
    let other = || with(of(volume("w", "1Gi"), "c", "uid-c"), |volume| volume.status.phase = "Bound".into());
    let ours = with(used("Retain"), |volume| {
        volume.metadata.annotations.insert("pv.kubernetes.io/bound-by-controller".into(), "yes".into());
    });
    for (what, volume, expected) in [
        ("what the controller wrote is taken back", ours, "v Available nobody"),
        ("what somebody wrote stays", used("Retain"), "v Available c/"),
        ("what was made for it goes", made_by(used("Delete"), "example.com/made"), "v Released c/uid-c"),
    ] {
        let settled = Cluster::of([volume, other()], [elsewhere()]).settle();
        assert_eq!(settled.text().lines().next(), Some(expected), "{what}");
    }
}

#[test]
fn a_binding_of_different_modes_is_told_on_both_sides() {
    let device = with(used("Retain"), |volume| volume.spec.volume_mode = Some("Block".into()));
    let settled = Cluster::of([device], [claim("c", "1Gi")]).settle();
    assert_eq!(
        settled.events[1..],
        [
            "Warning VolumeMismatch: Cannot bind PersistentVolume to requested PersistentVolumeClaim \"c\" due to incompatible volumeMode.",
            "Warning VolumeMismatch: Cannot bind PersistentVolume \"v\" to requested PersistentVolumeClaim due to incompatible volumeMode.",
        ]
    );
}

#[test]
fn finalizers_follow_who_made_a_volume() {
    let finalized = |volume: PersistentVolume, finalizers: &[&str]| {
        with(volume, |volume| {
            volume.metadata.finalizers = finalizers.iter().map(|one| (*one).to_owned()).collect();
        })
    };
    let (own, outside) =
        ("kubernetes.io/pv-controller", "external-provisioner.volume.kubernetes.io/finalizer");
    for (provisioner, policy, before, after) in [
        ("kubernetes.io/host-path", "Delete", vec![outside], vec![own]),
        ("kubernetes.io/host-path", "Retain", vec![own, "x"], vec!["x"]),
        ("kubernetes.io/gce-pd", "Delete", vec![own, outside], vec![outside]),
        ("example.com/made", "Delete", vec![outside], vec![outside]),
    ] {
        let volume = made_by(
            with(volume("v", "1Gi"), |volume| {
                volume.spec.persistent_volume_reclaim_policy = policy.into();
            }),
            provisioner,
        );
        let settled = Cluster::of([finalized(volume, &before)], []).settle();
        assert_eq!(settled.volumes[0].metadata.finalizers, after, "{provisioner} {policy}");
        let migrated = settled.volumes[0].metadata.annotations.contains_key("pv.kubernetes.io/migrated-to");
        assert_eq!(migrated, provisioner == "kubernetes.io/gce-pd");
    }
}
