//! Claims of pods: made of templates, reserved for pods that nobody scheduled, let go of once nobody uses them.
//!
//! Upstream: `pkg/controller/resourceclaim`. Which object a claim of a pod became is written down when the object shows, so that one that
//! was made just before a restart is found again by its owner and its annotation.

mod made;
#[cfg(test)]
mod tests;
mod used;

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use api_device::claim;
use api_meta::owners;
use api_types::core::v1::Pod;
use api_types::resource::v1::{ResourceClaim, ResourceClaimTemplate};
use base::time::Time;
use client::reconcile::{Controller, Plan, Wires, World, resource_of};
use control_base::pod;

/// Makes claims for pods, and lets go of those that nobody uses.
#[derive(Default)]
pub struct ResourceClaims {
    /// The uids of claims that were deallocated, which are to lose their finalizer.
    deallocated: Mutex<BTreeSet<String>>,
}

/// What is thought about at once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A pod that uses claims, by namespace and name.
    Pod(String, String),
    /// A claim, by namespace and name.
    Claim(String, String),
}

impl Controller for ResourceClaims {
    const NAME: &'static str = "resource-claim-controller";
    const SOURCE: &'static str = "resource_claim";
    type Key = Key;

    fn wire(&self, wires: &mut Wires<Key>) {
        wires.maps::<Pod>(about_pod);
        wires.maps::<ResourceClaim>(|claim, world| {
            let meta = &claim.metadata;
            let mut keys = vec![Key::Claim(meta.namespace.clone(), meta.name.clone())];
            match owners::controller_of(meta).filter(|owner| owner.kind == "Pod") {
                Some(owner) => keys.push(Key::Pod(meta.namespace.clone(), owner.name.clone())),
                // A pod that is on a node already waits to have it reserved.
                None if claim.status.allocation.is_some() => {
                    keys.extend(pods(world, &meta.namespace, |pod| {
                        !pod.spec.node_name.is_empty() && claim::names(pod).any(|name| name == meta.name)
                    }));
                }
                None => {}
            }
            keys
        });
        wires.maps::<ResourceClaimTemplate>(|template, world| {
            let meta = &template.metadata;
            let is_of = |pod: &Pod| {
                let mut templates = pod.spec.resource_claims.iter();
                templates.any(|own| own.resource_claim_template_name.as_ref() == Some(&meta.name))
            };
            pods(world, &meta.namespace, is_of)
        });
    }

    fn plan(&self, key: &Key, world: &World, _: Time) -> Plan {
        match key {
            Key::Pod(namespace, name) => {
                let pod = world.get::<Pod>(namespace, name);
                pod.map(|pod| made::plan(pod, world)).unwrap_or_default()
            }
            Key::Claim(namespace, name) => match world.get::<ResourceClaim>(namespace, name) {
                Some(claim) => self.used(claim, world),
                None => Plan::default(),
            },
        }
    }
}

impl ResourceClaims {
    fn used(&self, claim: &ResourceClaim, world: &World) -> Plan {
        let uid = &claim.metadata.uid;
        let mut deallocated = self.deallocated.lock().unwrap_or_else(PoisonError::into_inner);
        // What is allocated again is not what was deallocated.
        if claim.status.allocation.is_some() || !used::is_held(claim) {
            deallocated.remove(uid);
        }
        let letting_go = used::plan(claim, world, deallocated.contains(uid));
        if letting_go.deallocates {
            deallocated.insert(uid.clone());
        }
        letting_go.plan
    }
}

/// The keys that a change of a pod is about: itself, and its claims once it needs them no longer.
fn about_pod(pod: &Pod, world: &World) -> Vec<Key> {
    let meta = &pod.metadata;
    if pod.spec.resource_claims.is_empty() && pod.status.extended_resource_claim_status.is_none() {
        return Vec::new();
    }
    let mut keys = vec![Key::Pod(meta.namespace.clone(), meta.name.clone())];
    let is_there =
        world.get::<Pod>(&meta.namespace, &meta.name).is_some_and(|own| own.metadata.uid == meta.uid);
    if !is_there || is_done(pod) {
        keys.extend(claim::names(pod).map(|name| Key::Claim(meta.namespace.clone(), name)));
    }
    keys
}

/// The keys of a namespace's pods that are meant.
fn pods(world: &World, namespace: &str, is_meant: impl Fn(&Pod) -> bool) -> Vec<Key> {
    let snapshot = world.snapshot(resource_of::<Pod>());
    let all = snapshot.into_iter().flat_map(|snapshot| snapshot.glimpses(Some(namespace)));
    let meant = all.filter_map(|pod| {
        let pod: &Pod = pod.downcast_ref()?;
        is_meant(pod).then(|| Key::Pod(namespace.to_owned(), pod.metadata.name.clone()))
    });
    meant.collect()
}

/// Whether none of its containers run, or will.
fn is_done(pod: &Pod) -> bool {
    pod::is_terminal(pod) || (pod.metadata.deletion_timestamp.is_some() && pod.spec.node_name.is_empty())
}
