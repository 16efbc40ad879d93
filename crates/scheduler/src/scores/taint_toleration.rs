//! Nodes with fewer `PreferNoSchedule` taints that the pod does not tolerate are better.

use super::MAX;
use crate::filters::taint_toleration::{Effect, Taint, Toleration};

/// How many soft taints are not tolerated.
pub(crate) fn raw(taints: &[Taint], tolerations: &[Toleration]) -> i64 {
    let intolerable = |taint: &&Taint| {
        taint.effect == Effect::PreferNoSchedule
            && !tolerations.iter().any(|toleration| toleration.is_soft() && toleration.tolerates(taint))
    };
    taints.iter().filter(intolerable).count() as i64
}

/// The score of a raw value, the largest among the feasible nodes being `most`.
pub(crate) fn normalized(raw: i64, most: i64) -> i64 {
    if most == 0 { MAX } else { MAX - MAX * raw / most }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_soft_taints_count() {
        let taint = |effect| Taint { key: "k".into(), value: String::new(), effect };
        let taints = [taint(Effect::PreferNoSchedule), taint(Effect::NoSchedule)];
        assert_eq!(raw(&taints, &[]), 1);
        assert_eq!(raw(&taints, &[Toleration::everything()]), 0);
        assert_eq!([normalized(0, 0), normalized(1, 3), normalized(3, 3)], [100, 67, 0]);
    }
}
