//! Taking out of an object what its manager applied before and does not apply any more, unless others own it.

use std::collections::BTreeMap;

use api_codec::json;
use api_codec::limits::Limits;
use api_record::Schema;

use super::Tree;
use super::applied::tree_of;
use super::kind::Kind;
use super::managers::{Managers, Owned};
use super::mentioned::{mentioned, with_named};
use super::remove::remove;
use super::request::Versions;
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

    fn with_schema<T>(&self, version: &str, act: impl FnOnce(&Schema) -> T) -> Option<T> {
        Some(act(self.versions.empty(version)?.schema()))
    }
}

/// A tree's fields, with all that its schema names on the way to them.
fn whole(schema: &Schema, tree: &Tree) -> Set {
    named(schema, &mentioned(schema, tree))
}

fn named(schema: &Schema, fields: &Set) -> Set {
    with_named(Some(Kind::Record(schema)), fields)
}

/// The merged object, of `version`, without the fields and elements of `last` that nobody owns any more; `managers` know already
/// what is applied now. `None` if it cannot be converted back.
pub(super) fn prune(
    convert: &Convert<'_>,
    schema: &Schema,
    merged: Tree,
    managers: &Managers,
    version: &str,
    last: Option<&Owned>,
) -> Option<Tree> {
    let Some(last) = last.filter(|last| !last.fields().is_empty()) else { return Some(merged) };
    if last.api_version == version {
        return Some(pruned(convert, schema, &merged, managers, last));
    }
    let Some(then) = convert.tree(&merged, version, &last.api_version) else { return Some(merged) };
    let pruned =
        convert.with_schema(&last.api_version, |schema| pruned(convert, schema, &then, managers, last))?;
    convert.tree(&pruned, &last.api_version, version)
}

/// The same in the version that was applied last.
fn pruned(convert: &Convert<'_>, schema: &Schema, merged: &Tree, managers: &Managers, last: &Owned) -> Tree {
    let last_fields = named(schema, last.fields());
    let without = remove(schema, merged, &last_fields);
    let with_owned = owned_added(convert, schema, merged, without, managers, &last.api_version);
    // What was taken out without having been applied goes back: it is nobody's, and stays.
    let taken = whole(schema, merged).difference(&whole(schema, &with_owned));
    remove(schema, merged, &taken.intersection(&last_fields))
}

/// Puts back what managers own, each in its version; that of the trees comes first.
fn owned_added(
    convert: &Convert<'_>,
    schema: &Schema,
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
        left = added(schema, merged, &left, &fields);
    }
    for (other, fields) in owned {
        let in_version = |tree| convert.tree(tree, version, other);
        let (Some(merged_there), Some(left_there)) = (in_version(merged), in_version(&left)) else {
            continue;
        };
        let there = convert.with_schema(other, |schema| added(schema, &merged_there, &left_there, &fields));
        if let Some(back) = there.and_then(|there| convert.tree(&there, other, version)) {
            left = back;
        }
    }
    left
}

/// What is left, with those of the `owned` fields that the merged object has.
fn added(schema: &Schema, merged: &Tree, left: &Tree, owned: &Set) -> Tree {
    let kept = whole(schema, left).union(&named(schema, owned));
    remove(schema, merged, &whole(schema, merged).difference(&kept))
}
