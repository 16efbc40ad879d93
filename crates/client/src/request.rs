//! What is asked and what is answered.

use std::sync::Arc;

use api_patch::PatchKind;
use api_record::{Bytes, Record};

use crate::{Resource, Revision, Scope, Status};

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Read one object.
    Get,
    /// Read many.
    List,
    /// Make one.
    Create,
    /// Replace one.
    Update,
    /// Change parts of one.
    Patch,
    /// Delete one.
    Delete,
    /// Delete many.
    DeleteCollection,
}

impl Verb {
    /// The verb's name in rules and audit records.
    pub fn name(self) -> &'static str {
        match self {
            Verb::Get => "get",
            Verb::List => "list",
            Verb::Create => "create",
            Verb::Update => "update",
            Verb::Patch => "patch",
            Verb::Delete => "delete",
            Verb::DeleteCollection => "deletecollection",
        }
    }
}

/// What it is to be done to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The resource.
    pub resource: Resource,
    /// The namespace, empty for none or all.
    pub namespace: String,
    /// The object, empty for a collection.
    pub name: String,
    /// The subresource, empty for the object itself.
    pub subresource: String,
}

/// A request.
pub struct Request {
    /// What is to be done.
    pub verb: Verb,
    /// What it is to be done to.
    pub target: Target,
    /// What it is to be done with.
    pub body: Body,
    /// How objects are to be read, for lists and deletions of collections, and for `get`.
    pub list: ListOptions,
    /// How objects are to be written.
    pub write: WriteOptions,
    /// How objects are to be deleted.
    pub delete: DeleteOptions,
    /// Why an object that is to be changed may not be made if it is not there.
    pub making_refused: Option<Status>,
}

impl Request {
    /// A request without a body or options.
    pub fn new(verb: Verb, target: Target) -> Request {
        Request {
            verb,
            target,
            body: Body::Empty,
            list: ListOptions::default(),
            write: WriteOptions::default(),
            delete: DeleteOptions::default(),
            making_refused: None,
        }
    }
}

/// What comes with a request.
pub enum Body {
    /// Nothing.
    Empty,
    /// An object in the target's version, or what its subresource takes.
    Object(Box<dyn Record>),
    /// A patch.
    Patch(PatchKind, Bytes),
}

/// How objects are to be read.
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    /// The label selector as text.
    pub labels: String,
    /// The field selector as text.
    pub fields: String,
    /// At most this many objects; 0 for all.
    pub limit: usize,
    /// Where an earlier list left off.
    pub continue_: String,
    /// The wanted resource version as text: empty for the latest, `0` for any.
    pub version: String,
    /// How that is meant.
    pub version_match: Option<VersionMatch>,
}

/// How a wanted resource version is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionMatch {
    /// Just that one.
    Exact,
    /// That one or a later one.
    NotOlderThan,
}

/// How objects are to be written.
#[derive(Clone, Debug, Default)]
pub struct WriteOptions {
    /// Go through all the motions but keep nothing.
    pub dry_run: bool,
    /// What to do about fields that the type does not have.
    pub field_validation: FieldValidation,
    /// Who is to own the fields that are written; the caller's program if not given. An apply must give it.
    pub field_manager: String,
    /// Take fields that others own, for an apply; nothing else may say so.
    pub force: Option<bool>,
}

/// What to do about fields that a type does not have, or that are given twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FieldValidation {
    /// Pass over them.
    Ignore,
    /// Pass over them and warn.
    #[default]
    Warn,
    /// Refuse the request.
    Strict,
}

/// How objects are to be deleted.
#[derive(Clone, Debug, Default)]
pub struct DeleteOptions {
    /// How long the object may take to end, in seconds; what its kind says if not given.
    pub grace_seconds: Option<i64>,
    /// What is to happen to what it owns; what its kind says if not given.
    pub propagation: Option<Propagation>,
    /// What must hold.
    pub precondition: Precondition,
}

/// What is to happen to the objects that a deleted one owns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Propagation {
    /// They stay.
    Orphan,
    /// They go after it.
    Background,
    /// They go before it.
    Foreground,
}

/// What must hold of an object for a request to be carried out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Precondition {
    /// Its uid.
    pub uid: Option<String>,
    /// Its resource version.
    pub version: Option<String>,
}

/// What is answered.
pub struct Answer {
    /// The answer itself.
    pub outcome: Outcome,
    /// Whether an object was made.
    pub created: bool,
    /// What the caller should know.
    pub warnings: Vec<String>,
}

/// An answer's content.
pub enum Outcome {
    /// One object.
    Object(Arc<dyn Record>),
    /// Many.
    List(List),
    /// That it was done.
    Status(Status),
}

/// Many objects.
#[derive(Clone, Default)]
pub struct List {
    /// The objects, in the order of their keys.
    pub items: Vec<Arc<dyn Record>>,
    /// The point in history that the list shows.
    pub revision: Revision,
    /// Where the list goes on; empty at its end.
    pub continue_: String,
    /// How many more there are, where that is known.
    pub remaining: Option<i64>,
}

/// A list of all objects of a scope.
impl From<&Scope> for Request {
    fn from(scope: &Scope) -> Request {
        let target = Target {
            resource: scope.resource.clone(),
            namespace: scope.namespace.clone(),
            name: String::new(),
            subresource: String::new(),
        };
        let mut request = Request::new(Verb::List, target);
        request.list.labels = scope.labels.to_string();
        request.list.fields = scope.fields.to_string();
        request
    }
}
