//! Merging a configuration into an object, field by field.
//!
//! Nothing is taken away here. What both have, the configuration decides; the order of a list's elements is the object's, unless
//! the configuration has another for those that both have.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::Map;

use super::Tree;
use super::data::{Data, element_of};
use super::element::Element;
use super::kind::{Form, Kind};

/// The object with the configuration merged into it; both are of the kind.
pub(super) fn merge(kind: Kind<'_>, live: &Tree, config: &Tree) -> Tree {
    merged(kind, Some(live), Some(config)).unwrap_or_else(|| Tree::Object(Map::new()))
}

/// The value that comes of two; `None` where none of them is there, or nothing is left of an object or a list.
fn merged(kind: Kind<'_>, live: Option<&Tree>, config: Option<&Tree>) -> Option<Tree> {
    let kind = config.or(live).map_or(kind, |value| kind.given(value.made()));
    let form = kind.form();
    let empty = |side: Option<&Tree>| side.is_none_or(|value| value.made().is_empty(form));
    match form {
        Form::Leaf => config.or(live).cloned(),
        _ if empty(live) && empty(config) => config.or(live).cloned(),
        Form::Fields => objects(kind, live, config),
        Form::Elements => {
            let items = |side: Option<&Tree>| side.and_then(Tree::as_array).cloned().unwrap_or_default();
            lists(kind, &items(live), &items(config))
        }
    }
}

fn objects(kind: Kind<'_>, live: Option<&Tree>, config: Option<&Tree>) -> Option<Tree> {
    let mut out = Map::new();
    <&Tree as Data>::pairs(kind, live, config, &mut |name, kind, live, config| {
        if let Some(value) = merged(kind, live, config) {
            out.insert(name.keep().into_owned(), value);
        }
    });
    (!out.is_empty()).then_some(Tree::Object(out))
}

/// A list by its elements: each once, in order, with the item that it stands for, which is nobody's where there are duplicates.
struct Indexed<'t> {
    order: Vec<Element>,
    items: BTreeMap<Element, Option<&'t Tree>>,
}

fn indexed<'t>(kind: Kind<'_>, items: &'t [Tree]) -> (Indexed<'t>, Vec<&'t Tree>) {
    let mut list = Indexed { order: Vec::new(), items: BTreeMap::new() };
    let mut kept = Vec::new();
    for item in items {
        let Ok(element) = element_of(kind, item) else { continue };
        list.items.entry(element.clone()).and_modify(|known| *known = None).or_insert(Some(item));
        list.order.push(element);
        kept.push(item);
    }
    (list, kept)
}

fn lists(kind: Kind<'_>, live: &[Tree], config: &[Tree]) -> Option<Tree> {
    let element_kind = kind.element()?;
    let (old, old_items) = indexed(kind, live);
    let (new, _) = indexed(kind, config);
    let mut shared: VecDeque<&Element> =
        new.order.iter().filter(|element| old.items.contains_key(element)).collect();
    let mut next = shared.pop_front();
    let mut done: BTreeSet<&Element> = BTreeSet::new();
    let mut out = Vec::with_capacity(old.order.len().max(new.order.len()));
    let both = |element: &Element| {
        let (live, config) = (old.items.get(element).copied(), new.items.get(element).copied());
        merged(element_kind, live.flatten(), config.flatten())
    };
    let (mut l, mut r) = (0, 0);
    while l < old.order.len() || r < new.order.len() {
        if let (Some(left), Some(right)) = (old.order.get(l), new.order.get(r)) {
            if left == right {
                done.insert(right);
                out.extend(both(right));
                (l, r) = (l + 1, r + 1);
                next = shared.pop_front();
                continue;
            }
            if new.items.contains_key(left) && next.is_some_and(|next| next != left) {
                // Both have it, but it is not its turn.
                l += 1;
                continue;
            }
        }
        if let Some(left) = old.order.get(l) {
            if !new.items.contains_key(left) {
                // Of duplicates each stays as it is.
                out.extend(merged(element_kind, Some(old_items[l]), None));
                l += 1;
                continue;
            }
            if done.contains(left) {
                l += 1;
            }
        }
        if let Some(right) = new.order.get(r) {
            done.insert(right);
            out.extend(both(right));
            r += 1;
            if next == Some(right) {
                next = shared.pop_front();
            }
        }
    }
    (!out.is_empty()).then_some(Tree::Array(out))
}
