//! What claims and volumes say of themselves.

use api_meta::Status;
use api_types::core::v1::{PersistentVolume, PersistentVolumeClaim};
use api_volume::STORAGE;
use api_volume::annotation::PRE_RESIZE_CAPACITY;
use base::time::Time;
use client::reconcile::{Note, Op, Plan, Write};

pub(super) const AVAILABLE: &str = "Available";
pub(super) const BOUND: &str = "Bound";
pub(super) const FAILED: &str = "Failed";
pub(super) const LOST: &str = "Lost";
pub(super) const PENDING: &str = "Pending";
pub(super) const RELEASED: &str = "Released";

/// Gives a volume a phase, unless it has it.
pub(super) fn phase(volume: &PersistentVolume, phase: &str, message: &str, now: Time) -> Option<Write> {
    if volume.status.phase == phase {
        return None;
    }
    let mut changed = volume.clone();
    phase.clone_into(&mut changed.status.phase);
    message.clone_into(&mut changed.status.message);
    changed.status.last_phase_transition_time = Some(now.into());
    Some(Write::status(changed))
}

/// The same after another write of the volume in the same plan, which has changed its resource version.
pub(super) fn phase_after(volume: &PersistentVolume, wanted: &str, now: Time) -> Option<Write> {
    let mut write = phase(volume, wanted, "", now)?;
    if let Op::Update(_, conditional) = &mut write.op {
        *conditional = false;
    }
    Some(write)
}

/// A volume that cannot be reclaimed says so once, and why.
pub(super) fn fail(plan: &mut Plan, volume: &PersistentVolume, reason: &'static str, why: &str, now: Time) {
    if let Some(write) = phase(volume, FAILED, why, now) {
        plan.stage([write.telling(Some(Note::warning(volume, reason, why)), None)]);
    }
}

/// A claim that has no volume.
pub(super) fn unbound(claim: &PersistentVolumeClaim, phase: &str) -> Option<Write> {
    let status = &claim.status;
    let is_so = status.phase == phase
        && status.access_modes.is_empty()
        && status.capacity.is_empty()
        && status.current_volume_attributes_class_name.is_none();
    if is_so {
        return None;
    }
    let mut changed = claim.clone();
    let status = &mut changed.status;
    phase.clone_into(&mut status.phase);
    status.access_modes.clear();
    status.capacity.clear();
    status.current_volume_attributes_class_name = None;
    Some(Write::status(changed))
}

/// A claim that has lost its volume says so once, and why.
pub(super) fn lose(plan: &mut Plan, claim: &PersistentVolumeClaim, reason: &'static str, why: &str) {
    if claim.status.phase == LOST {
        return;
    }
    let write = unbound(claim, LOST);
    plan.stage(write.map(|write| write.telling(Some(Note::warning(claim, reason, why)), None)));
}

/// A claim that has this volume. Its capacity is taken over only as it becomes bound: later, the file system on it may be smaller.
///
/// # Errors
/// If the volume has no capacity.
pub(super) fn bound(
    claim: &PersistentVolumeClaim,
    volume: &PersistentVolume,
) -> Result<Option<Write>, Status> {
    let mut changed = claim.clone();
    let mut dirty = false;
    if claim.status.access_modes != volume.spec.access_modes {
        changed.status.access_modes.clone_from(&volume.spec.access_modes);
        dirty = true;
    }
    if claim.status.phase != BOUND {
        dirty = true;
        BOUND.clone_into(&mut changed.status.phase);
        let Some(capacity) = volume.spec.capacity.get(STORAGE) else {
            let name = &volume.metadata.name;
            return Err(Status::internal_error(format!(
                "PersistentVolume {name:?} is without a storage capacity"
            )));
        };
        match volume.metadata.annotations.get(PRE_RESIZE_CAPACITY) {
            Some(before) => {
                let before = before.parse().unwrap_or_else(|_| capacity.clone());
                changed.status.capacity.insert(STORAGE.to_owned(), before);
            }
            None if claim.status.capacity.get(STORAGE) != Some(capacity) => {
                changed.status.capacity.clone_from(&volume.spec.capacity);
            }
            None => {}
        }
        let attributes = &volume.spec.volume_attributes_class_name;
        if claim.status.phase == PENDING {
            changed.status.current_volume_attributes_class_name.clone_from(attributes);
        }
    }
    Ok(dirty.then(|| Write::status(changed)))
}
