//! Taking fields and elements out of an object.

use serde_json::Map;

use super::Tree;
use super::data::{Data, element_of};
use super::element::Element;
use super::kind::{Form, Kind};
use super::set::Set;

/// The tree without the members of a set and all that is below them. What loses all that it holds becomes null.
pub(super) fn remove(kind: Kind<'_>, tree: &Tree, fields: &Set) -> Tree {
    match removed(kind, tree, fields) {
        Tree::Null => Tree::Object(Map::new()),
        other => other,
    }
}

fn removed(kind: Kind<'_>, tree: &Tree, fields: &Set) -> Tree {
    let kind = kind.given(tree.made());
    match (kind.form(), tree) {
        (Form::Fields, Tree::Object(map)) => {
            let mut left = Map::new();
            for (name, value) in map {
                let node = fields.node(&Element::Field(name.clone().into()));
                let value = match node {
                    Some(node) if node.member => continue,
                    Some(node) => match kind.field(name) {
                        Some((kind, _)) => removed(kind, value, &node.below),
                        None => value.clone(),
                    },
                    None => value.clone(),
                };
                left.insert(name.clone(), value);
            }
            if left.is_empty() { Tree::Null } else { Tree::Object(left) }
        }
        (Form::Elements, Tree::Array(items)) => {
            let Some(element_kind) = kind.element() else { return tree.clone() };
            let left = items.iter().filter_map(|item| {
                let node = element_of(kind, item).ok().and_then(|element| fields.node(&element));
                match node {
                    Some(node) if node.member => None,
                    Some(node) => Some(removed(element_kind, item, &node.below)),
                    None => Some(item.clone()),
                }
            });
            let left: Vec<Tree> = left.collect();
            if left.is_empty() { Tree::Null } else { Tree::Array(left) }
        }
        // Something below one value was to go, so that the value goes.
        (Form::Leaf, Tree::Object(_) | Tree::Array(_)) => Tree::Null,
        (_, tree) => tree.clone(),
    }
}
