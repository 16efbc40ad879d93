//! Nodes that match more of the pod's preferred node affinity are better; the raw value is the sum of weights.

use crate::MAX;

/// The score of a raw value, the largest among the feasible nodes being `most`.
pub fn normalized(raw: i64, most: i64) -> i64 {
    if most == 0 { raw } else { MAX * raw / most }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_node_gets_all() {
        assert_eq!([normalized(0, 0), normalized(3, 9), normalized(9, 9)], [0, 33, 100]);
    }
}
