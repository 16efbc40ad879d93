//! Which resource a generated type is served as.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use api_record::{Schema, Typed};

use crate::Resource;

/// The resource whose objects are of the type `T`.
///
/// # Panics
/// If `T` is no object of a built-in resource, which is a programming error.
pub fn resource_of<T: Typed>() -> &'static Resource {
    static TABLE: OnceLock<BTreeMap<usize, Resource>> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        let mut table = BTreeMap::new();
        for row in api_types::resources() {
            let kind = row.kind;
            if let Some(object) = api_types::object_type(kind.group, kind.version, kind.kind) {
                let resource = Resource::of(kind.group, kind.version, row.plural);
                table.entry(address(object.schema)).or_insert(resource);
            }
        }
        table
    });
    table.get(&address(T::SCHEMA)).expect("the type is an object of a built-in resource")
}

fn address(schema: &Schema) -> usize {
    std::ptr::from_ref(schema) as usize
}

#[cfg(test)]
mod tests {
    use api_types::{apps, core};

    use super::*;

    #[test]
    fn types_know_their_resource() {
        assert_eq!(resource_of::<core::v1::Pod>(), &Resource::of("", "v1", "pods"));
        assert_eq!(resource_of::<apps::v1::ReplicaSet>(), &Resource::of("apps", "v1", "replicasets"));
    }
}
