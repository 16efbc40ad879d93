//! Nodes whose use of resources gets more even by the pod are better.

use crate::MAX;

/// What is taken of one resource with the pod and without it, of how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// With the pod.
    pub with: i64,
    /// Without it.
    pub without: i64,
    /// Of so much; 0 where the node has none of it.
    pub allocatable: i64,
}

/// 75 where nothing changes, towards 100 as the pod evens out the use, towards 50 as it unbalances it.
pub fn score(changes: impl Iterator<Item = Change> + Clone) -> i64 {
    let there = changes.filter(|change| change.allocatable != 0);
    let share = |taken: i64, change: Change| (taken as f64 / change.allocatable as f64).min(1.0);
    let with = balance(there.clone().map(|change| share(change.with, change)));
    let without = balance(there.map(|change| share(change.without, change)));
    MAX / 2 + (MAX / 2 + with - without) / 2
}

/// The less the shares deviate from their mean, the more.
fn balance(shares: impl Iterator<Item = f64> + Clone) -> i64 {
    let mut first = shares.clone();
    // Two are the common case; and upstream reckons them so, which may round otherwise.
    let deviation = match (first.next(), first.next(), first.next()) {
        (Some(one), Some(other), None) => ((one - other) / 2.0).abs(),
        (_, _, Some(_)) => {
            let count = shares.clone().count() as f64;
            let mean = shares.clone().fold(0.0, |sum, share| sum + share) / count;
            (shares.fold(0.0, |sum, share| sum + (share - mean) * (share - mean)) / count).sqrt()
        }
        _ => 0.0,
    };
    ((1.0 - deviation) * MAX as f64) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rated<const N: usize>(with: [i64; N], without: [i64; N], allocatable: [i64; N]) -> i64 {
        let changes = with.into_iter().zip(without).zip(allocatable);
        score(changes.map(|((with, without), allocatable)| Change { with, without, allocatable }))
    }

    #[test]
    fn evening_out_is_better_than_unbalancing() {
        for (with, without, expected) in [
            ([0, 0], [0, 0], 75),
            ([500, 500], [0, 0], 75),
            ([500, 0], [0, 0], 62),
            ([500, 500], [500, 0], 87),
            ([2000, 1000], [1000, 1000], 75),
        ] {
            assert_eq!(rated(with, without, [1000, 1000]), expected, "{without:?} to {with:?}");
        }
        assert_eq!(rated([500, 5], [0, 0], [1000, 0]), 75);
    }

    #[test]
    fn more_than_two_resources_deviate_from_their_mean() {
        assert_eq!(rated([500, 500, 500], [0, 500, 500], [1000, 1000, 1000]), 87);
        assert_eq!(rated([1000, 0, 0], [0, 0, 0], [1000, 1000, 1000]), 51);
    }
}
