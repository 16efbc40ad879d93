//! Volumes are attached to the nodes whose pods use them, and detached once nobody there does: upstream's
//! `pkg/controller/volume/attachdetach`.
//!
//! Drivers do it (their external attachers): this controller makes and deletes the `VolumeAttachment` that asks for it, and writes in a node's
//! status which volumes it has. A volume is taken off that list before it is detached, so that no kubelet mounts what is about to go; two plans
//! share that work, and each begins where the views show that the other has ended. What is attached is what `VolumeAttachment`s say, so that
//! a restart has nothing to find out. Plugins within Kubernetes are not attached here: what drivers took over from them is not translated.

mod attachable;
mod listed;
mod release;
#[cfg(test)]
mod tests;
mod volume;
mod wanted;

use std::sync::{Mutex, PoisonError};

use api_meta::conditions;
use api_types::core::v1::{Node, PersistentVolume, PersistentVolumeClaim, Pod};
use api_types::storage::v1::{CSIDriver, VolumeAttachment};
use api_volume::pod::claims;
use base::time::Time;
use client::Caller;
use client::reconcile::{Controller, Plan, Wires, World, service_account};

pub use attachable::Attachable;
use release::Memory;

/// The taint of a node that will not come back by itself.
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// Attaches and detaches volumes.
#[derive(Default)]
pub struct AttachDetach {
    memory: Mutex<Memory>,
}

/// What is thought about at once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A volume, on all nodes: some may be attached to one only.
    Volume(Attachable),
    /// What a node's status says is attached to it.
    Node(String),
}

impl AttachDetach {
    fn memory<T>(&self, look: impl FnOnce(&mut Memory) -> T) -> T {
        look(&mut self.memory.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Controller for AttachDetach {
    const NAME: &'static str = "attachdetach-controller";
    type Key = Key;

    fn wire(&self, wires: &mut Wires<Key>) {
        wires.maps_changed::<Pod>(
            |old, new| {
                wanted::is_done(old) != wanted::is_done(new) || old.spec.node_name != new.spec.node_name
            },
            of_pod,
        );
        wires.maps::<PersistentVolumeClaim>(|claim, world| {
            let volume = world.get::<PersistentVolume>("", &claim.spec.volume_name);
            volume.and_then(Attachable::of).map(Key::Volume).into_iter().collect()
        });
        wires.maps::<PersistentVolume>(|volume, _| {
            Attachable::of(volume).map(Key::Volume).into_iter().collect()
        });
        wires.maps::<VolumeAttachment>(|attachment, world| {
            let volume = Attachable::of_attachment(attachment, world).map(Key::Volume);
            [Key::Node(attachment.spec.node_name.clone())].into_iter().chain(volume).collect()
        });
        wires.maps_changed::<Node>(node_matters, of_node);
        wires.maps_changed::<CSIDriver>(
            |old, new| old.spec.attach_required != new.spec.attach_required,
            of_driver,
        );
    }

    fn plan(&self, key: &Key, world: &World, now: Time) -> Plan {
        match key {
            Key::Volume(volume) => self.memory(|memory| volume::plan(volume, memory, world, now)),
            Key::Node(name) => match world.get::<Node>("", name) {
                Some(node) => self.memory(|memory| listed::plan(node, memory, world, now)),
                None => Plan::default(),
            },
        }
    }

    fn caller(&self) -> Caller {
        service_account("attachdetach-controller")
    }
}

/// The volumes of a pod, and its node, which may have one less.
fn of_pod(pod: &Pod, world: &World) -> Vec<Key> {
    let node = &pod.spec.node_name;
    if node.is_empty() {
        return Vec::new();
    }
    let namespace = &pod.metadata.namespace;
    let found = claims(pod).filter_map(|used| {
        let claim = world.get::<PersistentVolumeClaim>(namespace, &used.claim)?;
        Attachable::of(world.get::<PersistentVolume>("", &claim.spec.volume_name)?)
    });
    let mut keys: Vec<Key> = found.map(Key::Volume).collect();
    if claims(pod).next().is_some() {
        keys.push(Key::Node(node.clone()));
    }
    keys
}

fn node_matters(old: &Node, new: &Node) -> bool {
    let seen = |node: &Node| {
        let attached: Vec<String> = node.status.volumes_attached.iter().map(|own| own.name.clone()).collect();
        let is_ready = conditions::is_true(&node.status.conditions, "Ready");
        (
            attached,
            node.status.volumes_in_use.clone(),
            is_ready,
            is_out_of_service(node),
            wanted::is_managed(node),
        )
    };
    seen(old) != seen(new)
}

fn of_node(node: &Node, world: &World) -> Vec<Key> {
    let name = &node.metadata.name;
    let listed = node.status.volumes_attached.iter().map(|own| own.name.as_str());
    let used = node.status.volumes_in_use.iter().map(String::as_str);
    let mut volumes: Vec<Attachable> = listed.chain(used).filter_map(Attachable::parse).collect();
    let here = world.with_text::<VolumeAttachment>(&["spec", "nodeName"], |of| of == name);
    volumes.extend(here.filter_map(|attachment| Attachable::of_attachment(attachment, world)));
    volumes.sort();
    volumes.dedup();
    [Key::Node(name.clone())].into_iter().chain(volumes.into_iter().map(Key::Volume)).collect()
}

fn of_driver(driver: &CSIDriver, world: &World) -> Vec<Key> {
    let name = &driver.metadata.name;
    let volumes = world.all::<PersistentVolume>().filter_map(Attachable::of);
    let own = volumes.filter(|volume| volume.driver == *name).map(Key::Volume);
    let there = world.all::<VolumeAttachment>().filter(|attachment| attachment.spec.attacher == *name);
    own.chain(there.map(|attachment| Key::Node(attachment.spec.node_name.clone()))).collect()
}

fn is_out_of_service(node: &Node) -> bool {
    node.spec.taints.iter().any(|taint| taint.key == OUT_OF_SERVICE)
}
