//! Whether a configuration fits its schema: field names, types, and elements of lists that are told apart.

use std::collections::BTreeSet;

use api_record::Shape;

use super::Tree;
use super::atom::{Elements, List, Plain};
use super::data::{Data, element_of};
use super::element::Element;
use super::kind::Kind;
use crate::error::go_text;

/// What is wrong with a tree, in upstream's words; `None` when nothing is.
pub(super) fn check(kind: Kind<'_>, tree: &Tree) -> Option<String> {
    let mut wrong = Vec::new();
    value(kind, tree, "", &mut wrong);
    match &wrong[..] {
        [] => None,
        [one] => Some(one.clone()),
        many => Some(format!("errors:\n  {}", many.join("\n  "))),
    }
}

fn complain(path: &str, what: &str, wrong: &mut Vec<String>) {
    wrong.push(if path.is_empty() { what.to_owned() } else { format!("{path}: {what}") });
}

fn value(kind: Kind<'_>, tree: &Tree, path: &str, wrong: &mut Vec<String>) {
    if tree.is_null() {
        return;
    }
    match (kind.given(tree.made()), tree) {
        (Kind::Scalar(shape), _) => scalar(plain(shape), tree, path, wrong),
        (Kind::Plain(plain), _) => scalar(plain, tree, path, wrong),
        (Kind::Atomic(shape), _) => atomic(shape, tree, path, wrong),
        (kind @ (Kind::Record(_) | Kind::Map(_) | Kind::Fields(_)), Tree::Object(map)) => {
            for (name, inner) in map {
                let path = format!("{path}.{name}");
                let Some((kind, _)) = kind.field(name) else {
                    // Upstream looks no further then.
                    complain(&path, "field not declared in schema", wrong);
                    return;
                };
                value(kind, inner, &path, wrong);
            }
        }
        (Kind::Record(_) | Kind::Map(_) | Kind::Fields(_), _) => {
            complain(path, &format!("expected map, got &{{{}}}", go_text(tree)), wrong);
        }
        (kind @ Kind::List(List { elements: Elements::Atomic, .. }), Tree::Array(items)) => {
            let Some(element) = kind.element() else { return };
            for (index, item) in items.iter().enumerate() {
                value(element, item, &format!("{path}[{index}]"), wrong);
            }
        }
        (kind @ (Kind::Set(_) | Kind::Listed(..) | Kind::List(_)), Tree::Array(items)) => {
            list(kind, items, path, wrong);
        }
        (Kind::Set(_) | Kind::Listed(..) | Kind::List(_), _) => {
            complain(path, &format!("expected list, got &{{{}}}", go_text(tree)), wrong);
        }
        // What it may be has been told by the value.
        (Kind::Free(_), _) => {}
    }
}

fn list(kind: Kind<'_>, items: &[Tree], path: &str, wrong: &mut Vec<String>) {
    let Some(element_kind) = kind.element() else { return };
    let mut seen: BTreeSet<Element> = BTreeSet::new();
    for (index, item) in items.iter().enumerate() {
        let element = match element_of(kind, item) {
            Ok(element) => element,
            Err(why) => {
                complain(path, &format!("element {index}: {why}"), wrong);
                return;
            }
        };
        let inner = format!("{path}{element}");
        if !seen.insert(element.clone()) {
            complain(path, &format!("duplicate entries for key {element}"), wrong);
        }
        value(element_kind, item, &inner, wrong);
    }
}

/// One value as a whole: its parts have types nevertheless.
fn atomic(shape: &Shape, tree: &Tree, path: &str, wrong: &mut Vec<String>) {
    match (shape, tree) {
        (_, Tree::Null) | (Shape::Json, _) => {}
        (Shape::List(element) | Shape::Items(element), Tree::Array(items)) => {
            for (index, item) in items.iter().enumerate() {
                atomic(element, item, &format!("{path}[{index}]"), wrong);
            }
        }
        (Shape::List(_) | Shape::Items(_), _) => {
            complain(path, &format!("expected list, got &{{{}}}", go_text(tree)), wrong);
        }
        (Shape::Record(schema), _) => value(Kind::Record(schema), tree, path, wrong),
        (Shape::Map(entry), _) => value(Kind::Map(entry), tree, path, wrong),
        (shape, _) => scalar(plain(shape), tree, path, wrong),
    }
}

fn plain(shape: &Shape) -> Plain {
    match shape {
        Shape::Bool => Plain::Boolean,
        Shape::Int32 | Shape::Int64 | Shape::Float => Plain::Numeric,
        Shape::String | Shape::Bytes => Plain::Text,
        _ => Plain::Untyped,
    }
}

fn scalar(plain: Plain, tree: &Tree, path: &str, wrong: &mut Vec<String>) {
    let fits = match plain {
        Plain::Boolean => tree.is_boolean(),
        Plain::Numeric => tree.is_number(),
        Plain::Text => tree.is_string(),
        Plain::Untyped => !tree.is_array() && !tree.is_object(),
    };
    if fits {
        return;
    }
    let what = match plain {
        Plain::Boolean => format!("expected boolean, got &{{{}}}", go_text(tree)),
        Plain::Numeric => format!("expected numeric (int or float), got {}", crate::error::go_type(tree)),
        Plain::Text => format!("expected string, got &value.valueUnstructured{{Value:{}}}", go_syntax(tree)),
        Plain::Untyped => format!("expected any scalar, got &{{{}}}", go_text(tree)),
    };
    complain(path, &what, wrong);
}

/// A decoded value as Go's `%#v` prints it.
fn go_syntax(tree: &Tree) -> String {
    match tree {
        Tree::Null => "interface {}(nil)".to_owned(),
        Tree::String(text) => api_meta::quote::go(text),
        Tree::Array(items) => {
            let items: Vec<String> = items.iter().map(go_syntax).collect();
            format!("[]interface {{}}{{{}}}", items.join(", "))
        }
        Tree::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_unstable_by_key(|(name, _)| *name);
            let entries: Vec<String> = entries
                .into_iter()
                .map(|(name, value)| format!("{}:{}", api_meta::quote::go(name), go_syntax(value)))
                .collect();
            format!("map[string]interface {{}}{{{}}}", entries.join(", "))
        }
        other => other.to_string(),
    }
}
