//! A volume is attached where it is wanted and detached where it is not. Upstream: `reconciler`, and the attacher of `pkg/volume/csi`.

use std::collections::BTreeMap;

use api_types::core::v1::{Node, Pod};
use api_types::meta::v1::ObjectMeta;
use api_types::storage::v1::{
    VolumeAttachment, VolumeAttachmentSource, VolumeAttachmentSpec, VolumeAttachmentStatus,
};
use base::time::Time;
use client::Target;
use client::reconcile::{Guard, Note, Plan, World, Write, resource_of};

use super::Attachable;
use super::release::{Memory, Verdict};
use super::wanted::Wanted;
use crate::limits::ATTACH;

const FAILED: &str = "FailedAttachVolume";

/// The attachments of a volume, by their nodes.
type There<'a> = BTreeMap<&'a str, &'a VolumeAttachment>;

pub(super) fn plan(volume: &Attachable, memory: &mut Memory, world: &World, now: Time) -> Plan {
    let mut plan = Plan::default();
    let wanted = Wanted::of(volume, world);
    let own = |attachment: &&VolumeAttachment| {
        attachment.spec.attacher == volume.driver
            && volume.attachment(&attachment.spec.node_name) == attachment.metadata.name
    };
    let all = world.with_text::<VolumeAttachment>(&["spec", "attacher"], |of| of == volume.driver);
    let there: There<'_> = all.filter(own).map(|own| (own.spec.node_name.as_str(), own)).collect();
    memory.keep(volume, |node| wanted.nodes.contains_key(node), |node| there.contains_key(node));
    for (node, attachment) in &there {
        let is_wanted = wanted.nodes.contains_key(*node);
        match memory.verdict(volume, node, is_wanted, world, now) {
            Verdict::Wanted => {}
            Verdict::Mounted(left) => plan.again = [plan.again, left].into_iter().flatten().min(),
            Verdict::Free { unless_mounted } => {
                plan.stage(detach(volume, attachment, unless_mounted, world));
            }
        }
    }
    attach(&mut plan, volume, memory, &wanted, &there, now);
    plan
}

/// What has a volume detached, once the node's status does not list it any more.
fn detach(
    volume: &Attachable,
    attachment: &VolumeAttachment,
    unless_mounted: bool,
    world: &World,
) -> Option<Write> {
    let name = &attachment.spec.node_name;
    let node = world.get::<Node>("", name);
    let unique = volume.unique();
    let is_listed =
        node.is_some_and(|node| node.status.volumes_attached.iter().any(|own| own.name == unique));
    if is_listed || attachment.metadata.deletion_timestamp.is_some() {
        return None;
    }
    let write = Write::delete(attachment);
    Some(match node.filter(|_| unless_mounted) {
        Some(node) => write.guarded(as_seen(node)),
        None => write,
    })
}

/// That a node says of itself what the view shows, and nothing newer: it may have begun to mount the volume since.
fn as_seen(node: &Node) -> Guard {
    let target = Target {
        resource: resource_of::<Node>().clone(),
        namespace: String::new(),
        name: node.metadata.name.clone(),
        subresource: String::new(),
    };
    Guard::Unchanged(target, node.metadata.resource_version.clone())
}

fn attach(
    plan: &mut Plan,
    volume: &Attachable,
    memory: &mut Memory,
    wanted: &Wanted<'_>,
    there: &There<'_>,
    now: Time,
) {
    let mut begun = false;
    for node in wanted.nodes.keys() {
        let pods = || wanted.pods(node);
        if let Some(attachment) = there.get(node.as_str()) {
            if let Some(why) = trouble(volume, attachment, now) {
                tell(plan, wanted, node, &failed(wanted, &why));
            }
            if !attachment.status.attached {
                plan.again_in(ATTACH);
            }
            continue;
        }
        if !wanted.may_be_shared() {
            let taken = there.values().filter(|attachment| attachment.status.attached);
            let taken: Vec<&str> = taken.map(|attachment| attachment.spec.node_name.as_str()).collect();
            if !taken.is_empty() {
                if memory.tells(volume, node) {
                    plan.events.extend(pods().map(|pod| elsewhere(pod, wanted, &taken)));
                }
                continue;
            }
            // Whether the one that is on its way comes to be is to be seen first.
            if begun || there.values().any(|own| is_under_way(volume, own, now)) {
                continue;
            }
        }
        begun = true;
        let error = "kubernetes.io/csi: attacher.Attach failed: {error}";
        let failed = pods().next().map(|pod| Note::warning(pod, FAILED, failed(wanted, error)));
        plan.stage(made(volume, wanted, node).map(|write| write.or_exists().telling(None, failed)));
        plan.again_in(ATTACH);
    }
}

/// What asks the driver to attach a volume to a node.
fn made(volume: &Attachable, wanted: &Wanted<'_>, node: &str) -> Option<Write> {
    let name = wanted.volume?.metadata.name.clone();
    let source =
        VolumeAttachmentSource { persistent_volume_name: Some(name), ..VolumeAttachmentSource::default() };
    Some(Write::create(VolumeAttachment {
        metadata: ObjectMeta { name: volume.attachment(node), ..ObjectMeta::default() },
        spec: VolumeAttachmentSpec { attacher: volume.driver.clone(), source, node_name: node.to_owned() },
        status: VolumeAttachmentStatus::default(),
    }))
}

/// What is wrong with an attachment that is wanted (`verifyAttachmentStatus`); `None` if it is there, or may come to be.
fn trouble(volume: &Attachable, attachment: &VolumeAttachment, now: Time) -> Option<String> {
    if attachment.metadata.deletion_timestamp.is_some() {
        return Some("volume attachment is being deleted".to_owned());
    }
    if attachment.status.attached {
        return None;
    }
    if let Some(error) = &attachment.status.attach_error {
        return Some(error.message.clone());
    }
    let since = attachment.metadata.creation_timestamp.map(Time::from)?;
    (since + ATTACH <= now).then(|| {
        let Attachable { driver, handle } = volume;
        format!("timed out waiting for external-attacher of {driver} CSI driver to attach volume {handle}")
    })
}

/// Whether it is not known yet what becomes of an attachment.
fn is_under_way(volume: &Attachable, attachment: &VolumeAttachment, now: Time) -> bool {
    attachment.metadata.deletion_timestamp.is_some() || trouble(volume, attachment, now).is_none()
}

/// What a pod is told whose volume is on other nodes; not how those are called whom it cannot see.
fn elsewhere(pod: &Pod, wanted: &Wanted<'_>, nodes: &[&str]) -> Note {
    let namespace = &pod.metadata.namespace;
    let users: Vec<&Pod> = nodes.iter().flat_map(|node| wanted.pods(node)).collect();
    let own = users.iter().filter(|user| user.metadata.namespace == *namespace);
    let own: Vec<&str> = own.map(|user| user.metadata.name.as_str()).collect();
    let others = users.len() - own.len();
    let why = match (own.join(", "), others) {
        _ if users.is_empty() => {
            "Volume is already exclusively attached to one node, waiting on detach before it can be attached to another node"
                .to_owned()
        }
        (own, 0) => format!("Volume is already used by pod(s) {own}"),
        (own, others) if own.is_empty() => {
            format!("Volume is already used by {others} pod(s) in different namespaces")
        }
        (own, others) => {
            format!("Volume is already used by pod(s) {own} and {others} pod(s) in different namespaces")
        }
    };
    Note::warning(pod, FAILED, about(wanted, "Waiting for detach", &why))
}

fn tell(plan: &mut Plan, wanted: &Wanted<'_>, node: &str, message: &str) {
    plan.events.extend(wanted.pods(node).map(|pod| Note::warning(pod, FAILED, message)));
}

fn failed(wanted: &Wanted<'_>, why: &str) -> String {
    about(wanted, "AttachVolume.Attach failed", &format!(": {why}"))
}

/// A message about a volume (`generateVolumeMsg`), which ends in a space where there is no more to say.
pub(super) fn about(wanted: &Wanted<'_>, what: &str, why: &str) -> String {
    let name = wanted.volume.map_or("nil", |volume| volume.metadata.name.as_str());
    format!("{what} for volume {name:?} {why}")
}
