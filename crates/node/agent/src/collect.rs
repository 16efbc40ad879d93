//! Which images go when the disk that holds them fills up: kubelet's image garbage collection as a pure function. From the high mark on, those
//! that have not been used for the longest go until the low mark is reached; what is in use, lies in the images directory, or came a
//! moment ago stays.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::time::Time;

use crate::pressure::Left;

/// From this much of the disk on images are removed: kubelet's `imageGCHighThresholdPercent`.
pub(crate) const HIGH_PERCENT: u64 = 85;
/// Until this much of it is used: kubelet's `imageGCLowThresholdPercent`.
pub(crate) const LOW_PERCENT: u64 = 80;
/// Younger images stay: they may have been pulled for a container that is about to start (kubelet's `imageMinimumGCAge`).
const MINIMUM_AGE: Duration = Duration::from_secs(120);

/// What is known of an image over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    /// When it was first seen; long ago for what was there when this agent started.
    first: Time,
    used: Option<Time>,
}

/// An image, as it is weighed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) id: String,
    pub(crate) size_bytes: u64,
    /// A container has it, or one that is about to start.
    pub(crate) in_use: bool,
    /// It is to stay whether used or not.
    pub(crate) pinned: bool,
}

/// What is to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    /// Bytes that have to be freed.
    pub(crate) wanted_bytes: u64,
    /// The images that go, in this order, with their sizes.
    pub(crate) remove: Vec<(String, u64)>,
}

/// The images' ages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ages {
    seen: BTreeMap<String, Seen>,
    begun: bool,
}

impl Ages {
    /// Takes over which images there are and which are in use.
    pub(crate) fn observe(&mut self, images: &[Candidate], now: Time) {
        let first = if self.begun { now } else { Time::from_unix_nanos(0) };
        self.begun = true;
        let present: BTreeSet<&str> = images.iter().map(|image| image.id.as_str()).collect();
        self.seen.retain(|id, _| present.contains(id.as_str()));
        for image in images {
            let seen = self.seen.entry(image.id.clone()).or_insert(Seen { first, used: None });
            if image.in_use {
                seen.used = Some(now);
            }
        }
    }

    /// What is to go so that `disk` is not too full any more.
    pub(crate) fn plan(&self, disk: Left, images: &[Candidate], now: Time) -> Plan {
        let share = |percent: u64| u128::from(disk.capacity) * u128::from(percent) / 100;
        let available = u128::from(disk.available.min(disk.capacity));
        // As kubelet rounds: the part that is free loses its fraction.
        let free_percent = available * 100 / u128::from(disk.capacity.max(1));
        if disk.capacity == 0 || 100 - free_percent < u128::from(HIGH_PERCENT) {
            return Plan::default();
        }
        let wanted = share(100 - LOW_PERCENT).saturating_sub(available);
        let mut plan = Plan { wanted_bytes: u64::try_from(wanted).unwrap_or(u64::MAX), remove: Vec::new() };
        let mut candidates: Vec<(&Candidate, Seen)> = images
            .iter()
            .filter(|image| !image.in_use && !image.pinned)
            .filter_map(|image| Some((image, *self.seen.get(&image.id)?)))
            .filter(|(_, seen)| now.since(seen.first) >= MINIMUM_AGE)
            .collect();
        candidates.sort_by_key(|(image, seen)| (seen.used, seen.first, image.id.clone()));
        let mut freed = 0u64;
        for (image, _) in candidates {
            if freed >= plan.wanted_bytes {
                break;
            }
            freed = freed.saturating_add(image.size_bytes);
            plan.remove.push((image.id.clone(), image.size_bytes));
        }
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Time {
        Time::from_unix_nanos(seconds * 1_000_000_000)
    }

    fn image(id: &str, size_bytes: u64) -> Candidate {
        Candidate { id: id.into(), size_bytes, in_use: false, pinned: false }
    }

    fn removed(plan: &Plan) -> Vec<&str> {
        plan.remove.iter().map(|(id, _)| id.as_str()).collect()
    }

    #[test]
    fn images_go_from_the_high_mark_to_the_low_one() {
        let images = [image("a", 3), image("b", 3), image("c", 3)];
        let mut ages = Ages::default();
        ages.observe(&images, at(1000));
        for (available, wanted, gone) in [
            (100, 0, 0),
            (16, 0, 0),
            // 85 percent are used: five more have to be free.
            (15, 5, 2),
            (14, 6, 2),
            (13, 7, 3),
            (0, 20, 3),
        ] {
            let plan = ages.plan(Left { available, capacity: 100 }, &images, at(1000));
            assert_eq!((plan.wanted_bytes, plan.remove.len()), (wanted, gone), "{available}");
        }
        assert_eq!(ages.plan(Left::default(), &images, at(1000)), Plan::default(), "no disk");
        let huge = Left { available: 0, capacity: u64::MAX };
        assert_eq!(ages.plan(huge, &images, at(1000)).wanted_bytes, u64::MAX / 5);
    }

    #[test]
    fn the_longest_unused_go_first_and_what_is_needed_stays() {
        let full = Left { available: 0, capacity: 1000 };
        let mut images = vec![image("used", 1), image("never", 1), image("pinned", 1), image("lately", 1)];
        images[2].pinned = true;
        let mut ages = Ages::default();
        images[0].in_use = true;
        images[3].in_use = true;
        ages.observe(&images, at(1000));
        images[3].in_use = true;
        images[0].in_use = false;
        images.push(image("new", 1));
        ages.observe(&images, at(1300));
        assert_eq!(removed(&ages.plan(full, &images, at(1301))), ["never", "used"]);
        images[3].in_use = false;
        ages.observe(&images, at(1419));
        assert_eq!(removed(&ages.plan(full, &images, at(1419))), ["never", "used", "lately"]);
        assert_eq!(removed(&ages.plan(full, &images, at(1420))), ["never", "new", "used", "lately"]);
        // What has come back is new again.
        ages.observe(&[], at(1500));
        ages.observe(&images, at(1600));
        assert_eq!(removed(&ages.plan(full, &images, at(1700))), [""; 0]);
    }
}
