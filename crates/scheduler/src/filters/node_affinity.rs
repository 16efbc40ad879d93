//! Node affinity: what is required is `api_meta`'s, what is preferred is said here.

pub(crate) use api_meta::node_affinity::Required;
use api_meta::node_affinity::Term;
use api_types::core::v1::{NodeSelector, PodSpec, PreferredSchedulingTerm};

use crate::shape::Labels;

/// What a pod prefers of nodes, with weights. A malformed term fails the pod upstream; validation never lets one in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Preferred(Vec<(i64, Term)>);

impl Preferred {
    pub(crate) fn of(spec: &PodSpec) -> Preferred {
        let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
        affinity.map_or_else(Preferred::default, |affinity| {
            Preferred::terms(&affinity.preferred_during_scheduling_ignored_during_execution)
        })
    }

    pub(crate) fn terms(terms: &[PreferredSchedulingTerm]) -> Preferred {
        Preferred(
            terms
                .iter()
                .filter(|term| term.weight != 0)
                .map(|term| (i64::from(term.weight), Term::of(&term.preference)))
                .collect(),
        )
    }

    /// The weights of all terms that match.
    pub(crate) fn weight(&self, name: &str, labels: &Labels) -> i64 {
        self.0.iter().filter(|(_, term)| term.matches(name, labels)).map(|(weight, _)| weight).sum()
    }
}

/// What a profile requires and prefers of nodes for all of its pods.
#[derive(Clone, Debug, Default)]
pub(crate) struct Added {
    /// Any one of them, if there are any.
    pub(crate) required: Option<Vec<Term>>,
    pub(crate) preferred: Preferred,
}

impl Added {
    pub(crate) fn terms(selector: &NodeSelector) -> Vec<Term> {
        selector.node_selector_terms.iter().map(Term::of).collect()
    }

    /// Whether a node of this name and these labels is allowed.
    pub(crate) fn admits(&self, name: &str, labels: &Labels) -> bool {
        self.required.as_ref().is_none_or(|terms| terms.iter().any(|term| term.matches(name, labels)))
    }
}
