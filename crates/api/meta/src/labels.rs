//! Label selectors: their text, their API form, and what they match.
//!
//! The server parses them from requests, controllers make them of `spec.selector`; matching happens on every event of a
//! watch. Labels are not validated here when they are matched, only what a selector says of them.

mod from_api;
mod parse;
mod requirement;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use crate::field::{ErrorList, Path};
use crate::names::{is_label_key, is_label_value};

pub use from_api::{
    SelectorLeniency, label_selector_as_map, validate_label_name, validate_label_selector,
    validate_label_selector_requirement,
};
pub use requirement::{Operator, Requirement};

/// Labels, by key.
pub type Labels = BTreeMap<String, String>;

/// Why text or an API object is no selector; the wording is upstream's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// The text does not follow the grammar.
    #[error("{0}")]
    Syntax(String),
    /// The text follows the grammar until a requirement that is malformed.
    #[error("unable to parse requirement: {0}")]
    Requirement(String),
    /// A key, an operator or a value is not legal.
    #[error("{0}")]
    Invalid(ErrorList),
    /// The API object names an operator that does not exist.
    #[error("{} is not a valid label selector operator", crate::quote::go(.0))]
    Operator(String),
}

/// All of some requirements; or nothing, whatever the labels.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Selector(Option<Vec<Requirement>>);

impl Default for Selector {
    fn default() -> Self {
        Selector::everything()
    }
}

impl Selector {
    /// Selects whatever there is.
    pub const fn everything() -> Selector {
        Selector(Some(Vec::new()))
    }

    /// Selects nothing.
    pub const fn nothing() -> Selector {
        Selector(None)
    }

    /// Selects what has all of these labels, which are taken to be valid.
    pub fn from_labels(labels: &Labels) -> Selector {
        let requirements = labels
            .iter()
            .map(|(key, value)| Requirement::unchecked(key, Operator::Equals, vec![value.clone()]));
        Selector(Some(requirements.collect()))
    }

    /// Reads a selector such as `a=b,c in (d,e),!f`; what is not legal is reported at `path`, [`Path::NONE`] where
    /// upstream names none.
    ///
    /// # Errors
    /// In upstream's words.
    pub fn parse(text: &str, path: &Path) -> Result<Selector, SelectorError> {
        parse::parse(text, path).map(Selector::of)
    }

    fn of(mut requirements: Vec<Requirement>) -> Selector {
        requirements.sort_by(|a, b| a.key().cmp(b.key()));
        Selector(Some(requirements))
    }

    /// The same with more requirements; nothing stays nothing.
    #[must_use]
    pub fn and(self, more: impl IntoIterator<Item = Requirement>) -> Selector {
        match self.0 {
            None => Selector(None),
            Some(mut requirements) => {
                requirements.extend(more);
                Selector::of(requirements)
            }
        }
    }

    /// Whether it selects these labels.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.matches_by(|key| labels.get(key).map(String::as_str))
    }

    /// Whether it selects the labels behind this lookup.
    pub fn matches_by<'a>(&self, lookup: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.0.as_ref().is_some_and(|requirements| {
            requirements.iter().all(|requirement| requirement.matches(lookup(requirement.key())))
        })
    }

    /// Whether it selects whatever there is.
    pub fn is_everything(&self) -> bool {
        self.0.as_ref().is_some_and(Vec::is_empty)
    }

    /// Whether it selects nothing by definition.
    pub fn is_nothing(&self) -> bool {
        self.0.is_none()
    }

    /// The requirements in the order of their keys; `None` for nothing.
    pub fn requirements(&self) -> Option<&[Requirement]> {
        self.0.as_deref()
    }

    /// The only value that it allows for this key, if there is one.
    pub fn exact_match(&self, key: &str) -> Option<&str> {
        let requirement = self.0.as_ref()?.iter().find(|requirement| requirement.key() == key)?;
        requirement.exact()
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, requirement) in self.0.iter().flatten().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            requirement.fmt(f)?;
        }
        Ok(())
    }
}

/// `a=b,c=d`, or `<none>`.
pub fn format_labels(labels: &Labels) -> String {
    if labels.is_empty() {
        return "<none>".to_owned();
    }
    let pairs: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(",")
}

/// What is wrong with an object's labels.
pub fn validate_labels(labels: &Labels, path: &Path) -> ErrorList {
    let mut errors = ErrorList::new();
    for (key, value) in labels {
        errors.extend(ErrorList::invalid(path, key, is_label_key(key)));
        errors.extend(ErrorList::invalid(path, value, is_label_value(value)));
    }
    errors
}
