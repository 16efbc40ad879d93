//! How a node's use of resources with the pod on it is rated: by what is free, by what is taken, or along a line.

use crate::MAX;

/// How a node's use of resources is rated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Strategy {
    /// The more is free the better.
    LeastAllocated,
    /// The more is taken the better.
    MostAllocated,
    /// By a broken line through these points: the use in percent, and its score of 100. There is at least one, and they rise.
    RequestedToCapacityRatio(Vec<(i64, i64)>),
}

/// What is taken of one resource once the pod is there, of how much, and how much the resource weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// With the pod.
    pub requested: i64,
    /// Of so much; 0 where the node has none of it.
    pub allocatable: i64,
    /// Against the other resources.
    pub weight: i64,
}

/// The weighted mean over the resources that the node has; 0 if it has none.
pub fn score(strategy: &Strategy, taken: impl Iterator<Item = Taken>) -> i64 {
    let (mut sum, mut weights) = (0, 0);
    for taken in taken.filter(|taken| taken.allocatable != 0) {
        let rated = match strategy {
            Strategy::LeastAllocated => share(taken.allocatable - taken.requested, taken.allocatable),
            Strategy::MostAllocated => share(taken.requested.min(taken.allocatable), taken.allocatable),
            Strategy::RequestedToCapacityRatio(line) => {
                let rated = along(line, taken.requested, taken.allocatable);
                // What scores nothing does not draw the others down.
                if rated <= 0 {
                    continue;
                }
                rated
            }
        };
        sum += rated * taken.weight;
        weights += taken.weight;
    }
    match (strategy, weights) {
        (_, 0) => 0,
        (Strategy::RequestedToCapacityRatio(_), _) => (sum as f64 / weights as f64).round() as i64,
        _ => sum / weights,
    }
}

/// A part in percent of the whole; nothing if it is negative.
fn share(part: i64, whole: i64) -> i64 {
    if part <= 0 {
        return 0;
    }
    // Through i128 only where the product needs it: memory beyond 92 PB.
    match part.checked_mul(MAX) {
        Some(product) => product / whole,
        None => (i128::from(part) * i128::from(MAX) / i128::from(whole)) as i64,
    }
}

/// The height of a broken line at the use of a resource.
fn along(line: &[(i64, i64)], requested: i64, allocatable: i64) -> i64 {
    height(line, if requested > allocatable { MAX } else { share(requested, allocatable) })
}

/// The height of a broken line at a use in percent.
pub fn height(line: &[(i64, i64)], used: i64) -> i64 {
    let mut before: Option<(i64, i64)> = None;
    for &(at, height) in line {
        if used <= at {
            return match before {
                None => height,
                Some((from, low)) => low + (height - low) * (used - from) / (at - from),
            };
        }
        before = Some((at, height));
    }
    before.map_or(0, |(_, height)| height)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rated(strategy: &Strategy, requested: [i64; 2], allocatable: [i64; 2]) -> i64 {
        let taken = requested.into_iter().zip(allocatable);
        score(strategy, taken.map(|(requested, allocatable)| Taken { requested, allocatable, weight: 1 }))
    }

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
            let found = rated(&Strategy::LeastAllocated, requested, allocatable);
            assert_eq!(found, expected, "{requested:?} of {allocatable:?}");
        }
    }

    #[test]
    fn the_taken_share_can_be_it_instead() {
        for (requested, allocatable, expected) in
            [([0, 0], [4000, 10000], 0), ([3000, 5000], [4000, 10000], 62), ([6000, 5000], [4000, 10000], 75)]
        {
            let found = rated(&Strategy::MostAllocated, requested, allocatable);
            assert_eq!(found, expected, "{requested:?} of {allocatable:?}");
        }
    }

    #[test]
    fn a_line_says_what_each_use_is_worth() {
        let line = Strategy::RequestedToCapacityRatio(vec![(10, 0), (50, 40), (100, 100)]);
        for (requested, expected) in
            [([0, 0], 0), ([30, 0], 20), ([75, 75], 70), ([75, 0], 70), ([200, 200], 100), ([50, 75], 55)]
        {
            assert_eq!(rated(&line, requested, [100, 100]), expected, "{requested:?}");
        }
        let capped = Strategy::RequestedToCapacityRatio(vec![(20, 30), (40, 10)]);
        assert_eq!(rated(&capped, [0, 90], [100, 100]), 20);
    }

    #[test]
    fn resources_weigh() {
        let taken = [(0, 100, 3), (100, 100, 1)];
        let taken = taken.map(|(requested, allocatable, weight)| Taken { requested, allocatable, weight });
        assert_eq!(score(&Strategy::LeastAllocated, taken.into_iter()), 75);
    }
}
