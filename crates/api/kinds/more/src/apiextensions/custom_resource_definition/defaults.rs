//! What clients leave out of definitions (`apiextensions-apiserver/pkg/apis/apiextensions/v1/defaults.go`).

use api_types::apiextensions::v1::{CustomResourceConversion, CustomResourceDefinition};

/// Fills in a definition.
pub(super) fn fill(definition: &mut CustomResourceDefinition) {
    let names = &mut definition.spec.names;
    if names.singular.is_empty() {
        names.singular = names.kind.to_lowercase();
    }
    if names.list_kind.is_empty() && !names.kind.is_empty() {
        names.list_kind = format!("{}List", names.kind);
    }
    let conversion = definition.spec.conversion.get_or_insert_with(|| {
        Box::new(CustomResourceConversion { strategy: "None".into(), ..CustomResourceConversion::default() })
    });
    let config = conversion.webhook.as_mut().and_then(|webhook| webhook.client_config.as_mut());
    if let Some(service) = config.and_then(|config| config.service.as_mut()) {
        service.port.get_or_insert(443);
    }
    if definition.status.stored_versions.is_empty()
        && let Some(stored) = definition.spec.versions.iter().find(|version| version.storage)
    {
        let name = stored.name.clone();
        definition.status.stored_versions.push(name);
    }
}
