//! Storage classes.

use std::collections::{BTreeMap, BTreeSet};

use api_kind::checks::{immutable, qualified_name, required, supported};
use api_kind::{Column, Ctx, Kind};
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_types::core::v1::TopologySelectorTerm;
use api_types::storage::v1::StorageClass;

const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";

/// The row.
pub const KIND: Kind<StorageClass> = Kind::<StorageClass>::of("storage.k8s.io", "v1", "storageclasses")
    .defaults(|_, class| {
        class.reclaim_policy.get_or_insert_with(|| "Delete".into());
        class.volume_binding_mode.get_or_insert_with(|| "Immediate".into());
    })
    .validate(validate)
    .columns(&[
        Column::<StorageClass>::text("Name", "Name must be unique within a namespace.", |class, _| {
            let default = class.metadata.annotations.get(DEFAULT).is_some_and(|value| value == "true");
            format!("{}{}", class.metadata.name, if default { " (default)" } else { "" }).into()
        })
        .format("name"),
        Column::<StorageClass>::text("Provisioner", "provisioner indicates the type of the provisioner.", |class, _| class.provisioner.as_str().into()),
        Column::<StorageClass>::text("ReclaimPolicy", "reclaimPolicy controls the reclaimPolicy for dynamically provisioned PersistentVolumes of this storage class.", |class, _| class.reclaim_policy.as_deref().unwrap_or("Delete").into()),
        Column::<StorageClass>::text("VolumeBindingMode", "volumeBindingMode indicates how PersistentVolumeClaims should be provisioned and bound.", |class, _| class.volume_binding_mode.as_deref().unwrap_or("Immediate").into()),
        Column::<StorageClass>::text("AllowVolumeExpansion", "allowVolumeExpansion shows whether the storage class allow volume expand.", |class, _| class.allow_volume_expansion.unwrap_or(false).into()),
        Column::<StorageClass>::age(),
    ]);

fn validate(_: &Ctx<'_>, class: &StorageClass, old: Option<&StorageClass>, errors: &mut ErrorList) {
    let at = Path::new("provisioner");
    if required(errors, &at, &class.provisioner) {
        qualified_name(errors, &at, &class.provisioner.to_lowercase());
    }
    if class.parameters.contains_key("") {
        errors.push(FieldError::invalid(
            &Path::new("parameters"),
            BadValue::from(""),
            "field can not be empty.",
        ));
    }
    if let Some(policy) = &class.reclaim_policy {
        supported(errors, &Path::new("reclaimPolicy"), policy, &["Delete", "Retain"]);
    }
    let mode = Path::new("volumeBindingMode");
    match &class.volume_binding_mode {
        None => errors.push(FieldError::required(&mode, "")),
        Some(value) => supported(errors, &mode, value, &["Immediate", "WaitForFirstConsumer"]),
    }
    topologies(errors, &Path::new("allowedTopologies"), &class.allowed_topologies);
    let Some(old) = old else { return };
    let reclaim = class.reclaim_policy.as_deref();
    immutable(errors, &Path::new("reclaimPolicy"), class.reclaim_policy == old.reclaim_policy, reclaim);
    let shown = class.volume_binding_mode.as_deref();
    immutable(errors, &mode, class.volume_binding_mode == old.volume_binding_mode, shown);
}

/// Terms must differ, and so must the keys of each.
fn topologies(errors: &mut ErrorList, path: &Path, terms: &[TopologySelectorTerm]) {
    let mut earlier: Vec<BTreeMap<&str, BTreeSet<&str>>> = Vec::new();
    for (index, term) in terms.iter().enumerate() {
        let at = path.index(index).child("matchLabelExpressions");
        let mut keys: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (place, requirement) in term.match_label_expressions.iter().enumerate() {
            let (at, values) = (at.index(place), &requirement.values);
            if values.is_empty() {
                errors.push(FieldError::required(&at.child("values"), ""));
            }
            let mut seen = BTreeSet::new();
            for (number, value) in values.iter().enumerate() {
                if !seen.insert(value.as_str()) {
                    errors.push(FieldError::duplicate(&at.child("values").index(number), value));
                }
            }
            qualified_name(errors, &at.child("key"), &requirement.key);
            if keys.insert(&requirement.key, seen).is_some() {
                errors.push(FieldError::duplicate(&at.child("key"), &requirement.key));
            }
        }
        // Upstream's list of earlier terms begins with an empty one for each term that there is.
        let empty = if keys.is_empty() { terms.len() } else { 0 };
        for _ in 0..empty + earlier.iter().filter(|other| **other == keys).count() {
            errors.push(FieldError::duplicate(&at, ""));
        }
        earlier.push(keys);
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    #[test]
    fn a_class_is_filled_in_and_stays() {
        let made = create(&KIND, "{provisioner: a.b/c}");
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|a.b/c|Delete|Immediate|false|<unknown>");
        let moved = update(&KIND, "", "{provisioner: a}", "{provisioner: b}");
        assert_eq!(moved.errors, ["provisioner: Invalid value: \"b\": field is immutable"]);
    }
}
