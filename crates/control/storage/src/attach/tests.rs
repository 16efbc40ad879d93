//! Volumes from the first pod that wants them to the last that leaves, and what a node's status says meanwhile.

use std::time::Duration;

use api_types::core::v1::{
    AttachedVolume, CSIPersistentVolumeSource, NodeCondition, ObjectReference,
    PersistentVolumeClaimVolumeSource, Taint, Volume, VolumeSource,
};
use api_types::storage::v1::VolumeError;
use client::Revision;
use client::reconcile::{Guard, Note, Op};
use serde_json::json;

use super::*;
use crate::limits::{ATTACH, UNMOUNT};

const UNIQUE: &str = "kubernetes.io/csi/disk.example.com^h1";

fn own() -> Attachable {
    Attachable { driver: "disk.example.com".into(), handle: "h1".into() }
}

fn node(name: &str) -> Node {
    let mut node = Node::default();
    node.metadata.name = name.into();
    node.metadata.resource_version = "7".into();
    node.metadata
        .annotations
        .insert("volumes.kubernetes.io/controller-managed-attach-detach".into(), "true".into());
    let ready = NodeCondition { type_: "Ready".into(), status: "True".into(), ..NodeCondition::default() };
    node.status.conditions = vec![ready];
    node
}

/// A node that lists the volume as attached, and as in use or not.
fn with_volume(name: &str, is_used: bool) -> Node {
    let mut node = node(name);
    node.status.volumes_attached = vec![AttachedVolume { name: UNIQUE.into(), device_path: String::new() }];
    node.status.volumes_in_use = if is_used { vec![UNIQUE.into()] } else { Vec::new() };
    node
}

fn pod(namespace: &str, name: &str, node: &str) -> Pod {
    let mut pod = Pod::default();
    (pod.metadata.namespace, pod.metadata.name) = (namespace.into(), name.into());
    pod.spec.node_name = node.into();
    let source = PersistentVolumeClaimVolumeSource { claim_name: "data".into(), ..Default::default() };
    let volume_source =
        VolumeSource { persistent_volume_claim: Some(Box::new(source)), ..Default::default() };
    pod.spec.volumes = vec![Volume { name: "v".into(), volume_source }];
    pod
}

fn persistent_volume(mode: &str) -> PersistentVolume {
    let mut volume = PersistentVolume::default();
    volume.metadata.name = "pv".into();
    volume.spec.access_modes = vec![mode.into()];
    let csi = CSIPersistentVolumeSource {
        driver: "disk.example.com".into(),
        volume_handle: "h1".into(),
        ..CSIPersistentVolumeSource::default()
    };
    volume.spec.persistent_volume_source.csi = Some(Box::new(csi));
    let of = ObjectReference {
        namespace: "shop".into(),
        name: "data".into(),
        uid: "u1".into(),
        ..ObjectReference::default()
    };
    volume.spec.claim_ref = Some(Box::new(of));
    volume
}

fn claim() -> PersistentVolumeClaim {
    let mut claim = PersistentVolumeClaim::default();
    (claim.metadata.namespace, claim.metadata.name) = ("shop".into(), "data".into());
    claim.metadata.uid = "u1".into();
    claim.spec.volume_name = "pv".into();
    claim.status.phase = "Bound".into();
    claim
}

fn attachment(node: &str, is_attached: bool) -> VolumeAttachment {
    let mut attachment = VolumeAttachment::default();
    attachment.metadata.name = own().attachment(node);
    attachment.metadata.creation_timestamp = Some(Time::EPOCH.into());
    attachment.spec.attacher = "disk.example.com".into();
    attachment.spec.node_name = node.into();
    attachment.spec.source.persistent_volume_name = Some("pv".into());
    attachment.status.attached = is_attached;
    attachment
}

struct Case {
    mode: &'static str,
    pods: Vec<Pod>,
    nodes: Vec<Node>,
    attachments: Vec<VolumeAttachment>,
    drivers: Vec<CSIDriver>,
}

fn case(pods: Vec<Pod>, nodes: Vec<Node>, attachments: Vec<VolumeAttachment>) -> Case {
    Case { mode: "ReadWriteOnce", pods, nodes, attachments, drivers: Vec::new() }
}

impl Case {
    fn world(&self) -> World {
        World::default()
            .with(self.pods.clone(), Revision(1))
            .with(self.nodes.clone(), Revision(1))
            .with(self.attachments.clone(), Revision(1))
            .with(self.drivers.clone(), Revision(1))
            .with([persistent_volume(self.mode)], Revision(1))
            .with([claim()], Revision(1))
    }

    fn volume(&self, controller: &AttachDetach, now: Time) -> Plan {
        controller.plan(&Key::Volume(own()), &self.world(), now)
    }

    fn node(&self, controller: &AttachDetach, name: &str, now: Time) -> Plan {
        controller.plan(&Key::Node(name.into()), &self.world(), now)
    }
}

fn said(events: &[Note]) -> Vec<(&str, &str, &str)> {
    events.iter().map(|note| (note.about.name.as_str(), note.reason, note.message.as_str())).collect()
}

fn after(duration: Duration) -> Time {
    Time::EPOCH + duration
}

#[test]
fn an_attachment_is_called_as_kubelets_look_for_it() {
    // By the shell: printf h1disk.example.comn1 | sha256sum
    let wanted = "csi-0f30d008e2c35a9079ad5b387acb76fc4f32c1715f29f3d316190f5a1976198c";
    assert_eq!(own().attachment("n1"), wanted);
    assert_eq!(own().unique(), UNIQUE);
    assert_eq!(Attachable::parse(UNIQUE), Some(own()));
    assert_eq!(Attachable::parse("kubernetes.io/iscsi/a:b"), None);
}

#[test]
fn a_volume_is_attached_where_pods_on_managed_nodes_use_it() {
    let unmanaged = || {
        let mut node = node("n1");
        node.metadata.annotations.clear();
        node
    };
    let done = || {
        let mut pod = pod("shop", "web", "n1");
        pod.status.phase = "Succeeded".into();
        pod
    };
    let web = || pod("shop", "web", "n1");
    let (n1, n2) = (own().attachment("n1"), own().attachment("n2"));
    let free = CSIDriver {
        metadata: api_types::meta::v1::ObjectMeta { name: "disk.example.com".into(), ..Default::default() },
        spec: api_types::storage::v1::CSIDriverSpec { attach_required: Some(false), ..Default::default() },
    };
    let both = || vec![pod("shop", "web", "n1"), pod("shop", "api", "n2")];
    let nodes = || vec![node("n1"), node("n2")];
    for (name, case, expected) in [
        ("a pod on a node", case(vec![web()], nodes(), vec![]), vec![n1.clone()]),
        ("a pod without a node", case(vec![pod("shop", "web", "")], nodes(), vec![]), vec![]),
        ("a pod of another namespace", case(vec![pod("other", "web", "n1")], nodes(), vec![]), vec![]),
        ("a pod that has ended", case(vec![done()], nodes(), vec![]), vec![]),
        ("a kubelet that attaches itself", case(vec![web()], vec![unmanaged()], vec![]), vec![]),
        ("a node that has gone", case(vec![web()], vec![], vec![]), vec![]),
        ("attached already", case(vec![web()], nodes(), vec![attachment("n1", true)]), vec![]),
        ("on its way", case(vec![web()], nodes(), vec![attachment("n1", false)]), vec![]),
        ("two nodes, one volume for one", case(both(), nodes(), vec![]), vec![n1.clone()]),
        ("on its way elsewhere", case(both(), nodes(), vec![attachment("n1", false)]), vec![]),
        (
            "two nodes, one volume for many",
            Case { mode: "ReadWriteMany", ..case(both(), nodes(), vec![]) },
            vec![n1.clone(), n2],
        ),
        (
            "a driver that attaches nothing",
            Case { drivers: vec![free], ..case(vec![web()], nodes(), vec![]) },
            vec![],
        ),
    ] {
        let plan = case.volume(&AttachDetach::default(), Time::EPOCH);
        let made: Vec<String> = plan.writes().map(|write| write.target.name.clone()).collect();
        assert_eq!(made, expected, "{name}");
        for write in plan.writes() {
            let made = write.object::<VolumeAttachment>().expect("an attachment is made");
            assert_eq!(made.spec.attacher, "disk.example.com", "{name}");
            assert_eq!(made.spec.source.persistent_volume_name.as_deref(), Some("pv"), "{name}");
        }
    }
}

#[test]
fn pods_hear_once_that_their_volume_is_elsewhere() {
    let here = || vec![attachment("n2", true)];
    let nodes = || vec![node("n1"), with_volume("n2", true)];
    let alone = "Waiting for detach for volume \"pv\" Volume is already exclusively attached to one node, waiting on detach before it can be attached to another node";
    let used = "Waiting for detach for volume \"pv\" Volume is already used by pod(s) api";
    for (name, pods, expected) in [
        ("its pod has gone", vec![pod("shop", "web", "n1")], alone),
        ("its pod is there", vec![pod("shop", "web", "n1"), pod("shop", "api", "n2")], used),
    ] {
        let (controller, case) = (AttachDetach::default(), case(pods, nodes(), here()));
        let plan = case.volume(&controller, Time::EPOCH);
        assert_eq!(said(&plan.events), [("web", "FailedAttachVolume", expected)], "{name}");
        assert_eq!(plan.writes().count(), 0, "{name}");
        let plan = case.volume(&controller, Time::EPOCH);
        assert!(plan.events.is_empty(), "{name}: again");
    }
}

#[test]
fn pods_hear_why_their_volume_is_not_attached() {
    let error = || {
        let mut attachment = attachment("n1", false);
        let error = VolumeError { message: "no such disk".into(), ..VolumeError::default() };
        attachment.status.attach_error = Some(Box::new(error));
        attachment
    };
    let going = || {
        let mut attachment = attachment("n1", true);
        attachment.metadata.deletion_timestamp = Some(Time::EPOCH.into());
        attachment
    };
    let failed = |why: &str| format!("AttachVolume.Attach failed for volume \"pv\" : {why}");
    let late = "timed out waiting for external-attacher of disk.example.com CSI driver to attach volume h1";
    for (name, attachment, now, expected) in [
        ("on its way", attachment("n1", false), Duration::from_secs(1), None),
        ("there", attachment("n1", true), ATTACH, None),
        ("late", attachment("n1", false), ATTACH, Some(failed(late))),
        ("refused", error(), Duration::ZERO, Some(failed("no such disk"))),
        ("detached", going(), Duration::ZERO, Some(failed("volume attachment is being deleted"))),
    ] {
        let case = case(vec![pod("shop", "web", "n1")], vec![node("n1")], vec![attachment]);
        let plan = case.volume(&AttachDetach::default(), after(now));
        let heard: Vec<String> = plan.events.iter().map(|note| note.message.clone()).collect();
        assert_eq!(heard, expected.into_iter().collect::<Vec<_>>(), "{name}");
    }
}

#[test]
fn a_node_lists_what_is_attached_and_pods_hear_of_it() {
    let case = case(vec![pod("shop", "web", "n1")], vec![node("n1")], vec![attachment("n1", true)]);
    let plan = case.node(&AttachDetach::default(), "n1", Time::EPOCH);
    let write = plan.writes().next().expect("the status is written");
    let Op::Patch(_, patch) = &write.op else { panic!("a patch") };
    assert_eq!(patch["status"]["volumesAttached"], json!([{"name": UNIQUE, "devicePath": ""}]));
    assert_eq!(patch["metadata"]["resourceVersion"], "7");
    let heard = ("web", "SuccessfulAttachVolume", "AttachVolume.Attach succeeded for volume \"pv\" ");
    assert_eq!(said(&plan.events), [heard]);
}

#[test]
fn a_list_is_written_only_where_it_is_wrong() {
    let other = || {
        let mut node = with_volume("n1", false);
        let iscsi = AttachedVolume { name: "kubernetes.io/iscsi/a:b".into(), device_path: "/dev/x".into() };
        node.status.volumes_attached.push(iscsi);
        node
    };
    let unmanaged = || {
        let mut node = with_volume("n1", false);
        node.metadata.annotations.clear();
        node
    };
    let iscsi = json!([{"name": "kubernetes.io/iscsi/a:b", "devicePath": "/dev/x"}]);
    let web = || vec![pod("shop", "web", "n1")];
    for (name, pods, node, attached, expected) in [
        ("right", web(), with_volume("n1", false), Some(true), None),
        ("not attached yet", web(), node("n1"), Some(false), None),
        ("not attached any more", web(), with_volume("n1", false), None, Some(json!([]))),
        ("about to go", vec![], other(), Some(true), Some(iscsi)),
        ("mounted still", vec![], with_volume("n1", true), Some(true), None),
        ("not ours", vec![], unmanaged(), None, None),
    ] {
        let attachments = attached.map(|is_attached| attachment("n1", is_attached)).into_iter().collect();
        let plan = case(pods, vec![node], attachments).node(&AttachDetach::default(), "n1", Time::EPOCH);
        let written = plan.writes().next().map(|write| match &write.op {
            Op::Patch(_, patch) => patch["status"]["volumesAttached"].clone(),
            _ => panic!("a patch"),
        });
        assert_eq!(written, expected, "{name}");
        assert!(plan.events.is_empty(), "{name}");
    }
}

#[test]
fn a_volume_goes_when_it_is_not_mounted_or_its_node_is_lost() {
    let unwell = || {
        let mut node = with_volume("n1", true);
        node.status.volumes_attached.clear();
        node.status.conditions.clear();
        node
    };
    let mounted = || {
        let mut node = unwell();
        node.status.conditions = super::tests::node("n1").status.conditions;
        node
    };
    let lost = || {
        let mut node = mounted();
        node.spec.taints = vec![Taint { key: OUT_OF_SERVICE.into(), ..Taint::default() }];
        node
    };
    let (early, late) = (Duration::from_secs(1), UNMOUNT + Duration::from_secs(1));
    let seen = |version: &str| Some(vec![version.to_owned()]);
    let asked_nothing = Some(Vec::new());
    for (name, nodes, waited, expected) in [
        ("not mounted", vec![node("n1")], early, seen("7")),
        ("listed still", vec![with_volume("n1", false)], early, None),
        ("mounted", vec![mounted()], early, None),
        ("mounted for long", vec![mounted()], late, None),
        ("mounted on a node that is not well", vec![unwell()], early, None),
        ("the same for long", vec![unwell()], late, asked_nothing.clone()),
        ("out of service", vec![lost()], early, asked_nothing.clone()),
        ("a node that has gone", vec![], early, None),
        ("the same for long", vec![], late, asked_nothing),
    ] {
        let (controller, case) = (AttachDetach::default(), case(vec![], nodes, vec![attachment("n1", true)]));
        case.volume(&controller, Time::EPOCH);
        let plan = case.volume(&controller, after(waited));
        let deleted = plan.writes().next().map(|write| {
            assert!(matches!(write.op, Op::Delete { .. }), "{name}");
            let version = |guard: &Guard| match guard {
                Guard::Unchanged(_, version) => version.clone(),
                other => panic!("{name}: {other:?}"),
            };
            write.guards.iter().map(version).collect::<Vec<_>>()
        });
        assert_eq!(deleted, expected, "{name}");
        let waits = plan.again.is_some();
        assert_eq!(waits, expected.is_none() && waited < UNMOUNT && name != "listed still", "{name}");
    }
}

#[test]
fn a_pod_that_comes_back_begins_the_wait_anew() {
    let controller = AttachDetach::default();
    let unwell = || {
        let mut node = with_volume("n1", true);
        node.status.conditions.clear();
        node.status.volumes_attached.clear();
        node
    };
    let here = || vec![attachment("n1", true)];
    let (left, back) =
        (case(vec![], vec![unwell()], here()), case(vec![pod("shop", "web", "n1")], vec![unwell()], here()));
    left.volume(&controller, Time::EPOCH);
    back.volume(&controller, after(UNMOUNT));
    assert_eq!(left.volume(&controller, after(UNMOUNT * 2)).writes().count(), 0);
    assert_eq!(left.volume(&controller, after(UNMOUNT * 4)).writes().count(), 1);
}

#[test]
fn attachments_that_others_have_made_are_left_alone() {
    let mut other = attachment("n1", true);
    other.metadata.name = "by-hand".into();
    let case = case(vec![], vec![node("n1")], vec![other]);
    let controller = AttachDetach::default();
    assert_eq!(case.volume(&controller, Time::EPOCH).writes().count(), 0);
    assert_eq!(case.node(&controller, "n1", Time::EPOCH).writes().count(), 0);
}
