//! Who made and changed an object, and which fields: `metadata.managedFields`, summarised.

use std::collections::BTreeMap;

use api_patch::apply::{Element, Managers};
use api_types::meta::v1::{ManagedFieldsEntry, ObjectMeta};

use crate::answer::Change;

/// Each manager's own fields, whoever wrote last first.
pub(crate) fn of(meta: &ObjectMeta) -> Vec<Change> {
    let mut changes: Vec<Change> = meta.managed_fields.iter().map(change).collect();
    changes.sort_by_key(|change| std::cmp::Reverse(change.time));
    changes
}

/// The managers that own a field, or something below it, by its path as [`Change::fields`] has it.
pub(crate) fn managers_of(meta: &ObjectMeta, path: &str) -> Vec<String> {
    let owns = |change: &Change| change.fields.iter().any(|field| is_below(field, path));
    of(meta).into_iter().filter(owns).map(|change| change.manager).collect()
}

fn is_below(field: &str, path: &str) -> bool {
    field.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn change(entry: &ManagedFieldsEntry) -> Change {
    let mut fields = Vec::new();
    let read = Managers::decode_foreign(std::slice::from_ref(entry));
    for owned in read.iter().flat_map(|managers| managers.entries.values()) {
        owned.fields().each(&mut |path: &[Element]| fields.push(shown(path)));
    }
    // A list or a map is owned with what is in it: only the innermost says something.
    let outer = |field: &String| fields.iter().any(|other| other != field && is_below(other, field));
    let kept: Vec<String> = fields.iter().filter(|field| !outer(field)).cloned().collect();
    Change {
        manager: entry.manager.clone(),
        operation: entry.operation.clone(),
        subresource: entry.subresource.clone(),
        time: entry.time,
        fields: kept,
    }
}

fn shown(path: &[Element]) -> String {
    let step = |step: &Element| match step {
        // Keys of labels and annotations hold dots.
        Element::Field(name) if name.to_string().contains(['.', '/']) => format!("[{name}]"),
        step => step.to_string(),
    };
    path.iter().map(step).collect()
}

/// The same fields in fewer words: conditions are told as wholes, and as long as there are more than `most` fields, the deepest of them are told
/// by what is above them.
pub(crate) fn folded(fields: &[String], most: usize) -> Vec<String> {
    let mut paths: Vec<Vec<&str>> = fields.iter().map(|field| steps(field)).collect();
    for path in paths.iter_mut().filter(|path| path.starts_with(&[".status", ".conditions"])) {
        path.truncate(3);
    }
    paths.dedup();
    while paths.len() > most {
        let deepest = paths.iter().map(Vec::len).max().unwrap_or(0);
        if deepest <= 1 {
            break;
        }
        // The fold keeps the order in which the first field of each came.
        let mut seen = BTreeMap::new();
        for mut path in std::mem::take(&mut paths) {
            path.truncate(deepest - 1);
            let next = seen.len();
            seen.entry(path).or_insert(next);
        }
        let mut folded: Vec<_> = seen.into_iter().collect();
        folded.sort_by_key(|(_, at)| *at);
        paths = folded.into_iter().map(|(path, _)| path).collect();
    }
    paths.into_iter().map(|path| path.concat()).collect()
}

/// `.spec`, `.containers`, `[name="web"]`: the steps of a path. Dots and brackets in quotes belong to their step.
fn steps(path: &str) -> Vec<&str> {
    let mut steps = Vec::new();
    let (mut start, mut quoted, mut bracketed, mut escaped) = (0, false, false, false);
    for (at, character) in path.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            ']' => bracketed = false,
            '.' | '[' if !bracketed && at > start => {
                steps.push(&path[start..at]);
                start = at;
                bracketed = character == '[';
            }
            '[' => bracketed = true,
            _ => {}
        }
    }
    if start < path.len() {
        steps.push(&path[start..]);
    }
    steps
}

#[cfg(test)]
mod tests {
    use api_record::Bytes;
    use api_record::scalar::{RawJson, Time};

    use super::*;

    fn entry(manager: &str, seconds: i64, fields: &'static str) -> ManagedFieldsEntry {
        ManagedFieldsEntry {
            manager: manager.into(),
            operation: "Update".into(),
            api_version: "apps/v1".into(),
            time: Some(Time { seconds }),
            fields_type: "FieldsV1".into(),
            fields_v1: Some(RawJson(Some(Bytes::from_static(fields.as_bytes())))),
            ..ManagedFieldsEntry::default()
        }
    }

    fn meta() -> ObjectMeta {
        let spec = r#"{"f:spec":{"f:replicas":{},"f:template":{"f:spec":{"f:containers":{".":{},"k:{\"name\":\"web\"}":{".":{},"f:image":{},"f:name":{}}}}}}}"#;
        let managed_fields =
            vec![entry("kubectl", 10, spec), entry("hpa", 20, r#"{"f:spec":{"f:replicas":{}}}"#)];
        ObjectMeta { managed_fields, ..ObjectMeta::default() }
    }

    #[test]
    fn whoever_wrote_last_comes_first_with_the_innermost_fields() {
        let changes = of(&meta());
        let told: Vec<_> =
            changes.iter().map(|change| (change.manager.as_str(), change.fields.join(" "))).collect();
        let image = r#".spec.template.spec.containers[name="web"]"#;
        let kubectl = format!(".spec.replicas {image}.image {image}.name");
        assert_eq!(told, [("hpa", ".spec.replicas".to_owned()), ("kubectl", kubectl)]);
        assert_eq!(managers_of(&meta(), ".spec.replicas"), ["hpa", "kubectl"]);
        assert_eq!(managers_of(&meta(), ".spec.template"), ["kubectl"]);
        assert_eq!(managers_of(&meta(), ".spec.rep"), Vec::<String>::new());
    }

    #[test]
    fn many_fields_are_told_by_what_is_above_them() {
        let fields = [".spec.a.x", ".spec.a.y", ".spec.b[k=\"p.q\"].z", ".status"].map(str::to_owned);
        assert_eq!(folded(&fields, 4), fields);
        assert_eq!(folded(&fields, 3), [".spec.a", ".spec.b", ".status"]);
        assert_eq!(folded(&fields, 2), [".spec", ".status"]);
        assert_eq!(folded(&fields, 1), [".spec", ".status"]);
    }
}
