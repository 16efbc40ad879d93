//! Required affinity and anti-affinity between pods, both the pod's own and that of pods which are there.

use crate::cluster::node::NodeIx;
use crate::filters::pod_topology_spread::Lens;
use crate::reason::Reason;

/// What applies to one pod in one state of the cluster.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms<'a> {
    /// The pod has terms of its own.
    pub(crate) own: bool,
    /// Each must have a pod in the node's domain; all count the pods that match every term.
    pub(crate) affinity: Vec<Lens<'a>>,
    /// No pod matches anywhere, but the pod matches its own terms: it may be the first of its kind.
    pub(crate) may_be_first: bool,
    /// None may have a pod in the node's domain; those without any pod are left out.
    pub(crate) anti_affinity: Vec<Lens<'a>>,
    /// Nor these: pods that are there reject this one.
    pub(crate) existing: Vec<Lens<'a>>,
}

impl Terms<'_> {
    /// Whether other pods matter: if not, those that are nominated to a node do not either, as upstream skips the plugin.
    pub(crate) fn apply(&self) -> bool {
        self.own || !self.existing.is_empty()
    }
}

/// Why a node violates a term, if it does.
#[inline]
pub(crate) fn check(terms: &Terms<'_>, node: NodeIx) -> Option<Reason> {
    for lens in &terms.affinity {
        let domain = lens.domain(node);
        if domain == 0 || (lens.count(domain) == 0 && !terms.may_be_first) {
            return Some(Reason::Affinity);
        }
    }
    let crowded = |lens: &Lens<'_>| match lens.domain(node) {
        0 => false,
        domain => lens.count(domain) > 0,
    };
    if terms.anti_affinity.iter().any(crowded) {
        return Some(Reason::AntiAffinity);
    }
    terms.existing.iter().any(crowded).then_some(Reason::ExistingAntiAffinity)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENS: Lens<'_> = Lens { domains: &[1, 2, 0], counts: &[0, 1, 0] };

    fn reasons(terms: &Terms<'_>) -> [Option<Reason>; 3] {
        [0, 1, 2].map(|node| check(terms, NodeIx::at(node)))
    }

    #[test]
    fn affinity_wants_a_pod_in_the_domain_or_to_be_first() {
        let mut terms = Terms { affinity: vec![LENS], ..Terms::default() };
        assert_eq!(reasons(&terms), [None, Some(Reason::Affinity), Some(Reason::Affinity)]);
        terms.may_be_first = true;
        assert_eq!(reasons(&terms), [None, None, Some(Reason::Affinity)]);
    }

    #[test]
    fn anti_affinity_wants_none_and_does_without_the_label() {
        let own = Terms { anti_affinity: vec![LENS], ..Terms::default() };
        assert_eq!(reasons(&own), [Some(Reason::AntiAffinity), None, None]);
        let existing = Terms { existing: vec![LENS], ..Terms::default() };
        assert_eq!(reasons(&existing), [Some(Reason::ExistingAntiAffinity), None, None]);
    }
}
