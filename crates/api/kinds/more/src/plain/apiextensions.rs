//! Custom resource definitions (`apiextensions-apiserver/pkg/apis/apiextensions/v1/defaults.go`).

use api_kind::each;
use api_record::Record;
use api_types::apiextensions::v1::{CustomResourceConversion, CustomResourceDefinition, ServiceReference};

/// Fills in a definition.
pub(super) fn defaults(object: &mut dyn Record) {
    each::<CustomResourceDefinition>(object, &|definition| {
        let names = &mut definition.spec.names;
        if names.singular.is_empty() {
            names.singular = names.kind.to_lowercase();
        }
        if names.list_kind.is_empty() && !names.kind.is_empty() {
            names.list_kind = format!("{}List", names.kind);
        }
        definition.spec.conversion.get_or_insert_with(|| {
            Box::new(CustomResourceConversion {
                strategy: "None".into(),
                ..CustomResourceConversion::default()
            })
        });
        if definition.status.stored_versions.is_empty()
            && let Some(stored) = definition.spec.versions.iter().find(|version| version.storage)
        {
            let name = stored.name.clone();
            definition.status.stored_versions.push(name);
        }
    });
    each::<ServiceReference>(object, &|service| {
        service.port.get_or_insert(443);
    });
}
