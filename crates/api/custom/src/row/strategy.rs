//! Judging an object: its schema, its scale, what is embedded in it, its lists.

use api_kind::Ctx;
use api_meta::field::{ErrorList, Path};

use super::Row;
use crate::{CustomObject, Node, check, check_lists, embedded, scale};

pub(super) fn validate(
    row: &Row,
    node: &Node,
    ctx: &Ctx<'_>,
    object: &CustomObject,
    old: Option<&CustomObject>,
    errors: &mut ErrorList,
) {
    let is_status = ctx.subresource == "status";
    if is_status {
        let at = Path::new("status");
        if let (Some(status), Some(schema)) = (object.fields.get("status"), node.properties.get("status")) {
            let before = old.and_then(|old| old.fields.get("status"));
            check::check_value(&at, status, before, schema, errors);
        }
    } else if node.properties.contains_key("metadata") {
        // The definition says something of names, so they have to be looked at as well.
        let before = old.map(CustomObject::whole);
        check(&Path::NONE, &object.whole(), before.as_ref(), node, errors);
    } else {
        check(&Path::NONE, &object.fields, old.map(|old| &old.fields), node, errors);
    }
    if let Some(paths) = row.scale() {
        scale::check(&object.fields, paths, !is_status, errors);
    }
    embedded::check(&Path::NONE, &object.fields, node, errors);
    let mut before = ErrorList::new();
    if let Some(old) = old {
        check_lists(&Path::NONE, &old.fields, node, &mut before);
    }
    if before.is_empty() {
        check_lists(&Path::NONE, &object.fields, node, errors);
    }
}

/// Finalizers that are Kubernetes' own.
const STANDARD: [&str; 3] = ["orphan", "foregroundDeletion", "kubernetes"];

/// Finalizers that are new and might be taken for somebody else's.
pub(super) fn warnings(object: &CustomObject, old: Option<&CustomObject>) -> Vec<String> {
    let known = old.map(|old| &old.metadata.finalizers[..]).unwrap_or_default();
    let mut added: Vec<&String> =
        object.metadata.finalizers.iter().filter(|own| !known.contains(own)).collect();
    added.sort();
    added.dedup();
    let mut warnings = Vec::new();
    for name in added {
        let mut warn = |why: &str| warnings.push(format!("metadata.finalizers: {name:?}: {why}"));
        api_meta::names::is_label_key(name).iter().for_each(|problem| warn(problem));
        if !name.contains('/') && !STANDARD.contains(&name.as_str()) {
            warn(if name.contains('.') {
                "prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other finalizer writers"
            } else {
                "prefer a domain-qualified finalizer name to avoid accidental conflicts with other finalizer writers"
            });
        }
    }
    warnings
}
