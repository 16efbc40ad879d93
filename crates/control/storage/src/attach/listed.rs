//! What a node's status says is attached to it: what is, but for what is about to go. Upstream: `statusupdater`.

use std::collections::BTreeMap;

use api_types::core::v1::Node;
use api_types::storage::v1::VolumeAttachment;
use base::time::Time;
use client::PatchKind;
use client::reconcile::{Note, Op, Plan, World, Write, resource_of};
use serde_json::{Value, json};

use super::attachable::PREFIX;
use super::release::{Memory, Verdict};
use super::wanted::{self, Wanted};
use super::{Attachable, volume};

pub(super) fn plan(node: &Node, memory: &mut Memory, world: &World, now: Time) -> Plan {
    let mut plan = Plan::default();
    // Where the kubelet attaches itself, the list is its own.
    if !wanted::is_managed(node) {
        return plan;
    }
    let name = &node.metadata.name;
    let listed = &node.status.volumes_attached;
    let mut there: BTreeMap<String, Wanted<'_>> = BTreeMap::new();
    for attachment in world.with_text::<VolumeAttachment>(&["spec", "nodeName"], |of| of == name) {
        let is_there = attachment.status.attached && attachment.metadata.deletion_timestamp.is_none();
        let Some(own) = Attachable::of_attachment(attachment, world).filter(|_| is_there) else { continue };
        let wanted = Wanted::of(&own, world);
        match memory.verdict(&own, name, wanted.nodes.contains_key(name), world, now) {
            Verdict::Free { .. } => continue,
            Verdict::Mounted(Some(left)) => {
                plan.again_in(left);
            }
            Verdict::Mounted(None) | Verdict::Wanted => {}
        }
        there.insert(own.unique(), wanted);
    }
    let is_known = |unique: &str| listed.iter().any(|own| own.name == unique);
    let new: Vec<&String> = there.keys().filter(|unique| !is_known(unique)).collect();
    let stays = |unique: &str| !unique.starts_with(PREFIX) || there.contains_key(unique);
    if new.is_empty() && listed.iter().all(|own| stays(&own.name)) {
        return plan;
    }
    let kept = listed.iter().filter(|own| stays(&own.name));
    let kept = kept.map(|own| json!({"name": own.name, "devicePath": own.device_path}));
    // Where a driver's volume is on the node is between kubelet and driver.
    let added = new.iter().map(|unique| json!({"name": unique, "devicePath": ""}));
    let attached: Vec<Value> = kept.chain(added).collect();
    let patch = json!({
        "metadata": {"resourceVersion": node.metadata.resource_version},
        "status": {"volumesAttached": attached},
    });
    plan.stage([Write::of(
        resource_of::<Node>(),
        &node.metadata,
        "status",
        Op::Patch(PatchKind::Merge, patch),
    )]);
    for wanted in new.into_iter().filter_map(|unique| there.get(unique)) {
        let message = volume::about(wanted, "AttachVolume.Attach succeeded", "");
        let notes = wanted.pods(name).map(|pod| Note::normal(pod, "SuccessfulAttachVolume", message.clone()));
        plan.events.extend(notes);
    }
    plan
}
