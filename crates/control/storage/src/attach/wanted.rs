//! Where a volume is wanted: the nodes that this controller attaches for and on which pods use it. Upstream: the desired state of the world.

use std::collections::BTreeMap;
use std::sync::Arc;

use api_record::Record;
use api_types::core::v1::{ContainerStatus, Node, PersistentVolume, PersistentVolumeClaim, Pod};
use api_types::storage::v1::{CSIDriver, VolumeAttachment};
use api_volume::pod;
use client::reconcile::{World, resource_of};

use super::Attachable;

/// On a node whose kubelet leaves attaching to this controller.
const MANAGED: &str = "volumes.kubernetes.io/controller-managed-attach-detach";

/// The volume, and who wants it where.
pub(super) struct Wanted<'a> {
    /// One of the persistent volumes that it is: most often the only one.
    pub(super) volume: Option<&'a PersistentVolume>,
    /// The pods that use it, by their nodes.
    pub(super) nodes: BTreeMap<String, Vec<Arc<dyn Record>>>,
}

impl<'a> Wanted<'a> {
    pub(super) fn of(own: &Attachable, world: &'a World) -> Wanted<'a> {
        let is_it = |volume: &&PersistentVolume| {
            let csi = volume.spec.persistent_volume_source.csi.as_deref();
            csi.is_some_and(|csi| csi.volume_handle == own.handle && csi.driver == own.driver)
        };
        let volumes: Vec<&PersistentVolume> = world.all::<PersistentVolume>().filter(is_it).collect();
        let mut wanted = Wanted { volume: volumes.first().copied(), nodes: BTreeMap::new() };
        if !is_attached_at_all(&own.driver, world) {
            return wanted;
        }
        for pod in volumes.iter().flat_map(|volume| users(volume, world)) {
            let Some(node) = of(&pod).map(|pod| pod.spec.node_name.clone()) else { continue };
            if takes(&node, own, world) {
                wanted.nodes.entry(node).or_default().push(pod);
            }
        }
        wanted
    }

    /// The pods that use it on a node.
    pub(super) fn pods(&self, node: &str) -> impl Iterator<Item = &Pod> {
        self.nodes.get(node).into_iter().flatten().filter_map(of)
    }

    /// Whether it may be attached to several nodes at once (`IsMultiAttachAllowed`); the driver is to say so where nobody else does.
    pub(super) fn may_be_shared(&self) -> bool {
        self.volume.is_none_or(|volume| {
            let modes = &volume.spec.access_modes;
            modes.is_empty() || modes.iter().any(|mode| mode == "ReadWriteMany" || mode == "ReadOnlyMany")
        })
    }
}

fn of(pod: &Arc<dyn Record>) -> Option<&Pod> {
    pod.downcast_ref()
}

/// Whether a driver's volumes are attached: those of one that nobody has described are.
fn is_attached_at_all(driver: &str, world: &World) -> bool {
    world.get::<CSIDriver>("", driver).is_none_or(|driver| driver.spec.attach_required != Some(false))
}

/// Whether a node's volumes are this controller's business. One that has gone keeps what it has until its pods have gone, too.
fn takes(node: &str, own: &Attachable, world: &World) -> bool {
    match world.get::<Node>("", node) {
        Some(node) => is_managed(node),
        None => world.get::<VolumeAttachment>("", &own.attachment(node)).is_some(),
    }
}

pub(super) fn is_managed(node: &Node) -> bool {
    node.metadata.annotations.contains_key(MANAGED)
}

/// The pods on nodes that use a volume through the claim that has it.
fn users(volume: &PersistentVolume, world: &World) -> Vec<Arc<dyn Record>> {
    let Some(of_volume) = volume.spec.claim_ref.as_deref() else { return Vec::new() };
    let claim = world.get::<PersistentVolumeClaim>(&of_volume.namespace, &of_volume.name);
    let is_bound = |claim: &&PersistentVolumeClaim| {
        claim.status.phase == "Bound"
            && claim.spec.volume_name == volume.metadata.name
            && claim.metadata.uid == of_volume.uid
    };
    let Some(claim) = claim.filter(is_bound) else { return Vec::new() };
    let uses = |used: &Pod| {
        !used.spec.node_name.is_empty()
            && !is_done(used)
            && pod::claims(used).any(|own| {
                own.claim == claim.metadata.name && (!own.is_ephemeral || pod::is_for(used, claim).is_ok())
            })
    };
    let pods = world.snapshot(resource_of::<Pod>()).into_iter();
    let pods = pods.flat_map(|pods| pods.glimpses(Some(&of_volume.namespace)));
    pods.filter(|pod| of(pod).is_some_and(uses)).collect()
}

/// Whether a pod needs its volumes no more (`IsPodTerminated`): it has ended, or is to go and nothing of it runs.
pub(super) fn is_done(pod: &Pod) -> bool {
    let status = &pod.status;
    let rests = |all: &[ContainerStatus]| {
        all.iter().all(|own| own.state.terminated.is_some() || own.state.waiting.is_some())
    };
    matches!(status.phase.as_str(), "Succeeded" | "Failed")
        || (pod.metadata.deletion_timestamp.is_some()
            && rests(&status.init_container_statuses)
            && rests(&status.container_statuses)
            && rests(&status.ephemeral_container_statuses))
}
