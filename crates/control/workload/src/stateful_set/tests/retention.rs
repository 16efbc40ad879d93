//! Claims: made before their pods, kept or let go by the set's policy.

use super::*;

fn owners_of(cluster: &Cluster, claim: &str) -> Vec<String> {
    let claim = cluster.claims.iter().find(|it| it.metadata.name == claim).expect("the claim");
    claim.metadata.owner_references.iter().map(|owner| format!("{} {}", owner.kind, owner.name)).collect()
}

fn claimed(when_deleted: &str, when_scaled: &str) -> Cluster {
    let mut set = set(2);
    with_claims(&mut set, when_deleted, when_scaled);
    Cluster::new(set)
}

#[test]
fn claims_are_made_before_the_pods_that_have_them_as_volumes() {
    let mut cluster = claimed("Retain", "Retain");
    assert_eq!(cluster.step()[1..], ["create persistentvolumeclaims data-web-0", "create pods web-0"]);
    let claim = &cluster.claims[0];
    assert_eq!((claim.metadata.namespace.as_str(), claim.metadata.labels["app"].as_str()), ("shop", "web"));
    let volume = &cluster.pods[0].spec.volumes[0];
    let source = volume.volume_source.persistent_volume_claim.as_ref().expect("a claim");
    assert_eq!((volume.name.as_str(), source.claim_name.as_str()), ("data", "data-web-0"));
    assert!(claims::is_of(&cluster.set, "data-web-17") && !claims::is_of(&cluster.set, "data-web-x"));
    cluster.run();
    cluster.set.spec.replicas = Some(0);
    cluster.run();
    assert_eq!(cluster.claims.len(), 2);
    assert_eq!(owners_of(&cluster, "data-web-1"), [""; 0]);
}

#[test]
fn a_claim_that_is_gone_is_made_again_while_its_pod_is_pending() {
    let mut cluster = claimed("Retain", "Retain");
    cluster.step();
    cluster.claims.clear();
    assert_eq!(cluster.step(), ["create persistentvolumeclaims data-web-0"]);
}

#[test]
fn a_claim_that_is_going_is_waited_for() {
    let mut cluster = claimed("Retain", "Retain");
    cluster.run();
    cluster.pods.clear();
    cluster.claims[0].metadata.deletion_timestamp = Some(at(1).into());
    let going = cluster.claims[0].metadata.name.clone();
    assert_eq!(going, "data-web-0");
    assert_eq!(cluster.step(), [""; 0]);
    assert_eq!(
        cluster.events,
        ["FailedCreate Create Pod web-0 in StatefulSet web failed error: pvc data-web-0 is being deleted"]
    );
}

#[test]
fn claims_belong_to_the_set_that_they_are_to_go_with() {
    let mut cluster = claimed("Delete", "Retain");
    cluster.run();
    assert_eq!(owners_of(&cluster, "data-web-0"), ["StatefulSet web"]);
    cluster.set.spec.replicas = Some(1);
    cluster.run();
    assert_eq!(owners_of(&cluster, "data-web-1"), ["StatefulSet web"]);
    with_claims(&mut cluster.set, "Retain", "Retain");
    cluster.run();
    assert_eq!(owners_of(&cluster, "data-web-0"), [""; 0]);
}

#[test]
fn claims_belong_to_the_pods_that_they_are_to_go_with_when_these_go() {
    for (when_deleted, before) in [("Retain", &[][..]), ("Delete", &["StatefulSet web"][..])] {
        let mut cluster = claimed(when_deleted, "Delete");
        cluster.run();
        assert_eq!(owners_of(&cluster, "data-web-1"), before);
        cluster.set.spec.replicas = Some(1);
        assert_eq!(cluster.step(), ["update persistentvolumeclaims data-web-1", "delete pods web-1"]);
        assert_eq!(owners_of(&cluster, "data-web-1"), ["Pod web-1"]);
        // Scaled up again before the garbage collector came: the claim goes, and only then there is a new one.
        cluster.settle();
        cluster.set.spec.replicas = Some(2);
        assert_eq!(cluster.run(), [""; 0]);
        cluster.claims.retain(|claim| claim.metadata.name != "data-web-1");
        assert_eq!(cluster.run()[0], "create web-1");
    }
}

#[test]
fn a_claim_that_somebody_else_controls_is_left_alone() {
    let mut cluster = claimed("Delete", "Retain");
    cluster.run();
    let other = OwnerReference {
        api_version: "v1".into(),
        kind: "ConfigMap".into(),
        name: "other".into(),
        uid: "other".into(),
        controller: Some(true),
        ..Default::default()
    };
    cluster.claims[0].metadata.owner_references.push(other);
    let name = cluster.claims[0].metadata.name.clone();
    let said = cluster.step();
    assert!(said.contains(&format!("update persistentvolumeclaims {name}")), "{said:?}");
    assert_eq!(owners_of(&cluster, &name), ["ConfigMap other"]);
    assert_eq!(
        cluster.events,
        [format!(
            "ConflictingController PersistentVolumeClaim {name} has a conflicting OwnerReference that acts as a manging controller, the retention policy is ignored for this claim"
        )]
    );
    assert_eq!(cluster.run(), [""; 0]);
}

#[test]
fn a_claim_of_a_set_that_was_is_left_to_the_garbage_collector() {
    let mut cluster = claimed("Delete", "Retain");
    cluster.run();
    cluster.claims[0].metadata.owner_references[0].uid = "past".into();
    assert_eq!(cluster.run(), [""; 0]);
    assert_eq!(cluster.claims[0].metadata.owner_references[0].uid, "past");
}
