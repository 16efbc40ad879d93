//! Field selectors: `metadata.name=x,status.phase!=Running`, with `\` escaping `\`, `,` and `=` in values.
//!
//! Which fields a kind can be selected by is its row's business; [`Selector::transform`] is where it objects.

use std::fmt;

use crate::limits::SELECTOR_BYTES;

/// Why text is no field selector; the wording is upstream's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldSelectorError {
    /// A term has no operator.
    #[error("invalid selector: '{selector}'; can't understand '{term}'")]
    Term {
        /// The whole text.
        selector: String,
        /// The term.
        term: String,
    },
    /// A backslash stands before something that needs none.
    #[error("invalid field selector: invalid escape sequence: {0}")]
    Escape(String),
    /// A character that needs a backslash has none. Upstream shows the character's number.
    #[error("invalid field selector: unescaped character in value: {}", u32::from(*.0))]
    Unescaped(char),
    /// It is longer than what is read.
    #[error("invalid selector: longer than {SELECTOR_BYTES} bytes")]
    TooLong,
}

/// A field, and the value that it must or must not have.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Term {
    /// The field's path, such as `spec.nodeName`.
    pub field: String,
    /// Whether the field must have the value; otherwise it must not.
    pub equal: bool,
    /// The value, unescaped.
    pub value: String,
}

/// All of some terms.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Selector(Vec<Term>);

impl Selector {
    /// Selects whatever there is.
    pub const fn everything() -> Selector {
        Selector(Vec::new())
    }

    /// Selects what has this value in this field.
    pub fn equal(field: impl Into<String>, value: impl Into<String>) -> Selector {
        Selector(vec![Term { field: field.into(), equal: true, value: value.into() }])
    }

    /// Reads a selector.
    ///
    /// # Errors
    /// In upstream's words.
    pub fn parse(text: &str) -> Result<Selector, FieldSelectorError> {
        if text.len() > SELECTOR_BYTES {
            return Err(FieldSelectorError::TooLong);
        }
        let mut parts = split_terms(text);
        parts.sort_unstable();
        let terms = parts.into_iter().filter(|part| !part.is_empty()).map(|part| {
            let error = || FieldSelectorError::Term { selector: text.to_owned(), term: part.to_owned() };
            let (field, equal, value) = split_term(part).ok_or_else(error)?;
            Ok(Term { field: field.to_owned(), equal, value: unescape(value)? })
        });
        let mut terms = terms.collect::<Result<Vec<_>, _>>()?;
        terms.retain(|term| !term.field.is_empty() || !term.value.is_empty());
        Ok(Selector(terms))
    }

    /// Whether it selects the object whose fields are behind this lookup; what is not there is empty.
    pub fn matches<'a>(&self, lookup: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.0.iter().all(|term| (lookup(&term.field).unwrap_or_default() == term.value) == term.equal)
    }

    /// Whether it selects whatever there is.
    pub fn is_everything(&self) -> bool {
        self.0.is_empty()
    }

    /// The terms, in the order of their text.
    pub fn terms(&self) -> &[Term] {
        &self.0
    }

    /// The value that this field must have, if any.
    pub fn exact_match(&self, field: &str) -> Option<&str> {
        self.0.iter().find(|term| term.equal && term.field == field).map(|term| term.value.as_str())
    }

    /// The same with each field and value replaced; a term whose field and value both become empty is dropped.
    ///
    /// # Errors
    /// The first that `replace` returns.
    pub fn transform<E>(
        self,
        mut replace: impl FnMut(String, String) -> Result<(String, String), E>,
    ) -> Result<Selector, E> {
        let mut terms = Vec::with_capacity(self.0.len());
        for term in self.0 {
            let (field, value) = replace(term.field, term.value)?;
            if !field.is_empty() || !value.is_empty() {
                terms.push(Term { field, equal: term.equal, value });
            }
        }
        Ok(Selector(terms))
    }

    /// What both select.
    #[must_use]
    pub fn and(mut self, other: Selector) -> Selector {
        self.0.extend(other.0);
        self
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            let operator = if term.equal { "=" } else { "!=" };
            write!(f, "{comma}{}{operator}{}", term.field, escape(&term.value))?;
        }
        Ok(())
    }
}

/// A literal value as a selector writes it.
pub fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '\\' | ',' | '=') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

fn unescape(value: &str) -> Result<String, FieldSelectorError> {
    let mut out = String::with_capacity(value.len());
    let mut chars = value.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some(c @ ('\\' | ',' | '=')) => out.push(c),
                other => {
                    let sequence = std::iter::once('\\').chain(other).collect();
                    return Err(FieldSelectorError::Escape(sequence));
                }
            },
            ',' | '=' => return Err(FieldSelectorError::Unescaped(c)),
            c => out.push(c),
        }
    }
    Ok(out)
}

fn split_terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let (mut start, mut escaped) = (0, false);
    for (index, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            ',' => {
                terms.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    terms.push(&text[start..]);
    terms
}

/// Field, whether equal, escaped value; the first operator splits, and `==` is `=`.
fn split_term(term: &str) -> Option<(&str, bool, &str)> {
    term.char_indices().find_map(|(index, _)| {
        let (field, rest) = term.split_at(index);
        if let Some(value) = rest.strip_prefix("!=") {
            return Some((field, false, value));
        }
        rest.strip_prefix("==").or_else(|| rest.strip_prefix('=')).map(|value| (field, true, value))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_is_read_and_written() {
        for (text, canonical) in [
            ("", ""),
            (",", ""),
            ("=", ""),
            ("=a", "=a"),
            ("b=2,a=1", "a=1,b=2"),
            ("a==1", "a=1"),
            ("a!=1", "a!=1"),
            ("a=", "a="),
            (r"a=b\,c\=d\\", r"a=b\,c\=d\\"),
            ("a!b=c", "a!b=c"),
        ] {
            assert_eq!(Selector::parse(text).map(|selector| selector.to_string()).as_deref(), Ok(canonical));
        }
    }

    #[test]
    fn malformed_text_gets_upstreams_errors() {
        for (text, message) in [
            ("a", "invalid selector: 'a'; can't understand 'a'"),
            ("a=b=c", "invalid field selector: unescaped character in value: 61"),
            (r"a=\x", r"invalid field selector: invalid escape sequence: \x"),
            (r"a=\", r"invalid field selector: invalid escape sequence: \"),
        ] {
            assert_eq!(Selector::parse(text).map_err(|error| error.to_string()), Err(message.to_owned()));
        }
    }

    #[test]
    fn what_is_longer_than_any_url_is_not_read() {
        for text in [",", "a=b,", "\\", "a"] {
            let huge = text.repeat((100 << 20) / text.len());
            assert_eq!(Selector::parse(&huge), Err(FieldSelectorError::TooLong));
            let message = crate::labels::Selector::parse(&huge, &crate::field::Path::NONE)
                .expect_err("as long")
                .to_string();
            assert_eq!(message, "the selector is longer than 1048576 bytes");
        }
    }

    #[test]
    fn matching_and_exact_values() {
        let lookup = |field: &str| (field == "metadata.name").then_some("x");
        for (text, selected) in
            [("", true), ("metadata.name=x", true), ("metadata.name!=x", false), ("b=", true), ("b!=", false)]
        {
            assert_eq!(Selector::parse(text).expect(text).matches(lookup), selected, "{text}");
        }
        let selector = Selector::parse("a!=1,b=2").expect("legal");
        assert_eq!((selector.exact_match("a"), selector.exact_match("b")), (None, Some("2")));
        let dropped = selector.transform(|field, value| {
            if field == "a" { Ok((String::new(), String::new())) } else { Ok::<_, ()>((field, value)) }
        });
        assert_eq!(dropped.map(|selector| selector.to_string()), Ok("b=2".to_owned()));
    }

    proptest! {
        #[test]
        fn values_survive_writing_and_reading(value in "\\PC{0,12}") {
            let selector = Selector::equal("metadata.name", value.clone());
            let again = Selector::parse(&selector.to_string()).expect("what was written");
            prop_assert_eq!(again.exact_match("metadata.name"), Some(value.as_str()));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[a=!,\\\\ü]{0,12}") {
            let _ = Selector::parse(&text);
        }
    }
}
