//! How long a pod that failed stays before another takes its place: the node that refused it may refuse the next one too.
//!
//! Upstream: `flowcontrol.Backoff`, with the bounds of `newDaemonSetController`. This is what the controller remembers beyond
//! what views show: failed pods are deleted, so that nothing tells of the earlier ones. A restart begins anew, as upstream's does.
//! What was granted to a pod stays granted, so that the same world leads to the same plan.

use std::collections::BTreeMap;
use std::time::Duration;

use api_types::apps::v1::DaemonSet;
use api_types::core::v1::Pod;
use base::time::Time;

/// The first wait, after a second failure.
const FIRST: Duration = Duration::from_secs(1);
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// What lies this far back counts no more.
const EXPIRES: Duration = Duration::from_secs(2 * 15 * 60);
/// How often what counts no more is forgotten.
const SWEEP: Duration = Duration::from_secs(60);

/// A set's uid, the generation of it that was observed, and a node.
type Place = (String, i64, String);

struct Entry {
    wait: Duration,
    since: Time,
    /// The uid of the pod that was let go last.
    pod: String,
}

/// What failed where, and when.
#[derive(Default)]
pub(super) struct BackOff {
    places: BTreeMap<Place, Entry>,
    swept: Option<Time>,
}

impl BackOff {
    /// Lets a failed pod of a set go from a node, or says how long it has to stay.
    pub(super) fn release(
        &mut self,
        set: &DaemonSet,
        node: &str,
        pod: &Pod,
        now: Time,
    ) -> Result<(), Duration> {
        self.sweep(now);
        let place = (set.metadata.uid.clone(), set.status.observed_generation, node.to_owned());
        let mut wait = FIRST;
        if let Some(entry) = self.places.get(&place)
            && now.since(entry.since) <= EXPIRES
        {
            if entry.pod == pod.metadata.uid {
                return Ok(());
            }
            let left = entry.wait.saturating_sub(now.since(entry.since));
            if !left.is_zero() {
                return Err(left);
            }
            wait = (entry.wait * 2).min(LONGEST);
        }
        self.places.insert(place, Entry { wait, since: now, pod: pod.metadata.uid.clone() });
        Ok(())
    }

    fn sweep(&mut self, now: Time) {
        let swept = *self.swept.get_or_insert(now);
        if now.since(swept) >= SWEEP {
            self.places.retain(|_, entry| now.since(entry.since) <= EXPIRES);
            self.swept = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_are_forgotten() {
        let mut back_off = BackOff::default();
        let set = DaemonSet::default();
        let mut release = |pod: &str, seconds: i64| {
            let mut failed = Pod::default();
            failed.metadata.uid = pod.into();
            back_off
                .release(&set, "n", &failed, Time::from_unix_seconds(seconds))
                .err()
                .map(|wait| wait.as_secs())
        };
        assert_eq!(release("a", 100), None);
        assert_eq!(release("a", 100), None, "once granted, it stays so");
        assert_eq!(release("b", 100), Some(1));
        assert_eq!(release("b", 101), None);
        assert_eq!(release("c", 101), Some(2));
        assert_eq!(release("c", 103), None);
        assert_eq!(release("d", 105), Some(2));
        assert_eq!(release("d", 103 + 4), None);
        assert_eq!(release("e", 107 + 30 * 60 + 1), None);
        assert_eq!(release("f", 107 + 30 * 60 + 1), Some(1), "it has begun anew");
    }
}
