//! Claims and volumes are bound to each other, and volumes whose claims have gone are let go: upstream's
//! `pkg/controller/volume/persistentvolume`.
//!
//! A claim is one key, a volume another. The volume names the claim first, by a write that only succeeds on what was seen: of two claims
//! that choose one volume, one chooses again. Volumes are made and destroyed by provisioners outside; this controller says whose turn it is.
//! Plugins within Kubernetes that did it themselves have all gone to drivers (`migration`), but for those that wipe directories (`recycle`).

mod claim;
mod migration;
mod recycle;
mod select;
mod status;
#[cfg(test)]
mod tests;
mod volume;

use std::sync::{Mutex, PoisonError};

use api_types::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use api_types::storage::v1::StorageClass;
use api_volume::class;
use base::time::Time;
use client::reconcile::{Controller, Plan, Wires, World};

use recycle::Tries;

/// Binds claims and volumes.
#[derive(Default)]
pub struct PersistentVolumeBinder {
    /// A restart loses it, and begins anew what it does not know to be its own.
    tries: Mutex<Tries>,
}

/// What is thought about at once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A claim, by namespace and name.
    Claim(String, String),
    /// A volume, by name.
    Volume(String),
}

impl Controller for PersistentVolumeBinder {
    const NAME: &'static str = "persistent-volume-binder";
    const SOURCE: &'static str = "persistentvolume-controller";
    type Key = Key;

    fn wire(&self, wires: &mut Wires<Key>) {
        wires.maps::<PersistentVolumeClaim>(|claim, _| {
            let volume = Some(&claim.spec.volume_name).filter(|name| !name.is_empty());
            [of_claim(claim)].into_iter().chain(volume.map(|name| Key::Volume(name.clone()))).collect()
        });
        wires.maps::<PersistentVolume>(concerned);
        wires.maps::<StorageClass>(|changed, world| {
            let own = |claim: &&PersistentVolumeClaim| {
                !class::is_named(claim) || class::of_claim(claim) == changed.metadata.name
            };
            waiting(world).filter(own).map(of_claim).collect()
        });
        wires.maps::<Pod>(|pod, _| {
            recycle::wiped_by(pod).map(|name| Key::Volume(name.to_owned())).into_iter().collect()
        });
    }

    fn plan(&self, key: &Key, world: &World, now: Time) -> Plan {
        match key {
            Key::Claim(namespace, name) => world
                .get::<PersistentVolumeClaim>(namespace, name)
                .map_or_else(Plan::default, |claim| claim::plan(claim, world, now)),
            Key::Volume(name) => {
                let mut tries = self.tries.lock().unwrap_or_else(PoisonError::into_inner);
                match world.get::<PersistentVolume>("", name) {
                    Some(volume) => volume::plan(volume, &mut tries, world, now),
                    None => {
                        tries.remove(name);
                        Plan::default()
                    }
                }
            }
        }
    }
}

fn of_claim(claim: &PersistentVolumeClaim) -> Key {
    Key::Claim(claim.metadata.namespace.clone(), claim.metadata.name.clone())
}

/// What a volume is about: itself, its claim, and the claims that could have it if it is nobody's; those that ask for it by name.
fn concerned(volume: &PersistentVolume, world: &World) -> Vec<Key> {
    let mut keys = vec![Key::Volume(volume.metadata.name.clone())];
    match &volume.spec.claim_ref {
        Some(of) => keys.push(Key::Claim(of.namespace.clone(), of.name.clone())),
        None => {
            let could = |claim: &&PersistentVolumeClaim| {
                let named = &claim.spec.volume_name;
                *named == volume.metadata.name
                    || (named.is_empty() && class::of_claim(claim) == class::of_volume(volume))
            };
            keys.extend(world.all::<PersistentVolumeClaim>().filter(could).map(of_claim));
        }
    }
    keys
}

/// The claims that have asked for no volume and have none.
fn waiting(world: &World) -> impl Iterator<Item = &PersistentVolumeClaim> {
    world.all::<PersistentVolumeClaim>().filter(|claim| claim.spec.volume_name.is_empty())
}
