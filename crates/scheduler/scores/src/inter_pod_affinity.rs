//! Nodes in domains with pods that the pod prefers, or that prefer it, are better; the raw value is the sum of weights.

use crate::MAX;

/// The score of a raw value between the smallest and the largest of the feasible nodes.
pub fn normalized(raw: i64, least: i64, most: i64) -> i64 {
    if most <= least {
        return 0;
    }
    (MAX as f64 * ((raw - least) as f64 / (most - least) as f64)) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_span_the_whole_range() {
        assert_eq!([-5, 0, 5].map(|raw| normalized(raw, -5, 5)), [0, 50, 100]);
        assert_eq!(normalized(3, 3, 3), 0);
    }
}
