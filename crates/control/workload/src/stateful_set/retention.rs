//! Whether a claim goes with its set, with its pod, or stays: its owners say, by the set's policy, and the garbage collector does it.
//!
//! Upstream: `isClaimOwnerUpToDate` and `updateClaimOwnerRefForSetAndPod`.

use api_meta::gvk::GroupVersionKind;
use api_meta::owners;
use api_types::apps::v1::StatefulSet;
use api_types::core::v1::PersistentVolumeClaim;
use api_types::meta::v1::{ObjectMeta, OwnerReference};

use super::{KIND, identity};

pub(super) const POD: GroupVersionKind<'static> = GroupVersionKind { group: "", version: "v1", kind: "Pod" };

/// A pod as its claims know it; without a uid if it is not made yet.
#[derive(Clone, Copy)]
pub(super) struct Member<'a> {
    pub(super) name: &'a str,
    pub(super) uid: &'a str,
    pub(super) ordinal: i64,
}

/// Whether claims go when the set is deleted, and when it is scaled down below them.
fn policy(set: &StatefulSet) -> (bool, bool) {
    let policy = set.spec.persistent_volume_claim_retention_policy.as_deref();
    policy.map_or((false, false), |policy| (policy.when_deleted == "Delete", policy.when_scaled == "Delete"))
}

/// Whether claims go when the set is scaled down below them.
pub(super) fn follows_scale(set: &StatefulSet) -> bool {
    policy(set).1
}

fn names(reference: &OwnerReference, kind: &GroupVersionKind<'_>, name: &str) -> bool {
    reference.api_version == kind.api_version() && reference.kind == kind.kind && reference.name == name
}

/// Whether a claim's owner has this name and is another nevertheless: one that was.
pub(super) fn is_stale(
    claim: &PersistentVolumeClaim,
    kind: &GroupVersionKind<'_>,
    name: &str,
    uid: &str,
) -> bool {
    let own = claim.metadata.owner_references.iter().find(|reference| names(reference, kind, name));
    own.is_some_and(|reference| reference.uid != uid)
}

/// Whether somebody else decides on the claim, which the policy then leaves alone.
pub(super) fn is_anothers(claim: &PersistentVolumeClaim, set: &StatefulSet, pod: Member<'_>) -> bool {
    if policy(set) == (false, false) {
        return false;
    }
    let own = &set.metadata;
    claim.metadata.owner_references.iter().any(|reference| {
        if names(reference, &KIND, &own.name) {
            reference.uid != own.uid
        } else if names(reference, &POD, pod.name) {
            reference.uid != pod.uid
        } else {
            reference.controller == Some(true)
        }
    })
}

/// Whether the set and the pod are to own the claim.
fn wanted(set: &StatefulSet, pod: Member<'_>) -> (bool, bool) {
    let (with_set, with_scale) = policy(set);
    let is_surplus = with_scale && !identity::ordinals(set).contains(&pod.ordinal);
    (with_set && !is_surplus, is_surplus)
}

/// Whether a claim's owners are as the policy wants them. One that a past set or pod owns is left to the garbage collector.
pub(super) fn is_up_to_date(claim: &PersistentVolumeClaim, set: &StatefulSet, pod: Member<'_>) -> bool {
    let own = &set.metadata;
    if is_stale(claim, &KIND, &own.name, &own.uid) || is_stale(claim, &POD, pod.name, pod.uid) {
        return true;
    }
    let of_set = owners::is_owned_by(&claim.metadata, &own.uid);
    let of_pod = owners::is_owned_by(&claim.metadata, pod.uid);
    if is_anothers(claim, set, pod) {
        return !of_set && !of_pod;
    }
    let is_ours = |reference: &&OwnerReference| reference.uid == own.uid || reference.uid == pod.uid;
    let ours = claim.metadata.owner_references.iter().filter(is_ours);
    let all_control = ours.into_iter().all(|reference| reference.controller == Some(true));
    all_control && (of_set, of_pod) == wanted(set, pod)
}

/// The claim with the owners that the policy wants.
pub(super) fn owned(
    claim: &PersistentVolumeClaim,
    set: &StatefulSet,
    pod: Member<'_>,
) -> PersistentVolumeClaim {
    let is_anothers = is_anothers(claim, set, pod);
    let mut changed = claim.clone();
    let references = &mut changed.metadata.owner_references;
    references.retain(|it| !names(it, &KIND, &set.metadata.name) && !names(it, &POD, pod.name));
    if is_anothers {
        return changed;
    }
    let (by_set, by_pod) = wanted(set, pod);
    let pod = ObjectMeta { name: pod.name.to_owned(), uid: pod.uid.to_owned(), ..ObjectMeta::default() };
    for (is_wanted, owner, kind) in [(by_set, &set.metadata, KIND), (by_pod, &pod, POD)] {
        if is_wanted && !references.iter().any(|reference| reference.uid == owner.uid) {
            references.push(owners::controller_reference(owner, kind));
        }
    }
    changed
}
