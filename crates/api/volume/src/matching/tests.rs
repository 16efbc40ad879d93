//! Which volume is chosen: upstream's `TestMatchVolume` and its like, as tables.

use api_types::core::v1::{
    NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, ObjectReference,
    TopologySelectorLabelRequirement, VolumeNodeAffinity,
};
use api_types::meta::v1::LabelSelector;

use super::*;

fn labels(of: &[(&str, &str)]) -> Labels {
    of.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn volume(name: &str, size: &str) -> PersistentVolume {
    let mut volume = PersistentVolume::default();
    volume.metadata.name = name.into();
    volume.spec.capacity.insert(STORAGE.into(), size.parse().expect("a quantity"));
    volume.spec.access_modes = vec!["ReadWriteOnce".into()];
    volume.status.phase = "Available".into();
    volume
}

fn on(mut volume: PersistentVolume, node: &str) -> PersistentVolume {
    let requirement =
        NodeSelectorRequirement { key: "node".into(), operator: "In".into(), values: vec![node.into()] };
    let term = NodeSelectorTerm { match_expressions: vec![requirement], ..NodeSelectorTerm::default() };
    let required = NodeSelector { node_selector_terms: vec![term].into() };
    volume.spec.node_affinity = Some(Box::new(VolumeNodeAffinity { required: Some(Box::new(required)) }));
    volume
}

fn of(mut volume: PersistentVolume, name: &str, uid: &str) -> PersistentVolume {
    volume.spec.claim_ref = Some(Box::new(ObjectReference {
        namespace: "shop".into(),
        name: name.into(),
        uid: uid.into(),
        ..ObjectReference::default()
    }));
    volume
}

fn claim(size: &str) -> PersistentVolumeClaim {
    let mut claim = PersistentVolumeClaim::default();
    (claim.metadata.namespace, claim.metadata.name) = ("shop".into(), "data".into());
    claim.metadata.uid = "u1".into();
    claim.spec.resources.requests.insert(STORAGE.into(), size.parse().expect("a quantity"));
    claim.spec.access_modes = vec!["ReadWriteOnce".into()];
    claim
}

fn found(claim: &PersistentVolumeClaim, volumes: &[PersistentVolume]) -> Option<String> {
    find(claim, volumes.iter(), None, &BTreeSet::new(), false).map(|volume| volume.metadata.name.clone())
}

#[test]
fn the_smallest_that_does_is_chosen() {
    let all = [volume("small", "1Gi"), volume("huge", "100Gi"), volume("large", "10Gi")];
    assert_eq!(found(&claim("5Gi"), &all).as_deref(), Some("large"));
    assert_eq!(found(&claim("1Gi"), &all).as_deref(), Some("small"));
    assert_eq!(found(&claim("1Ti"), &all), None);
}

#[test]
fn the_one_that_names_the_claim_goes_before() {
    let all =
        [volume("small", "1Gi"), of(volume("own", "100Gi"), "data", ""), of(volume("x", "1Gi"), "other", "")];
    assert_eq!(found(&claim("1Gi"), &all).as_deref(), Some("own"));
    assert_eq!(found(&claim("1Gi"), &all[2..]), None, "somebody else's");
    assert_eq!(found(&claim("1Gi"), &[of(volume("old", "1Gi"), "data", "u0")]), None, "an earlier claim's");
    let own = find(&claim("1Gi"), all.iter(), None, &BTreeSet::new(), true);
    assert_eq!(
        own.map(|volume| volume.metadata.name.as_str()),
        Some("own"),
        "even if it waits for its consumer"
    );
    assert!(find(&claim("1Gi"), all[..1].iter(), None, &BTreeSet::new(), true).is_none());
}

#[test]
fn class_mode_attributes_labels_and_phase_have_to_be_right() {
    type Change = fn(&mut PersistentVolumeClaim, &mut PersistentVolume);
    let cases: [(&str, Change, bool); 10] = [
        ("as it is", |_, _| {}, true),
        ("another class", |_, volume| volume.spec.storage_class_name = "fast".into(), false),
        (
            "one class",
            |claim, volume| {
                claim.spec.storage_class_name = Some("fast".into());
                volume.spec.storage_class_name = "fast".into();
            },
            true,
        ),
        ("a device", |_, volume| volume.spec.volume_mode = Some("Block".into()), false),
        ("a file system in so many words", |claim, _| claim.spec.volume_mode = Some(FILESYSTEM.into()), true),
        (
            "other attributes",
            |_, volume| volume.spec.volume_attributes_class_name = Some("gold".into()),
            false,
        ),
        ("no attributes", |claim, _| claim.spec.volume_attributes_class_name = Some(String::new()), true),
        (
            "not selected",
            |claim, _| {
                let selector =
                    LabelSelector { match_labels: labels(&[("a", "b")]), ..LabelSelector::default() };
                claim.spec.selector = Some(Box::new(selector));
            },
            false,
        ),
        ("used before", |_, volume| volume.status.phase = "Released".into(), false),
        (
            "on its way out",
            |_, volume| {
                volume.metadata.deletion_timestamp = Some(api_record::scalar::Time { seconds: 1 });
            },
            false,
        ),
    ];
    for (what, change, fits) in cases {
        let (mut claim, mut volume) = (claim("1Gi"), volume("v", "1Gi"));
        change(&mut claim, &mut volume);
        assert_eq!(found(&claim, &[volume]).is_some(), fits, "{what}");
    }
}

#[test]
fn on_a_node_only_what_it_reaches_counts() {
    let all = [on(volume("there", "1Gi"), "n1"), on(volume("here", "2Gi"), "n2"), volume("anywhere", "9Gi")];
    let node = labels(&[("node", "n2")]);
    let on_node = |excluded: &[&str]| {
        let excluded = excluded.iter().copied().collect();
        find(&claim("1Gi"), all.iter(), Some(&node), &excluded, true)
            .map(|volume| volume.metadata.name.as_str())
    };
    assert_eq!(on_node(&[]), Some("here"));
    assert_eq!(on_node(&["here"]), Some("anywhere"));
    assert_eq!(on_node(&["here", "anywhere"]), None);
    let own = [on(of(volume("own", "1Gi"), "data", ""), "n1"), volume("free", "1Gi")];
    assert!(
        find(&claim("1Gi"), own.iter(), Some(&node), &BTreeSet::new(), true).is_none(),
        "its own is elsewhere"
    );
    let mut many = claim("1Gi");
    many.spec.access_modes = vec!["ReadWriteMany".into()];
    assert!(find(&many, all.iter(), Some(&node), &BTreeSet::new(), true).is_none());
}

#[test]
fn topologies_are_any_term_of_all_its_labels() {
    let term = |of: &[(&str, &[&str])]| TopologySelectorTerm {
        match_label_expressions: of
            .iter()
            .map(|(key, values)| TopologySelectorLabelRequirement {
                key: (*key).into(),
                values: values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>().into(),
            })
            .collect(),
    };
    let node = labels(&[("zone", "a"), ("rack", "1")]);
    for (terms, expected) in [
        (vec![], true),
        (vec![term(&[])], false),
        (vec![term(&[("zone", &["a", "b"])])], true),
        (vec![term(&[("zone", &["a"]), ("rack", &["2"])])], false),
        (vec![term(&[("rack", &["2"])]), term(&[("rack", &["1"])])], true),
    ] {
        assert_eq!(is_allowed(&terms, &node), expected);
    }
}
