//! Which taints are tolerated. Upstream: `Toleration.ToleratesTaint`, without the comparisons of the alpha gate
//! `TaintTolerationComparisonOperators`.

use api_types::core::v1::{Taint, Toleration};

/// Whether a toleration is for a taint.
pub fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let effect = toleration.effect.is_empty() || toleration.effect == taint.effect;
    let key = toleration.key.is_empty() || toleration.key == taint.key;
    effect
        && key
        && match toleration.operator.as_str() {
            "Exists" => true,
            "" | "Equal" => toleration.value == taint.value,
            _ => false,
        }
}

/// Whether taints of these effects are all tolerated.
pub fn all_tolerated(taints: &[Taint], effects: &[&str], tolerations: &[Toleration]) -> bool {
    taints
        .iter()
        .filter(|taint| effects.contains(&taint.effect.as_str()))
        .all(|taint| tolerations.iter().any(|toleration| tolerates(toleration, taint)))
}
