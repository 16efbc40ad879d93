//! What is known of a write, whoever makes it.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use api_record::scalar::Time;
use api_record::{Record, Schema};

use super::atom::Fields;
use super::compare::Diff;
use super::kind::Kind;
use super::managers::{Manager, Managers, Operation, Owned};
use super::reset::Reset;
use super::set::Set;

/// The versions of a kind, and the ways between them.
pub trait Versions {
    /// An empty object of a version; `None` if there is no such version.
    fn empty(&self, api_version: &str) -> Option<Box<dyn Record>>;
    /// An object of one version as it is in another.
    fn convert(&self, object: &dyn Record, from: &str, to: &str) -> Option<Box<dyn Record>>;
    /// What all fields of a version's objects are, where their schema is made at run time.
    fn fields(&self, api_version: &str) -> Option<Arc<Fields>> {
        let _ = api_version;
        None
    }
}

/// What the objects of a version are made of.
pub(super) struct Root<'a> {
    schema: &'a Schema,
    fields: Option<Arc<Fields>>,
}

impl<'a> Root<'a> {
    /// Of an object's version.
    pub(super) fn of(versions: &dyn Versions, api_version: &str, object: &'a dyn Record) -> Root<'a> {
        Root { schema: object.schema(), fields: versions.fields(api_version) }
    }

    pub(super) fn is_made_at_run_time(&self) -> bool {
        self.fields.is_some()
    }

    pub(super) fn kind(&self) -> Kind<'_> {
        match self.fields.as_deref() {
            Some(fields) => Kind::Fields(fields),
            None => Kind::Record(self.schema),
        }
    }
}

/// A write.
pub struct Request<'a> {
    /// The manager's name, empty if the request gives none.
    pub manager: &'a str,
    /// The version that the request speaks.
    pub api_version: &'a str,
    /// The kind.
    pub kind: &'a str,
    /// The subresource that is written, empty for the object itself.
    pub subresource: &'a str,
    /// What the write has no say in.
    pub reset: Reset,
    /// The time.
    pub now: Time,
    /// The kind's versions.
    pub versions: &'a dyn Versions,
}

impl Request<'_> {
    /// What an object of the request's version is made of.
    pub(super) fn root<'o>(&self, object: &'o dyn Record) -> Root<'o> {
        Root::of(self.versions, self.api_version, object)
    }

    pub(super) fn manager(&self, operation: Operation) -> Manager {
        Manager::new(self.manager, operation, self.api_version, self.subresource)
    }
}

/// Fields of every object that nobody ever owns.
static STRIPPED: LazyLock<Set> = LazyLock::new(|| {
    Set::of_fields([
        "apiVersion",
        "kind",
        "metadata",
        "metadata.name",
        "metadata.namespace",
        "metadata.creationTimestamp",
        "metadata.selfLink",
        "metadata.uid",
        "metadata.clusterName",
        "metadata.generation",
        "metadata.managedFields",
        "metadata.resourceVersion",
    ])
});

pub(super) fn stripped(fields: &Set) -> Set {
    fields.difference(&STRIPPED)
}

/// Compares the objects in other versions than the request's.
pub(super) type InVersion<'a> = dyn Fn(&str) -> Option<Diff> + 'a;

/// Takes from all managers but `own` what a change took from them, and answers what that is where the change made it another.
/// Managers whose version is not served any more go. `diff` is of the request's version, and filtered like what `elsewhere`
/// answers.
pub(super) fn taken(
    request: &Request<'_>,
    managers: &mut Managers,
    own: Option<&Manager>,
    diff: &Diff,
    elsewhere: &InVersion<'_>,
) -> Vec<(Manager, Set)> {
    let mut versions: BTreeMap<String, Option<Diff>> = BTreeMap::new();
    let mut conflicts = Vec::new();
    let mut lost: Vec<Manager> = Vec::new();
    for (manager, owned) in &mut managers.entries {
        if Some(manager) == own {
            continue;
        }
        let diff = if owned.api_version == request.api_version {
            diff
        } else {
            let version = owned.api_version.clone();
            let compared = versions.entry(version).or_insert_with_key(|version| elsewhere(version));
            let Some(diff) = compared else {
                lost.push(manager.clone());
                continue;
            };
            diff
        };
        if diff.is_empty() || !owned.may_meet(diff) {
            continue;
        }
        // No field is in both.
        let fields = owned.fields();
        let conflict = fields.intersection(&diff.modified).union(&fields.intersection(&diff.added));
        if conflict.is_empty() && fields.intersection(&diff.removed).is_empty() {
            continue;
        }
        let left = owned.fields().difference(&conflict).difference(&diff.removed);
        owned.set_fields(left);
        if !conflict.is_empty() {
            conflicts.push((manager.clone(), conflict));
        }
    }
    managers
        .entries
        .retain(|manager, owned| Some(manager) == own || (!owned.is_empty() && !lost.contains(manager)));
    conflicts
}

/// Gives `fields` to a manager that updates, besides what it has already.
pub(super) fn given(request: &Request<'_>, managers: &mut Managers, manager: Manager, fields: Set) {
    if fields.is_empty() {
        return;
    }
    let owned =
        managers.entries.entry(manager).or_insert_with(|| Owned::new(request.api_version, Set::EMPTY, None));
    owned.add(&fields);
    owned.time = Some(request.now);
}
