//! The table of all rows: those that a group's crate writes down, and plain ones for every other kind.
//!
//! Layer: above the groups, below the server. Entry point: [`row`].
//! State: none. Failure: none.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use api_kind::{AnyKind, Plain};

type Rows = BTreeMap<(&'static str, &'static str), &'static dyn AnyKind>;

static ROWS: LazyLock<Rows> = LazyLock::new(|| {
    let mut rows = Rows::new();
    for row in written() {
        let (group, _, plural) = row.resource();
        rows.insert((group, plural), *row);
        for version in row.versions() {
            rows.insert((version.group, plural), *row);
        }
    }
    for resource in api_types::resources() {
        let gvk = resource.kind;
        if let Some(object) = api_types::object_type(gvk.group, gvk.version, gvk.kind) {
            rows.entry((gvk.group, resource.plural)).or_insert_with(|| {
                Box::leak(Box::new(Plain {
                    kind: gvk,
                    plural: resource.plural,
                    schema: object.schema,
                    new: object.new,
                    selectable: &[],
                    defaults: match gvk.group {
                        "admissionregistration.k8s.io" => api_kinds_admission::defaults::fill,
                        _ => |_| {},
                    },
                }))
            });
        }
    }
    rows
});

/// The rows that are written, and not made of a type alone.
fn written() -> impl Iterator<Item = &'static &'static dyn AnyKind> {
    let groups = [
        api_kinds_admission::KINDS,
        api_kinds_core::KINDS,
        api_kinds_apps::KINDS,
        api_kinds_more::KINDS,
        api_kinds_rbac::KINDS,
        api_kinds_resource::KINDS,
    ];
    groups.into_iter().flatten()
}

/// Whether a row is written for a resource and knows this version of it.
pub fn is_written(group: &str, version: &str, plural: &str) -> bool {
    written().any(|row| {
        let versions = row.versions().iter().map(|own| (own.group, own.version, row.resource().2));
        versions.chain([row.resource()]).any(|own| own == (group, version, plural))
    })
}

/// The row of a resource, whichever of its groups and versions it is asked for in.
pub fn row(group: &str, plural: &str) -> Option<&'static dyn AnyKind> {
    // Names that live as long as the question will do as well as those that live for ever.
    let rows: &BTreeMap<(&str, &str), &'static dyn AnyKind> = &ROWS;
    rows.get(&(group, plural)).copied()
}
