//! Claims that have no volume yet.

use super::fixture::*;

const NONE_LEFT: &str =
    "Normal FailedBinding: no persistent volumes available for this claim and no storage class is set";

#[test]
fn a_claim_gets_the_smallest_volume_that_does() {
    let all = [volume("v10", "10Gi"), volume("v1", "1Gi"), volume("v5", "5Gi")];
    Cluster::of(all, [claim("c", "2Gi")]).ends(
        "the smallest",
        &["v10 Available nobody", "v1 Available nobody", "v5 Bound c/uid-c ours", "c Bound v5 5Gi done ours"],
        &[],
    );
    let many = with(volume("many", "1Gi"), |volume| volume.spec.access_modes.push("ReadWriteMany".into()));
    Cluster::of([many, volume("one", "5Gi")], [claim("c", "1Gi")]).ends(
        "what can be used in fewer ways comes first, whatever its size",
        &["many Available nobody", "one Bound c/uid-c ours", "c Bound one 5Gi done ours"],
        &[],
    );
    Cluster::of([volume("v", "1Gi")], [claim("c", "2Gi")]).ends(
        "none is large enough",
        &["v Available nobody", "c Pending none"],
        &[NONE_LEFT],
    );
    Cluster::of([volume("v", "1Gi")], [claim("a", "1Gi"), claim("b", "1Gi")]).ends(
        "each volume has one claim",
        &["v Bound a/uid-a ours", "a Bound v 1Gi done ours", "b Pending none"],
        &[NONE_LEFT],
    );
}

#[test]
fn what_somebody_bound_beforehand_is_kept() {
    Cluster::of([of(volume("v", "9Gi"), "c", ""), volume("w", "1Gi")], [claim("c", "1Gi")]).ends(
        "the volume names the claim",
        &["v Bound c/uid-c", "w Available nobody", "c Bound v 9Gi done ours"],
        &[],
    );
    let named = |claim| asking(claim, |claim| claim.spec.volume_name = "v".into());
    Cluster::of([volume("v", "9Gi")], [named(claim("c", "1Gi"))]).ends(
        "the claim names the volume",
        &["v Bound c/uid-c ours", "c Bound v 9Gi done"],
        &[],
    );
    Cluster::of([], [named(claim("c", "1Gi"))]).ends("no such volume", &["c Pending v"], &[]);
    Cluster::of([volume("v", "1Gi")], [named(claim("c", "2Gi"))]).ends(
        "it does not do",
        &["v Available nobody", "c Pending v"],
        &["Warning VolumeMismatch: Cannot bind to requested volume \"v\": requested PV is too small"],
    );
    let other =
        Cluster::of([of(volume("v", "1Gi"), "d", "uid-d")], [claim("d", "1Gi"), named(claim("c", "1Gi"))]);
    other.ends(
        "somebody else's",
        &["v Bound d/uid-d", "d Bound v 1Gi done ours", "c Pending v"],
        &["Warning FailedBinding: volume \"v\" already bound to a different claim."],
    );
    let broken = annotated(named(claim("c", "1Gi")), &["pv.kubernetes.io/bound-by-controller"]);
    let settled = Cluster::of([of(volume("v", "1Gi"), "d", "uid-d")], [claim("d", "1Gi"), broken]).settle();
    assert_eq!(
        settled.failure.as_deref(),
        Some(
            "Internal error occurred: invalid binding of claim \"shop/c\" to volume \"v\": volume already claimed by \"shop/d\""
        )
    );
}

#[test]
fn a_claim_that_waits_for_its_consumer_says_for_whom() {
    let late = class("late", "example.com/made", "WaitForFirstConsumer");
    let of_late = |claim| asking(claim, |claim| claim.spec.storage_class_name = Some("late".into()));
    let free = with(volume("v", "1Gi"), |volume| volume.spec.storage_class_name = "late".into());
    let cluster = Cluster::of([free], [of_late(claim("c", "1Gi"))]).classes([late.clone()]);
    let rest = ["v Available nobody", "c Pending none"];
    cluster.clone().ends(
        "nobody",
        &rest,
        &["Normal WaitForFirstConsumer: waiting for first consumer to be created before binding"],
    );
    let one = Cluster { pods: vec![pod("web", "c"), pod("other", "d")], ..cluster.clone() };
    one.ends("one", &rest, &["Normal WaitForPodScheduled: waiting for pod web to be scheduled"]);
    let two = Cluster { pods: vec![pod("a", "c"), pod("b", "c")], ..cluster.clone() };
    two.ends("two", &rest, &["Normal WaitForPodScheduled: waiting for pods a,b to be scheduled"]);
    let chosen = annotated(of_late(claim("c", "1Gi")), &["volume.kubernetes.io/selected-node"]);
    let settled = Cluster::of([], [chosen]).classes([late]).ends("a node is selected", &["c Pending none"], &[
        "Normal ExternalProvisioning: Waiting for a volume to be created either by the external provisioner 'example.com/made' or \
         manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and \
         correctly registered.",
    ]);
    for key in ["volume.kubernetes.io/storage-provisioner", "volume.beta.kubernetes.io/storage-provisioner"] {
        assert_eq!(settled.claims[0].metadata.annotations[key], "example.com/made");
    }
}

#[test]
fn a_class_that_makes_nothing_says_so() {
    let of_class = |name: &'static str| {
        asking(claim("c", "1Gi"), |claim| claim.spec.storage_class_name = Some(name.into()))
    };
    for (name, provisioner, said) in [
        ("gone", "", "storageclass.storage.k8s.io \"gone\" not found"),
        (
            "manual",
            "kubernetes.io/no-provisioner",
            "no volume plugin matched name: kubernetes.io/no-provisioner",
        ),
    ] {
        let classes = (!provisioner.is_empty()).then(|| class(name, provisioner, "Immediate"));
        let said = format!("Warning ProvisioningFailed: {said}");
        Cluster::of([], [of_class(name)]).classes(classes).ends(name, &["c Pending none"], &[&said]);
    }
    let old = Cluster::of([], [of_class("old")]).classes([class("old", "kubernetes.io/gce-pd", "Immediate")]);
    let annotations = old.settle().claims[0].metadata.annotations.clone();
    assert_eq!(annotations["volume.kubernetes.io/storage-provisioner"], "pd.csi.storage.gke.io");
}

#[test]
fn a_claim_of_no_class_gets_the_default_once_there_is_one() {
    let nameless = asking(claim("c", "1Gi"), |claim| claim.spec.storage_class_name = None);
    let mut standard = class("standard", "example.com/made", "WaitForFirstConsumer");
    Cluster::of([], [nameless.clone()]).ends("none", &["c Pending none"], &[NONE_LEFT]);
    let key = "storageclass.kubernetes.io/is-default-class";
    standard.metadata.annotations.insert(key.into(), "true".into());
    let settled = Cluster::of([], [nameless.clone()]).classes([standard.clone()]).settle();
    assert_eq!(settled.claims[0].spec.storage_class_name.as_deref(), Some("standard"));
    let free = Cluster::of([volume("v", "1Gi")], [nameless]).classes([standard]);
    free.ends(
        "what has no class either is as good",
        &["v Bound c/uid-c ours", "c Bound v 1Gi done ours"],
        &[],
    );
}
