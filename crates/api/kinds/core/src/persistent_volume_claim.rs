//! Claims of persistent volumes.

use api_kind::checks::{each, immutable, required, supported};
use api_kind::{Column, Ctx, Kind};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::labels::{SelectorLeniency, validate_label_selector};
use api_meta::names;
use api_types::core::v1::{
    PersistentVolumeClaim, PersistentVolumeClaimSpec, TypedLocalObjectReference, TypedObjectReference,
};
use api_types::meta::v1::ObjectMeta;

use crate::pod::defaults::round_up;

/// The modes of access, with what a table calls them.
const MODES: &[(&str, &str)] = &[
    ("ReadWriteOnce", "RWO"),
    ("ReadOnlyMany", "ROX"),
    ("ReadWriteMany", "RWX"),
    ("ReadWriteOncePod", "RWOP"),
];
const CLASS: &str = "volume.beta.kubernetes.io/storage-class";

/// The row.
pub const KIND: Kind<PersistentVolumeClaim> =
    Kind::<PersistentVolumeClaim>::of("", "v1", "persistentvolumeclaims")
        .defaults(|_, claim| fill(claim))
        .prepare(prepare)
        .validate(validate)
        .columns(&[
            Column::<PersistentVolumeClaim>::name(),
            Column::<PersistentVolumeClaim>::text(
                "Status",
                "phase represents the current phase of PersistentVolumeClaim.",
                |claim, _| phase(&claim.metadata, &claim.status.phase).into(),
            ),
            Column::<PersistentVolumeClaim>::text(
                "Volume",
                "volumeName is the binding reference to the PersistentVolume backing this claim.",
                |claim, _| claim.spec.volume_name.as_str().into(),
            ),
            Column::<PersistentVolumeClaim>::text(
                "Capacity",
                "capacity represents the actual resources of the underlying volume.",
                |claim, _| {
                    if claim.spec.volume_name.is_empty() {
                        return "".into();
                    }
                    claim
                        .status
                        .capacity
                        .get("storage")
                        .map_or_else(|| "0".to_owned(), ToString::to_string)
                        .into()
                },
            ),
            Column::<PersistentVolumeClaim>::text(
                "Access Modes",
                "accessModes contains the actual access modes the volume backing the PVC has.",
                |claim, _| {
                    if claim.spec.volume_name.is_empty() {
                        "".into()
                    } else {
                        short_modes(&claim.status.access_modes).into()
                    }
                },
            ),
            Column::<PersistentVolumeClaim>::text("StorageClass", "StorageClass of the pvc", |claim, _| {
                let old = claim.metadata.annotations.get(CLASS);
                old.or(claim.spec.storage_class_name.as_ref()).map_or("", String::as_str).into()
            }),
            Column::<PersistentVolumeClaim>::text(
                "VolumeAttributesClass",
                "VolumeAttributesClass of the pvc",
                |claim, _| claim.spec.volume_attributes_class_name.as_deref().unwrap_or("<unset>").into(),
            ),
            Column::<PersistentVolumeClaim>::age(),
            Column::<PersistentVolumeClaim>::text(
                "VolumeMode",
                "volumeMode defines what type of volume is required by the claim.",
                |claim, _| claim.spec.volume_mode.as_deref().unwrap_or("<unset>").into(),
            )
            .wide(),
        ]);

/// The phase, or that it is going.
pub fn phase<'a>(meta: &ObjectMeta, phase: &'a str) -> &'a str {
    if meta.deletion_timestamp.is_some() { "Terminating" } else { phase }
}

/// The modes of access as tables show them.
pub fn short_modes(modes: &[String]) -> String {
    let short =
        MODES.iter().filter(|(name, _)| modes.iter().any(|mode| mode == name)).map(|(_, short)| *short);
    short.collect::<Vec<_>>().join(",")
}

/// What a claim's spec gets; templates of claims share it.
pub fn defaults(spec: &mut PersistentVolumeClaimSpec) {
    spec.volume_mode.get_or_insert_with(|| "Filesystem".into());
    round_up(&mut spec.resources.limits);
    round_up(&mut spec.resources.requests);
}

/// What a claim gets, also one that a stateful set carries.
pub fn fill(claim: &mut PersistentVolumeClaim) {
    defaults(&mut claim.spec);
    let status = &mut claim.status;
    if status.phase.is_empty() {
        "Pending".clone_into(&mut status.phase);
    }
    round_up(&mut status.capacity);
    round_up(&mut status.allocated_resources);
}

fn prepare(_: &Ctx<'_>, claim: &mut PersistentVolumeClaim, old: Option<&PersistentVolumeClaim>) {
    if old.is_none() {
        "Pending".clone_into(&mut claim.status.phase);
    }
    data_sources(&mut claim.spec, old.map(|old| &old.spec));
}

/// Clients that know only one of the two fields find in it what another said in the other. What the older field never could name is
/// dropped without a word, as it always was (KEP 1495).
fn data_sources(spec: &mut PersistentVolumeClaimSpec, old: Option<&PersistentVolumeClaimSpec>) {
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
        (None, Some(source)) if source.namespace.as_deref().unwrap_or("").is_empty() => {
            spec.data_source = Some(Box::new(TypedLocalObjectReference {
                api_group: source.api_group.clone(),
                kind: source.kind.clone(),
                name: source.name.clone(),
            }));
        }
        _ => {}
    }
}

fn validate(
    ctx: &Ctx<'_>,
    claim: &PersistentVolumeClaim,
    old: Option<&PersistentVolumeClaim>,
    errors: &mut ErrorList,
) {
    if ctx.subresource == "status" {
        return;
    }
    let path = Path::new("spec");
    spec(errors, &path, &claim.spec);
    if let Some(old) = old {
        changes(errors, &path, claim, old);
    }
}

fn changes(errors: &mut ErrorList, path: &Path, claim: &PersistentVolumeClaim, old: &PersistentVolumeClaim) {
    let (new, before) = (&claim.spec, &old.spec);
    let mut munged = new.clone();
    if before.volume_name.is_empty() {
        munged.volume_name.clone_from(&before.volume_name);
    }
    if before.storage_class_name.is_none() && !claim.metadata.annotations.contains_key(CLASS) {
        munged.storage_class_name = None;
    }
    munged.volume_attributes_class_name.clone_from(&before.volume_attributes_class_name);
    let bound = old.status.phase == "Bound";
    let storage = |spec: &PersistentVolumeClaimSpec| spec.resources.requests.get("storage").cloned();
    if bound {
        munged.resources.requests.clone_from(&before.resources.requests);
    }
    if munged != *before {
        let why = "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims";
        errors.push(FieldError::forbidden(path, why));
    }
    let shrunk = storage(new) < storage(before) && storage(new) < old.status.capacity.get("storage").cloned();
    if bound && shrunk {
        let at = path.child("resources").child("requests").child("storage");
        errors.push(FieldError::forbidden(&at, "field can not be less than status.capacity"));
    }
    immutable(
        errors,
        &path.child("volumeMode"),
        new.volume_mode == before.volume_mode,
        new.volume_mode.as_deref(),
    );
}

/// What is wrong with a claim's spec; templates of claims share it.
pub fn spec(errors: &mut ErrorList, path: &Path, spec: &PersistentVolumeClaimSpec) {
    let at = path.child("accessModes");
    modes(errors, &at, &spec.access_modes, "at least 1 access mode is required");
    let lenient = SelectorLeniency::default();
    errors.extend(validate_label_selector(spec.selector.as_deref(), lenient, &path.child("selector")));
    // Upstream's path.
    let at = path.child("resources").key("storage");
    match spec.resources.requests.get("storage") {
        None => errors.push(FieldError::required(&path.child("resources").key("storage"), "")),
        Some(size) if size.sign() <= 0 => {
            errors.push(FieldError::invalid(&at, size, "must be greater than zero"));
        }
        Some(_) => {}
    }
    if let Some(class) = spec.storage_class_name.as_ref().filter(|class| !class.is_empty()) {
        each(errors, &path.child("storageClassName"), class, names::name_is_dns_subdomain(class, false));
    }
    if let Some(mode) = &spec.volume_mode {
        supported(errors, &path.child("volumeMode"), mode, &["Block", "Filesystem"]);
    }
    if let Some(source) = &spec.data_source {
        let at = path.child("dataSource");
        required(errors, &at.child("name"), &source.name);
        required(errors, &at.child("kind"), &source.kind);
        let group = source.api_group.as_deref().unwrap_or("");
        if group.is_empty() && source.kind != "PersistentVolumeClaim" {
            let why = "must be 'PersistentVolumeClaim' when referencing the default apiGroup";
            errors.push(FieldError::invalid(&at, &source.kind, why));
        }
    }
}

/// The modes of access of a claim or a volume.
pub fn modes(errors: &mut ErrorList, path: &Path, modes: &[String], missing: &str) {
    if modes.is_empty() {
        errors.push(FieldError::required(path, missing));
    }
    let mut known: Vec<&str> = MODES.iter().map(|(name, _)| *name).collect();
    known.sort_unstable();
    for mode in modes {
        supported(errors, path, mode, &known);
    }
    let alone = modes.iter().any(|mode| mode == "ReadWriteOncePod");
    if alone && modes.len() > 1 {
        let why = "may not use ReadWriteOncePod with other access modes";
        errors.push(FieldError::forbidden(path, why));
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    const CLAIM: &str =
        "spec: {accessModes: [ReadWriteOnce], storageClassName: fast, resources: {requests: {storage: 1Gi}}}";

    #[test]
    fn a_claim_waits_for_its_volume() {
        let made = create(&KIND, CLAIM);
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|Pending||||fast|<unset>|<unknown>|Filesystem");
        assert_eq!(
            create(&KIND, "{}").errors,
            [
                "spec.accessModes: Required value: at least 1 access mode is required",
                "spec.resources[storage]: Required value"
            ]
        );
        let changed = update(&KIND, "", CLAIM, &CLAIM.replace("ReadWriteOnce", "ReadOnlyMany"));
        assert!(changed.errors[0].starts_with("spec: Forbidden: spec is immutable after creation"));
    }
}
