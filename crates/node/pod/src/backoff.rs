//! How long restarts and pulls wait: doubling from ten seconds to five minutes, forgotten after ten good minutes. As client-go's
//! `flowcontrol.Backoff` in kubelet's hands.

use std::time::Duration;

use base::time::Time;
use serde::{Deserialize, Serialize};

/// The first wait.
pub const FIRST: Duration = Duration::from_secs(10);
/// The longest wait.
pub const MAX: Duration = Duration::from_secs(300);

/// A back-off; at first there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Backoff {
    /// The present wait in seconds; 0 for none.
    pub seconds: u64,
    /// When it was last prolonged, in nanoseconds since the Unix epoch.
    pub updated_nanos: i64,
}

impl Backoff {
    fn is_forgotten(&self, event: Time) -> bool {
        event.since(Time::from_unix_nanos(self.updated_nanos)) > MAX * 2
    }

    /// The present wait.
    pub fn wait(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    /// Until when to wait after `event`, if that is not past.
    pub fn until(&self, event: Time, now: Time) -> Option<Time> {
        if self.seconds == 0 || self.is_forgotten(event) {
            return None;
        }
        let until = event + self.wait();
        (until > now).then_some(until)
    }

    /// Prolongs it: another try is being made because of `event`.
    pub fn next(&mut self, event: Time, now: Time) {
        self.seconds = if self.seconds == 0 || self.is_forgotten(event) {
            FIRST.as_secs()
        } else {
            (self.seconds * 2).min(MAX.as_secs())
        };
        self.updated_nanos = now.unix_nanos();
    }
}

/// A duration of whole seconds as Go prints it: `10s`, `1m20s`, `5m0s`.
pub fn go_seconds(wait: Duration) -> String {
    let seconds = wait.as_secs();
    if seconds < 60 { format!("{seconds}s") } else { format!("{}m{}s", seconds / 60, seconds % 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_unix_seconds(seconds)
    }

    #[test]
    fn the_first_restart_is_at_once_and_later_ones_wait_twice_as_long() {
        let mut backoff = Backoff::default();
        let mut now = 1000;
        let mut waits = Vec::new();
        for _ in 0..8 {
            let event = at(now);
            match backoff.until(event, at(now)) {
                None => waits.push(0),
                Some(until) => {
                    let wait = until.since(event).as_secs();
                    waits.push(wait);
                    now += i64::try_from(wait).unwrap();
                }
            }
            backoff.next(event, at(now));
            now += 1;
        }
        assert_eq!(waits, [0, 10, 20, 40, 80, 160, 300, 300]);
        assert_eq!(backoff.until(at(now + 601), at(now + 601)), None, "ten good minutes");
    }

    #[test]
    fn waits_are_printed_as_go_does() {
        let cases = [(10, "10s"), (60, "1m0s"), (80, "1m20s"), (300, "5m0s")];
        for (seconds, text) in cases {
            assert_eq!(go_seconds(Duration::from_secs(seconds)), text);
        }
    }
}
