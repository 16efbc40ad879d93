//! Which pods a term is about: namespaces and labels, one or several at once. Equal terms of all pods are one matcher.

use std::collections::BTreeSet;

use api_meta::labels::Selector;

use super::tally::TallyId;
use crate::shape::Labels;
use scheduler_arena::SharedId;

/// The place of a matcher.
pub(crate) type MatcherId = SharedId<MatcherKey, Matcher>;

/// One term: pods in these namespaces, or in namespaces with such labels, that have such labels themselves.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Term {
    pub(crate) namespaces: BTreeSet<String>,
    pub(crate) namespace_selector: Selector,
    pub(crate) selector: Selector,
}

impl Term {
    pub(crate) fn matches(&self, namespace: &str, namespace_labels: &Labels, labels: &Labels) -> bool {
        (self.namespaces.contains(namespace) || self.namespace_selector.matches(namespace_labels))
            && self.selector.matches(labels)
    }
}

/// Pods that all of the terms match.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MatcherKey {
    pub(crate) terms: Vec<Term>,
    /// Spreading does not count pods that are being deleted; affinity does.
    pub(crate) living_only: bool,
}

impl MatcherKey {
    pub(crate) fn matches(&self, namespace: &str, namespace_labels: &Labels, labels: &Labels) -> bool {
        self.terms.iter().all(|term| term.matches(namespace, namespace_labels, labels))
    }

    /// A label that every matching pod has, if there is one.
    pub(crate) fn label(&self) -> Option<(&str, &str)> {
        self.terms.iter().find_map(|term| {
            let requirements = term.selector.requirements()?;
            requirements.iter().find_map(|requirement| {
                Some((requirement.key(), term.selector.exact_match(requirement.key())?))
            })
        })
    }
}

/// The tallies that a matcher feeds.
#[derive(Default)]
pub(crate) struct Matcher {
    /// They count the pods that match.
    pub(crate) matching: Vec<TallyId>,
    /// They count the pods that carry the term.
    pub(crate) carrying: Vec<TallyId>,
}
