//! `DoNotSchedule`: no domain may get ahead of the emptiest one by more than the skew.

use crate::cluster::node::NodeIx;
use crate::reason::Reason;

/// Domains of nodes, and how many pods each has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lens<'a> {
    /// The domain of each node; 0 for none.
    pub(crate) domains: &'a [u32],
    pub(crate) counts: &'a [u32],
}

impl Lens<'_> {
    #[inline]
    pub(crate) fn domain(&self, node: NodeIx) -> u32 {
        self.domains.get(node.index()).copied().unwrap_or(0)
    }

    /// The pods in a domain.
    #[inline]
    pub(crate) fn count(&self, domain: u32) -> u32 {
        self.counts.get(domain as usize).copied().unwrap_or(0)
    }
}

/// One constraint, for one pod and one state of the cluster.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Constraint<'a> {
    pub(crate) lens: Lens<'a>,
    /// How many pods a domain may have so that one more is not too many.
    pub(crate) at_most: i64,
}

impl<'a> Constraint<'a> {
    /// `own` tells whether the pod itself is one of those that are counted.
    pub(crate) fn new(lens: Lens<'a>, max_skew: i32, least: u32, own: bool) -> Constraint<'a> {
        Constraint { lens, at_most: i64::from(max_skew) + i64::from(least) - i64::from(own) }
    }
}

/// Why a node violates a constraint, if it does.
#[inline]
pub(crate) fn check(constraints: &[Constraint<'_>], node: NodeIx) -> Option<Reason> {
    for constraint in constraints {
        match constraint.lens.domain(node) {
            0 => return Some(Reason::SpreadLabel),
            domain if i64::from(constraint.lens.count(domain)) > constraint.at_most => {
                return Some(Reason::Spread);
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_skew_is_counted_from_the_emptiest_domain() {
        let lens = Lens { domains: &[1, 2, 0], counts: &[0, 3, 2] };
        for (what, max_skew, least, own, node, expected) in [
            ("one more is one too many", 1, 2, true, 0, Some(Reason::Spread)),
            ("the emptiest takes one", 1, 2, true, 1, None),
            ("a pod that is not counted adds nothing", 1, 2, false, 0, None),
            ("a wider skew", 2, 2, true, 0, None),
            ("too few domains count from 0", 2, 0, true, 1, Some(Reason::Spread)),
            ("a node without the label", 1, 2, true, 2, Some(Reason::SpreadLabel)),
        ] {
            let constraint = Constraint::new(lens, max_skew, least, own);
            assert_eq!(check(&[constraint], NodeIx::at(node)), expected, "{what}");
        }
    }
}
