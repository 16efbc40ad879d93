//! Field sets as they are written, asked without being read: most owners' entries are neither changed by a write nor needed as sets.
//!
//! What is asked may be answered on the safe side: `meets` may be said of sets that do not quite, `covers` not be said of some that
//! do. Whoever wants to know it exactly reads the set. Walks bytes in the form that [`super::fields_v1`] writes; anything else is
//! answered on the safe side too.

use super::element::Element;
use super::fields_v1::write_step_name;
use super::set::{Node, Set};

/// Whether a written set has members of another, or members that stand below those.
pub(super) fn meets(written: &[u8], set: &Set) -> bool {
    if set.is_empty() {
        return false;
    }
    let mut walk = Walk { rest: written, name: Vec::new() };
    walk.meets(set).unwrap_or(true)
}

/// Whether a written set has all members of another.
pub(super) fn covers(written: &[u8], set: &Set) -> bool {
    if set.is_empty() {
        return true;
    }
    let mut walk = Walk { rest: written, name: Vec::new() };
    walk.covers(set).unwrap_or(false)
}

struct Walk<'w> {
    rest: &'w [u8],
    /// A step's name as it is written.
    name: Vec<u8>,
}

/// Is it no set as it is written here, there is no answer.
type Known<T> = Option<T>;

impl<'w> Walk<'w> {
    fn eat(&mut self, byte: u8) -> Known<()> {
        let (first, rest) = self.rest.split_first()?;
        (*first == byte).then(|| self.rest = rest)
    }

    /// The name of the next step of this level, its quotes included; `Some(None)` at the level's end.
    fn step(&mut self, first: bool) -> Known<Option<&'w [u8]>> {
        if self.rest.first() == Some(&b'}') {
            self.rest = &self.rest[1..];
            return Some(None);
        }
        if !first {
            self.eat(b',')?;
        }
        let length = text_length(self.rest)?;
        let (name, rest) = self.rest.split_at(length);
        self.rest = rest;
        self.eat(b':')?;
        Some(Some(name))
    }

    /// Passes over a step's value.
    fn skip(&mut self) -> Known<()> {
        self.eat(b'{')?;
        let mut depth = 1_usize;
        while depth > 0 {
            match self.rest.first()? {
                b'"' => {
                    self.rest = &self.rest[text_length(self.rest)?..];
                    continue;
                }
                b'{' => depth += 1,
                b'}' => depth -= 1,
                b',' | b':' => {}
                _ => return None,
            }
            self.rest = &self.rest[1..];
        }
        Some(())
    }

    /// Whether a written name is that of a step.
    fn is(&mut self, name: &[u8], element: &Element) -> bool {
        if let Element::Field(field) = element {
            let bytes = field.as_bytes();
            let plain = name.len() == bytes.len() + 4 && name[1..].starts_with(b"f:");
            if plain && name[3..].starts_with(bytes) {
                return true;
            }
            // Names that are written with escapes are longer than they are.
            if name.len() <= bytes.len() + 4 {
                return false;
            }
        }
        self.name.clear();
        write_step_name(element, &mut self.name);
        self.name == name
    }

    fn node<'n>(&mut self, name: &[u8], set: &'n Set) -> Option<&'n Node> {
        set.nodes.iter().find(|node| self.is(name, &node.element))
    }

    fn meets(&mut self, set: &Set) -> Known<bool> {
        self.eat(b'{')?;
        let mut first = true;
        while let Some(name) = self.step(first)? {
            first = false;
            match self.node(name, set) {
                Some(node) if node.member => return Some(true),
                Some(node) => {
                    if self.meets(&node.below)? {
                        return Some(true);
                    }
                }
                None => self.skip()?,
            }
        }
        Some(false)
    }

    fn covers(&mut self, set: &Set) -> Known<bool> {
        let all = self.covered(set)?.1;
        Some(all && self.rest.is_empty())
    }

    /// Whether the level's step is a member, and whether all members of the set below it are.
    fn covered(&mut self, set: &Set) -> Known<(bool, bool)> {
        self.eat(b'{')?;
        let (mut first, mut said, mut left) = (true, false, set.nodes.len());
        while let Some(name) = self.step(first)? {
            first = false;
            if name == b"\".\"" {
                said = true;
                self.skip()?;
                continue;
            }
            match self.node(name, set) {
                Some(node) => {
                    let (member, all) = self.covered(&node.below)?;
                    if !all || (node.member && !member) {
                        return Some((said, false));
                    }
                    left -= 1;
                }
                None => self.skip()?,
            }
        }
        Some((said || first, left == 0))
    }
}

/// How long the text that the bytes begin with is, its quotes included.
fn text_length(bytes: &[u8]) -> Known<usize> {
    if bytes.first() != Some(&b'"') {
        return None;
    }
    let mut at = 1;
    loop {
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::element::Scalar;
    use super::super::fields_v1::{decode, encode};
    use super::*;

    fn element() -> impl Strategy<Value = Element> {
        let text = prop::sample::select(vec!["a", "b", "a\"b", "a<b", "é", "", "f:a"]);
        prop_oneof![
            text.clone().prop_map(|name| Element::Field(name.into())),
            text.clone().prop_map(|name| Element::Value(Scalar::Text(name.into()))),
            text.prop_map(|name| Element::Key(vec![("k".into(), Scalar::Text(name.into()))])),
        ]
    }

    fn set() -> impl Strategy<Value = Set> {
        prop::collection::vec(prop::collection::vec(element(), 1..4), 0..6).prop_map(|paths| {
            let mut set = Set::EMPTY;
            paths.iter().for_each(|path| set.insert(path));
            set
        })
    }

    proptest! {
        #[test]
        fn what_is_said_of_written_sets_is_so(a in set(), b in set()) {
            let written = encode(&a);
            if !meets(&written, &b) {
                prop_assert!(a.intersection(&b).is_empty());
            }
            prop_assert_eq!(covers(&written, &b), b.difference(&a).is_empty());
            prop_assert!(covers(&written, &a));
            prop_assert_eq!(meets(&written, &a), !a.is_empty());
        }

        #[test]
        fn other_bytes_are_answered_on_the_safe_side(bytes in prop::collection::vec(any::<u8>(), 0..40), b in set()) {
            if decode(&bytes).is_err() && !b.is_empty() {
                prop_assert!(!covers(&bytes, &b));
            }
            meets(&bytes, &b);
        }
    }

    #[test]
    fn what_stands_above_meets_and_what_is_cut_off_is_met() {
        let set = Set::of_fields(["a.b"]);
        for (written, meeting, covering) in [
            (r#"{"f:a":{"f:b":{}}}"#, true, true),
            (r#"{"f:a":{"f:b":{"f:c":{}}}}"#, true, false),
            (r#"{"f:a":{}}"#, false, false),
            (r#"{"f:a":{".":{},"f:c":{}},"f:b":{}}"#, false, false),
            (r#"{ "f:c":{}}"#, true, false),
            (r#"{"f:c"#, true, false),
            ("", true, false),
        ] {
            assert_eq!(
                (meets(written.as_bytes(), &set), covers(written.as_bytes(), &set)),
                (meeting, covering),
                "{written}"
            );
        }
    }
}
