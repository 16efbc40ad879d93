//! What is wrong with an object's metadata, on creation and on update.
//!
//! Names are checked by the kind's own [`NameCheck`]; the rest is the same for all kinds.

use std::collections::BTreeMap;

use api_types::meta::v1::{ManagedFieldsEntry, ObjectMeta, OwnerReference};

use crate::field::{BadValue, ErrorList, FieldError, Path};
use crate::gvk::{GroupVersion, GroupVersionKind, describe};
use crate::labels::validate_labels;
use crate::limits::ANNOTATIONS_BYTES;
use crate::names::{NameCheck, is_label_key, name_is_dns_label};
use crate::options::validate_field_manager;
use crate::quote;

/// The finalizer that orphans what the object owns.
pub const FINALIZER_ORPHAN: &str = "orphan";
/// The finalizer that waits for the deletion of what the object owns.
pub const FINALIZER_FOREGROUND: &str = "foregroundDeletion";

const NOT_NEGATIVE: &str = "must be greater than or equal to 0";
const SUBRESOURCE_BYTES: usize = 256;
const IMMUTABLE: &str = "field is immutable";

/// What is wrong with new metadata whose name has been generated already.
pub fn validate(meta: &ObjectMeta, namespaced: bool, name_check: NameCheck, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    if !meta.generate_name.is_empty() {
        let faults = name_check(&meta.generate_name, true);
        errors.extend(ErrorList::invalid(&path.child("generateName"), &meta.generate_name, faults));
    }
    if meta.name.is_empty() {
        errors.push(FieldError::required(&path.child("name"), "name or generateName is required"));
    } else {
        errors.extend(ErrorList::invalid(&path.child("name"), &meta.name, name_check(&meta.name, false)));
    }
    let namespace = path.child("namespace");
    match (namespaced, meta.namespace.is_empty()) {
        (true, true) => errors.push(FieldError::required(&namespace, "")),
        (true, false) => {
            let faults = name_is_dns_label(&meta.namespace, false);
            errors.extend(ErrorList::invalid(&namespace, &meta.namespace, faults));
        }
        (false, true) => {}
        (false, false) => errors.push(FieldError::forbidden(&namespace, "not allowed on this type")),
    }
    errors.extend(validate_generation(meta, path));
    errors.extend(validate_labels(&meta.labels, &path.child("labels")));
    errors.extend(validate_annotations(&meta.annotations, &path.child("annotations")));
    errors.extend(validate_owner_references(&meta.owner_references, &path.child("ownerReferences")));
    errors.extend(validate_finalizers(&meta.finalizers, &path.child("finalizers")));
    errors.extend(validate_managed_fields(&meta.managed_fields, &path.child("managedFields")));
    errors
}

/// What is wrong with metadata that is to take the place of `old`.
pub fn validate_update(new: &ObjectMeta, old: &ObjectMeta, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    if old.deletion_timestamp.is_some() {
        errors.extend(no_new_finalizers(&new.finalizers, &old.finalizers, &path.child("finalizers")));
    }
    if new.resource_version.is_empty() {
        let at = path.child("resourceVersion");
        errors.push(FieldError::invalid(&at, "", "must be specified for an update"));
    }
    errors.extend(validate_generation(new, path));
    if new.generation < old.generation {
        errors.push(FieldError::invalid(
            &path.child("generation"),
            new.generation,
            "must not be decremented",
        ));
    }
    let seconds = (new.deletion_grace_period_seconds, old.deletion_grace_period_seconds);
    for (name, same, value) in [
        ("name", new.name == old.name, BadValue::from(&new.name)),
        ("namespace", new.namespace == old.namespace, BadValue::from(&new.namespace)),
        ("uid", new.uid == old.uid, BadValue::from(&new.uid)),
        (
            "creationTimestamp",
            new.creation_timestamp == old.creation_timestamp,
            BadValue::from(new.creation_timestamp),
        ),
        (
            "deletionTimestamp",
            new.deletion_timestamp == old.deletion_timestamp,
            BadValue::from(new.deletion_timestamp),
        ),
        ("deletionGracePeriodSeconds", seconds.0 == seconds.1, BadValue::from(seconds.0)),
    ] {
        if !same {
            errors.push(FieldError::invalid(&path.child(name), value, IMMUTABLE));
        }
    }
    errors.extend(validate_labels(&new.labels, &path.child("labels")));
    errors.extend(validate_annotations(&new.annotations, &path.child("annotations")));
    errors.extend(validate_owner_references(&new.owner_references, &path.child("ownerReferences")));
    errors.extend(validate_managed_fields(&new.managed_fields, &path.child("managedFields")));
    errors
}

fn validate_generation(meta: &ObjectMeta, path: &Path) -> Option<FieldError> {
    (meta.generation < 0)
        .then(|| FieldError::invalid(&path.child("generation"), meta.generation, NOT_NEGATIVE))
}

/// What is wrong with annotations: their keys, and the size of them all.
pub fn validate_annotations(annotations: &BTreeMap<String, String>, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    for key in annotations.keys() {
        errors.extend(ErrorList::invalid(path, key, is_label_key(&key.to_lowercase())));
    }
    let bytes: usize = annotations.iter().map(|(key, value)| key.len() + value.len()).sum();
    if bytes > ANNOTATIONS_BYTES {
        errors.push(FieldError::too_long(path, ANNOTATIONS_BYTES));
    }
    errors
}

fn owner_json(reference: &OwnerReference) -> String {
    let mut text = format!(
        "{{\"apiVersion\":{},\"kind\":{},\"name\":{},\"uid\":{}",
        quote::json(&reference.api_version),
        quote::json(&reference.kind),
        quote::json(&reference.name),
        quote::json(&reference.uid)
    );
    for (name, value) in
        [("controller", reference.controller), ("blockOwnerDeletion", reference.block_owner_deletion)]
    {
        if let Some(value) = value {
            text.push_str(&format!(",\"{name}\":{value}"));
        }
    }
    text.push('}');
    text
}

/// What is wrong with owner references, each and together.
pub fn validate_owner_references(references: &[OwnerReference], path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    let mut controller: Option<String> = None;
    for (index, reference) in references.iter().enumerate() {
        errors.extend(validate_owner_reference(reference, &path.index(index)));
        if reference.controller != Some(true) {
            continue;
        }
        let name = format!("{}/{}", reference.kind, reference.name);
        match &controller {
            None => controller = Some(name),
            Some(first) => {
                let all: Vec<String> = references.iter().map(owner_json).collect();
                let detail = format!(
                    "Only one reference can have Controller set to true. Found \"true\" in references for {first} and {name}"
                );
                let value = BadValue::json(format!("[{}]", all.join(",")));
                errors.push(FieldError::invalid(path, value, detail));
            }
        }
    }
    errors
}

fn validate_owner_reference(reference: &OwnerReference, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    let version = GroupVersion::parse(&reference.api_version);
    let at = path.child("apiVersion");
    if reference.api_version.is_empty() {
        errors.push(FieldError::required(&at, "must not be empty"));
    } else if version.as_ref().map_or(true, |version| version.version.is_empty()) {
        let detail = "must be <group>/<version> or <version>";
        errors.push(FieldError::invalid(&at, &reference.api_version, detail));
    }
    for (name, value) in [("kind", &reference.kind), ("name", &reference.name), ("uid", &reference.uid)] {
        if value.is_empty() {
            errors.push(FieldError::required(&path.child(name), "must not be empty"));
        }
    }
    let kind = version.unwrap_or_default().kind(&reference.kind);
    if kind == (GroupVersionKind { group: "", version: "v1", kind: "Event" }) {
        let detail = format!("{} is disallowed from being an owner", describe(kind));
        errors.push(FieldError::invalid(path, BadValue::json(owner_json(reference)), detail));
    }
    errors
}

/// What is wrong with a finalizer's name.
pub fn validate_finalizer_name(name: &str, path: &Path) -> ErrorList {
    ErrorList::invalid(path, name, is_label_key(name))
}

/// The finalizers of built-in kinds that are neither Kubernetes' own nor named with a domain.
pub fn known_finalizers(finalizers: &[String], path: &Path) -> ErrorList {
    let unknown = finalizers.iter().enumerate().filter(|(_, name)| {
        !name.contains('/')
            && !matches!(name.as_str(), "kubernetes" | FINALIZER_ORPHAN | FINALIZER_FOREGROUND)
    });
    let why = "name is neither a standard finalizer name nor is it fully qualified";
    unknown.map(|(index, name)| FieldError::invalid(&path.index(index), name, why)).collect()
}

/// What is wrong with finalizers, each and together.
pub fn validate_finalizers(finalizers: &[String], path: &Path) -> ErrorList {
    let mut errors: ErrorList =
        finalizers.iter().flat_map(|finalizer| validate_finalizer_name(finalizer, path)).collect();
    let has = |wanted: &str| finalizers.iter().any(|finalizer| finalizer == wanted);
    if has(FINALIZER_ORPHAN) && has(FINALIZER_FOREGROUND) {
        let detail = format!("finalizer {FINALIZER_ORPHAN} and {FINALIZER_FOREGROUND} cannot be both set");
        errors.push(FieldError::invalid(path, finalizers, detail));
    }
    errors
}

fn no_new_finalizers(new: &[String], old: &[String], path: &Path) -> Option<FieldError> {
    let mut extra: Vec<String> = new
        .iter()
        .filter(|finalizer| !old.contains(finalizer))
        .map(|finalizer| quote::go(finalizer))
        .collect();
    extra.sort_unstable();
    extra.dedup();
    (!extra.is_empty()).then(|| {
        let extra = extra.join(", ");
        let detail = format!(
            "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{extra}}}"
        );
        FieldError::forbidden(path, detail)
    })
}

/// What is wrong with managed fields, as far as it can be seen without reading them.
pub fn validate_managed_fields(entries: &[ManagedFieldsEntry], path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    for (index, entry) in entries.iter().enumerate() {
        let at = path.index(index);
        match entry.operation.as_str() {
            "" => errors.push(FieldError::required(&at.child("operation"), "must not be empty")),
            "Apply" | "Update" => {}
            other => {
                errors.push(FieldError::not_supported(&at.child("operation"), other, &["Apply", "Update"]));
            }
        }
        if !entry.fields_type.is_empty() && entry.fields_type != "FieldsV1" {
            errors.push(FieldError::invalid(
                &at.child("fieldsType"),
                &entry.fields_type,
                "must be `FieldsV1`",
            ));
        }
        errors.extend(validate_field_manager(&entry.manager, &at.child("manager")));
        if entry.subresource.len() > SUBRESOURCE_BYTES {
            errors.push(FieldError::too_long(&at.child("subresource"), SUBRESOURCE_BYTES));
        }
    }
    errors
}

#[cfg(test)]
mod tests {
    use api_record::scalar::Time;

    use super::*;
    use crate::names::name_is_dns_subdomain;

    fn meta() -> ObjectMeta {
        ObjectMeta { name: "web".into(), namespace: "default".into(), ..Default::default() }
    }

    fn shown(errors: &ErrorList) -> Vec<String> {
        errors.iter().map(ToString::to_string).collect()
    }

    fn owner(kind: &str, name: &str) -> OwnerReference {
        OwnerReference {
            api_version: "v1".into(),
            kind: kind.into(),
            name: name.into(),
            uid: "u".into(),
            controller: Some(true),
            ..Default::default()
        }
    }

    #[test]
    fn new_metadata() {
        let at = Path::new("metadata");
        let check =
            |meta: &ObjectMeta, namespaced| shown(&validate(meta, namespaced, name_is_dns_subdomain, &at));
        assert!(check(&meta(), true).is_empty());
        assert_eq!(check(&meta(), false), ["metadata.namespace: Forbidden: not allowed on this type"]);
        assert_eq!(
            check(&ObjectMeta::default(), true),
            [
                "metadata.name: Required value: name or generateName is required",
                "metadata.namespace: Required value",
            ]
        );
        let bad = ObjectMeta {
            generation: -1,
            annotations: BTreeMap::from([("A/b".to_owned(), "x".repeat(ANNOTATIONS_BYTES))]),
            finalizers: vec![FINALIZER_ORPHAN.into(), FINALIZER_FOREGROUND.into()],
            owner_references: vec![owner("Event", "e"), owner("Pod", "p")],
            managed_fields: vec![ManagedFieldsEntry { operation: "Odd".into(), ..Default::default() }],
            ..meta()
        };
        assert_eq!(
            check(&bad, true),
            [
                "metadata.generation: Invalid value: -1: must be greater than or equal to 0",
                "metadata.annotations: Too long: may not be more than 262144 bytes",
                "metadata.ownerReferences[0]: Invalid value: {\"apiVersion\":\"v1\",\"kind\":\"Event\",\"name\":\"e\",\"uid\":\"u\",\"controller\":true}: /v1, Kind=Event is disallowed from being an owner",
                "metadata.ownerReferences: Invalid value: [{\"apiVersion\":\"v1\",\"kind\":\"Event\",\"name\":\"e\",\"uid\":\"u\",\"controller\":true},{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"name\":\"p\",\"uid\":\"u\",\"controller\":true}]: Only one reference can have Controller set to true. Found \"true\" in references for Event/e and Pod/p",
                "metadata.finalizers: Invalid value: [\"orphan\",\"foregroundDeletion\"]: finalizer orphan and foregroundDeletion cannot be both set",
                "metadata.managedFields[0].operation: Unsupported value: \"Odd\": supported values: \"Apply\", \"Update\"",
            ]
        );
    }

    #[test]
    fn updated_metadata() {
        let old = ObjectMeta {
            resource_version: "1".into(),
            uid: "u".into(),
            generation: 2,
            deletion_timestamp: Some(Time { seconds: 0 }),
            ..meta()
        };
        let at = Path::new("metadata");
        assert!(validate_update(&old, &old, &at).is_empty());
        let new = ObjectMeta {
            resource_version: String::new(),
            uid: "v".into(),
            generation: 1,
            deletion_timestamp: None,
            finalizers: vec!["b/c".into(), "a/b".into()],
            ..old.clone()
        };
        assert_eq!(
            shown(&validate_update(&new, &old, &at)),
            [
                "metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{\"a/b\", \"b/c\"}",
                "metadata.resourceVersion: Invalid value: \"\": must be specified for an update",
                "metadata.generation: Invalid value: 1: must not be decremented",
                "metadata.uid: Invalid value: \"v\": field is immutable",
                "metadata.deletionTimestamp: Invalid value: null: field is immutable",
            ]
        );
    }
}
