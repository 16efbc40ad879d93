//! What a controller wants done about a key.

use std::sync::Arc;
use std::time::Duration;

use api_patch::PatchKind;
use api_record::{Record, Typed};
use api_types::authorization::v1::SubjectAccessReview;
use api_types::meta::v1::ObjectMeta;
use api_types::object_meta;

use super::events::Note;
use super::kinds::resource_of;
use crate::{BoxFuture, Propagation, Resource, Revision, Status, Target, Verb};

/// Stages of writes, then asks, then events. A failure stops what has not begun.
#[derive(Default)]
pub struct Plan {
    /// Each stage begins when the one before it is done; the writes of one are independent.
    pub stages: Vec<Vec<Write>>,
    /// Work outside of the cluster's API.
    pub asks: Vec<Ask>,
    /// What people should hear of whatever comes of the writes.
    pub events: Vec<Note>,
    /// When to plan the key again even if nothing changes.
    pub again: Option<Duration>,
    /// The key cannot be dealt with for now, for this reason; it is planned again after its back-off.
    pub failure: Option<Status>,
}

impl Plan {
    /// Adds a stage, unless it is empty.
    pub fn stage(&mut self, writes: impl IntoIterator<Item = Write>) -> &mut Plan {
        let writes: Vec<Write> = writes.into_iter().collect();
        if !writes.is_empty() {
            self.stages.push(writes);
        }
        self
    }

    /// Wants the key planned again after a while, or earlier if that is wanted already.
    pub fn again_in(&mut self, wait: Duration) -> &mut Plan {
        self.again = Some(self.again.map_or(wait, |own| own.min(wait)));
        self
    }

    /// All writes in the order of their stages.
    pub fn writes(&self) -> impl Iterator<Item = &Write> {
        self.stages.iter().flatten()
    }

    /// The plan in words, one line a write.
    pub fn describe(&self) -> Vec<String> {
        let writes = self.writes().map(Write::describe);
        writes.chain(self.asks.iter().map(|ask| format!("ask {}", ask.what))).collect()
    }
}

/// What stopped a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Failure {
    /// What went wrong.
    pub status: Status,
    /// What was being done, to objects of which resource; `None` if it was no write.
    pub write: Option<(Verb, Resource)>,
}

impl Failure {
    /// Whether a write of this kind failed.
    pub fn is_of(&self, verb: Verb, resource: &Resource) -> bool {
        self.write.as_ref().is_some_and(|(own, target)| *own == verb && target == resource)
    }
}

/// Outside work, whose answer comes back as something observable.
pub struct Ask {
    /// What it is, for people.
    pub what: String,
    /// Begins it.
    pub work: Arc<dyn Fn() -> BoxFuture<'static, Result<(), Status>> + Send + Sync>,
}

/// One request that changes something.
pub struct Write {
    /// The object, or where it is to be made.
    pub target: Target,
    /// The uid that the object must have; empty for new ones and collections.
    pub uid: String,
    /// What is to be done to it.
    pub op: Op,
    /// What must hold, by a consistent read just before.
    pub guards: Vec<Guard>,
    /// What people should hear of how it went.
    pub telling: Option<Telling>,
    /// Whether it is as well if somebody else has made the object already.
    pub may_exist: bool,
}

/// What is to be done to an object.
pub enum Op {
    /// Make it.
    Create(Box<dyn Record>),
    /// Replace it, or a part of it; if conditional, only if it still has the resource version that it carries.
    Update(Box<dyn Record>, bool),
    /// Change parts of it.
    Patch(PatchKind, serde_json::Value),
    /// Delete it.
    Delete {
        /// What becomes of what it owns.
        propagation: Option<Propagation>,
        /// The resource version that it must have.
        version: Option<String>,
        /// How long it may take to end, in seconds.
        grace_seconds: Option<i64>,
    },
    /// Delete all objects of the target's namespace.
    DeleteCollection,
}

/// What a consistent read must show before a write is sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Guard {
    /// The object of this uid is there and not being deleted.
    Alive(Target, String),
    /// There is no object of this uid; none of that name, if it is empty.
    Absent(Target, String),
    /// The resource has no objects in the namespace.
    Empty(Target),
    /// The resource has this many objects in the namespace, and none that was written after this revision: a view that has
    /// come so far has missed nothing.
    Current(Target, Revision, usize),
    /// The object has this resource version, or is not there if that is empty: what was concluded from its silence holds.
    Unchanged(Target, String),
    /// A review of access answers yes.
    Allowed(Box<SubjectAccessReview>),
}

/// Events about one write; `{name}` stands for the object's name and `{error}` for what went wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Telling {
    /// If it was done.
    pub done: Option<Note>,
    /// If it failed.
    pub failed: Option<Note>,
}

fn at(resource: &Resource, meta: &ObjectMeta, subresource: &str) -> Target {
    Target {
        resource: resource.clone(),
        namespace: meta.namespace.clone(),
        name: meta.name.clone(),
        subresource: subresource.to_owned(),
    }
}

impl Write {
    /// A request about the object of some metadata.
    pub fn of(resource: &Resource, meta: &ObjectMeta, subresource: &str, op: Op) -> Write {
        Write {
            target: at(resource, meta, subresource),
            uid: meta.uid.clone(),
            op,
            guards: Vec::new(),
            telling: None,
            may_exist: false,
        }
    }

    /// Makes an object, in the namespace of its metadata.
    pub fn create<T: Typed>(object: T) -> Write {
        let meta = object_meta(&object).cloned().unwrap_or_default();
        let mut write = Write::of(resource_of::<T>(), &meta, "", Op::Create(Box::new(object)));
        write.uid.clear();
        write
    }

    /// Replaces an object that is still what it was when it was read.
    pub fn update<T: Typed>(object: T) -> Write {
        Write::update_part(object, "")
    }

    /// Replaces the status of an object that is still what it was when it was read.
    pub fn status<T: Typed>(object: T) -> Write {
        Write::update_part(object, "status")
    }

    /// Writes a subresource of an object that is still what it was when it was read.
    pub fn update_part<T: Typed>(object: T, subresource: &str) -> Write {
        let meta = object_meta(&object).cloned().unwrap_or_default();
        Write::of(resource_of::<T>(), &meta, subresource, Op::Update(Box::new(object), true))
    }

    /// Changes parts of an object; the patch need not name the uid.
    pub fn patch<T: Typed>(object: &T, subresource: &str, patch: serde_json::Value) -> Write {
        let meta = object_meta(object).cloned().unwrap_or_default();
        Write::of(resource_of::<T>(), &meta, subresource, Op::Patch(PatchKind::Strategic, patch))
    }

    /// Deletes an object, in the background.
    pub fn delete<T: Typed>(object: &T) -> Write {
        let meta = object_meta(object).cloned().unwrap_or_default();
        let op = Op::Delete { propagation: None, version: None, grace_seconds: None };
        Write::of(resource_of::<T>(), &meta, "", op)
    }

    /// Also requires this by a consistent read.
    #[must_use]
    pub fn guarded(mut self, guard: Guard) -> Write {
        self.guards.push(guard);
        self
    }

    /// Also tells people how it went.
    #[must_use]
    pub fn telling(mut self, done: Option<Note>, failed: Option<Note>) -> Write {
        self.telling = Some(Telling { done, failed });
        self
    }

    /// Is also done if the object exists already.
    #[must_use]
    pub fn or_exists(mut self) -> Write {
        self.may_exist = true;
        self
    }

    /// The write in words.
    pub fn describe(&self) -> String {
        let Target { resource, namespace, name, subresource } = &self.target;
        let verb = match &self.op {
            Op::Create(_) => "create",
            Op::Update(..) => "update",
            Op::Patch(..) => "patch",
            Op::Delete { .. } => "delete",
            Op::DeleteCollection => "deletecollection",
        };
        let part = if subresource.is_empty() { String::new() } else { format!("/{subresource}") };
        let place = if namespace.is_empty() { name.clone() } else { format!("{namespace}/{name}") };
        format!("{verb} {resource}{part} {place}")
    }

    /// The object that it makes or puts in the place of another.
    pub fn object<T: Typed>(&self) -> Option<&T> {
        match &self.op {
            Op::Create(object) | Op::Update(object, _) => (**object).downcast_ref(),
            _ => None,
        }
    }
}
