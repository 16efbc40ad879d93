//! What is wrong with a volume's description, its own or one that an attachment holds.

use api_kind::Ctx;
use api_kind::checks::{each, shown, supported};
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_meta::names;
use api_record::scalar::Quantity;
use api_types::core::v1::{NodeSelector, PersistentVolume, PersistentVolumeSpec};

use super::source;
use crate::persistent_volume_claim::modes;
use crate::pod::scheduling::node_selector_of;

const INLINE: &str = "may not be specified in the context of inline volumes";

/// A volume's own description.
pub fn check(
    errors: &mut ErrorList,
    ctx: &Ctx<'_>,
    volume: &PersistentVolume,
    old: Option<&PersistentVolume>,
) {
    let (path, spec) = (Path::new("spec"), &volume.spec);
    modes(errors, &path.child("accessModes"), &spec.access_modes, "");
    capacity(errors, &path.child("capacity"), spec);
    let policy = &spec.persistent_volume_reclaim_policy;
    if !policy.is_empty() {
        let at = path.child("persistentVolumeReclaimPolicy");
        supported(errors, &at, policy, &["Delete", "Recycle", "Retain"]);
    }
    placement(errors, &path.child("nodeAffinity"), spec, old.map(|old| &old.spec));
    let placed = spec.node_affinity.is_some();
    source::check(errors, &path, &volume.metadata.name, &spec.persistent_volume_source, placed);
    recycled_root(errors, &path, spec);
    let class = &spec.storage_class_name;
    if !class.is_empty() {
        each(errors, &path.child("storageClassName"), class, names::name_is_dns_subdomain(class, false));
    }
    if let Some(mode) = &spec.volume_mode {
        supported(errors, &path.child("volumeMode"), mode, &["Block", "Filesystem"]);
    }
    let had_attributes = old.is_some_and(|old| old.spec.volume_attributes_class_name.is_some());
    if had_attributes || ctx.gates.is_on("VolumeAttributesClass") {
        attributes(errors, &path, spec);
    }
}

/// The description that an attachment holds: of a driver's volume, without what only a volume of the cluster has.
pub fn inline(errors: &mut ErrorList, path: &Path, spec: &PersistentVolumeSpec) {
    let source = &spec.persistent_volume_source;
    for (field, given) in [
        ("claimRef", spec.claim_ref.is_some()),
        ("capacity", !spec.capacity.is_empty()),
        ("nodeAffinity", spec.node_affinity.is_some()),
        ("storageClassName", !spec.storage_class_name.is_empty()),
    ] {
        if given {
            errors.push(FieldError::forbidden(&path.child(field), INLINE));
        }
    }
    if source.csi.is_none() {
        let why = "has to be specified in the context of inline volumes";
        errors.push(FieldError::required(&path.child("csi"), why));
    }
    modes(errors, &path.child("accessModes"), &spec.access_modes, "");
    if !matches!(spec.persistent_volume_reclaim_policy.as_str(), "" | "Retain") {
        let why = "may only be Retain in the context of inline volumes";
        errors.push(FieldError::forbidden(&path.child("persistentVolumeReclaimPolicy"), why));
    }
    source::check(errors, path, "", source, false);
    recycled_root(errors, path, spec);
    if spec.volume_mode.as_deref().is_some_and(|mode| mode != "Filesystem") {
        let why = "may not specify volumeMode other than Filesystem in the context of inline volumes";
        errors.push(FieldError::forbidden(&path.child("volumeMode"), why));
    }
}

fn capacity(errors: &mut ErrorList, at: &Path, spec: &PersistentVolumeSpec) {
    let sizes = &spec.capacity;
    if sizes.is_empty() {
        errors.push(FieldError::required(at, ""));
    }
    if !sizes.contains_key("storage") || sizes.len() > 1 {
        let pairs = sizes.iter().map(|(name, size): (&String, &Quantity)| {
            format!("{}:{}", api_meta::quote::json(name), api_meta::quote::json(&size.to_string()))
        });
        let shown = match sizes.len() {
            0 => BadValue::null(),
            _ => BadValue::json(format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))),
        };
        errors.push(FieldError::not_supported(at, shown, &["storage"]));
    }
    for (name, size) in sizes {
        let at = at.key(name);
        if size.units() < 0 {
            errors.push(FieldError::invalid(&at, size.units(), "must be a valid resource quantity"));
        }
        if size.sign() <= 0 {
            errors.push(FieldError::invalid(&at, size, "must be greater than zero"));
        }
    }
}

fn placement(
    errors: &mut ErrorList,
    at: &Path,
    spec: &PersistentVolumeSpec,
    old: Option<&PersistentVolumeSpec>,
) {
    let required = |spec: &PersistentVolumeSpec| -> Option<NodeSelector> {
        spec.node_affinity.as_ref()?.required.as_deref().cloned()
    };
    // Values that no label can have stay where they were allowed.
    let strict =
        !old.and_then(required).is_some_and(|selector| {
            selector.node_selector_terms.iter().flat_map(|term| &term.match_expressions).any(|expression| {
                expression.values.iter().any(|value| !names::is_label_value(value).is_empty())
            })
        });
    let at = at.child("required");
    match spec.node_affinity.as_ref().map(|affinity| &affinity.required) {
        None => {}
        Some(Some(selector)) => node_selector_of(errors, &at, selector, strict),
        Some(None) => errors.push(FieldError::required(&at, "must specify required node constraints")),
    }
}

/// Recycling empties the directory, and the node's root is not to be emptied.
fn recycled_root(errors: &mut ErrorList, path: &Path, spec: &PersistentVolumeSpec) {
    let host = spec.persistent_volume_source.host_path.as_ref();
    if spec.persistent_volume_reclaim_policy == "Recycle" && host.is_some_and(|host| is_root(&host.path)) {
        let why = "may not be 'recycle' for a hostPath mount of '/'";
        errors.push(FieldError::forbidden(&path.child("persistentVolumeReclaimPolicy"), why));
    }
}

/// Whether a path leads to the root, once its dots are followed.
fn is_root(path: &str) -> bool {
    let depth = path.split('/').fold(0usize, |depth, part| match part {
        "" | "." => depth,
        ".." => depth.saturating_sub(1),
        _ => depth + 1,
    });
    path.starts_with('/') && depth == 0
}

fn attributes(errors: &mut ErrorList, path: &Path, spec: &PersistentVolumeSpec) {
    let Some(class) = &spec.volume_attributes_class_name else { return };
    let at = path.child("volumeAttributesClassName");
    if class.is_empty() {
        errors.push(FieldError::required(&at, "an empty string is disallowed"));
    } else {
        each(errors, &at, class, names::name_is_dns_subdomain(class, false));
    }
    if spec.persistent_volume_source.csi.is_none() {
        let why = "has to be specified when using volumeAttributesClassName";
        errors.push(FieldError::required(&path.child("csi"), why));
    }
}

/// A record that may be absent, as messages show it.
pub fn shown_or_null<T: api_record::Record>(record: Option<&T>) -> BadValue {
    record.map_or_else(BadValue::null, |record| shown(record))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_is_known_by_any_of_its_names() {
        for (path, root) in [
            ("/", true),
            ("//", true),
            ("/a/..", true),
            ("/../.", true),
            ("/a", false),
            ("", false),
            (".", false),
        ] {
            assert_eq!(is_root(path), root, "{path}");
        }
    }
}
