//! Nodes with fewer `PreferNoSchedule` taints that the pod does not tolerate are better; the raw value is how many there are.

use crate::MAX;

/// The score of a raw value, the largest among the feasible nodes being `most`.
pub fn normalized(raw: i64, most: i64) -> i64 {
    if most == 0 { MAX } else { MAX - MAX * raw / most }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fewer_the_better() {
        assert_eq!([normalized(0, 0), normalized(1, 3), normalized(3, 3)], [100, 67, 0]);
    }
}
