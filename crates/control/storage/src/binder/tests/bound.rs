//! Claims that have their volume, or had it.

use super::fixture::*;

fn bound(name: &str) -> api_types::core::v1::PersistentVolumeClaim {
    let claim = asking(claim(name, "1Gi"), |claim| {
        claim.spec.volume_name = "v".into();
        claim.status.phase = "Bound".into();
        claim.status.access_modes = vec!["ReadWriteOnce".into()];
        claim.status.capacity.insert("storage".into(), "1Gi".parse().expect("a quantity"));
    });
    annotated(claim, &["pv.kubernetes.io/bind-completed"])
}

#[test]
fn a_claim_is_lost_with_its_volume() {
    let gone = "Warning ClaimLost: Bound claim has lost its PersistentVolume. Data on the volume is lost!";
    Cluster::of([], [bound("c")]).ends("the volume has gone", &["c Lost v done"], &[gone]);
    let nameless = asking(bound("c"), |claim| claim.spec.volume_name.clear());
    let reference =
        "Warning ClaimLost: Bound claim has lost reference to PersistentVolume. Data on the volume is lost!";
    Cluster::of([], [nameless]).ends("its name has gone", &["c Lost none done"], &[reference]);
    let twice =
        "Warning ClaimMisbound: Two claims are bound to the same volume, this one is bound incorrectly";
    let taken = Cluster::of([of(volume("v", "1Gi"), "d", "uid-d")], [bound("c"), bound("d")]);
    let rest = ["v Bound d/uid-d", "c Lost v done", "d Bound v 1Gi done"];
    taken.ends("it is another's", &rest, &[twice]);
}

#[test]
fn a_volume_that_lost_sight_of_its_claim_finds_it_again() {
    Cluster::of([volume("v", "1Gi")], [bound("c")]).ends(
        "it names nobody",
        &["v Bound c/uid-c ours", "c Bound v 1Gi done"],
        &[],
    );
}

#[test]
fn the_capacity_is_taken_over_once() {
    let larger = with(of(volume("v", "2Gi"), "c", "uid-c"), |volume| volume.status.phase = "Bound".into());
    Cluster::of([larger.clone()], [bound("c")]).ends(
        "the file system on it is still smaller",
        &["v Bound c/uid-c", "c Bound v 1Gi done"],
        &[],
    );
    let resizing = with(larger, |volume| {
        let key = "volume.alpha.kubernetes.io/pre-resize-capacity".to_owned();
        volume.metadata.annotations.insert(key, "1Gi".into());
    });
    let fresh = asking(bound("c"), |claim| {
        claim.status = Default::default();
        claim.status.phase = "Pending".into();
    });
    Cluster::of([resizing], [fresh]).ends("", &["v Bound c/uid-c", "c Bound v 1Gi done"], &[]);
}

#[test]
fn the_class_of_attributes_is_told_as_the_claim_becomes_bound() {
    let gold = with(volume("v", "1Gi"), |volume| {
        volume.spec.volume_attributes_class_name = Some("gold".into());
    });
    let wanting = asking(claim("c", "1Gi"), |claim| {
        claim.spec.volume_attributes_class_name = Some("gold".into());
    });
    let settled = Cluster::of([gold], [wanting]).settle();
    assert_eq!(settled.claims[0].status.current_volume_attributes_class_name.as_deref(), Some("gold"));
}
