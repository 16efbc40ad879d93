//! What a run of probe results amounts to: kubelet's thresholds.

use api_types::core::v1::Probe;

/// What a probe is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Whether the container has started; the others wait for it.
    Startup,
    /// Whether it is to be started again.
    Liveness,
    /// Whether it can be sent requests.
    Readiness,
}

impl Kind {
    /// The word that events begin with.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Startup => "Startup",
            Kind::Liveness => "Liveness",
            Kind::Readiness => "Readiness",
        }
    }

    /// Why a container is stopped whose probe has failed for good.
    pub fn verdict(self, container: &str) -> String {
        let kind = self.word().to_ascii_lowercase();
        format!("Container {container} failed {kind} probe, will be restarted")
    }
}

/// The latest results of one probe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    last: Option<bool>,
    run: i32,
}

impl Tally {
    /// Counts a result. Returns it once it has come often enough in a row.
    pub fn count(&mut self, probe: &Probe, success: bool) -> Option<bool> {
        self.run = if self.last == Some(success) { self.run.saturating_add(1) } else { 1 };
        self.last = Some(success);
        let needed = if success { probe.success_threshold } else { probe.failure_threshold };
        (self.run >= needed).then_some(success)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_count_when_they_come_in_a_row() {
        let probe = Probe { success_threshold: 2, failure_threshold: 3, ..Probe::default() };
        let mut tally = Tally::default();
        let results = [true, true, false, false, true, false, false, false, false];
        let heard: Vec<_> = results.iter().map(|result| tally.count(&probe, *result)).collect();
        let no = None;
        assert_eq!(heard, [no, Some(true), no, no, no, no, no, Some(false), Some(false)]);
    }
}
