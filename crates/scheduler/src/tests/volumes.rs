//! Pods with claims: what is said of those that cannot run, where the others go, and what is decided about their volumes.

use std::sync::Arc;

use api_types::core::v1::{
    EphemeralVolumeSource, NodeSelector, NodeSelectorRequirement, NodeSelectorTerm, ObjectReference,
    PersistentVolume, PersistentVolumeClaim, PersistentVolumeClaimVolumeSource, Pod, Volume,
    VolumeNodeAffinity,
};
use api_types::storage::v1::{
    CSIDriver, CSIDriverSpec, CSINode, CSINodeDriver, CSIStorageCapacity, StorageClass, VolumeNodeResources,
};
use api_volume::annotation::{BIND_COMPLETED, SELECTED_NODE};

use super::fixture::*;
use crate::{Action, Decided, Event, FailureReason, Plugin};

fn using(mut pod: Pod, claim: &str) -> Pod {
    let mut volume = Volume { name: format!("v-{claim}"), ..Volume::default() };
    let source = PersistentVolumeClaimVolumeSource { claim_name: claim.into(), ..Default::default() };
    volume.volume_source.persistent_volume_claim = Some(Box::new(source));
    pod.spec.volumes.push(volume);
    pod
}

fn claim(name: &str, class: &str) -> PersistentVolumeClaim {
    let mut claim = PersistentVolumeClaim::default();
    claim.metadata.name = name.into();
    claim.metadata.namespace = "default".into();
    claim.metadata.uid = format!("uid-{name}");
    claim.metadata.resource_version = "1".into();
    claim.spec.access_modes = vec!["ReadWriteOnce".into()];
    claim.spec.storage_class_name = Some(class.into());
    claim.spec.resources.requests.insert("storage".into(), "1Gi".parse().unwrap());
    claim.status.phase = "Pending".into();
    claim
}

fn bound_to(mut claim: PersistentVolumeClaim, volume: &str) -> PersistentVolumeClaim {
    claim.spec.volume_name = volume.into();
    claim.metadata.annotations.insert(BIND_COMPLETED.into(), "yes".into());
    claim.status.phase = "Bound".into();
    claim.metadata.resource_version = "9".into();
    claim
}

fn volume(name: &str, class: &str, host: &str) -> PersistentVolume {
    let mut volume = PersistentVolume::default();
    volume.metadata.name = name.into();
    volume.metadata.resource_version = "1".into();
    volume.spec.storage_class_name = class.into();
    volume.spec.access_modes = vec!["ReadWriteOnce".into()];
    volume.spec.capacity.insert("storage".into(), "1Gi".parse().unwrap());
    volume.status.phase = "Available".into();
    if !host.is_empty() {
        let wanted =
            NodeSelectorRequirement { key: HOST.into(), operator: "In".into(), values: vec![host.into()] };
        let term = NodeSelectorTerm { match_expressions: vec![wanted], ..NodeSelectorTerm::default() };
        let required = Some(Box::new(NodeSelector { node_selector_terms: vec![term].into() }));
        volume.spec.node_affinity = Some(Box::new(VolumeNodeAffinity { required }));
    }
    volume
}

fn class(name: &str, provisioner: &str, mode: &str) -> StorageClass {
    let mut class = StorageClass::default();
    class.metadata.name = name.into();
    class.provisioner = provisioner.into();
    class.volume_binding_mode = Some(mode.into());
    class
}

const LATE: &str = "WaitForFirstConsumer";

/// Two nodes, and classes of which the one makes volumes and the other finds them.
fn rig() -> Rig {
    let mut rig = Rig::new(&[node("n1", "a", "4", "10"), node("n2", "b", "4", "10")]);
    for class in
        [class("made", "example.com/made", LATE), class("found", "kubernetes.io/no-provisioner", LATE)]
    {
        rig.step(Event::Class(&class));
    }
    rig
}

fn decided(actions: &[Action]) -> (String, Arc<Decided>) {
    let found = actions.iter().find_map(|action| match action {
        Action::BindVolumes { node, decided, .. } => Some((node.to_string(), Arc::clone(decided))),
        _ => None,
    });
    found.unwrap_or_else(|| panic!("{actions:?}"))
}

fn refusal(rig: &mut Rig, pod: &Pod) -> String {
    let failure = rig.refused(pod);
    let message = failure.message.split(" preemption:").next().unwrap_or_default();
    message.strip_prefix("0/2 nodes are available: ").unwrap_or(message).to_owned()
}

#[test]
fn claims_that_no_node_helps_are_told_of_in_so_many_words() {
    let mut lost = bound_to(claim("lost", ""), "gone");
    lost.status.phase = "Lost".into();
    let mut going = claim("going", "made");
    going.metadata.deletion_timestamp = Some(api_record::scalar::Time { seconds: 1 });
    let mut rig = rig();
    for claim in [lost, going, claim("now", "unknown"), bound_to(claim("dangling", ""), "gone")] {
        rig.step(Event::Claim(&claim));
    }
    for (name, message, plugin) in [
        ("none", "persistentvolumeclaim \"none\" not found.", Plugin::VolumeRestrictions),
        (
            "lost",
            "persistentvolumeclaim \"lost\" bound to non-existent persistentvolume \"gone\".",
            Plugin::VolumeBinding,
        ),
        ("going", "persistentvolumeclaim \"going\" is being deleted.", Plugin::VolumeBinding),
        ("now", "pod has unbound immediate PersistentVolumeClaims.", Plugin::VolumeBinding),
        ("dangling", "persistentvolume \"gone\" not found.", Plugin::VolumeZone),
    ] {
        let wanting = using(pod(&format!("p-{name}"), "1"), name);
        let failure = rig.refused(&wanting);
        assert_eq!(
            failure.message,
            format!(
                "0/2 nodes are available: {message} preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling."
            )
        );
        assert_eq!(failure.plugins, [plugin]);
    }
    let mut own = pod("own", "1");
    let mut scratch = Volume { name: "scratch".into(), ..Volume::default() };
    scratch.volume_source.ephemeral = Some(Box::new(EphemeralVolumeSource::default()));
    own.spec.volumes.push(scratch);
    assert_eq!(
        refusal(&mut rig, &own),
        "waiting for ephemeral volume controller to create the persistentvolumeclaim \"own-scratch\"."
    );
    rig.step(Event::Claim(&claim("own-scratch", "made")));
    rig.now = rig.now + std::time::Duration::from_secs(2);
    let actions = rig.run();
    let said = format!("{actions:?}");
    assert!(
        said.contains("PVC default/own-scratch was not created for pod default/own (pod is not owner)"),
        "{said}"
    );
}

#[test]
fn a_pod_goes_where_its_volume_is() {
    let mut rig = rig();
    rig.step(Event::Volume(&volume("v", "found", "n2")));
    rig.step(Event::Claim(&bound_to(claim("c", "found"), "v")));
    assert_eq!(rig.bind(&using(pod("p", "1"), "c")).as_deref(), Some("n2"));
    let full = using(pod("q", "4"), "c");
    assert_eq!(
        refusal(&mut rig, &full),
        "1 Insufficient cpu, 1 node(s) didn't match PersistentVolume's node affinity."
    );
}

#[test]
fn a_volume_is_found_for_a_claim_that_waited() {
    let mut rig = rig();
    let waiting = claim("c", "found");
    rig.step(Event::Claim(&waiting));
    let wanting = using(pod("p", "1"), "c");
    assert_eq!(refusal(&mut rig, &wanting), "2 node(s) didn't find available persistent volumes to bind.");
    // A volume is what it waits for.
    let free = volume("v", "found", "n2");
    rig.step(Event::Volume(&free));
    rig.now = rig.now + std::time::Duration::from_secs(2);
    let (node, asked) = decided(&rig.run());
    assert_eq!((node.as_str(), asked.volumes.len(), asked.provisions.len()), ("n2", 1, 0));
    assert!(api_volume::is_bound_to(&asked.volumes[0], &waiting));
    // Until it shows, nobody else gets it.
    rig.step(Event::Claim(&claim("d", "found")));
    let other = using(pod("q", "1"), "d");
    assert_eq!(refusal(&mut rig, &other), "2 node(s) didn't find available persistent volumes to bind.");
    assert!(rig.step(Event::VolumesWritten { uid: "uid-p", result: Ok(()) }).actions.is_empty());
    let mut shown = asked.volumes[0].clone();
    shown.metadata.resource_version = "2".into();
    assert!(rig.step(Event::Volume(&shown)).actions.is_empty(), "the claim is not bound yet");
    let actions = rig.step(Event::Claim(&bound_to(waiting, "v"))).actions;
    assert_eq!(bound(&actions).as_deref(), Some("n2"));
}

#[test]
fn a_volume_is_made_for_the_node_that_was_chosen() {
    let mut rig = Rig::new(&[node("n1", "a", "4", "10")]);
    rig.step(Event::Class(&class("made", "example.com/made", LATE)));
    let waiting = claim("c", "made");
    rig.step(Event::Claim(&waiting));
    let (node, asked) = decided(&rig.try_pod(&using(pod("p", "1"), "c")));
    assert_eq!(node, "n1");
    assert_eq!(asked.provisions[0].metadata.annotations[SELECTED_NODE], "n1");
    rig.step(Event::VolumesWritten { uid: "uid-p", result: Ok(()) });
    let mut selected = asked.provisions[0].clone();
    selected.metadata.resource_version = "2".into();
    assert!(rig.step(Event::Claim(&selected)).actions.is_empty());
    rig.step(Event::Volume(&volume("v", "made", "n1")));
    assert_eq!(bound(&rig.step(Event::Claim(&bound_to(selected, "v"))).actions).as_deref(), Some("n1"));
}

#[test]
fn what_does_not_come_to_be_is_tried_again() {
    let failing = |events: &dyn Fn(&mut Rig, &Decided) -> Vec<Action>| {
        let mut rig = rig();
        rig.step(Event::Claim(&claim("c", "made")));
        let (_, asked) = decided(&rig.try_pod(&using(pod("p", "1"), "c")));
        let actions = events(&mut rig, &asked);
        let failure = actions.iter().find_map(|action| match action {
            Action::Failed(failure) => Some(failure.clone()),
            _ => None,
        });
        let failure = failure.unwrap_or_else(|| panic!("{actions:?}"));
        assert_eq!(failure.reason, FailureReason::SchedulerError);
        rig.now = rig.now + std::time::Duration::from_secs(20);
        let again = rig.run();
        assert!(again.iter().any(|action| !matches!(action, Action::Unnominate { .. })), "{again:?}");
        failure.message
    };
    let written = |rig: &mut Rig| rig.step(Event::VolumesWritten { uid: "uid-p", result: Ok(()) }).actions;
    assert_eq!(
        failing(&|rig, _| rig.step(Event::VolumesWritten { uid: "uid-p", result: Err("conflict") }).actions),
        "running PreBind plugin \"VolumeBinding\": conflict"
    );
    assert_eq!(
        failing(&|rig, asked| {
            written(rig);
            let mut reset = asked.provisions[0].clone();
            reset.metadata.annotations.insert(SELECTED_NODE.into(), String::new());
            reset.metadata.resource_version = "3".into();
            rig.step(Event::Claim(&reset)).actions
        }),
        "running PreBind plugin \"VolumeBinding\": binding volumes: provisioning failed for PVC \"c\""
    );
    assert_eq!(
        failing(&|rig, _| {
            written(rig);
            rig.now = rig.now + crate::limits::BIND_VOLUMES;
            rig.run()
        }),
        "running PreBind plugin \"VolumeBinding\": binding volumes: context deadline exceeded"
    );
}

#[test]
fn a_claim_for_one_pod_alone_is_free_once_that_has_gone() {
    let mut rig = rig();
    let mut alone = bound_to(claim("c", "found"), "v");
    alone.spec.access_modes = vec!["ReadWriteOncePod".into()];
    rig.step(Event::Volume(&volume("v", "found", "")));
    rig.step(Event::Claim(&alone));
    assert!(rig.bind(&using(pod("p", "1"), "c")).is_some());
    let second = using(pod("q", "1"), "c");
    assert_eq!(
        refusal(&mut rig, &second),
        "2 node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod."
    );
    rig.step(Event::PodGone("uid-p"));
    rig.now = rig.now + std::time::Duration::from_secs(2);
    assert!(bound(&rig.run()).is_some());
}

#[test]
fn a_node_has_no_more_volumes_than_its_driver_can_attach() {
    let mut rig = Rig::new(&[node("n1", "a", "8", "10")]);
    rig.step(Event::Class(&class("made", "d.example.com", LATE)));
    let allocatable = Some(Box::new(VolumeNodeResources { count: Some(1) }));
    let driver = CSINodeDriver { name: "d.example.com".into(), allocatable, ..CSINodeDriver::default() };
    let mut limited = CSINode::default();
    limited.metadata.name = "n1".into();
    limited.spec.drivers = vec![driver].into();
    rig.step(Event::CsiNode(&limited));
    for name in ["c", "d"] {
        rig.step(Event::Claim(&claim(name, "made")));
    }
    decided(&rig.try_pod(&using(pod("p", "1"), "c")));
    let failure = rig.refused(&using(pod("q", "1"), "d"));
    assert!(
        failure.message.starts_with("0/1 nodes are available: 1 node(s) exceed max volume count."),
        "{}",
        failure.message
    );
    assert_eq!(failure.plugins, [Plugin::NodeVolumeLimits]);
}

fn driver(change: impl FnOnce(&mut CSIDriverSpec)) -> CSIDriver {
    let mut driver = CSIDriver::default();
    driver.metadata.name = "d.example.com".into();
    change(&mut driver.spec);
    driver
}

/// So much room for volumes of the class `made` in a zone.
fn room(zone: &str, size: &str) -> CSIStorageCapacity {
    let mut room = CSIStorageCapacity { storage_class_name: "made".into(), ..CSIStorageCapacity::default() };
    (room.metadata.namespace, room.metadata.name) = ("kube-system".into(), zone.into());
    room.node_topology = selector(&[(ZONE, zone)]);
    room.capacity = Some(size.parse().unwrap());
    room
}

#[test]
fn a_volume_is_made_where_its_driver_has_room() {
    let mut rig = Rig::new(&[node("n1", "a", "4", "10"), node("n2", "b", "4", "10")]);
    rig.step(Event::Class(&class("made", "d.example.com", LATE)));
    rig.step(Event::Claim(&claim("c", "made")));
    rig.step(Event::Driver(&driver(|spec| spec.storage_capacity = Some(true))));
    rig.step(Event::Room(&room("a", "1Mi")));
    let failure = rig.refused(&using(pod("p", "1"), "c"));
    assert!(
        failure.message.starts_with("0/2 nodes are available: 2 node(s) did not have enough free storage."),
        "{}",
        failure.message
    );
    // Room is what it waits for.
    rig.step(Event::Room(&room("b", "2Gi")));
    rig.now = rig.now + std::time::Duration::from_secs(2);
    assert_eq!(decided(&rig.run()).0, "n2");
    // Who has room in single pieces says how large one can be.
    rig.step(Event::Claim(&claim("d", "made")));
    let mut split = room("b", "2Gi");
    split.maximum_volume_size = Some("1Mi".parse().unwrap());
    rig.step(Event::Room(&split));
    assert_eq!(refusal(&mut rig, &using(pod("q", "1"), "d")), "2 node(s) did not have enough free storage.");
    rig.step(Event::Driver(&driver(|_| {})));
    rig.step(Event::Claim(&claim("e", "made")));
    decided(&rig.try_pod(&using(pod("r", "1"), "e")));
}

#[test]
fn a_volume_is_made_where_there_is_most_room() {
    let mut rig = Rig::new(&[node("n1", "a", "4", "10"), node("n2", "b", "4", "10")]);
    rig.step(Event::Class(&class("made", "d.example.com", LATE)));
    rig.step(Event::Driver(&driver(|spec| spec.storage_capacity = Some(true))));
    rig.step(Event::Room(&room("a", "2Gi")));
    rig.step(Event::Room(&room("b", "50Gi")));
    for number in 0..5 {
        let name = format!("c{number}");
        rig.step(Event::Claim(&claim(&name, "made")));
        assert_eq!(decided(&rig.try_pod(&using(pod(&format!("p{number}"), "0"), &name))).0, "n2");
    }
}

#[test]
fn a_pod_goes_where_the_driver_of_its_volume_runs_if_that_asks_for_it() {
    let mut rig = Rig::new(&[node("n1", "a", "8", "10")]);
    rig.step(Event::Class(&class("made", "d.example.com", LATE)));
    rig.step(Event::Claim(&claim("c", "made")));
    rig.step(Event::Driver(&driver(|spec| spec.prevent_pod_scheduling_if_missing = Some(true))));
    let failure = rig.refused(&using(pod("p", "1"), "c"));
    assert!(
        failure
            .message
            .starts_with("0/1 nodes are available: 1 d.example.com CSI driver is not installed on the node."),
        "{}",
        failure.message
    );
    assert_eq!(failure.plugins, [Plugin::NodeVolumeLimits]);
    let mut installed = CSINode::default();
    installed.metadata.name = "n1".into();
    let own = CSINodeDriver { name: "d.example.com".into(), ..CSINodeDriver::default() };
    installed.spec.drivers = vec![own].into();
    rig.step(Event::CsiNode(&installed));
    rig.now = rig.now + std::time::Duration::from_secs(2);
    assert_eq!(decided(&rig.run()).0, "n1");
}

#[test]
fn a_volume_that_says_where_it_is_keeps_its_pod_there() {
    let mut rig = rig();
    let mut zoned = volume("v", "found", "");
    zoned.metadata.labels = labels(&[(ZONE, "b__c")]);
    zoned.spec.claim_ref = Some(Box::new(ObjectReference::default()));
    rig.step(Event::Volume(&zoned));
    rig.step(Event::Claim(&bound_to(claim("c", "found"), "v")));
    assert_eq!(rig.bind(&using(pod("p", "1"), "c")).as_deref(), Some("n2"));
    assert_eq!(
        refusal(&mut rig, &using(pod("q", "4"), "c")),
        "1 Insufficient cpu, 1 node(s) had no available volume zone."
    );
}
