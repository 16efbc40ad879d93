//! What is known of a write, whoever makes it.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use api_record::Record;
use api_record::scalar::Time;

use super::compare::Diff;
use super::managers::{Manager, Managers, Operation, Owned};
use super::reset::Reset;
use super::set::Set;

/// The versions of a kind, and the ways between them.
pub trait Versions {
    /// An empty object of a version; `None` if there is no such version.
    fn empty(&self, api_version: &str) -> Option<Box<dyn Record>>;
    /// An object of one version as it is in another.
    fn convert(&self, object: &dyn Record, from: &str, to: &str) -> Option<Box<dyn Record>>;
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
        if diff.is_empty() {
            continue;
        }
        let changed = diff.modified.union(&diff.added);
        let conflict = owned.fields().intersection(&changed);
        if conflict.is_empty() && owned.fields().intersection(&diff.removed).is_empty() {
            continue;
        }
        let left = owned.fields().difference(&conflict).difference(&diff.removed);
        owned.set_fields(left);
        if !conflict.is_empty() {
            conflicts.push((manager.clone(), conflict));
        }
    }
    managers.entries.retain(|manager, owned| {
        Some(manager) == own || (!owned.fields().is_empty() && !lost.contains(manager))
    });
    conflicts
}

/// Gives `fields` to a manager that updates, besides what it has already.
pub(super) fn given(request: &Request<'_>, managers: &mut Managers, manager: Manager, fields: Set) {
    if fields.is_empty() {
        return;
    }
    let owned =
        managers.entries.entry(manager).or_insert_with(|| Owned::new(request.api_version, Set::EMPTY, None));
    owned.set_fields(owned.fields().union(&fields));
    owned.time = Some(request.now);
}
