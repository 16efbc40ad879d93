//! What of a claim may change, and what its status may say.

use api_kind::Ctx;
use api_kind::checks::{immutable, qualified_name, supported};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_record::scalar::Quantity;
use api_types::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec};

use super::CLASS;
use super::source;
use crate::pod::resources;

const RESIZES: &[&str] = &[
    "ControllerResizeInProgress",
    "ControllerResizeInfeasible",
    "NodeResizeInProgress",
    "NodeResizeInfeasible",
    "NodeResizePending",
];

/// Checks what an update changes.
pub fn check(
    errors: &mut ErrorList,
    ctx: &Ctx<'_>,
    path: &Path,
    claim: &PersistentVolumeClaim,
    old: &PersistentVolumeClaim,
) {
    let (new, before) = (&claim.spec, &old.spec);
    let (mut now, mut then) = (new.clone(), before.clone());
    // What was stored before the two fields for a source were kept alike is read as if they had been.
    source::prepare(ctx, &mut then, Some(before));
    if before.volume_name.is_empty() {
        then.volume_name.clone_from(&new.volume_name);
    }
    let class_of = |claim: &PersistentVolumeClaim| claim.metadata.annotations.get(CLASS).cloned();
    let (class, had) = (class_of(claim), class_of(old));
    let from_annotation = before.storage_class_name.is_none()
        && had.is_some()
        && new.storage_class_name == had
        && (class.is_none() || class == had);
    if from_annotation {
        now.storage_class_name = None;
    } else {
        let at = Path::new("metadata").child("annotations").key(CLASS);
        immutable(
            errors,
            &at,
            class.as_deref().unwrap_or("") == had.as_deref().unwrap_or(""),
            class.unwrap_or_default(),
        );
        let free = before.storage_class_name.is_none() && (had.is_none() || new.storage_class_name == had);
        if new.storage_class_name.is_some() && free {
            now.storage_class_name = None;
        }
    }
    if claim.status.phase == "Bound" {
        if let (Some(size), false) =
            (before.resources.requests.get("storage"), now.resources.requests.is_empty())
        {
            now.resources.requests.insert("storage".into(), size.clone());
        }
        now.volume_attributes_class_name.clone_from(&then.volume_attributes_class_name);
    }
    if now != then {
        let why = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        errors.push(FieldError::forbidden(path, why));
    }
    sizes(errors, ctx, path, claim, old);
    // Upstream's path does not begin with the spec.
    let mode = new.volume_mode.as_deref();
    immutable(errors, &Path::new("volumeMode"), new.volume_mode == before.volume_mode, mode);
    attributes(errors, ctx, &path.child("volumeAttributesClassName"), new, old);
}

/// A claim shrinks no further than what its volume has, so that an expansion that failed can be taken back.
fn sizes(
    errors: &mut ErrorList,
    ctx: &Ctx<'_>,
    path: &Path,
    claim: &PersistentVolumeClaim,
    old: &PersistentVolumeClaim,
) {
    let none = Quantity::default();
    let size =
        |spec: &PersistentVolumeClaimSpec| spec.resources.requests.get("storage").unwrap_or(&none).clone();
    let (new, before) = (size(&claim.spec), size(&old.spec));
    if new >= before {
        return;
    }
    let at = path.child("resources").child("requests").child("storage");
    if !ctx.gates.is_on("RecoverVolumeExpansionFailure") && !resizes(old) {
        errors.push(FieldError::forbidden(&at, "field can not be less than previous value"));
    } else if new <= *old.status.capacity.get("storage").unwrap_or(&none) {
        errors.push(FieldError::forbidden(&at, "field can not be less than status.capacity"));
    }
}

fn resizes(claim: &PersistentVolumeClaim) -> bool {
    !claim.status.allocated_resources.is_empty() || !claim.status.allocated_resource_statuses.is_empty()
}

fn attributes(
    errors: &mut ErrorList,
    ctx: &Ctx<'_>,
    at: &Path,
    new: &PersistentVolumeClaimSpec,
    old: &PersistentVolumeClaim,
) {
    let (class, had) = (&new.volume_attributes_class_name, &old.spec.volume_attributes_class_name);
    if class == had {
        return;
    }
    if !ctx.gates.is_on("VolumeAttributesClass") {
        let why = "update is forbidden when the VolumeAttributesClass feature gate is disabled";
        errors.push(FieldError::forbidden(at, why));
    }
    let what = match class.as_deref() {
        None => "nil",
        Some("") => "empty string",
        Some(_) => return,
    };
    if old.status.current_volume_attributes_class_name.is_some() {
        let why =
            format!("update to {what} is forbidden when status.currentVolumeAttributesClassName is not nil");
        errors.push(FieldError::forbidden(at, why));
    }
}

/// Checks a status that replaces another.
pub fn status(
    errors: &mut ErrorList,
    ctx: &Ctx<'_>,
    claim: &PersistentVolumeClaim,
    old: &PersistentVolumeClaim,
) {
    let (path, status) = (Path::new("status"), &claim.status);
    if claim.spec.access_modes.is_empty() {
        errors.push(FieldError::required(&Path::new("Spec").child("accessModes"), ""));
    }
    for (name, size) in &status.capacity {
        size_is_valid(errors, &path.child("capacity").key(name), size);
    }
    if !ctx.gates.is_on("RecoverVolumeExpansionFailure") && !resizes(old) {
        return;
    }
    let at = path.child("allocatedResourceStatuses");
    for (name, state) in &status.allocated_resource_statuses {
        resource(errors, &at, name);
        if !RESIZES.contains(&state.as_str()) {
            errors.push(FieldError::not_supported(&at, name, RESIZES));
        }
    }
    let at = path.child("allocatedResources");
    for (name, size) in &status.allocated_resources {
        if resource(errors, &at, name) && size_is_valid(errors, &at.key(name), size) {
            resources::quantity(errors, &at.key(name), "storage", size);
        }
    }
}

fn size_is_valid(errors: &mut ErrorList, at: &Path, size: &Quantity) -> bool {
    let valid = size.units() >= 0;
    if !valid {
        errors.push(FieldError::invalid(at, size.units(), "must be a valid resource quantity"));
    }
    valid
}

/// What a volume can be resized in: storage, or something that has a domain of its own.
fn resource(errors: &mut ErrorList, at: &Path, name: &str) -> bool {
    let before = errors.len();
    qualified_name(errors, at, name);
    let native = !name.contains('/') || name.contains("kubernetes.io/");
    if names::is_label_key(name).is_empty() && native {
        supported(errors, at, name, &["storage"]);
    }
    errors.len() == before
}
