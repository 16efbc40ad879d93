//! A cordoned node takes only pods that tolerate `node.kubernetes.io/unschedulable`.

use crate::cluster::node::Facts;
use crate::filters::taint_toleration::{Effect, Taint, Toleration};

/// Whether a node that is cordoned or not lets a pod with these tolerations in.
pub(crate) fn admits(facts: &Facts, tolerations: &[Toleration]) -> bool {
    if !facts.unschedulable {
        return true;
    }
    let taint = Taint {
        key: "node.kubernetes.io/unschedulable".into(),
        value: String::new(),
        effect: Effect::NoSchedule,
    };
    tolerations.iter().any(|toleration| toleration.tolerates(&taint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cordoned_node_takes_only_what_tolerates_it() {
        let mut facts = Facts::default();
        assert!(admits(&facts, &[]));
        facts.unschedulable = true;
        assert!(!admits(&facts, &[]));
        assert!(admits(&facts, &[Toleration::everything()]));
    }
}
