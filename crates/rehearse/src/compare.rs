//! What differs between two states of an object, field by field.

use serde::Serialize;
use serde_json::Value;

/// A field whose value is another.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FieldChange {
    /// Its path, such as `.spec.replicas` or `.spec.template.spec.containers[name="web"].image`.
    pub path: String,
    /// What it was; not there if it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// What it is; not there if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

/// What the server or a controller writes about an object, and no user asks for.
const PASSED_OVER: [&str; 7] = [
    ".status",
    ".metadata.managedFields",
    ".metadata.resourceVersion",
    ".metadata.generation",
    ".metadata.uid",
    ".metadata.creationTimestamp",
    ".metadata.annotations[kubectl.kubernetes.io/last-applied-configuration]",
];

/// The fields by which the items of lists are told apart, the first that all items have.
const KEYS: [&str; 7] = ["name", "containerPort", "port", "mountPath", "type", "key", "ip"];

/// What differs, in the order of the fields.
pub fn changes(from: &Value, to: &Value) -> Vec<FieldChange> {
    let mut found = Vec::new();
    walk("", Some(from), Some(to), &mut found);
    found
}

fn walk(path: &str, from: Option<&Value>, to: Option<&Value>, found: &mut Vec<FieldChange>) {
    if from == to || PASSED_OVER.contains(&path) {
        return;
    }
    match (from, to) {
        (Some(Value::Object(from)), Some(Value::Object(to))) => {
            for name in from.keys().chain(to.keys().filter(|name| !from.contains_key(*name))) {
                walk(&below(path, name), from.get(name), to.get(name), found);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => match key_of(old, new) {
            Some(key) => by_key(path, key, old, new, found),
            None => found.push(FieldChange { path: path.to_owned(), from: from.cloned(), to: to.cloned() }),
        },
        _ => found.push(FieldChange { path: path.to_owned(), from: from.cloned(), to: to.cloned() }),
    }
}

/// Names of maps may hold dots: those stand in brackets.
fn below(path: &str, name: &str) -> String {
    if name.contains(['.', '/']) { format!("{path}[{name}]") } else { format!("{path}.{name}") }
}

fn key_of(old: &[Value], new: &[Value]) -> Option<&'static str> {
    let all = || old.iter().chain(new);
    let has =
        |key: &&str| all().all(|item| item.get(*key).is_some_and(|key| key.is_string() || key.is_number()));
    KEYS.into_iter().find(has)
}

fn by_key(path: &str, key: &str, old: &[Value], new: &[Value], found: &mut Vec<FieldChange>) {
    let of =
        |items: &'_ [Value], wanted: &Value| items.iter().find(|item| item.get(key) == Some(wanted)).cloned();
    let mut seen: Vec<&Value> = Vec::new();
    for wanted in old.iter().chain(new).filter_map(|item| item.get(key)) {
        if !seen.contains(&wanted) {
            seen.push(wanted);
            walk(
                &format!("{path}[{key}={wanted}]"),
                of(old, wanted).as_ref(),
                of(new, wanted).as_ref(),
                found,
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_differs_is_told_by_its_path() {
        let from = json!({
            "metadata": {"generation": 1, "labels": {"example.com/a": "1"}},
            "spec": {"replicas": 2, "containers": [{"name": "web", "image": "a:1"}, {"name": "side", "image": "s"}], "args": ["x"]},
            "status": {"replicas": 2},
        });
        let to = json!({
            "metadata": {"generation": 2, "labels": {"example.com/a": "2"}},
            "spec": {"replicas": 3, "containers": [{"name": "web", "image": "a:2"}], "args": ["y"], "paused": true},
            "status": {"replicas": 3},
        });
        let told: Vec<String> = changes(&from, &to)
            .into_iter()
            .map(|change| {
                format!(
                    "{} {} {}",
                    change.path,
                    change.from.unwrap_or_default(),
                    change.to.unwrap_or_default()
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                r#".metadata.labels[example.com/a] "1" "2""#,
                ".spec.replicas 2 3",
                r#".spec.containers[name="web"].image "a:1" "a:2""#,
                r#".spec.containers[name="side"] {"name":"side","image":"s"} null"#,
                r#".spec.args ["x"] ["y"]"#,
                ".spec.paused null true",
            ]
        );
        assert_eq!(changes(&from, &from), []);
    }
}
