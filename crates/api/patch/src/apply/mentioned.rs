//! Which fields a configuration mentions: those that whoever applies it will own.

use std::collections::BTreeSet;

use super::Tree;
use super::data::{Data, element_of};
use super::element::Element;
use super::kind::{Form, Kind};
use super::set::Set;

/// The leaf fields and the list elements of a tree.
pub(super) fn mentioned(kind: Kind<'_>, tree: &Tree) -> Set {
    below(kind, tree).1
}

/// Whether the value itself is mentioned as a whole, and what is mentioned below it.
fn below(kind: Kind<'_>, value: &Tree) -> (bool, Set) {
    let kind = kind.given(value.made());
    match (kind.form(), value) {
        (Form::Leaf, _) => (true, Set::EMPTY),
        (Form::Fields, Tree::Object(map)) => {
            let mut set = Set::EMPTY;
            for (name, value) in map {
                let Some((kind, is_known)) = kind.field(name) else { continue };
                let (whole, inner) = below(kind, value);
                let bare = value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty);
                set.push(Element::Field(name.clone().into()), whole || bare || !is_known, inner);
            }
            set.sort();
            (false, set)
        }
        (Form::Elements, Tree::Array(items)) => (false, elements(kind, items)),
        _ => (false, Set::EMPTY),
    }
}

/// Every element is mentioned, and what each mentions; of duplicates nothing but that they are there.
fn elements(kind: Kind<'_>, items: &[Tree]) -> Set {
    let Some(element_kind) = kind.element() else { return Set::EMPTY };
    let mut set = Set::EMPTY;
    let (mut seen, mut twice) = (BTreeSet::new(), BTreeSet::new());
    let elements: Vec<Option<Element>> = items.iter().map(|item| element_of(kind, item).ok()).collect();
    for element in elements.iter().flatten() {
        if !seen.insert(element) {
            twice.insert(element);
        }
    }
    for (item, element) in items.iter().zip(&elements) {
        let Some(element) = element else { continue };
        let inner = if twice.contains(element) { Set::EMPTY } else { below(element_kind, item).1 };
        set.push(element.clone(), true, inner);
    }
    set.sort();
    set
}

/// The set with all fields that the schema names on the way to a member; entries of maps and elements of lists are not
/// added.
pub(super) fn with_named(kind: Option<Kind<'_>>, set: &Set) -> Set {
    let mut out = Set::EMPTY;
    for node in &set.nodes {
        let (inner, is_known) = match (&node.element, kind) {
            (Element::Field(name), Some(kind)) => match kind.field(name) {
                Some((inner, is_known)) => (Some(inner), is_known),
                None => (None, false),
            },
            (Element::Key(_), Some(kind)) => (kind.element(), false),
            _ => (None, false),
        };
        let named = is_known && !node.below.is_empty();
        out.push(node.element.clone(), node.member || named, with_named(inner, &node.below));
    }
    out
}

/// The kind as which sets are brought into terms of the schema; `None` where it says nothing.
fn coarsening(kind: Kind<'_>) -> Option<Kind<'_>> {
    match kind.first() {
        Kind::Fields(fields) if fields.is_free() => None,
        kind => Some(kind),
    }
}

/// Whether a set has parts of what the schema has as one value.
fn is_finer(kind: Kind<'_>, set: &Set) -> bool {
    set.nodes.iter().filter(|node| !node.below.is_empty()).any(|node| {
        let inner = match &node.element {
            Element::Field(name) => kind.field(name).map(|(inner, _)| inner),
            _ => kind.element(),
        };
        match inner.and_then(coarsening) {
            Some(inner) if inner.is_whole() => true,
            Some(inner) => is_finer(inner, &node.below),
            None => false,
        }
    })
}

/// The set in terms of a schema that has become coarser since it was written: whoever owned parts of what is now one value owns
/// the value. `None` when nothing is to be changed.
pub(super) fn coarsened(kind: Kind<'_>, set: &Set) -> Option<Set> {
    // Nearly always nothing is: this is asked of every owner at every write, and looking is cheaper than making a set anew.
    if !is_finer(kind, set) {
        return None;
    }
    let mut changed = false;
    let mut out = Set::EMPTY;
    for node in &set.nodes {
        let inner = match &node.element {
            Element::Field(name) => kind.field(name).map(|(inner, _)| inner),
            _ => kind.element(),
        };
        let (member, below) = match inner.and_then(coarsening) {
            Some(inner) if inner.is_whole() && !node.below.is_empty() => {
                changed = true;
                (true, Set::EMPTY)
            }
            Some(inner) => match coarsened(inner, &node.below) {
                Some(below) => {
                    changed = true;
                    (node.member, below)
                }
                None => (node.member, node.below.clone()),
            },
            None => (node.member, node.below.clone()),
        };
        out.push(node.element.clone(), member, below);
    }
    changed.then_some(out)
}
