//! Sets of fields: trees of steps, some of which are members.
//!
//! A parent is not a member because its child is. All operations keep the steps of a level in order and hold no step that
//! leads to no member.

use std::cmp::Ordering;
use std::fmt;

use super::element::Element;

/// A set of fields of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Set {
    pub(super) nodes: Vec<Node>,
}

/// A step, and what lies below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) element: Element,
    pub(super) member: bool,
    pub(super) below: Set,
}

/// What a step of a path must be to be let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// This field.
    Field(&'static str),
    /// Any step.
    Any,
}

impl Pattern {
    fn fits(self, element: &Element) -> bool {
        match (self, element) {
            (Pattern::Any, _) => true,
            (Pattern::Field(wanted), Element::Field(name)) => wanted == name,
            (Pattern::Field(_), _) => false,
        }
    }
}

impl Set {
    /// No field.
    pub const EMPTY: Set = Set { nodes: Vec::new() };

    /// The set of these paths of field names, dots between them.
    pub fn of_fields<'a>(paths: impl IntoIterator<Item = &'a str>) -> Set {
        let mut set = Set::EMPTY;
        for path in paths {
            let path: Vec<Element> =
                path.split('.').map(|name| Element::Field(name.to_owned().into())).collect();
            set.insert(&path);
        }
        set
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// Adds a field. The empty path, the object itself, is never a member.
    pub fn insert(&mut self, path: &[Element]) {
        let Some((first, rest)) = path.split_first() else { return };
        let place = self.nodes.binary_search_by(|node| node.element.cmp(first)).unwrap_or_else(|place| {
            let node = Node { element: first.clone(), member: false, below: Set::EMPTY };
            self.nodes.insert(place, node);
            place
        });
        let node = &mut self.nodes[place];
        if rest.is_empty() { node.member = true } else { node.below.insert(rest) }
    }

    /// Whether a field is a member.
    pub fn has(&self, path: &[Element]) -> bool {
        match path {
            [] => false,
            [last] => self.node(last).is_some_and(|node| node.member),
            [first, rest @ ..] => self.node(first).is_some_and(|node| node.below.has(rest)),
        }
    }

    pub(super) fn node(&self, element: &Element) -> Option<&Node> {
        let place = self.nodes.binary_search_by(|node| node.element.cmp(element)).ok()?;
        Some(&self.nodes[place])
    }

    /// Adds a step at the end, if it leads to a member; [`Set::sort`] must follow.
    pub(super) fn push(&mut self, element: Element, member: bool, below: Set) {
        if member || !below.is_empty() {
            self.nodes.push(Node { element, member, below });
        }
    }

    /// Puts this level in order.
    pub(super) fn sort(&mut self) {
        if !self.nodes.is_sorted_by(|a, b| a.element < b.element) {
            self.nodes.sort_by(|a, b| a.element.cmp(&b.element));
            let mut merged: Vec<Node> = Vec::with_capacity(self.nodes.len());
            for node in self.nodes.drain(..) {
                match merged.last_mut().filter(|last| last.element == node.element) {
                    Some(last) => {
                        last.member |= node.member;
                        last.below = last.below.union(&node.below);
                    }
                    None => merged.push(node),
                }
            }
            self.nodes = merged;
        }
    }

    /// The members of either.
    #[must_use]
    pub fn union(&self, other: &Set) -> Set {
        if self.is_empty() {
            return other.clone();
        }
        self.joined(other, |pair| match pair {
            (Some(node), None) | (None, Some(node)) => Some((node.member, node.below.clone())),
            (Some(a), Some(b)) => Some((a.member || b.member, a.below.union(&b.below))),
            (None, None) => None,
        })
    }

    /// The members of both.
    #[must_use]
    pub fn intersection(&self, other: &Set) -> Set {
        self.joined(other, |pair| match pair {
            (Some(a), Some(b)) => Some((a.member && b.member, a.below.intersection(&b.below))),
            _ => None,
        })
    }

    /// The members that are none of the other's; what lies below one of the other's stays.
    #[must_use]
    pub fn difference(&self, other: &Set) -> Set {
        if other.is_empty() {
            return self.clone();
        }
        self.joined(other, |pair| match pair {
            (Some(a), None) => Some((a.member, a.below.clone())),
            (Some(a), Some(b)) => Some((a.member && !b.member, a.below.difference(&b.below))),
            (None, _) => None,
        })
    }

    /// The members that are none of the other's nor below one.
    #[must_use]
    pub fn without(&self, other: &Set) -> Set {
        if other.is_empty() {
            return self.clone();
        }
        self.joined(other, |pair| match pair {
            (Some(a), None) => Some((a.member, a.below.clone())),
            (Some(a), Some(b)) if !b.member => Some((a.member, a.below.without(&b.below))),
            _ => None,
        })
    }

    /// The members on or below one of the paths, and those that lead to it.
    #[must_use]
    pub fn only(&self, paths: &[&[Pattern]]) -> Set {
        if paths.iter().any(|path| path.is_empty()) {
            return self.clone();
        }
        let mut kept = Set::EMPTY;
        for node in &self.nodes {
            let rests = paths.iter().filter_map(|path| {
                let (first, rest) = path.split_first()?;
                first.fits(&node.element).then_some(rest)
            });
            let rests: Vec<&[Pattern]> = rests.collect();
            if !rests.is_empty() {
                kept.push(node.element.clone(), node.member, node.below.only(&rests));
            }
        }
        kept
    }

    fn joined(
        &self,
        other: &Set,
        keep: impl Fn((Option<&Node>, Option<&Node>)) -> Option<(bool, Set)>,
    ) -> Set {
        let (mut left, mut right) = (self.nodes.iter().peekable(), other.nodes.iter().peekable());
        let mut out = Set::EMPTY;
        loop {
            let order = match (left.peek(), right.peek()) {
                (None, None) => return out,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                (Some(a), Some(b)) => a.element.cmp(&b.element),
            };
            let a = if order.is_le() { left.next() } else { None };
            let b = if order.is_ge() { right.next() } else { None };
            let Some(node) = a.or(b) else { return out };
            if let Some((member, below)) = keep((a, b)) {
                out.push(node.element.clone(), member, below);
            }
        }
    }

    /// Calls `act` with the path of each member: the members of a level, then those below them.
    pub fn each(&self, act: &mut dyn FnMut(&[Element])) {
        self.each_below(&mut Vec::new(), act);
    }

    fn each_below(&self, path: &mut Vec<Element>, act: &mut dyn FnMut(&[Element])) {
        for node in self.nodes.iter().filter(|node| node.member) {
            path.push(node.element.clone());
            act(path);
            path.pop();
        }
        for node in self.nodes.iter().filter(|node| !node.below.is_empty()) {
            path.push(node.element.clone());
            node.below.each_below(path, act);
            path.pop();
        }
    }
}

/// The members' paths, one a line.
impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        self.each(&mut |path| lines.push(shown(path)));
        f.write_str(&lines.join("\n"))
    }
}

/// A path as people are shown it.
pub(super) fn shown(path: &[Element]) -> String {
    path.iter().map(ToString::to_string).collect()
}
