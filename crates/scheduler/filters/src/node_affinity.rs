//! Node affinity: what is required is `api_meta`'s, what is preferred is said here.

use std::collections::BTreeMap;

pub use api_meta::node_affinity::Required;
use api_meta::node_affinity::Term;
use api_types::core::v1::{NodeSelector, PodSpec, PreferredSchedulingTerm};

type Labels = BTreeMap<String, String>;

/// What a pod prefers of nodes, with weights. A malformed term fails the pod upstream; validation never lets one in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Preferred(Vec<(i64, Term)>);

impl Preferred {
    /// What a pod says.
    pub fn of(spec: &PodSpec) -> Preferred {
        let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
        affinity.map_or_else(Preferred::default, |affinity| {
            Preferred::terms(&affinity.preferred_during_scheduling_ignored_during_execution)
        })
    }

    /// What these terms say, but for those that weigh nothing.
    pub fn terms(terms: &[PreferredSchedulingTerm]) -> Preferred {
        Preferred(
            terms
                .iter()
                .filter(|term| term.weight != 0)
                .map(|term| (i64::from(term.weight), Term::of(&term.preference)))
                .collect(),
        )
    }

    /// The weights of all terms that match.
    pub fn weight(&self, name: &str, labels: &Labels) -> i64 {
        self.0.iter().filter(|(_, term)| term.matches(name, labels)).map(|(weight, _)| weight).sum()
    }
}

/// What a profile requires and prefers of nodes for all of its pods.
#[derive(Clone, Debug, Default)]
pub struct Added {
    /// Any one of them, if there are any.
    pub required: Option<Vec<Term>>,
    /// What is preferred.
    pub preferred: Preferred,
}

impl Added {
    /// The terms of a selector, any one of which is enough.
    pub fn terms(selector: &NodeSelector) -> Vec<Term> {
        selector.node_selector_terms.iter().map(Term::of).collect()
    }

    /// Whether a node of this name and these labels is allowed.
    pub fn admits(&self, name: &str, labels: &Labels) -> bool {
        self.required.as_ref().is_none_or(|terms| terms.iter().any(|term| term.matches(name, labels)))
    }
}
