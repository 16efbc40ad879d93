//! A claim: who still uses it, and what becomes of it when nobody does.

use api_device::claim;
use api_meta::owners;
use api_types::core::v1::Pod;
use api_types::resource::v1::{ResourceClaim, ResourceClaimConsumerReference};
use client::Target;
use client::reconcile::{Guard, Plan, World, Write, resource_of};

use super::is_done;

/// What to do about a claim.
#[derive(Default)]
pub(super) struct LettingGo {
    pub(super) plan: Plan,
    /// Whether its devices are given back; the finalizer goes once that shows.
    pub(super) deallocates: bool,
}

/// Whether a claim has the finalizer of those that are allocated.
pub(super) fn is_held(claim: &ResourceClaim) -> bool {
    claim.metadata.finalizers.iter().any(|own| own == claim::FINALIZER)
}

/// What to do about a claim. `was_deallocated` says that its devices were given back before.
///
/// The finalizer is taken off by a write of its own, which fails if somebody, such as the scheduler, has written the claim meanwhile.
pub(super) fn plan(claim: &ResourceClaim, world: &World, was_deallocated: bool) -> LettingGo {
    let mut letting_go = LettingGo::default();
    let users = &claim.status.reserved_for;
    let mut guards = Vec::new();
    let remaining: Vec<ResourceClaimConsumerReference> =
        users.iter().filter(|user| still_uses(claim, user, world, &mut guards)).cloned().collect();
    let (is_free, is_held) = (remaining.is_empty(), is_held(claim));
    let is_going = claim.metadata.deletion_timestamp.is_some();
    let mut changed = claim.clone();
    if remaining.len() < users.len() {
        changed.status.reserved_for = remaining;
        // Only the step from being used to not being used deallocates: a driver may allocate a claim before anybody uses it.
        if is_free && is_held {
            letting_go.deallocates = changed.status.allocation.take().is_some();
        }
        let write = guards.into_iter().fold(Write::status(changed), Write::guarded);
        letting_go.plan.stage([write]);
    } else if is_free && is_held && is_going && claim.status.allocation.is_some() {
        changed.status.allocation = None;
        letting_go.deallocates = true;
        letting_go.plan.stage([Write::status(changed)]);
    } else if is_free && is_held && (is_going || (was_deallocated && claim.status.allocation.is_none())) {
        changed.metadata.finalizers.retain(|own| own != claim::FINALIZER);
        letting_go.plan.stage([Write::update(changed)]);
    }
    if is_free && !is_going && is_owners_no_more(claim, world) {
        letting_go.plan.stage([Write::delete(claim)]);
    }
    letting_go
}

/// Whether who reserved a claim still uses it. Of pods that do not show, it has to be made sure that they are not there.
fn still_uses(
    claim: &ResourceClaim,
    user: &ResourceClaimConsumerReference,
    world: &World,
    guards: &mut Vec<Guard>,
) -> bool {
    if !claim::is_pod(user) {
        return true;
    }
    let namespace = &claim.metadata.namespace;
    match world.get::<Pod>(namespace, &user.name) {
        Some(pod) => pod.metadata.uid == user.uid && !is_done(pod),
        None => {
            let target = Target {
                resource: resource_of::<Pod>().clone(),
                namespace: namespace.clone(),
                name: user.name.clone(),
                subresource: String::new(),
            };
            guards.push(Guard::Absent(target, user.uid.clone()));
            false
        }
    }
}

/// Whether it was made for a pod that does not need it any more. The garbage collector sees to those whose pod has gone.
fn is_owners_no_more(claim: &ResourceClaim, world: &World) -> bool {
    let owner = owners::controller_of(&claim.metadata);
    let owner = owner.filter(|owner| owner.api_version == "v1" && owner.kind == "Pod");
    owner.is_some_and(|owner| {
        let pod = world.get::<Pod>(&claim.metadata.namespace, &owner.name);
        pod.is_some_and(|pod| pod.metadata.uid != owner.uid || is_done(pod))
    })
}
