//! Claims, volumes and classes of their attributes stay while they are in use: a finalizer holds them, which admission puts there
//! and which is taken off once they are to go and nobody uses them any more.
//!
//! Upstream: `pkg/controller/volume/{pvcprotection,pvprotection,vacprotection}`.

#[cfg(test)]
mod tests;

use api_meta::owners;
use api_types::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use api_types::storage::v1::VolumeAttributesClass;
use api_volume::pod::claims;
use base::time::Time;
use client::reconcile::{Controller, Name, Plan, Wires, World, name, resource_of};
use control_base::finalizer::{finalized, none_missed};

const CLAIM: &str = "kubernetes.io/pvc-protection";
const VOLUME: &str = "kubernetes.io/pv-protection";
const CLASS: &str = "kubernetes.io/vac-protection";

/// Protects claims that pods use.
pub struct ClaimProtection;

/// Protects volumes that are bound.
pub struct VolumeProtection;

/// Protects classes that claims or volumes name.
pub struct AttributesClassProtection;

impl Controller for ClaimProtection {
    const NAME: &'static str = "pvc-protection-controller";
    type Key = Name;

    fn wire(&self, wires: &mut Wires<Name>) {
        wires.primary::<PersistentVolumeClaim>();
        wires.maps::<Pod>(|pod, _| {
            let namespace = &pod.metadata.namespace;
            claims(pod).map(|used| name(namespace, &used.claim)).collect()
        });
    }

    fn plan(&self, key: &Name, world: &World, _: Time) -> Plan {
        let mut plan = Plan::default();
        let Some(claim) = world.get::<PersistentVolumeClaim>(&key.0, &key.1) else { return plan };
        let pods = world.snapshot(resource_of::<Pod>());
        let used = || {
            let mut pods = pods.into_iter().flat_map(|pods| pods.glimpses(Some(&key.0)));
            pods.any(|pod| pod.downcast_ref().is_some_and(|pod| uses(pod, claim)))
        };
        if let Some(mut write) = finalized(claim, CLAIM, used) {
            if claim.metadata.deletion_timestamp.is_some() {
                write = write.guarded(none_missed::<Pod>(world, &key.0));
            }
            plan.stage([write]);
        }
        plan
    }
}

/// Whether a pod uses a claim. One that has no node does not: no node starts a pod whose claim is to go.
fn uses(pod: &Pod, claim: &PersistentVolumeClaim) -> bool {
    let meta = &pod.metadata;
    let is_shut = meta.deletion_timestamp.is_some() && meta.deletion_grace_period_seconds == Some(0);
    let controls = || owners::controller_of(&claim.metadata).is_some_and(|owner| owner.uid == meta.uid);
    !pod.spec.node_name.is_empty()
        && claims(pod)
            .any(|used| used.claim == claim.metadata.name && (!used.is_ephemeral || (!is_shut && controls())))
}

impl Controller for VolumeProtection {
    const NAME: &'static str = "pv-protection-controller";
    type Key = Name;

    fn wire(&self, wires: &mut Wires<Name>) {
        wires.primary::<PersistentVolume>();
    }

    fn plan(&self, key: &Name, world: &World, _: Time) -> Plan {
        let mut plan = Plan::default();
        if let Some(volume) = world.get::<PersistentVolume>("", &key.1) {
            plan.stage(finalized(volume, VOLUME, || volume.status.phase == "Bound"));
        }
        plan
    }
}

impl Controller for AttributesClassProtection {
    const NAME: &'static str = "volumeattributesclass-protection-controller";
    type Key = Name;

    fn wire(&self, wires: &mut Wires<Name>) {
        wires.primary::<VolumeAttributesClass>();
        wires.maps::<PersistentVolume>(|volume, _| {
            volume.spec.volume_attributes_class_name.iter().map(|class| name("", class)).collect()
        });
        wires.maps::<PersistentVolumeClaim>(|claim, _| classes(claim).map(|class| name("", class)).collect());
    }

    fn plan(&self, key: &Name, world: &World, _: Time) -> Plan {
        let mut plan = Plan::default();
        let Some(class) = world.get::<VolumeAttributesClass>("", &key.1) else { return plan };
        let used = || {
            let own = |named: &str| named == key.1;
            let volumes = world.all::<PersistentVolume>();
            let mut of_volumes =
                volumes.filter_map(|volume| volume.spec.volume_attributes_class_name.as_deref());
            of_volumes.any(own) || world.all::<PersistentVolumeClaim>().any(|claim| classes(claim).any(own))
        };
        plan.stage(finalized(class, CLASS, used));
        plan
    }
}

/// The classes of attributes that a claim names.
fn classes(claim: &PersistentVolumeClaim) -> impl Iterator<Item = &str> {
    let status = &claim.status;
    let target = status.modify_volume_status.as_deref();
    let named = [
        claim.spec.volume_attributes_class_name.as_deref(),
        status.current_volume_attributes_class_name.as_deref(),
        target.map(|target| target.target_volume_attributes_class_name.as_str()),
    ];
    named.into_iter().flatten().filter(|class| !class.is_empty())
}
