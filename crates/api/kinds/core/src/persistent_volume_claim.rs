//! Claims of persistent volumes.

mod source;
mod update;

use api_kind::checks::{each, supported};
use api_kind::{Column, Ctx, Kind};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::labels::{SelectorLeniency, validate_label_selector};
use api_meta::names;
use api_types::core::v1::{PersistentVolumeClaim, PersistentVolumeClaimSpec};
use api_types::meta::v1::ObjectMeta;

use crate::pod::defaults::round_up;
use crate::pod::resources::quantity;

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
        .own_gates(&["CrossNamespaceVolumeDataSource"])
        .prepare(prepare)
        .validate(validate)
        .warnings(warnings)
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

fn prepare(ctx: &Ctx<'_>, claim: &mut PersistentVolumeClaim, old: Option<&PersistentVolumeClaim>) {
    if old.is_none() {
        "Pending".clone_into(&mut claim.status.phase);
    }
    if ctx.subresource != "status" {
        source::prepare(ctx, &mut claim.spec, old.map(|old| &old.spec));
    }
}

fn validate(
    ctx: &Ctx<'_>,
    claim: &PersistentVolumeClaim,
    old: Option<&PersistentVolumeClaim>,
    errors: &mut ErrorList,
) {
    let path = Path::new("spec");
    if let (Some(old), "status") = (old, ctx.subresource) {
        update::status(errors, ctx, claim, old);
        return;
    }
    check(errors, &path, &claim.spec, old.map(|old| &old.spec));
    if let Some(old) = old {
        update::check(errors, ctx, &path, claim, old);
    }
}

fn warnings(ctx: &Ctx<'_>, claim: &PersistentVolumeClaim, _: Option<&PersistentVolumeClaim>) -> Vec<String> {
    let mut out = Vec::new();
    if ctx.subresource == "status" {
        return out;
    }
    if claim.metadata.annotations.contains_key(CLASS) {
        let instead = "deprecated since v1.8; use \"storageClassName\" attribute instead";
        out.push(format!("metadata.annotations[{CLASS}]: {instead}"));
    }
    out.extend(spec_warnings(&Path::new("spec"), &claim.spec));
    out
}

/// What is unwise about a claim's spec; templates of claims share it.
pub fn spec_warnings(path: &Path, spec: &PersistentVolumeClaimSpec) -> Vec<String> {
    let resources = &spec.resources;
    let lists = [("requests", &resources.requests), ("limits", &resources.limits)];
    let fractional = lists.into_iter().filter_map(|(field, list)| {
        let size = list.get("storage")?;
        let is_whole = size.millis() % 1000 == 0 || size.millis() == i64::MAX;
        (!is_whole).then(|| {
            let at = path.child("resources").child(field).key("storage");
            let size = api_meta::quote::go(&size.to_string());
            format!("{at}: fractional byte value {size} is invalid, must be an integer")
        })
    });
    fractional.collect()
}

/// What is wrong with a claim's spec; templates of claims share it.
pub fn spec(errors: &mut ErrorList, path: &Path, spec: &PersistentVolumeClaimSpec) {
    check(errors, path, spec, None);
}

/// The same of a spec that replaces another, in which what was allowed once stays so.
fn check(
    errors: &mut ErrorList,
    path: &Path,
    spec: &PersistentVolumeClaimSpec,
    old: Option<&PersistentVolumeClaimSpec>,
) {
    let at = path.child("accessModes");
    modes(errors, &at, &spec.access_modes, "at least 1 access mode is required");
    let at = path.child("selector");
    let selector = |spec: &PersistentVolumeClaimSpec, leniency| {
        validate_label_selector(spec.selector.as_deref(), leniency, &at)
    };
    let invalid_values = old.is_some_and(|old| !selector(old, SelectorLeniency::default()).is_empty());
    errors.extend(selector(spec, SelectorLeniency { invalid_values, ..SelectorLeniency::default() }));
    // Upstream's path.
    let at = path.child("resources").key("storage");
    match spec.resources.requests.get("storage") {
        None => errors.push(FieldError::required(&path.child("resources").key("storage"), "")),
        Some(size) if size.sign() <= 0 => {
            errors.push(FieldError::invalid(&at, size, "must be greater than zero"));
        }
        Some(size) => quantity(errors, &at, "storage", size),
    }
    let class = |errors: &mut ErrorList, field, class: Option<&String>| {
        if let Some(class) = class.filter(|class| !class.is_empty()) {
            each(errors, &path.child(field), class, names::name_is_dns_subdomain(class, false));
        }
    };
    class(errors, "storageClassName", spec.storage_class_name.as_ref());
    if let Some(mode) = &spec.volume_mode {
        supported(errors, &path.child("volumeMode"), mode, &["Block", "Filesystem"]);
    }
    source::check(errors, path, spec, old.is_some_and(source::has_invalid_group));
    class(errors, "volumeAttributesClassName", spec.volume_attributes_class_name.as_ref());
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
    let shared = modes.iter().any(|mode| mode != "ReadWriteOncePod" && known.contains(&mode.as_str()));
    if alone && shared {
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

    #[test]
    fn what_a_bound_claim_asks_for_can_grow() {
        let made = create(&KIND, CLAIM);
        assert_eq!(made.warnings, [""; 0]);
        let named = CLAIM.replace("storageClassName: fast,", "");
        assert_eq!(update(&KIND, "", &named, CLAIM).errors, [""; 0]);
        let grown = update(&KIND, "", CLAIM, &CLAIM.replace("1Gi", "2Gi"));
        assert!(grown.errors[0].starts_with("spec: Forbidden: spec is immutable"), "{:?}", grown.errors);
        let dropped = create(&KIND, &CLAIM.replace("spec: {", "spec: {dataSource: {kind: Pod, name: a}, "));
        assert!(!dropped.body().contains("dataSource"), "{}", dropped.body());
        let written =
            update(&KIND, "status", CLAIM, "status: {allocatedResourceStatuses: {cpu: NodeResizePending}}");
        assert_eq!(
            written.errors,
            ["status.allocatedResourceStatuses: Unsupported value: \"cpu\": supported values: \"storage\""]
        );
    }
}
