//! What becomes of a claim: it is bound, waits, has its volume made, or is lost. Upstream: `syncClaim`.

use api_meta::Status;
use api_types::core::v1::{PersistentVolume, PersistentVolumeClaim, Pod};
use api_types::storage::v1::StorageClass;
use api_volume::annotation::{
    BETA_STORAGE_PROVISIONER, BIND_COMPLETED, BOUND_BY_CONTROLLER, MIGRATED_TO, SELECTED_NODE,
    STORAGE_PROVISIONER,
};
use api_volume::{class, is_bound_to, matching};
use base::time::Time;
use client::reconcile::{Note, Plan, World, Write};

use super::{migration, select, status};
use crate::limits::RESYNC;

pub(super) fn plan(claim: &PersistentVolumeClaim, world: &World, now: Time) -> Plan {
    let mut plan = Plan::default();
    if let Some(changed) = migration::claim(claim) {
        plan.stage([Write::update(changed)]);
        return plan;
    }
    if claim.metadata.annotations.contains_key(BIND_COMPLETED) {
        keep(&mut plan, claim, world, now);
    } else if claim.spec.volume_name.is_empty() {
        choose(&mut plan, claim, world, now);
    } else {
        take(&mut plan, claim, world, now);
    }
    plan
}

/// A claim that is bound keeps its volume, or is lost with it.
fn keep(plan: &mut Plan, claim: &PersistentVolumeClaim, world: &World, now: Time) {
    let name = &claim.spec.volume_name;
    if name.is_empty() {
        let why = "Bound claim has lost reference to PersistentVolume. Data on the volume is lost!";
        return status::lose(plan, claim, "ClaimLost", why);
    }
    let Some(volume) = world.get::<PersistentVolume>("", name) else {
        let why = "Bound claim has lost its PersistentVolume. Data on the volume is lost!";
        return status::lose(plan, claim, "ClaimLost", why);
    };
    match &volume.spec.claim_ref {
        Some(of) if of.uid != claim.metadata.uid => {
            let why = "Two claims are bound to the same volume, this one is bound incorrectly";
            status::lose(plan, claim, "ClaimMisbound", why);
        }
        _ => bind(plan, claim, volume, now),
    }
}

/// A claim that asks for a volume by its name.
fn take(plan: &mut Plan, claim: &PersistentVolumeClaim, world: &World, now: Time) {
    let name = &claim.spec.volume_name;
    let Some(volume) = world.get::<PersistentVolume>("", name) else {
        return wait(plan, claim);
    };
    let Some(of) = &volume.spec.claim_ref else {
        return match misfit(volume, claim) {
            None => bind(plan, claim, volume, now),
            Some(why) => {
                let message = format!("Cannot bind to requested volume {name:?}: {why}");
                plan.events.push(Note::warning(claim, "VolumeMismatch", message));
                wait(plan, claim);
            }
        };
    };
    if is_bound_to(volume, claim) {
        return bind(plan, claim, volume, now);
    }
    if claim.metadata.annotations.contains_key(BOUND_BY_CONTROLLER) {
        let (own, other) = (&claim.metadata, format!("{}/{}", of.namespace, of.name));
        plan.failure = Some(Status::internal_error(format!(
            "invalid binding of claim \"{}/{}\" to volume {name:?}: volume already claimed by {other:?}",
            own.namespace, own.name
        )));
        return;
    }
    let message = format!("volume {name:?} already bound to a different claim.");
    plan.events.push(Note::warning(claim, "FailedBinding", message));
    wait(plan, claim);
}

/// Why a volume that a claim asks for by name cannot be its.
fn misfit(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> Option<String> {
    if volume.metadata.deletion_timestamp.is_some() {
        return Some(format!("the volume is marked for deletion {:?}", volume.metadata.name));
    }
    let why = if matching::capacity(volume).units() < matching::requested(claim).units() {
        "requested PV is too small"
    } else if class::of_volume(volume) != class::of_claim(claim) {
        "storageClassName does not match"
    } else if !matching::has_attributes(claim, volume) {
        "volumeAttributesClassName does not match"
    } else if !matching::has_mode(claim, volume) {
        "incompatible volumeMode"
    } else if !matching::has_modes(claim, volume) {
        "incompatible accessMode"
    } else {
        return None;
    };
    Some(why.to_owned())
}

/// A claim that takes any volume that does.
fn choose(plan: &mut Plan, claim: &PersistentVolumeClaim, world: &World, now: Time) {
    let own = class::of_claim(claim);
    let found = world.get::<StorageClass>("", own);
    let waits = found.is_some_and(class::waits_for_consumer);
    if let Some(volume) = select::best(claim, world.all(), waits) {
        return bind(plan, claim, volume, now);
    }
    let default = || class::default_of(world.all::<StorageClass>());
    if !class::is_named(claim)
        && let Some(default) = default()
    {
        let mut changed = claim.clone();
        changed.spec.storage_class_name = Some(default.metadata.name.clone());
        plan.stage([Write::update(changed)]);
        return;
    }
    if waits && !claim.metadata.annotations.contains_key(SELECTED_NODE) {
        plan.events.push(consumer(claim, world));
    } else if !own.is_empty() {
        plan.again_in(RESYNC);
        return provision(plan, claim, own, found);
    } else {
        let message = "no persistent volumes available for this claim and no storage class is set";
        plan.events.push(Note::normal(claim, "FailedBinding", message));
    }
    wait(plan, claim);
}

/// What a claim waits for that waits for its first consumer.
fn consumer(claim: &PersistentVolumeClaim, world: &World) -> Note {
    let meta = &claim.metadata;
    let waits = |pod: &&Pod| {
        pod.spec.node_name.is_empty()
            && !matches!(pod.status.phase.as_str(), "Succeeded" | "Failed")
            && api_volume::pod::claims(pod).any(|used| used.claim == meta.name)
    };
    let pods: Vec<&str> = world
        .in_namespace::<Pod>(&meta.namespace)
        .filter(waits)
        .map(|pod| pod.metadata.name.as_str())
        .collect();
    match pods.as_slice() {
        [] => Note::normal(
            claim,
            "WaitForFirstConsumer",
            "waiting for first consumer to be created before binding",
        ),
        [pod] => Note::normal(claim, "WaitForPodScheduled", format!("waiting for pod {pod} to be scheduled")),
        pods => {
            let pods = pods.join(",");
            Note::normal(claim, "WaitForPodScheduled", format!("waiting for pods {pods} to be scheduled"))
        }
    }
}

/// Tells the provisioner of the claim's class that it is its turn.
fn provision(plan: &mut Plan, claim: &PersistentVolumeClaim, name: &str, found: Option<&StorageClass>) {
    let failed = |why: String| Note::warning(claim, "ProvisioningFailed", why);
    let Some(class) = found else {
        plan.events.push(failed(format!("storageclass.storage.k8s.io {name:?} not found")));
        return;
    };
    let driver = migration::driver(&class.provisioner);
    if driver.is_none() && class.provisioner.starts_with(migration::IN_TREE) {
        plan.events.push(failed(format!("no volume plugin matched name: {}", class.provisioner)));
        return;
    }
    let provisioner = driver.unwrap_or(&class.provisioner);
    let annotations = &claim.metadata.annotations;
    if annotations.get(STORAGE_PROVISIONER).is_none_or(|own| own != provisioner) {
        let mut changed = claim.clone();
        let annotations = &mut changed.metadata.annotations;
        annotations.insert(BETA_STORAGE_PROVISIONER.to_owned(), provisioner.to_owned());
        annotations.insert(STORAGE_PROVISIONER.to_owned(), provisioner.to_owned());
        annotations.remove(MIGRATED_TO);
        plan.stage([
            Write::update(changed).telling(None, Some(failed("Error saving claim: {error}".to_owned())))
        ]);
    }
    let message = format!(
        "Waiting for a volume to be created either by the external provisioner '{provisioner}' or manually by the system \
         administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered."
    );
    plan.events.push(Note::normal(claim, "ExternalProvisioning", message));
}

/// A claim that has no volume yet looks for one again later.
fn wait(plan: &mut Plan, claim: &PersistentVolumeClaim) {
    plan.stage(status::unbound(claim, status::PENDING));
    plan.again_in(RESYNC);
}

/// The volume names the claim, says that it is bound, the claim names the volume; then the claim says so as well.
fn bind(plan: &mut Plan, claim: &PersistentVolumeClaim, volume: &PersistentVolume, now: Time) {
    let named = api_volume::bind(volume, claim);
    plan.stage(match &named {
        Some(named) => Some(Write::update(named.clone())),
        None => status::phase(volume, status::BOUND, "", now),
    });
    plan.stage(named.and_then(|named| status::phase_after(&named, status::BOUND, now)));
    let mut changed = claim.clone();
    let mut dirty = false;
    if claim.spec.volume_name != volume.metadata.name {
        changed.spec.volume_name.clone_from(&volume.metadata.name);
        changed.metadata.annotations.insert(BOUND_BY_CONTROLLER.to_owned(), "yes".to_owned());
        dirty = true;
    }
    dirty |= changed.metadata.annotations.insert(BIND_COMPLETED.to_owned(), "yes".to_owned()).is_none();
    if dirty {
        plan.stage([Write::update(changed)]);
        return;
    }
    match status::bound(claim, volume) {
        Ok(write) => {
            plan.stage(write);
        }
        Err(failure) => plan.failure = Some(failure),
    }
}
