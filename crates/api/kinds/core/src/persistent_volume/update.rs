//! What of a volume may change.

use api_kind::Ctx;
use api_kind::checks::immutable;
use api_meta::field::{ErrorList, FieldError, Path};
use api_types::core::v1::{PersistentVolume, VolumeNodeAffinity};

use super::spec::shown_or_null;

/// Labels of nodes that were renamed when they became stable.
const RENAMED: &[(&str, &str)] = &[
    ("failure-domain.beta.kubernetes.io/zone", "topology.kubernetes.io/zone"),
    ("failure-domain.beta.kubernetes.io/region", "topology.kubernetes.io/region"),
    ("beta.kubernetes.io/os", "kubernetes.io/os"),
    ("beta.kubernetes.io/arch", "kubernetes.io/arch"),
    ("beta.kubernetes.io/instance-type", "node.kubernetes.io/instance-type"),
];

/// Checks what an update changes.
pub fn check(errors: &mut ErrorList, ctx: &Ctx<'_>, volume: &PersistentVolume, old: &PersistentVolume) {
    let (path, spec, before) = (Path::new("spec"), &volume.spec, &old.spec);
    let mut source = spec.persistent_volume_source.clone();
    if let (Some(new), Some(old)) = (&mut source.csi, &before.persistent_volume_source.csi)
        && old.controller_expand_secret_ref.is_none()
    {
        new.controller_expand_secret_ref = None;
    }
    if source != before.persistent_volume_source {
        let why = "spec.persistentvolumesource is immutable after creation";
        errors.push(FieldError::forbidden(&path.child("persistentvolumesource"), why));
    }
    // Upstream's paths for these two do not begin with the spec.
    let mode = spec.volume_mode.as_deref();
    immutable(errors, &Path::new("volumeMode"), spec.volume_mode == before.volume_mode, mode);
    if let Some(placed) = before.node_affinity.as_deref()
        && !ctx.gates.is_on("MutablePVNodeAffinity")
        && !spec.node_affinity.as_deref().is_some_and(|affinity| same_nodes(affinity, placed))
    {
        let why = "field is immutable, except for updating from beta label to GA";
        let shown = shown_or_null(spec.node_affinity.as_deref());
        errors.push(FieldError::invalid(&Path::new("nodeAffinity"), shown, why));
    }
    let (class, had) = (&spec.volume_attributes_class_name, &before.volume_attributes_class_name);
    let at = path.child("volumeAttributesClassName");
    if class != had && !ctx.gates.is_on("VolumeAttributesClass") {
        let why = "update is forbidden when the VolumeAttributesClass feature gate is disabled";
        errors.push(FieldError::forbidden(&at, why));
    }
    if had.is_some() && class.is_none() {
        errors.push(FieldError::forbidden(&at, "update from non-nil value to nil is forbidden"));
    }
}

/// Whether both select the same nodes, but for labels that now have their stable names.
fn same_nodes(new: &VolumeNodeAffinity, old: &VolumeNodeAffinity) -> bool {
    let mut old = old.clone();
    if let (Some(new), Some(old)) = (&new.required, &mut old.required) {
        for (new, old) in new.node_selector_terms.iter().zip(old.node_selector_terms.iter_mut()) {
            for (new, old) in [
                (&new.match_expressions, &mut old.match_expressions),
                (&new.match_fields, &mut old.match_fields),
            ] {
                for (new, old) in new.iter().zip(old.iter_mut()) {
                    if RENAMED.contains(&(old.key.as_str(), new.key.as_str())) {
                        old.key.clone_from(&new.key);
                    }
                }
            }
        }
    }
    *new == old
}
