//! Nodes in domains with fewer matching pods are better.

use crate::MAX;

/// The weight of a constraint over `domains` of the feasible nodes, so that few large domains are not outweighed.
pub fn domain_weight(domains: usize) -> f64 {
    ((domains + 2) as f64).ln()
}

/// What a domain with `count` matching pods adds to a node's raw value.
pub fn part(count: u32, max_skew: i32, weight: f64) -> f64 {
    f64::from(count) * weight + f64::from(max_skew - 1)
}

/// The raw value of the parts' sum.
pub fn raw(sum: f64) -> i64 {
    sum.round() as i64
}

/// The score of a raw value between the smallest and the largest of the feasible nodes.
pub fn normalized(raw: i64, least: i64, most: i64) -> i64 {
    if most == 0 { MAX } else { MAX * (most + least - raw) / most }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_emptiest_domain_is_best() {
        let weight = domain_weight(3);
        let values = [0, 1, 2].map(|count| raw(part(count, 5, weight)));
        assert_eq!(values, [4, 6, 7]);
        assert_eq!(values.map(|value| normalized(value, 4, 7)), [100, 71, 57]);
        assert_eq!(normalized(0, 0, 0), 100);
    }
}
