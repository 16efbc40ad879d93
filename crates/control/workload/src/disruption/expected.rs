//! How many pods there should be, and how many of them must be healthy.
//!
//! With a number for `minAvailable` the pods themselves are counted; otherwise the workloads that own them say how many they want.

use std::collections::BTreeMap;

use api_meta::owners;
use api_record::Typed;
use api_record::scalar::IntOrString;
use api_types::apps::v1::{Deployment, ReplicaSet, StatefulSet};
use api_types::core::v1::{Pod, ReplicationController};
use api_types::meta::v1::OwnerReference;
use api_types::object_meta;
use api_types::policy::v1::PodDisruptionBudget;
use client::reconcile::World;

use control_base::resources::Served;
use control_base::words;

/// What is expected of the pods of a budget.
pub(super) struct Expected {
    /// How many there should be.
    pub(super) pods: i32,
    /// How many of them must be healthy.
    pub(super) healthy: i32,
    /// Whether some have no owner, although the owners were asked.
    pub(super) unmanaged: bool,
}

/// What is expected of these pods.
///
/// # Errors
/// In upstream's words, if somebody who should know how many there should be does not say.
pub(super) fn expected(
    budget: &PodDisruptionBudget,
    pods: &[&Pod],
    world: &World,
    served: &[Served],
) -> Result<Expected, String> {
    let (unavailable, available) = (&budget.spec.max_unavailable, &budget.spec.min_available);
    match (unavailable, available) {
        (Some(unavailable), _) => {
            let (wanted, unmanaged) = wanted(pods, world, served)?;
            let healthy = wanted.saturating_sub(unavailable.scaled(wanted, true)?).max(0);
            Ok(Expected { pods: wanted, healthy, unmanaged })
        }
        (None, Some(IntOrString::Int(healthy))) => {
            let pods = i32::try_from(pods.len()).unwrap_or(i32::MAX);
            Ok(Expected { pods, healthy: *healthy, unmanaged: false })
        }
        (None, Some(available)) => {
            let (wanted, unmanaged) = wanted(pods, world, served)?;
            Ok(Expected { pods: wanted, healthy: available.scaled(wanted, true)?, unmanaged })
        }
        (None, None) => Ok(Expected { pods: 0, healthy: 0, unmanaged: false }),
    }
}

/// How many pods the owners of these want, and whether some have none.
fn wanted(pods: &[&Pod], world: &World, served: &[Served]) -> Result<(i32, bool), String> {
    let mut scales: BTreeMap<&str, i32> = BTreeMap::new();
    let mut unmanaged = false;
    for pod in pods {
        let Some(owner) = owners::controller_of(&pod.metadata) else {
            unmanaged = true;
            continue;
        };
        if scales.contains_key(owner.uid.as_str()) {
            continue;
        }
        let namespace = &pod.metadata.namespace;
        let known = match built_in(owner, namespace, world) {
            Some(known) => Some(known),
            None => scaled(owner, namespace, world, served)?,
        };
        let Some((uid, replicas)) = known else {
            return Err(format!("found no controllers for pod {:?}", pod.metadata.name));
        };
        scales.insert(uid, replicas);
    }
    Ok((scales.values().fold(0, |sum: i32, replicas| sum.saturating_add(*replicas)), unmanaged))
}

fn by_reference<'a, T: Typed>(
    owner: &OwnerReference,
    kind: &str,
    groups: &[&str],
    namespace: &str,
    world: &'a World,
) -> Option<&'a T> {
    let named = owners::kind_of(owner)?;
    let fits = named.kind == kind && groups.contains(&named.group);
    let found = world.get::<T>(namespace, &owner.name).filter(|_| fits)?;
    object_meta(found).is_some_and(|meta| meta.uid == owner.uid).then_some(found)
}

/// The workload of a known kind that an owner is or belongs to, and how many pods it wants.
fn built_in<'a>(owner: &OwnerReference, namespace: &str, world: &'a World) -> Option<(&'a str, i32)> {
    const GROUPS: &[&str] = &["apps", "extensions"];
    let replicas = |replicas: Option<i32>| replicas.unwrap_or(1);
    let controller =
        by_reference::<ReplicationController>(owner, "ReplicationController", &[""], namespace, world);
    if let Some(own) = controller {
        return Some((&own.metadata.uid, replicas(own.spec.replicas)));
    }
    if let Some(own) = by_reference::<ReplicaSet>(owner, "ReplicaSet", GROUPS, namespace, world) {
        let Some(above) = owners::controller_of(&own.metadata).filter(|above| above.kind == "Deployment")
        else {
            return Some((&own.metadata.uid, replicas(own.spec.replicas)));
        };
        let own = by_reference::<Deployment>(above, "Deployment", GROUPS, namespace, world)?;
        return Some((&own.metadata.uid, replicas(own.spec.replicas)));
    }
    let own = by_reference::<StatefulSet>(owner, "StatefulSet", &["apps"], namespace, world)?;
    Some((&own.metadata.uid, replicas(own.spec.replicas)))
}

/// How many an owner of any kind that can be scaled wants; `None` if it is not there.
fn scaled<'a>(
    owner: &'a OwnerReference,
    namespace: &str,
    world: &World,
    served: &[Served],
) -> Result<Option<(&'a str, i32)>, String> {
    let named = owners::kind_of(owner)
        .ok_or_else(|| format!("unexpected GroupVersion string: {}", owner.api_version))?;
    let row = served.iter().find(|row| row.kind == named.kind && row.resource.group == named.group);
    let Some(row) = row else {
        return Err(format!("no matches for kind {:?} in version {:?}", owner.kind, owner.api_version));
    };
    let Some(scale) = &row.scale else {
        return Err(format!("{} does not implement the scale subresource", row.resource));
    };
    let found = world.snapshot(&row.resource).and_then(|all| all.get(namespace, &owner.name));
    let is_own = |meta: &api_types::meta::v1::ObjectMeta| meta.uid == owner.uid;
    match found.filter(|found| object_meta(&***found).is_some_and(is_own)) {
        Some(found) => Ok(Some((owner.uid.as_str(), scale.read(&**found)?))),
        None => Ok(None),
    }
}

/// What is said of a budget some of whose pods have no owner.
pub(super) fn unmanaged(budget: &PodDisruptionBudget) -> String {
    let selector = words::of_selector(budget.spec.selector.as_deref());
    format!(
        "Pods selected by this PodDisruptionBudget (selector: {selector}) were found to be unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in undefined behavior. To account for these pods please set \".spec.minAvailable\" field of the PDB to an integer value."
    )
}
