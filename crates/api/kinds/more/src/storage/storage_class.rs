//! Storage classes.

use std::collections::{BTreeMap, BTreeSet};

use api_kind::checks::{immutable, required, supported};
use api_kind::{Column, Ctx, Kind};
use api_kinds_core::pod::warnings::old_label;
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::labels::validate_label_name;
use api_types::core::v1::TopologySelectorTerm;
use api_types::storage::v1::StorageClass;

use super::class;

const DEFAULT: &str = "storageclass.kubernetes.io/is-default-class";

/// The row.
pub const KIND: Kind<StorageClass> = Kind::<StorageClass>::of("storage.k8s.io", "v1", "storageclasses")
    .defaults(|_, class| {
        class.reclaim_policy.get_or_insert_with(|| "Delete".into());
        class.volume_binding_mode.get_or_insert_with(|| "Immediate".into());
    })
    .validate(validate)
    .warnings(warnings)
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

fn validate(_: &Ctx<'_>, own: &StorageClass, old: Option<&StorageClass>, errors: &mut ErrorList) {
    let at = Path::new("provisioner");
    required(errors, &at, &own.provisioner);
    class::provisioner(errors, &at, &own.provisioner);
    class::parameters(errors, &Path::new("parameters"), &own.parameters);
    topologies(errors, &Path::new("allowedTopologies"), &own.allowed_topologies);
    if let Some(policy) = own.reclaim_policy.as_ref().filter(|policy| !policy.is_empty()) {
        supported(errors, &Path::new("reclaimPolicy"), policy, &["Delete", "Retain"]);
    }
    let mode = Path::new("volumeBindingMode");
    match &own.volume_binding_mode {
        None => errors.push(FieldError::required(&mode, "")),
        Some(value) => supported(errors, &mode, value, &["Immediate", "WaitForFirstConsumer"]),
    }
    let Some(old) = old else { return };
    let reclaim = own.reclaim_policy.as_deref();
    immutable(errors, &Path::new("reclaimPolicy"), own.reclaim_policy == old.reclaim_policy, reclaim);
    let shown = own.volume_binding_mode.as_deref();
    immutable(errors, &mode, own.volume_binding_mode == old.volume_binding_mode, shown);
}

/// The values of each key; a term is given once, and one that says nothing not at all.
fn topologies(errors: &mut ErrorList, path: &Path, terms: &[TopologySelectorTerm]) {
    let mut seen = BTreeSet::new();
    for (index, term) in terms.iter().enumerate() {
        let path = path.index(index).child("matchLabelExpressions");
        let mut values_of = BTreeMap::new();
        for (index, expression) in term.match_label_expressions.iter().enumerate() {
            let at = path.index(index);
            let values = at.child("values");
            if expression.values.is_empty() {
                errors.push(FieldError::required(&values, ""));
            }
            let mut set = BTreeSet::new();
            for (index, value) in expression.values.iter().enumerate() {
                if !set.insert(value) {
                    errors.push(FieldError::duplicate(&values.index(index), value));
                }
            }
            let at = at.child("key");
            errors.extend(validate_label_name(&expression.key, &at));
            if values_of.insert(&expression.key, set).is_some() {
                errors.push(FieldError::duplicate(&at, &expression.key));
            }
        }
        if values_of.is_empty() || !seen.insert(values_of) {
            errors.push(FieldError::duplicate(&path, ""));
        }
    }
}

fn warnings(_: &Ctx<'_>, own: &StorageClass, _: Option<&StorageClass>) -> Vec<String> {
    let mut out = Vec::new();
    for (index, term) in own.allowed_topologies.iter().enumerate() {
        let path = Path::new("allowedTopologies").index(index).child("matchLabelExpressions");
        for (index, expression) in term.match_label_expressions.iter().enumerate() {
            if let Some(message) = old_label(&expression.key) {
                out.push(format!("{}: {message}", path.index(index).child("key")));
            }
        }
    }
    out
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
