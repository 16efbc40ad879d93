//! Whoever makes volumes: a claim that the binder gives to a provisioner gets one that is as it wants.

use std::collections::BTreeMap;

use api_types::core::v1::{HostPathVolumeSource, ObjectReference, PersistentVolume, PersistentVolumeClaim};
use api_types::storage::v1::StorageClass;
use api_volume::annotation::{PROVISIONED_BY, SELECTED_NODE, STORAGE_PROVISIONER};
use api_volume::{class, matching};
use base::time::Time;
use client::reconcile::{Controller, Name, Plan, Wires, World, Write};

/// Plays all provisioners.
pub struct Provisioners;

impl Controller for Provisioners {
    const NAME: &'static str = "volume-provisioners";
    type Key = Name;

    fn wire(&self, wires: &mut Wires<Name>) {
        wires.primary::<PersistentVolumeClaim>();
        wires.reads::<StorageClass>();
    }

    fn plan(&self, (namespace, name): &Name, world: &World, _: Time) -> Plan {
        let mut plan = Plan::default();
        let Some(claim) = world.get::<PersistentVolumeClaim>(namespace, name) else { return plan };
        let annotations = &claim.metadata.annotations;
        let asked = annotations.get(STORAGE_PROVISIONER).filter(|_| claim.spec.volume_name.is_empty());
        let Some(provisioner) = asked.filter(|_| claim.metadata.deletion_timestamp.is_none()) else {
            return plan;
        };
        let Some(of) = world.get::<StorageClass>("", class::of_claim(claim)) else { return plan };
        if class::waits_for_consumer(of) && !annotations.contains_key(SELECTED_NODE) {
            return plan;
        }
        plan.stage([Write::create(volume(claim, of, provisioner)).or_exists()]);
        plan
    }
}

fn volume(claim: &PersistentVolumeClaim, of: &StorageClass, provisioner: &str) -> PersistentVolume {
    let mut volume = PersistentVolume::default();
    volume.metadata.name = format!("pvc-{}", claim.metadata.uid);
    volume.metadata.annotations = BTreeMap::from([(PROVISIONED_BY.to_owned(), provisioner.to_owned())]);
    volume.spec.capacity = BTreeMap::from([(api_volume::STORAGE.to_owned(), matching::requested(claim))]);
    volume.spec.access_modes.clone_from(&claim.spec.access_modes);
    volume.spec.volume_mode.clone_from(&claim.spec.volume_mode);
    volume.spec.storage_class_name.clone_from(&of.metadata.name);
    volume.spec.persistent_volume_reclaim_policy =
        of.reclaim_policy.clone().unwrap_or_else(|| "Delete".to_owned());
    volume.spec.claim_ref = Some(Box::new(ObjectReference {
        api_version: "v1".to_owned(),
        kind: "PersistentVolumeClaim".to_owned(),
        namespace: claim.metadata.namespace.clone(),
        name: claim.metadata.name.clone(),
        uid: claim.metadata.uid.clone(),
        ..ObjectReference::default()
    }));
    // A volume has to be of some sort; nothing here looks at which.
    let path = HostPathVolumeSource { path: "/provisioned".to_owned(), ..HostPathVolumeSource::default() };
    volume.spec.persistent_volume_source.host_path = Some(Box::new(path));
    volume
}
