//! Operations: what can be done at a path, before it is known in which version of OpenAPI that will be written.

use api_record::Schema;
use serde_json::Value;

use crate::definitions::Definitions;
use crate::parameters::Parameter;

/// A path and what can be done there.
pub(crate) struct PathItem {
    pub(crate) path: String,
    /// The parameters of all of its operations.
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) operations: Vec<Operation>,
}

impl PathItem {
    /// A path whose parameters are those that all of its operations have.
    pub(crate) fn new(
        path: String,
        mut parameters: Vec<Parameter>,
        mut operations: Vec<Operation>,
    ) -> PathItem {
        let Some((first, others)) = operations.split_first() else {
            return PathItem { path, parameters, operations };
        };
        let is_shared = |one: &&Parameter| others.iter().all(|other| other.parameters.contains(one));
        let shared: Vec<Parameter> = first.parameters.iter().filter(is_shared).cloned().collect();
        for operation in &mut operations {
            operation.parameters.retain(|one| !shared.contains(one));
        }
        parameters.extend(shared);
        parameters.sort_by(|left, right| left.name.cmp(&right.name));
        PathItem { path, parameters, operations }
    }
}

/// Something that can be done.
pub(crate) struct Operation {
    /// The method, in small letters.
    pub(crate) method: &'static str,
    /// `x-kubernetes-action`.
    pub(crate) action: Option<&'static str>,
    pub(crate) id: String,
    pub(crate) description: String,
    pub(crate) tag: String,
    /// Group, version and kind.
    pub(crate) kind: Option<(String, String, String)>,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Option<Body>,
    pub(crate) produces: &'static [&'static str],
    /// By status code; 401 can always be the answer.
    pub(crate) responses: Vec<(u16, Content)>,
}

/// What a request carries.
pub(crate) struct Body {
    pub(crate) content: Content,
    pub(crate) media_types: &'static [&'static str],
    pub(crate) required: bool,
}

/// What a body is.
#[derive(Clone, Copy)]
pub(crate) enum Content {
    /// A record.
    Record(&'static Schema),
    /// A definition that is not a record's.
    Scalar(&'static str),
    /// Text.
    Text,
    /// What a definition of the cluster describes, by its place among those of the document.
    Custom(usize),
}

impl Content {
    /// The content's schema.
    pub(crate) fn schema(self, definitions: &mut Definitions<'_>) -> Value {
        match self {
            Content::Record(schema) => definitions.record(schema),
            Content::Scalar(name) => definitions.scalar(name),
            Content::Text => serde_json::json!({ "type": "string" }),
            Content::Custom(index) => definitions.custom(index),
        }
    }
}

/// What an answer's status code is called.
pub(crate) fn reason(code: u16) -> &'static str {
    match code {
        201 => "Created",
        202 => "Accepted",
        401 => "Unauthorized",
        _ => "OK",
    }
}

/// The forms of an object.
pub(crate) const OBJECTS: &[&str] =
    &["application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];

/// The forms of a list, or of a watch.
pub(crate) const STREAMS: &[&str] = &[
    "application/json",
    "application/yaml",
    "application/vnd.kubernetes.protobuf",
    "application/json;stream=watch",
    "application/vnd.kubernetes.protobuf;stream=watch",
];

/// The forms of an object of a definition.
pub(crate) const CUSTOM: &[&str] = &["application/json", "application/yaml"];

/// The kinds of patches of those.
pub(crate) const CUSTOM_PATCHES: &[&str] =
    &["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"];

/// The forms of a log.
pub(crate) const LOGS: &[&str] =
    &["text/plain", "application/json", "application/yaml", "application/vnd.kubernetes.protobuf"];

/// The forms of what only JSON tells.
pub(crate) const JSON: &[&str] = &["application/json"];

/// Any form.
pub(crate) const ANY: &[&str] = &["*/*"];

/// The kinds of patches.
pub(crate) const PATCHES: &[&str] = &[
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
];
