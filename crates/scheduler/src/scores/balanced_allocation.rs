//! Nodes whose use of CPU and memory gets more even by the pod are better.

use super::MAX;

/// 75 where nothing changes, towards 100 as the pod evens out the use, towards 50 as it unbalances it.
pub(crate) fn score(with: [i64; 2], without: [i64; 2], allocatable: [i64; 2]) -> i64 {
    MAX / 2 + (MAX / 2 + balance(with, allocatable) - balance(without, allocatable)) / 2
}

fn balance(requested: [i64; 2], allocatable: [i64; 2]) -> i64 {
    if allocatable.contains(&0) {
        return MAX;
    }
    let share = |index: usize| (requested[index] as f64 / allocatable[index] as f64).min(1.0);
    let deviation = ((share(0) - share(1)) / 2.0).abs();
    ((1.0 - deviation) * MAX as f64) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evening_out_is_better_than_unbalancing() {
        for (with, without, expected) in [
            ([0, 0], [0, 0], 75),
            ([500, 500], [0, 0], 75),
            ([500, 0], [0, 0], 62),
            ([500, 500], [500, 0], 87),
            ([2000, 1000], [1000, 1000], 75),
        ] {
            assert_eq!(score(with, without, [1000, 1000]), expected, "{without:?} to {with:?}");
        }
        assert_eq!(score([500, 5], [0, 0], [1000, 0]), 75);
    }
}
