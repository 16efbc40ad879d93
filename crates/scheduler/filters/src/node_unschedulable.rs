//! A cordoned node takes only pods that tolerate `node.kubernetes.io/unschedulable`.

use crate::taint_toleration::{Effect, Taint, Toleration};

/// Whether a node that is cordoned or not lets a pod with these tolerations in.
pub fn admits(is_cordoned: bool, tolerations: &[Toleration]) -> bool {
    if !is_cordoned {
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
        assert!(admits(false, &[]));
        assert!(!admits(true, &[]));
        assert!(admits(true, &[Toleration::everything()]));
    }
}
