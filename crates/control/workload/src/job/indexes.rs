//! Completion indexes: of pods, and sets of them as ordered intervals.
//!
//! Upstream: `indexed_job_utils.go`. Sets are written like `1,3-5,7`; of two neighbours each is named (`1,2`).

use std::collections::BTreeSet;

use api_types::core::v1::Pod;

/// The annotation and label that say which index a pod is for.
pub(super) const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// The index that a pod is for, if it says one.
pub(super) fn index_of(pod: &Pod) -> Option<i64> {
    pod.metadata.annotations.get(INDEX)?.parse().ok().filter(|index| *index >= 0)
}

/// The indexes that pods are for.
pub(super) fn indexes_of<'a>(pods: impl IntoIterator<Item = &'a Pod>) -> BTreeSet<i64> {
    pods.into_iter().filter_map(index_of).collect()
}

/// A set of indexes, as intervals (both ends belong to them) in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Indexes(Vec<(i64, i64)>);

impl Indexes {
    /// Reads what is written; what cannot be read is passed over, and so is what is not below `completions`.
    pub(super) fn parse(text: &str, completions: i64) -> Indexes {
        let mut all: Vec<(i64, i64)> = Vec::new();
        for part in text.split(',').filter(|_| !text.is_empty()) {
            let mut ends = part.split('-');
            let Some(first) = ends.next().and_then(|end| end.parse::<i64>().ok()) else { continue };
            if first >= completions {
                break;
            }
            let last = match ends.next().map(str::parse::<i64>) {
                None => first,
                Some(Ok(last)) => last.min(completions - 1),
                Some(Err(_)) => continue,
            };
            match all.last_mut() {
                Some(before) if before.1 == first - 1 => before.1 = last,
                _ => all.push((first, last)),
            }
        }
        Indexes(all)
    }

    /// These and the others.
    pub(super) fn with(&self, others: impl IntoIterator<Item = i64>) -> Indexes {
        self.union(&Indexes(others.into_iter().map(|index| (index, index)).collect()))
    }

    /// What is in either set.
    pub(super) fn union(&self, other: &Indexes) -> Indexes {
        let mut sorted: Vec<(i64, i64)> = self.0.iter().chain(&other.0).copied().collect();
        sorted.sort_unstable();
        let mut all: Vec<(i64, i64)> = Vec::new();
        for (first, last) in sorted {
            match all.last_mut() {
                Some(before) if first <= before.1 + 1 => before.1 = before.1.max(last),
                _ => all.push((first, last)),
            }
        }
        Indexes(all)
    }

    /// How many there are.
    pub(super) fn total(&self) -> i32 {
        let total: i64 = self.0.iter().map(|(first, last)| last - first + 1).sum();
        i32::try_from(total).unwrap_or(i32::MAX)
    }

    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this is one of them.
    pub(super) fn has(&self, index: i64) -> bool {
        let at = self.0.partition_point(|(_, last)| *last < index);
        self.0.get(at).is_some_and(|(first, _)| *first <= index)
    }

    /// How many are in both sets.
    pub(super) fn common(&self, other: &Indexes) -> i32 {
        let (mut common, mut here, mut there) = (0, 0, 0);
        while let (Some(a), Some(b)) = (self.0.get(here), other.0.get(there)) {
            common += (a.1.min(b.1) - a.0.max(b.0) + 1).max(0);
            here += usize::from(a.1 <= b.1);
            there += usize::from(b.1 <= a.1);
        }
        i32::try_from(common).unwrap_or(i32::MAX)
    }

    /// The first indexes below `completions` that are not among these.
    pub(super) fn missing(&self, many: usize, completions: i64) -> Vec<i64> {
        let mut found = Vec::new();
        let mut candidate = 0;
        let end = [(completions, completions)];
        for (first, last) in self.0.iter().chain(&end) {
            while candidate < completions && found.len() < many && candidate < *first {
                found.push(candidate);
                candidate += 1;
            }
            candidate = candidate.max(last + 1);
        }
        found
    }
}

impl std::fmt::Display for Indexes {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (number, (first, last)) in self.0.iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            match last - first {
                0 => write!(out, "{comma}{first}")?,
                1 => write!(out, "{comma}{first},{last}")?,
                _ => write!(out, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read_and_written() {
        for (text, completions, written) in [
            ("", 10, ""),
            ("1,3-5,7,8", 10, "1,3-5,7,8"),
            ("0,1,2", 10, "0-2"),
            ("0,4-9", 6, "0,4,5"),
            ("0,x,2-y,4", 10, "0,4"),
            ("7", 7, ""),
        ] {
            assert_eq!(Indexes::parse(text, completions).to_string(), written, "{text}");
        }
    }

    #[test]
    fn sets_grow_and_are_compared() {
        let set = Indexes::parse("1,3-5", 10);
        assert_eq!(set.with([2, 7]).to_string(), "1-5,7");
        assert_eq!((set.total(), set.has(4), set.has(2)), (4, true, false));
        assert_eq!(set.missing(3, 10), [0, 2, 6]);
        assert_eq!(set.missing(9, 8), [0, 2, 6, 7]);
        assert_eq!(set.common(&Indexes::parse("0-3,5-9", 10)), 3);
    }
}
