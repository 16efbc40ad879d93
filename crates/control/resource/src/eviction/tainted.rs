//! The devices that their drivers have tainted so that pods have to go.

use std::collections::{BTreeMap, BTreeSet};

use api_device::taint::NO_EXECUTE;
use api_record::scalar;
use api_types::resource::v1::{DeviceTaint, ResourceSlice};

/// A pool, by driver and name.
type Pool = (String, String);

/// A taint, and the time from which it counts.
pub(super) struct Taint {
    pub(super) taint: DeviceTaint,
    pub(super) since: Option<scalar::Time>,
}

/// The taints of devices, by pool and device. Slices that newer ones have replaced do not count.
#[derive(Default)]
pub(super) struct Tainted(BTreeMap<Pool, BTreeMap<String, Vec<Taint>>>);

fn pool(slice: &ResourceSlice) -> Pool {
    (slice.spec.driver.clone(), slice.spec.pool.name.clone())
}

fn evicting(taints: &[DeviceTaint]) -> impl Iterator<Item = &DeviceTaint> {
    taints.iter().filter(|taint| taint.effect == NO_EXECUTE)
}

impl Tainted {
    pub(super) fn of<'a>(slices: impl Iterator<Item = &'a ResourceSlice>) -> Tainted {
        let mut tainted = Tainted::default();
        for slice in current(slices) {
            for device in &slice.spec.devices {
                let taints: Vec<Taint> = evicting(&device.taints)
                    .map(|own| Taint {
                        taint: own.clone(),
                        since: own.time_added.or(slice.metadata.creation_timestamp),
                    })
                    .collect();
                if !taints.is_empty() {
                    tainted.0.entry(pool(slice)).or_default().insert(device.name.clone(), taints);
                }
            }
        }
        tainted
    }

    /// The taints of a device because of which pods have to go.
    pub(super) fn taints(&self, driver: &str, pool: &str, device: &str) -> &[Taint] {
        let pool = self.0.get(&(driver.to_owned(), pool.to_owned()));
        pool.and_then(|devices| devices.get(device)).map(Vec::as_slice).unwrap_or_default()
    }
}

/// The slices of the newest generation of their pools.
pub(super) fn current<'a>(slices: impl Iterator<Item = &'a ResourceSlice>) -> Vec<&'a ResourceSlice> {
    let all: Vec<&ResourceSlice> = slices.collect();
    let mut newest: BTreeMap<Pool, i64> = BTreeMap::new();
    for slice in &all {
        let generation = slice.spec.pool.generation;
        newest.entry(pool(slice)).and_modify(|own| *own = generation.max(*own)).or_insert(generation);
    }
    all.into_iter().filter(|slice| newest.get(&pool(slice)) == Some(&slice.spec.pool.generation)).collect()
}

/// The devices of a slice because of which pods have to go, as far as the slice itself says so.
pub(super) fn names(slice: &ResourceSlice) -> BTreeSet<&str> {
    let devices = slice.spec.devices.iter();
    devices
        .filter(|device| evicting(&device.taints).next().is_some())
        .map(|device| device.name.as_str())
        .collect()
}
