//! What is applied: a part of an object, as its manager wants it.

use api_codec::json::write_string;
use api_codec::limits::Limits;
use api_codec::{Strictness, yaml};
use api_meta::Status;
use api_meta::limits::ANNOTATIONS_BYTES;
use api_types::meta::v1::ObjectMeta;
use serde_json::Map;

use super::Tree;

/// Where `kubectl apply` without the server's help keeps what it applied last.
pub(super) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A configuration that is to be applied.
#[derive(Clone, Debug)]
pub struct Config {
    /// The fields, `apiVersion` and `kind` aside.
    pub(super) tree: Tree,
    pub(super) api_version: String,
    pub(super) kind: String,
    strict: Vec<String>,
}

impl Config {
    /// Reads YAML, which JSON is a part of.
    ///
    /// # Errors
    /// 400 if it is malformed or no object.
    pub fn parse(bytes: &[u8]) -> Result<Config, Status> {
        let undecodable =
            |why: &dyn std::fmt::Display| Status::bad_request(format!("error decoding patch: {why}"));
        let mut strict = Strictness::default();
        let json = yaml::to_json_strict(bytes, &mut strict, Limits::REQUEST).map_err(|error| {
            let why = error.to_string();
            let why = why.strip_prefix("error converting YAML to JSON: ").unwrap_or(&why);
            Status::bad_request(format!("error encoding patch: {why}"))
        })?;
        let tree: Tree = serde_json::from_slice(&json).map_err(|error| undecodable(&error))?;
        let Tree::Object(mut map) = tree else {
            let kind = crate::error::json_kind(&tree);
            return Err(undecodable(&format!(
                "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {kind} into Go value of type map[string]interface {{}}"
            )));
        };
        let text = |value: Option<Tree>| value.and_then(|value| value.as_str().map(str::to_owned));
        let api_version = text(map.shift_remove("apiVersion")).unwrap_or_default();
        let kind = text(map.shift_remove("kind")).unwrap_or_default();
        let strict = strict.errors().to_vec();
        Ok(Config { tree: Tree::Object(map), api_version, kind, strict })
    }

    /// What strict validation has to say of it: fields that occur twice.
    pub fn strict(&self) -> &[String] {
        &self.strict
    }

    /// A text of its metadata.
    pub fn metadata(&self, field: &str) -> &str {
        self.tree["metadata"][field].as_str().unwrap_or_default()
    }

    /// Whether it says who owns what, which is not its to say.
    pub(super) fn says_owners(&self) -> bool {
        self.tree["metadata"]["managedFields"].is_array()
    }

    /// Its kind as messages show it.
    pub(super) fn gvk(&self) -> String {
        let (group, version) = self.api_version.split_once('/').unwrap_or(("", &self.api_version));
        format!("{group}/{version}, Kind={}", self.kind)
    }

    /// The object as messages show it.
    pub(super) fn shown(&self) -> String {
        format!("{}/{}; {}", self.metadata("namespace"), self.metadata("name"), self.gvk())
    }

    /// Brings what `kubectl apply` remembers in an object up to date, where it remembers something; what has no room is forgotten.
    pub(super) fn remember(&self, meta: &mut ObjectMeta) {
        if meta.annotations.get(LAST_APPLIED).is_none_or(String::is_empty) {
            return;
        }
        let mut map = Map::new();
        map.insert("apiVersion".to_owned(), self.api_version.clone().into());
        map.insert("kind".to_owned(), self.kind.clone().into());
        map.extend(self.tree.as_object().cloned().unwrap_or_default());
        if let Some(annotations) =
            map.get_mut("metadata").and_then(|meta| meta.get_mut("annotations")).and_then(Tree::as_object_mut)
        {
            annotations.shift_remove(LAST_APPLIED);
        }
        let mut text = Vec::new();
        sorted(&Tree::Object(map), &mut text);
        text.push(b'\n');
        // Everything that was written is UTF-8.
        let text = String::from_utf8(text).unwrap_or_default();
        meta.annotations.insert(LAST_APPLIED.to_owned(), text);
        let size: usize = meta.annotations.iter().map(|(key, value)| key.len() + value.len()).sum();
        if size > ANNOTATIONS_BYTES {
            meta.annotations.remove(LAST_APPLIED);
        }
    }
}

/// Writes JSON as Go writes maps: in the order of the keys.
fn sorted(tree: &Tree, out: &mut Vec<u8>) {
    match tree {
        Tree::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(name, _)| *name);
            out.push(b'{');
            for (index, (name, value)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_string(out, name);
                out.push(b':');
                sorted(value, out);
            }
            out.push(b'}');
        }
        Tree::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                sorted(item, out);
            }
            out.push(b']');
        }
        Tree::String(text) => write_string(out, text),
        other => out.extend_from_slice(other.to_string().as_bytes()),
    }
}
