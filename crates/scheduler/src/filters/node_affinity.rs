//! Node affinity: what is required is `api_meta`'s, what is preferred is said here.

pub(crate) use api_meta::node_affinity::Required;
use api_meta::node_affinity::Term;
use api_types::core::v1::PodSpec;

use crate::shape::Labels;

/// What a pod prefers of nodes, with weights. A malformed term fails the pod upstream; validation never lets one in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Preferred(Vec<(i64, Term)>);

impl Preferred {
    pub(crate) fn of(spec: &PodSpec) -> Preferred {
        let affinity = spec.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
        let terms = affinity
            .iter()
            .flat_map(|affinity| &affinity.preferred_during_scheduling_ignored_during_execution);
        Preferred(
            terms
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
