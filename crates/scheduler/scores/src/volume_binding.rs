//! Nodes with more room for what a pod's claims ask are better, or others, as the profile's line says. Upstream:
//! `pkg/scheduler/framework/plugins/volumebinding/scorer.go`.

use std::collections::BTreeMap;

use crate::MAX;
use crate::allocation::height;

/// What is asked of classes, and what there is, in bytes.
pub type Asked<'a> = BTreeMap<&'a str, (i64, i64)>;

/// The score of a node: the mean of its classes' heights on a broken line over the use in percent.
pub fn score(asked: &Asked<'_>, line: &[(i64, i64)]) -> i64 {
    if asked.is_empty() {
        return 0;
    }
    let used = |(requested, capacity): (i64, i64)| match requested > capacity || capacity == 0 {
        true => MAX,
        false => i64::try_from(i128::from(requested) * i128::from(MAX) / i128::from(capacity)).unwrap_or(MAX),
    };
    let sum: i64 = asked.values().map(|own| height(line, used(*own))).sum();
    (sum as f64 / asked.len() as f64).round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_rated_by_how_much_of_them_is_asked() {
        let line = [(0, 100), (100, 0)];
        for (asked, expected) in [
            (vec![], 0),
            (vec![("a", (25, 100))], 75),
            (vec![("a", (25, 100)), ("b", (50, 100))], 63),
            (vec![("a", (200, 100))], 0),
            (vec![("a", (0, 0))], 0),
        ] {
            assert_eq!(score(&asked.iter().copied().collect(), &line), expected, "{asked:?}");
        }
    }
}
