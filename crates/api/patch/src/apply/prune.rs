//! Taking out of an object what its manager applied before and does not apply any more, unless others own it.

use std::collections::BTreeMap;

use api_codec::json;
use api_codec::limits::Limits;

use super::Tree;
use super::applied::tree_of;
use super::kind::Kind;
use super::managers::{Managers, Owned};
use super::mentioned::{mentioned, with_named};
use super::remove::remove;
use super::request::{Root, Versions};
use super::set::Set;

/// Trees in other versions.
pub(super) struct Convert<'a> {
    pub(super) versions: &'a dyn Versions,
}

impl Convert<'_> {
    /// A tree of one version as it is in another; `None` if one of them does not exist, or the tree is no such object.
    pub(super) fn tree(&self, tree: &Tree, from: &str, to: &str) -> Option<Tree> {
        if from == to {
            return Some(tree.clone());
        }
        let mut object = self.versions.empty(from)?;
        json::decode(tree.to_string().as_bytes(), &mut *object, None, Limits::RESPONSE).ok()?;
        Some(tree_of(&*self.versions.convert(&*object, from, to)?))
    }

    fn with_kind<T>(&self, version: &str, act: impl FnOnce(Kind<'_>) -> T) -> Option<T> {
        let empty = self.versions.empty(version)?;
        Some(act(Root::of(self.versions, version, &*empty).kind()))
    }
}

/// A tree's fields, with all that its schema names on the way to them.
fn whole(kind: Kind<'_>, tree: &Tree) -> Set {
    named(kind, &mentioned(kind, tree))
}

fn named(kind: Kind<'_>, fields: &Set) -> Set {
    with_named(Some(kind), fields)
}

/// The merged object, of `version`, without the fields and elements of `last` that nobody owns any more; `managers` know already
/// what is applied now. `None` if it cannot be converted back.
pub(super) fn prune(
    convert: &Convert<'_>,
    kind: Kind<'_>,
    merged: Tree,
    managers: &Managers,
    version: &str,
    last: Option<&Owned>,
) -> Option<Tree> {
    let Some(last) = last.filter(|last| !last.fields().is_empty()) else { return Some(merged) };
    if last.api_version == version {
        return Some(pruned(convert, kind, &merged, managers, last));
    }
    let Some(then) = convert.tree(&merged, version, &last.api_version) else { return Some(merged) };
    let pruned = convert.with_kind(&last.api_version, |kind| pruned(convert, kind, &then, managers, last))?;
    convert.tree(&pruned, &last.api_version, version)
}

/// The same in the version that was applied last.
fn pruned(convert: &Convert<'_>, kind: Kind<'_>, merged: &Tree, managers: &Managers, last: &Owned) -> Tree {
    let last_fields = named(kind, last.fields());
    let without = remove(kind, merged, &last_fields);
    let with_owned = owned_added(convert, kind, merged, without, managers, &last.api_version);
    // What was taken out without having been applied goes back: it is nobody's, and stays.
    let taken = whole(kind, merged).difference(&whole(kind, &with_owned));
    remove(kind, merged, &taken.intersection(&last_fields))
}

/// Puts back what managers own, each in its version; that of the trees comes first.
fn owned_added(
    convert: &Convert<'_>,
    kind: Kind<'_>,
    merged: &Tree,
    without: Tree,
    managers: &Managers,
    version: &str,
) -> Tree {
    let mut owned: BTreeMap<&str, Set> = BTreeMap::new();
    for entry in managers.entries.values() {
        let fields = owned.entry(&entry.api_version).or_default();
        *fields = fields.union(entry.fields());
    }
    let mut left = without;
    if let Some(fields) = owned.remove(version) {
        left = added(kind, merged, &left, &fields);
    }
    for (other, fields) in owned {
        let in_version = |tree| convert.tree(tree, version, other);
        let (Some(merged_there), Some(left_there)) = (in_version(merged), in_version(&left)) else {
            continue;
        };
        let there = convert.with_kind(other, |kind| added(kind, &merged_there, &left_there, &fields));
        if let Some(back) = there.and_then(|there| convert.tree(&there, other, version)) {
            left = back;
        }
    }
    left
}

/// What is left, with those of the `owned` fields that the merged object has.
fn added(kind: Kind<'_>, merged: &Tree, left: &Tree, owned: &Set) -> Tree {
    let kept = whole(kind, left).union(&named(kind, owned));
    remove(kind, merged, &whole(kind, merged).difference(&kept))
}
