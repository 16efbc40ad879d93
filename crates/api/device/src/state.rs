//! Which devices are allocated, and how much of those that several claims share.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use api_record::scalar::Quantity;
use api_types::resource::v1::{AllocationResult, DeviceRequestAllocationResult};

/// A device of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeviceId {
    /// Its driver.
    pub driver: Arc<str>,
    /// The pool that it is in.
    pub pool: Arc<str>,
    /// Its name there.
    pub device: Arc<str>,
}

impl DeviceId {
    /// The device of these names.
    pub fn new(driver: &str, pool: &str, device: &str) -> DeviceId {
        DeviceId { driver: driver.into(), pool: pool.into(), device: device.into() }
    }

    /// The device that a claim got.
    pub fn of_result(result: &DeviceRequestAllocationResult) -> DeviceId {
        DeviceId::new(&result.driver, &result.pool, &result.device)
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.driver, self.pool, self.device)
    }
}

/// How much of a device's capacities is taken.
pub(crate) type Consumed = BTreeMap<String, Quantity>;

/// A device that several claims share.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Shared {
    shares: usize,
    consumed: Consumed,
}

/// Which devices are allocated. Kept up by [`AllocatedState::add`] and [`AllocatedState::remove`] for every allocation that there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllocatedState {
    /// Devices of one claim alone, with the number of claims that say so: more than one only if something went wrong.
    exclusive: BTreeMap<DeviceId, usize>,
    shared: BTreeMap<DeviceId, Shared>,
}

/// The devices that an allocation takes; access as an administrator takes nothing.
fn taken(allocation: &AllocationResult) -> impl Iterator<Item = &DeviceRequestAllocationResult> {
    allocation.devices.results.iter().filter(|result| result.admin_access != Some(true))
}

impl AllocatedState {
    /// Takes the devices of an allocation.
    pub fn add(&mut self, allocation: &AllocationResult) {
        for result in taken(allocation) {
            let id = DeviceId::of_result(result);
            if result.share_id.is_none() {
                *self.exclusive.entry(id).or_default() += 1;
                continue;
            }
            let shared = self.shared.entry(id).or_default();
            shared.shares += 1;
            consume(&mut shared.consumed, &result.consumed_capacity);
        }
    }

    /// Gives them back.
    pub fn remove(&mut self, allocation: &AllocationResult) {
        for result in taken(allocation) {
            let id = DeviceId::of_result(result);
            if result.share_id.is_none() {
                if let Some(count) = self.exclusive.get_mut(&id) {
                    *count = count.saturating_sub(1);
                    if *count == 0 {
                        self.exclusive.remove(&id);
                    }
                }
                continue;
            }
            let Some(shared) = self.shared.get_mut(&id) else { continue };
            shared.shares = shared.shares.saturating_sub(1);
            release(&mut shared.consumed, &result.consumed_capacity);
            if shared.shares == 0 {
                self.shared.remove(&id);
            }
        }
    }

    /// Whether a device is one claim's alone.
    pub fn is_exclusive(&self, id: &DeviceId) -> bool {
        self.exclusive.contains_key(id)
    }

    /// Whether claims share a device.
    pub fn is_shared(&self, id: &DeviceId) -> bool {
        self.shared.contains_key(id)
    }

    /// Whether a device is anybody's.
    pub fn is_allocated(&self, id: &DeviceId) -> bool {
        self.is_exclusive(id) || self.is_shared(id)
    }

    /// How much of a device that claims share is taken.
    pub(crate) fn consumed(&self, id: &DeviceId) -> Option<&Consumed> {
        self.shared.get(id).map(|shared| &shared.consumed)
    }
}

/// Adds to what is taken.
pub(crate) fn consume(consumed: &mut Consumed, more: &BTreeMap<String, Quantity>) {
    for (name, quantity) in more {
        consumed.entry(name.clone()).or_default().add(quantity);
    }
}

/// Takes away from what is taken.
pub(crate) fn release(consumed: &mut Consumed, less: &BTreeMap<String, Quantity>) {
    for (name, quantity) in less {
        if let Some(own) = consumed.get_mut(name) {
            own.subtract(quantity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_and_removed_leaves_nothing() {
        let result = |device: &str, share: Option<&str>, admin: bool| DeviceRequestAllocationResult {
            driver: "d".into(),
            pool: "p".into(),
            device: device.into(),
            share_id: share.map(str::to_owned),
            admin_access: admin.then_some(true),
            consumed_capacity: share
                .map(|_| ("memory".to_owned(), Quantity::from_millis(2000)))
                .into_iter()
                .collect(),
            ..Default::default()
        };
        let allocation = |results: Vec<DeviceRequestAllocationResult>| {
            let mut allocation = AllocationResult::default();
            allocation.devices.results = results;
            allocation
        };
        let (one, two) = (
            allocation(vec![
                result("a", None, false),
                result("b", Some("1"), false),
                result("c", None, true),
            ]),
            allocation(vec![result("b", Some("2"), false)]),
        );
        let mut state = AllocatedState::default();
        state.add(&one);
        state.add(&two);
        let id = |device: &str| DeviceId::new("d", "p", device);
        assert!(state.is_exclusive(&id("a")) && state.is_shared(&id("b")) && !state.is_allocated(&id("c")));
        assert_eq!(state.consumed(&id("b")).map(|own| own["memory"].units()), Some(4));
        state.remove(&one);
        assert_eq!(state.consumed(&id("b")).map(|own| own["memory"].units()), Some(2));
        state.remove(&two);
        assert_eq!(state, AllocatedState::default());
    }
}
