//! What differs between two objects: the fields that were removed, modified and added.

use std::collections::BTreeMap;

use api_record::{Record, Value};

use super::Tree;
use super::data::{Data, Made, Named, element_of, tree_pairs};
use super::element::Element;
use super::kind::{Form, Kind};
use super::set::Set;

/// What differs between two objects. No field is in more than one of the sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// What only the old one has.
    pub removed: Set,
    /// What both have, with another content.
    pub modified: Set,
    /// What only the new one has.
    pub added: Set,
}

/// What became of the value itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Same,
    Removed,
    Modified,
    Added,
}

/// Compares two records of one kind. Of those that hold fields without a table, these are compared as trees.
pub(super) fn records(kind: Kind<'_>, old: &dyn Record, new: &dyn Record) -> Diff {
    let mut diff = Diff::default();
    let typed = Kind::Record(new.schema());
    fields(typed, Some(Value::Record(old)), Some(Value::Record(new)), &mut diff);
    if old.rest().is_some() || new.rest().is_some() {
        tree_pairs(kind, old.rest(), new.rest(), &mut |name, kind, old, new| {
            field(name, kind, old, new, &mut diff);
        });
        diff.sort();
    }
    diff
}

/// Compares two trees of one kind.
pub(super) fn trees(kind: Kind<'_>, old: &Tree, new: &Tree) -> Diff {
    let mut diff = Diff::default();
    walk(kind, Some(old), Some(new), &mut diff);
    diff
}

impl Diff {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.removed.is_empty() && self.modified.is_empty() && self.added.is_empty()
    }

    /// The same with each of the sets changed.
    #[must_use]
    pub fn map(&self, change: impl Fn(&Set) -> Set) -> Diff {
        Diff { removed: change(&self.removed), modified: change(&self.modified), added: change(&self.added) }
    }

    fn absorb(&mut self, element: impl FnOnce() -> Element, fate: Fate, below: Diff) {
        if fate == Fate::Same && below.is_empty() {
            return;
        }
        let element = element();
        self.removed.push(element.clone(), fate == Fate::Removed, below.removed);
        self.modified.push(element.clone(), fate == Fate::Modified, below.modified);
        self.added.push(element, fate == Fate::Added, below.added);
    }

    fn join(&mut self, other: &Diff) {
        self.removed = self.removed.union(&other.removed);
        self.modified = self.modified.union(&other.modified);
        self.added = self.added.union(&other.added);
    }

    fn sort(&mut self) {
        self.removed.sort();
        self.modified.sort();
        self.added.sort();
    }
}

fn leaf<D: Data>(old: Option<D>, new: Option<D>) -> Fate {
    match (old, new) {
        (Some(old), Some(new)) if !old.same(new) => Fate::Modified,
        _ => presence(old, new),
    }
}

fn presence<D>(old: Option<D>, new: Option<D>) -> Fate {
    match (old, new) {
        (None, Some(_)) => Fate::Added,
        (Some(_), None) => Fate::Removed,
        _ => Fate::Same,
    }
}

/// Compares what lies below two values into `diff`, and answers what became of the value itself.
fn walk<D: Data>(kind: Kind<'_>, old: Option<D>, new: Option<D>, diff: &mut Diff) -> Fate {
    let told = |side: Option<D>| side.map(|value| kind.given(value.made()));
    let kind = match (kind, told(old), told(new)) {
        // What has become another sort of value is looked at as either.
        (Kind::Free(_), Some(before), Some(after)) if !before.is_like(after) => {
            let mut first = Diff::default();
            let fates = [walk(before, old, new, &mut first), walk(after, old, new, diff)];
            diff.join(&first);
            return if fates.contains(&Fate::Modified) { Fate::Modified } else { Fate::Same };
        }
        (Kind::Free(_), before, after) => after.or(before).unwrap_or(kind),
        _ => kind,
    };
    let form = kind.form();
    let empty = |side: Option<D>| side.is_none_or(|value| value.made().is_empty(form));
    match form {
        Form::Leaf => leaf(old, new),
        // Nothing on either side: whether it is absent, null or empty is then all that can differ.
        _ if empty(old) && empty(new) => leaf(old, new),
        form => {
            // Most of what is compared is the same, and finding that out is much cheaper than walking it.
            if !matches!((old, new), (Some(old), Some(new)) if old.same(new)) {
                if form == Form::Fields { fields(kind, old, new, diff) } else { lists(kind, old, new, diff) }
            }
            presence(old, new)
        }
    }
}

fn fields<D: Data>(kind: Kind<'_>, old: Option<D>, new: Option<D>, diff: &mut Diff) {
    D::pairs(kind, old, new, &mut |name, kind, old, new| field(name, kind, old, new, diff));
    diff.sort();
}

fn field<D: Data>(name: Named<'_>, kind: Kind<'_>, old: Option<D>, new: Option<D>, diff: &mut Diff) {
    let mut below = Diff::default();
    let fate = walk(kind, old, new, &mut below);
    diff.absorb(|| Element::Field(name.keep()), fate, below);
}

/// The elements of each side that one element of a path stands for; more than one only if a list has duplicates.
struct Twins<D> {
    old: Vec<D>,
    new: Vec<D>,
}

fn lists<D: Data>(kind: Kind<'_>, old: Option<D>, new: Option<D>, diff: &mut Diff) {
    let Some(element_kind) = kind.element() else { return };
    let mut found: BTreeMap<Element, Twins<D>> = BTreeMap::new();
    for (side, is_new) in [(old, false), (new, true)] {
        let Some(list) = side else { continue };
        let Made::List { length } = list.made() else { continue };
        for item in (0..length).map(|index| list.at(index)) {
            // An element that nothing tells apart belongs to nobody.
            let Ok(element) = element_of(kind, item) else { continue };
            let twins = found.entry(element).or_insert_with(|| Twins { old: Vec::new(), new: Vec::new() });
            if is_new { twins.new.push(item) } else { twins.old.push(item) }
        }
    }
    for (element, twins) in found {
        let mut below = Diff::default();
        let fate = match (&twins.old[..], &twins.new[..]) {
            ([_, _, ..], [_, _, ..]) => {
                let same = twins.old.len() == twins.new.len()
                    && twins.old.iter().zip(&twins.new).all(|(old, new)| old.same(*new));
                if same { Fate::Same } else { Fate::Modified }
            }
            // Duplicates as such are one value; what is no duplicate any more is looked into, and the other way round.
            ([_, _, ..], new) => {
                if let Some(new) = new.first() {
                    let fate = walk(element_kind, None, Some(*new), &mut below);
                    diff.absorb(|| element.clone(), fate, std::mem::take(&mut below));
                }
                Fate::Removed
            }
            (old, [_, _, ..]) => {
                if let Some(old) = old.first() {
                    let fate = walk(element_kind, Some(*old), None, &mut below);
                    diff.absorb(|| element.clone(), fate, std::mem::take(&mut below));
                }
                Fate::Added
            }
            (old, new) => walk(element_kind, old.first().copied(), new.first().copied(), &mut below),
        };
        diff.absorb(|| element, fate, below);
    }
    diff.sort();
}
