//! What becomes of a volume: it is available, bound, let go, or reclaimed. Upstream: `syncVolume`.

use api_types::core::v1::{ObjectReference, PersistentVolume, PersistentVolumeClaim};
use api_volume::annotation::{BOUND_BY_CONTROLLER, MIGRATED_TO, PROVISIONED_BY};
use api_volume::matching;
use base::time::Time;
use client::Target;
use client::reconcile::{Guard, Note, Plan, World, Write, resource_of};

use super::recycle::{Tries, recycle};
use super::{migration, status};
use crate::limits::RESYNC;

/// The plugin of directories of nodes.
const HOST_PATH: &str = "kubernetes.io/host-path";

pub(super) fn plan(volume: &PersistentVolume, tries: &mut Tries, world: &World, now: Time) -> Plan {
    let mut plan = Plan::default();
    if let Some(changed) = migration::volume(volume) {
        plan.stage([Write::update(changed)]);
        return plan;
    }
    let Some(of) = volume.spec.claim_ref.as_deref().filter(|of| !of.uid.is_empty()) else {
        plan.stage(status::phase(volume, status::AVAILABLE, "", now));
        return plan;
    };
    let claim = world.get::<PersistentVolumeClaim>(&of.namespace, &of.name);
    match claim.filter(|claim| claim.metadata.uid == of.uid) {
        None => release(&mut plan, volume, Some(absent(of)), tries, world, now),
        Some(claim) if claim.spec.volume_name.is_empty() => unfinished(&mut plan, volume, claim),
        Some(claim) if claim.spec.volume_name == volume.metadata.name => {
            plan.stage(status::phase(volume, status::BOUND, "", now));
        }
        // It was made for a claim that has found another one.
        Some(_)
            if volume.metadata.annotations.contains_key(PROVISIONED_BY)
                && volume.spec.persistent_volume_reclaim_policy == "Delete" =>
        {
            release(&mut plan, volume, None, tries, world, now);
        }
        Some(_) => unbind(&mut plan, volume, now),
    }
    plan
}

/// That a claim is gone, by a consistent read: one that the view does not show yet must not lose its data.
fn absent(of: &ObjectReference) -> Guard {
    let target = Target {
        resource: resource_of::<PersistentVolumeClaim>().clone(),
        namespace: of.namespace.clone(),
        name: of.name.clone(),
        subresource: String::new(),
    };
    Guard::Absent(target, of.uid.clone())
}

/// The claim's own plan finishes the binding, unless the two are of different modes.
fn unfinished(plan: &mut Plan, volume: &PersistentVolume, claim: &PersistentVolumeClaim) {
    plan.again_in(RESYNC);
    if matching::has_mode(claim, volume) {
        return;
    }
    let of_volume = format!(
        "Cannot bind PersistentVolume to requested PersistentVolumeClaim {:?} due to incompatible volumeMode.",
        claim.metadata.name
    );
    let of_claim = format!(
        "Cannot bind PersistentVolume {:?} to requested PersistentVolumeClaim due to incompatible volumeMode.",
        volume.metadata.name
    );
    plan.events.push(Note::warning(volume, "VolumeMismatch", of_volume));
    plan.events.push(Note::warning(claim, "VolumeMismatch", of_claim));
}

/// A volume whose claim has gone says so first, and is then dealt with as its policy says.
fn release(
    plan: &mut Plan,
    volume: &PersistentVolume,
    gone: Option<Guard>,
    tries: &mut Tries,
    world: &World,
    now: Time,
) {
    if !matches!(volume.status.phase.as_str(), status::RELEASED | status::FAILED) {
        let write = status::phase(volume, status::RELEASED, "", now);
        plan.stage(write.map(|write| match gone {
            Some(gone) => write.guarded(gone),
            None => write,
        }));
        return;
    }
    if volume.metadata.annotations.get(MIGRATED_TO).is_some_and(|driver| !driver.is_empty()) {
        return;
    }
    match volume.spec.persistent_volume_reclaim_policy.as_str() {
        "Retain" => {}
        "Recycle" => recycle(plan, volume, tries, world, now),
        "Delete" => {
            if let Some(why) = undeletable(volume) {
                status::fail(plan, volume, "VolumeFailedDelete", &why, now);
            }
        }
        _ => {
            let why = "Volume has unrecognized PersistentVolumeReclaimPolicy";
            status::fail(plan, volume, "VolumeUnknownReclaimPolicy", why, now);
        }
    }
}

/// Why nobody will ever delete a volume; `None` if somebody outside does. Upstream's controller deletes directories below /tmp of the machine
/// that it happens to run on; this one touches no files.
fn undeletable(volume: &PersistentVolume) -> Option<String> {
    let annotated = volume.metadata.annotations.get(PROVISIONED_BY).map_or("", String::as_str);
    if let Some(host) = volume.spec.persistent_volume_source.host_path.as_deref()
        && matches!(annotated, "" | HOST_PATH)
        && !host.path.contains("/tmp/")
    {
        let path = &host.path;
        return Some(format!("host_path deleter only supports /tmp/.+ but received provided {path}"));
    }
    if let Some(provisioner) = volume.metadata.annotations.get(PROVISIONED_BY).filter(|by| !by.is_empty()) {
        let is_known =
            !provisioner.starts_with(migration::IN_TREE) || migration::driver(provisioner).is_some();
        return (!is_known).then(|| format!("no volume plugin matched name: {provisioner}"));
    }
    if volume.spec.persistent_volume_source.csi.is_some() {
        return None;
    }
    let name = &volume.metadata.name;
    Some(format!(
        "error getting deleter volume plugin for volume {name:?}: no deletable volume plugin matched"
    ))
}

/// A volume whose claim has another one: what this controller wrote is taken back, what somebody else wrote stays but for the uid.
pub(super) fn unbind(plan: &mut Plan, volume: &PersistentVolume, now: Time) {
    let mut changed = volume.clone();
    if changed.metadata.annotations.remove(BOUND_BY_CONTROLLER).is_some() {
        changed.spec.claim_ref = None;
    } else if let Some(of) = &mut changed.spec.claim_ref {
        of.uid.clear();
    }
    plan.stage([Write::update(changed.clone())]);
    plan.stage(status::phase_after(&changed, status::AVAILABLE, now));
}
