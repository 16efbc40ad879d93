//! The parameters of operations: those of the path, and those that the options' types name.

use api_record::{Schema, Shape, Typed};
use api_types::meta::v1::{CreateOptions, DeleteOptions, ListOptions, PatchOptions, UpdateOptions};

use crate::descriptions::Descriptions;
use crate::names;

/// Where a parameter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the path.
    Path,
    /// In the query.
    Query,
}

impl Place {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Place::Path => "path",
            Place::Query => "query",
        }
    }
}

/// A parameter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) place: Place,
    pub(crate) type_: &'static str,
    pub(crate) description: String,
}

/// A part of the path.
pub(crate) fn in_path(name: &str, description: String) -> Parameter {
    Parameter { name: name.to_owned(), place: Place::Path, type_: "string", description }
}

/// The namespace of the path.
pub(crate) fn namespace() -> Parameter {
    in_path("namespace", "object name and auth scope, such as for teams and projects".to_owned())
}

/// Whether answers are indented.
pub(crate) fn pretty() -> Parameter {
    Parameter {
        name: "pretty".to_owned(),
        place: Place::Query,
        type_: "string",
        description: text("pretty").to_owned(),
    }
}

/// What a list or a watch can be asked.
pub(crate) fn list(descriptions: &Descriptions) -> Vec<Parameter> {
    query(ListOptions::SCHEMA, descriptions)
}

/// What a creation can be asked.
pub(crate) fn create(descriptions: &Descriptions) -> Vec<Parameter> {
    query(CreateOptions::SCHEMA, descriptions)
}

/// What an update can be asked.
pub(crate) fn update(descriptions: &Descriptions) -> Vec<Parameter> {
    query(UpdateOptions::SCHEMA, descriptions)
}

/// What a patch can be asked.
pub(crate) fn patch(descriptions: &Descriptions) -> Vec<Parameter> {
    query(PatchOptions::SCHEMA, descriptions)
}

/// What a deletion can be asked.
pub(crate) fn delete(descriptions: &Descriptions) -> Vec<Parameter> {
    query(DeleteOptions::SCHEMA, descriptions)
}

/// What a deletion of many can be asked: how to delete, and which.
pub(crate) fn delete_many(descriptions: &Descriptions) -> Vec<Parameter> {
    let mut all = delete(descriptions);
    let no_watch = |one: &Parameter| !matches!(one.name.as_str(), "watch" | "allowWatchBookmarks");
    all.extend(list(descriptions).into_iter().filter(no_watch));
    all.sort_by(|left, right| left.name.cmp(&right.name));
    all
}

/// The fields of an options type, as far as a query can carry them.
pub(crate) fn query(options: &Schema, descriptions: &Descriptions) -> Vec<Parameter> {
    let mut parameters: Vec<Parameter> =
        options.fields.iter().filter_map(|field| one(&field.name, &field.shape, descriptions)).collect();
    parameters.sort_by(|left, right| left.name.cmp(&right.name));
    parameters
}

fn one(name: &str, shape: &Shape, descriptions: &Descriptions) -> Option<Parameter> {
    let type_ = match shape {
        Shape::Bool => "boolean",
        Shape::Int32 | Shape::Int64 => "integer",
        Shape::String => "string",
        // Repeated, each time with one value.
        Shape::List(element) => return one(name, element, descriptions),
        _ => return None,
    };
    let known = descriptions.field(names::DELETE_OPTIONS, name);
    let description = known.unwrap_or_else(|| text(name)).to_owned();
    Some(Parameter { name: name.to_owned(), place: Place::Query, type_, description })
}

/// What parameters are that no described type has.
fn text(name: &str) -> &'static str {
    match name {
        "pretty" => "If 'true', the answer is indented for people to read.",
        "allowWatchBookmarks" => "Ask a watch for BOOKMARK events, which say how far it has come.",
        "continue" => "The token of an earlier answer to the same request, to be told what comes after it.",
        "fieldSelector" => "Only the objects whose fields it selects. Everything if left out.",
        "labelSelector" => "Only the objects whose labels it selects. Everything if left out.",
        "limit" => {
            "At most so many objects in one answer; if there are more, the answer carries a `continue` token."
        }
        "resourceVersion" => "The version that the answer starts from; see resourceVersionMatch.",
        "resourceVersionMatch" => "How a list treats resourceVersion: Exact or NotOlderThan.",
        "sendInitialEvents" => {
            "Let a watch begin with the objects that there are, then a bookmark, then the changes."
        }
        "shardSelector" => {
            "Only the objects whose hash lies in the given ranges. Alpha: needs ShardedListAndWatch."
        }
        "timeoutSeconds" => "The longest that a list or a watch may take, however much or little happens.",
        "watch" => "Stream the changes of the objects instead of listing them.",
        "fieldManager" => {
            "The name of the actor that makes the change: at most 128 printable characters. An apply requires it."
        }
        "fieldValidation" => {
            "What becomes of unknown and duplicate fields: Ignore drops them silently, Warn answers with a warning \
             for each, Strict refuses the request. Warn if left out."
        }
        "force" => "Let an apply take over the fields that others own. Only for applies.",
        "command" => "What to execute, one argument at a time. Not given to a shell.",
        "container" => "The container that is meant. Not needed if the pod has only one.",
        "stdin" => "Connect the standard input.",
        "stdout" => "Connect the standard output.",
        "stderr" => "Connect the standard error stream.",
        "tty" => "Give the process a terminal.",
        "ports" => "The ports to forward to. Needed for forwarding over WebSockets.",
        "path" => "What to ask of the other side, as the rest of a URL.",
        "follow" => "Go on with what is yet to be logged.",
        "previous" => "The log of the container's run before this one.",
        "sinceSeconds" => "Only what was logged in the last so many seconds.",
        "timestamps" => "Begin each line with the time at which it was logged.",
        "tailLines" => "Only so many lines from the log's end.",
        "limitBytes" => "At most about so many bytes.",
        "stream" => "Which stream of the container is meant: All, Stdout or Stderr.",
        "insecureSkipTLSVerifyBackend" => "Do not check the certificate of the node that the log comes from.",
        _ => "",
    }
}
