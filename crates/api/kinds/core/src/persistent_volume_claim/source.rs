//! What a claim's volume is filled with when it is made: a field that every client knows, and one that can name anything (KEP 1495).

use api_kind::Ctx;
use api_kind::checks::{each, required};
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_meta::names;
use api_types::core::v1::{PersistentVolumeClaimSpec, TypedLocalObjectReference, TypedObjectReference};

/// Clients that know only one of the two fields find in it what another said in the other. What the older field never could name is
/// dropped without a word, as it always was.
pub fn prepare(ctx: &Ctx<'_>, spec: &mut PersistentVolumeClaimSpec, old: Option<&PersistentVolumeClaimSpec>) {
    let named_elsewhere = |spec: &PersistentVolumeClaimSpec| {
        spec.data_source_ref
            .as_ref()
            .is_some_and(|source| !source.namespace.as_deref().unwrap_or("").is_empty())
    };
    let keeps = old.is_some_and(|old| old.data_source_ref.is_some());
    if named_elsewhere(spec) && !keeps && !ctx.gates.is_on("CrossNamespaceVolumeDataSource") {
        spec.data_source_ref = None;
    }
    let in_use = old.is_some_and(|old| old.data_source.is_some() || old.data_source_ref.is_some());
    if !in_use && spec.data_source_ref.is_none() {
        spec.data_source = spec.data_source.take().filter(|source| {
            matches!(
                (source.api_group.as_deref().unwrap_or(""), source.kind.as_str()),
                ("", "PersistentVolumeClaim") | ("snapshot.storage.k8s.io", "VolumeSnapshot")
            )
        });
    }
    match (&spec.data_source, &spec.data_source_ref) {
        (Some(source), None) => {
            spec.data_source_ref = Some(Box::new(TypedObjectReference {
                api_group: source.api_group.clone(),
                kind: source.kind.clone(),
                name: source.name.clone(),
                namespace: None,
            }));
        }
        (None, Some(source)) if !named_elsewhere(spec) => {
            spec.data_source = Some(Box::new(TypedLocalObjectReference {
                api_group: source.api_group.clone(),
                kind: source.kind.clone(),
                name: source.name.clone(),
            }));
        }
        _ => {}
    }
}

/// Checks both; a group that is none stays where it was allowed.
pub fn check(errors: &mut ErrorList, path: &Path, spec: &PersistentVolumeClaimSpec, any_group: bool) {
    if let Some(source) = &spec.data_source {
        let group = source.api_group.as_deref().unwrap_or("");
        reference(errors, &path.child("dataSource"), group, &source.kind, &source.name, any_group);
    }
    let Some(source) = &spec.data_source_ref else { return };
    let (at, group) = (path.child("dataSourceRef"), source.api_group.as_deref().unwrap_or(""));
    reference(errors, &at, group, &source.kind, &source.name, any_group);
    let namespace = source.namespace.as_deref().unwrap_or("");
    if !namespace.is_empty() {
        each(errors, &at.child("namespace"), namespace, names::name_is_dns_label(namespace, false));
    }
    let Some(local) = &spec.data_source else { return };
    let same = local.api_group.as_deref().unwrap_or("") == group
        && (&local.kind, &local.name) == (&source.kind, &source.name);
    // Upstream shows a path here, of which nothing is seen.
    if !namespace.is_empty() {
        let why = "may not be specified when dataSourceRef.namespace is specified";
        errors.push(FieldError::invalid(path, BadValue::json("{}"), why));
    } else if !same {
        errors.push(FieldError::invalid(path, BadValue::json("{}"), "must match dataSourceRef"));
    }
}

/// Whether a group that is named is none.
pub fn has_invalid_group(spec: &PersistentVolumeClaimSpec) -> bool {
    let local = spec.data_source.as_ref().and_then(|source| source.api_group.as_deref());
    let any = spec.data_source_ref.as_ref().and_then(|source| source.api_group.as_deref());
    let named = [local, any].into_iter().flatten().filter(|group| !group.is_empty());
    named.into_iter().any(|group| !names::is_dns1123_subdomain(group).is_empty())
}

fn reference(errors: &mut ErrorList, at: &Path, group: &str, kind: &str, name: &str, any_group: bool) {
    required(errors, &at.child("name"), name);
    required(errors, &at.child("kind"), kind);
    if group.is_empty() && kind != "PersistentVolumeClaim" {
        let why = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
        errors.push(FieldError::invalid(at, kind, why));
    }
    if !group.is_empty() && !any_group {
        each(errors, &at.child("apiGroup"), group, names::is_dns1123_subdomain(group));
    }
}
