//! Nodes with more CPU and memory left are better.

use super::MAX;

/// The mean of the shares that stay free once the pod is there; a resource the node does not have does not count.
pub(crate) fn score(requested: [i64; 2], allocatable: [i64; 2]) -> i64 {
    let (mut sum, mut resources) = (0, 0);
    for (requested, allocatable) in requested.into_iter().zip(allocatable) {
        if allocatable == 0 {
            continue;
        }
        resources += 1;
        if requested <= allocatable {
            // Through i128 only where the product needs it: memory beyond 92 PB.
            sum += match (allocatable - requested).checked_mul(MAX) {
                Some(product) => product / allocatable,
                None => {
                    (i128::from(allocatable - requested) * i128::from(MAX) / i128::from(allocatable)) as i64
                }
            };
        }
    }
    if resources == 0 { 0 } else { sum / resources }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_free_share_is_the_score() {
        for (requested, allocatable, expected) in [
            ([0, 0], [4000, 10000], 100),
            ([3000, 5000], [4000, 10000], 37),
            ([3000, 5000], [6000, 10000], 50),
            ([6000, 5000], [4000, 10000], 25),
            ([1, 1], [0, 0], 0),
            ([0, 50], [0, 100], 50),
        ] {
            assert_eq!(score(requested, allocatable), expected, "{requested:?} of {allocatable:?}");
        }
    }
}
