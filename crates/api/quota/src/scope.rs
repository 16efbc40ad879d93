//! Which objects a quota is about: scopes and selectors of scopes.

use api_types::core::v1::{ResourceQuota, ScopedResourceSelectorRequirement};

/// Whether a selector picks the value that an object has for its scope.
pub(crate) fn picks(selector: &ScopedResourceSelectorRequirement, value: Option<&str>) -> bool {
    let among = || value.is_some_and(|value| selector.values.iter().any(|own| own == value));
    match selector.operator.as_str() {
        "In" => among(),
        "NotIn" => !among(),
        "Exists" => value.is_some(),
        "DoesNotExist" => value.is_none(),
        _ => false,
    }
}

/// All that an object must fit for a quota to be about it.
pub(crate) fn selectors(
    quota: &ResourceQuota,
) -> impl Iterator<Item = ScopedResourceSelectorRequirement> + '_ {
    let plain = quota.spec.scopes.iter().map(|scope| ScopedResourceSelectorRequirement {
        scope_name: scope.clone(),
        operator: "Exists".to_owned(),
        values: Vec::new(),
    });
    let given = quota.spec.scope_selector.iter().flat_map(|selector| &selector.match_expressions);
    plain.chain(given.cloned())
}
