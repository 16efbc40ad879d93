//! Whether the node is short of memory, disk or process ids: kubelet's eviction thresholds as a pure function of what was observed.
//!
//! A threshold that is met makes its condition true at once; the condition stays true until nothing has met a threshold of it for
//! the transition period, so that a node on the edge does not flap. Of kubelet's thresholds there are the hard ones.

use std::collections::BTreeMap;
use std::time::Duration;

use base::time::Time;

use crate::eviction::{Amount, EvictionHard, Signal};

/// For how long a condition outlives the last observation that caused it: kubelet's `evictionPressureTransitionPeriod`.
pub(crate) const TRANSITION: Duration = Duration::from_secs(300);

/// So much of something is left, of so much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Left {
    pub(crate) available: u64,
    pub(crate) capacity: u64,
}

/// What was observed of the machine; `None` where it does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Observed {
    /// Bytes of memory: all that is not the working set.
    pub(crate) memory: Option<Left>,
    /// Bytes of the disk that pods write to.
    pub(crate) node_disk: Option<Left>,
    /// Its inodes.
    pub(crate) node_inodes: Option<Left>,
    /// Bytes of the disk that images are on.
    pub(crate) image_disk: Option<Left>,
    /// Its inodes.
    pub(crate) image_inodes: Option<Left>,
    /// Process ids.
    pub(crate) pids: Option<Left>,
}

/// The node's conditions that this computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Condition {
    Memory,
    Disk,
    Pid,
}

impl Condition {
    pub(crate) const ALL: [Condition; 3] = [Condition::Memory, Condition::Disk, Condition::Pid];

    /// The condition's type, and the reason, message and event for being under pressure or not, in kubelet's words.
    pub(crate) fn words(self, pressed: bool) -> [&'static str; 4] {
        match (self, pressed) {
            (Condition::Memory, true) => [
                "MemoryPressure",
                "KubeletHasInsufficientMemory",
                "kubelet has insufficient memory available",
                "NodeHasInsufficientMemory",
            ],
            (Condition::Memory, false) => [
                "MemoryPressure",
                "KubeletHasSufficientMemory",
                "kubelet has sufficient memory available",
                "NodeHasSufficientMemory",
            ],
            (Condition::Disk, true) => {
                ["DiskPressure", "KubeletHasDiskPressure", "kubelet has disk pressure", "NodeHasDiskPressure"]
            }
            (Condition::Disk, false) => [
                "DiskPressure",
                "KubeletHasNoDiskPressure",
                "kubelet has no disk pressure",
                "NodeHasNoDiskPressure",
            ],
            (Condition::Pid, true) => [
                "PIDPressure",
                "KubeletHasInsufficientPID",
                "kubelet has insufficient PID available",
                "NodeHasInsufficientPID",
            ],
            (Condition::Pid, false) => [
                "PIDPressure",
                "KubeletHasSufficientPID",
                "kubelet has sufficient PID available",
                "NodeHasSufficientPID",
            ],
        }
    }
}

fn is_met(amount: Amount, left: Left) -> bool {
    match amount {
        Amount::Absolute(amount) => left.available < amount,
        // A file system without a number of inodes has no shortage of them.
        Amount::Percent(percent) => {
            left.capacity > 0 && (left.available as f64) * 100.0 < (left.capacity as f64) * percent
        }
    }
}

/// The conditions whose thresholds an observation meets.
fn met(hard: &EvictionHard, observed: &Observed) -> impl Iterator<Item = Condition> {
    hard.0.iter().filter_map(|(signal, amount)| {
        let (left, condition) = match signal {
            Signal::Memory => (observed.memory, Condition::Memory),
            Signal::NodeDisk => (observed.node_disk, Condition::Disk),
            Signal::NodeInodes => (observed.node_inodes, Condition::Disk),
            Signal::ImageDisk => (observed.image_disk, Condition::Disk),
            Signal::ImageInodes => (observed.image_inodes, Condition::Disk),
            Signal::Pids => (observed.pids, Condition::Pid),
        };
        left.filter(|left| is_met(*amount, *left)).map(|_| condition)
    })
}

/// The pressure that a node is under, as observations have shown it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pressure(BTreeMap<Condition, Time>);

impl Pressure {
    /// Takes an observation over.
    pub(crate) fn observe(&mut self, hard: &EvictionHard, observed: &Observed, now: Time) {
        self.0.retain(|_, last| now.since(*last) < TRANSITION);
        self.0.extend(met(hard, observed).map(|condition| (condition, now)));
    }

    /// Whether the node is short of something.
    pub(crate) fn is_under(&self, condition: Condition) -> bool {
        self.0.contains_key(&condition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    fn left(available: u64, capacity: u64) -> Option<Left> {
        Some(Left { available, capacity })
    }

    #[test]
    fn thresholds_are_kubelets() {
        let plenty = Observed {
            memory: left(100 * MIB, 4096 * MIB),
            node_disk: left(15, 100),
            node_inodes: left(5, 100),
            image_disk: left(15, 100),
            image_inodes: left(5, 100),
            pids: left(5, 100),
        };
        let cases = [
            ("at the thresholds", plenty, vec![]),
            ("nothing is known", Observed::default(), vec![]),
            (
                "memory",
                Observed { memory: left(100 * MIB - 1, 4096 * MIB), ..plenty },
                vec![Condition::Memory],
            ),
            ("the pods' disk", Observed { node_disk: left(9, 100), ..plenty }, vec![Condition::Disk]),
            ("a tenth of the pods' disk", Observed { node_disk: left(10, 100), ..plenty }, vec![]),
            ("inodes", Observed { node_inodes: left(4, 100), ..plenty }, vec![Condition::Disk]),
            (
                "no inodes at all",
                Observed { node_inodes: left(0, 0), image_inodes: left(0, 0), ..plenty },
                vec![],
            ),
            ("the images' disk", Observed { image_disk: left(14, 100), ..plenty }, vec![Condition::Disk]),
            ("the images' inodes", Observed { image_inodes: left(4, 100), ..plenty }, vec![Condition::Disk]),
            ("process ids", Observed { pids: left(1638, 32768), ..plenty }, vec![Condition::Pid]),
            (
                "a huge disk",
                Observed { node_disk: left(u64::MAX / 11, u64::MAX), ..plenty },
                vec![Condition::Disk],
            ),
        ];
        for (name, observed, wanted) in cases {
            let mut pressure = Pressure::default();
            pressure.observe(&EvictionHard::default(), &observed, Time::from_unix_nanos(0));
            let found: Vec<_> = Condition::ALL.into_iter().filter(|one| pressure.is_under(*one)).collect();
            assert_eq!(found, wanted, "{name}");
        }
    }

    #[test]
    fn pressure_outlives_its_cause_by_the_transition_period() {
        let at = |seconds: i64| Time::from_unix_nanos(seconds * 1_000_000_000);
        let (short, fine) = (Observed { pids: left(0, 100), ..Observed::default() }, Observed::default());
        let mut pressure = Pressure::default();
        pressure.observe(&EvictionHard::default(), &Observed { memory: left(0, 1), ..fine }, at(0));
        for (seconds, observed, memory, pid) in [
            (10, &short, true, true),
            (299, &short, true, true),
            (300, &fine, false, true),
            (598, &fine, false, true),
            (599, &fine, false, false),
            (600, &short, false, true),
        ] {
            pressure.observe(&EvictionHard::default(), observed, at(seconds));
            let found = (pressure.is_under(Condition::Memory), pressure.is_under(Condition::Pid));
            assert_eq!(found, (memory, pid), "at {seconds} s");
        }
    }
}
