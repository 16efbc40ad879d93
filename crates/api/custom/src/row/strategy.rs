//! Judging an object: its schema, its scale, what is embedded in it, its lists.

use api_kind::Ctx;
use api_meta::field::{BadValue, ErrorKind, ErrorList, FieldError, Path};

use super::Row;
use crate::rules::{Run, Whole};
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
    if !node.finds.rules {
        return;
    }
    if errors.iter().any(|error| BLOCKING.contains(&error.kind)) {
        let why = "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";
        errors.push(FieldError::invalid(&Path::NONE, BadValue::null(), why));
    } else {
        errors.extend(judge(row, node, object, old).errors.iter().cloned());
    }
}

/// Errors over which rules might stumble.
const BLOCKING: [ErrorKind; 5] = [
    ErrorKind::NotSupported,
    ErrorKind::Required,
    ErrorKind::TooLong,
    ErrorKind::TooMany,
    ErrorKind::TypeInvalid,
];

/// Judges an object by the rules of its schema.
pub(super) fn judge(row: &Row, node: &Node, object: &CustomObject, old: Option<&CustomObject>) -> Run {
    let mut run = Run::default();
    if let Some(rules) = row.rules(node) {
        let meta = row.meta(object);
        let old_meta = old.map(|old| row.meta(old));
        let old = old.zip(old_meta.as_ref()).map(|(old, meta)| Whole { fields: &old.fields, meta });
        // What is spent is among the errors.
        let _ = run.whole(rules, node, Whole { fields: &object.fields, meta: &meta }, old);
    }
    run
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
