//! Config maps: text and bytes by key, which can be made immutable.

use api_kind::checks::each;
use api_kind::{Column, Ctx, Kind};
use api_meta::field::{ErrorList, FieldError, Path};
use api_meta::names;
use api_types::core::v1::ConfigMap;

use crate::limits::DATA_BYTES;

/// Upstream's words for a change of what has been made immutable.
pub(crate) const FROZEN: &str = "field is immutable when `immutable` is set";

/// The row.
pub const KIND: Kind<ConfigMap> =
    Kind::<ConfigMap>::of("", "v1", "configmaps").validate(validate).columns(&[
        Column::<ConfigMap>::name(),
        Column::<ConfigMap>::text("Data", "Data contains the configuration data.", |map, _| {
            (map.data.len() + map.binary_data.len()).to_string().into()
        }),
        Column::<ConfigMap>::age(),
    ]);

fn validate(_: &Ctx<'_>, map: &ConfigMap, old: Option<&ConfigMap>, errors: &mut ErrorList) {
    if let Some(old) = old.filter(|old| old.immutable == Some(true)) {
        for (name, same) in [
            ("immutable", map.immutable == Some(true)),
            ("data", map.data == old.data),
            ("binaryData", map.binary_data == old.binary_data),
        ] {
            if !same {
                errors.push(FieldError::forbidden(&Path::new(name), FROZEN));
            }
        }
    }
    for key in map.data.keys() {
        let at = Path::new("data").key(key);
        each(errors, &at, key, names::is_config_map_key(key));
        if map.binary_data.contains_key(key) {
            errors.push(FieldError::invalid(&at, key, "duplicate of key present in binaryData"));
        }
    }
    for key in map.binary_data.keys() {
        each(errors, &Path::new("binaryData").key(key), key, names::is_config_map_key(key));
    }
    let text: usize = map.data.values().map(String::len).sum();
    let bytes: usize = map.binary_data.values().map(|value| value.len()).sum();
    if text + bytes > DATA_BYTES {
        errors.push(FieldError::too_long(&Path::new(""), DATA_BYTES));
    }
}

#[cfg(test)]
mod tests {
    use api_kind::trial::{create, update};

    use super::*;

    #[test]
    fn keys_are_checked_and_counted() {
        let made = create(&KIND, "{data: {a: '1'}, binaryData: {b: YQ==}}");
        assert_eq!((made.errors.len(), made.cells(&KIND).as_str()), (0, "x|2|<unknown>"));
        let bad = create(&KIND, "{data: {a b: '1', c: ''}, binaryData: {c: YQ==}}");
        assert!(bad.errors[0].starts_with("data[a b]: Invalid value: \"a b\": a valid config key must"));
        assert_eq!(bad.errors[1], "data[c]: Invalid value: \"c\": duplicate of key present in binaryData");
    }

    #[test]
    fn what_was_made_immutable_stays() {
        let changed = update(&KIND, "", "{immutable: true, data: {a: '1'}}", "{data: {a: '2'}}");
        assert_eq!(
            changed.errors,
            [
                "immutable: Forbidden: field is immutable when `immutable` is set",
                "data: Forbidden: field is immutable when `immutable` is set"
            ]
        );
    }
}
