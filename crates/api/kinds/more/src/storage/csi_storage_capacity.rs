//! How much a driver can still provide to the nodes of a part of the cluster.

use api_kind::checks::{each, shown};
use api_kind::{Column, Ctx, Kind};
use api_kinds_core::pod::warnings::of_label_selector;
use api_meta::field::{BadValue, ErrorList, FieldError, Path};
use api_meta::labels::{SelectorLeniency, validate_label_selector};
use api_meta::names;
use api_types::storage::v1::CSIStorageCapacity;

/// The row.
pub const KIND: Kind<CSIStorageCapacity> = Kind::<CSIStorageCapacity>::of(
    "storage.k8s.io",
    "v1",
    "csistoragecapacities",
)
.conditional_update()
.validate(validate)
.warnings(|_, own, _| of_label_selector(&Path::new("nodeTopology"), own.node_topology.as_deref()))
.columns(&[
    Column::<CSIStorageCapacity>::name(),
    Column::<CSIStorageCapacity>::text(
        "StorageClassName",
        "storageClassName represents the name of the StorageClass that the reported capacity applies to.",
        |own, _| own.storage_class_name.as_str().into(),
    ),
    Column::<CSIStorageCapacity>::text(
        "Capacity",
        "capacity is the value reported by the CSI driver in its GetCapacityResponse.",
        |own, _| own.capacity.as_ref().map_or_else(|| "<unset>".to_owned(), ToString::to_string).into(),
    ),
]);

fn validate(_: &Ctx<'_>, own: &CSIStorageCapacity, old: Option<&CSIStorageCapacity>, errors: &mut ErrorList) {
    let at = Path::new("nodeTopology");
    let check = |own: &CSIStorageCapacity, leniency| {
        validate_label_selector(own.node_topology.as_deref(), leniency, &at)
    };
    // What an object got away with before, it keeps.
    let invalid_values = old.is_some_and(|old| !check(old, SelectorLeniency::default()).is_empty());
    errors.extend(check(own, SelectorLeniency { invalid_values, ..SelectorLeniency::default() }));
    let (class, place) = (&own.storage_class_name, Path::new("storageClassName"));
    each(errors, &place, class, names::name_is_dns_subdomain(class, false));
    if let Some(capacity) = own.capacity.as_ref().filter(|capacity| capacity.sign() < 0) {
        let why = "must be greater than or equal to 0";
        errors.push(FieldError::invalid(&Path::new("capacity"), capacity, why));
    }
    let Some(old) = old else { return };
    if own.node_topology != old.node_topology {
        let shown = own.node_topology.as_deref().map_or_else(BadValue::null, |topology| shown(topology));
        errors.push(FieldError::invalid(&at, shown, "field is immutable"));
    }
    if own.storage_class_name != old.storage_class_name {
        errors.push(FieldError::invalid(&place, class, "field is immutable"));
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    #[test]
    fn what_was_asked_stays_and_the_answer_changes() {
        let own = "{storageClassName: a, nodeTopology: {matchLabels: {beta.kubernetes.io/os: linux}}, capacity: 1Gi}";
        let made = create(&KIND, own);
        assert_eq!(made.errors, [""; 0]);
        assert_eq!(made.cells(&KIND), "x|a|1Gi");
        assert_eq!(
            made.warnings,
            [
                "nodeTopology.matchLabels.beta.kubernetes.io/os: deprecated since v1.14; use \"kubernetes.io/os\" instead"
            ]
        );
        assert_eq!(update(&KIND, "", own, &own.replace("1Gi", "2Gi")).errors, [""; 0]);
        assert_eq!(
            update(&KIND, "", own, "{storageClassName: b}").errors,
            [
                "nodeTopology: Invalid value: null: field is immutable",
                "storageClassName: Invalid value: \"b\": field is immutable",
            ]
        );
    }
}
