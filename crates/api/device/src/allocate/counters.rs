//! Counters that the devices of a pool share: a device can be had only if what it is made of is not part of another.

use std::collections::BTreeMap;

use api_record::scalar::Quantity;
use api_types::resource::v1::Device;

use crate::AllocatedState;
use crate::pool::Pool;

/// Amounts by set and counter.
type Amounts<'a> = BTreeMap<(&'a str, &'a str), Quantity>;

/// The counters of one pool: what is left of them beside allocated devices, and what devices take that are being allocated.
pub(super) struct Counters<'a> {
    available: Amounts<'a>,
    taken: Amounts<'a>,
}

impl<'a> Counters<'a> {
    pub(super) fn of(pool: &Pool<'a>, state: &AllocatedState) -> Counters<'a> {
        let sets = pool.counters.iter();
        let mut available: Amounts<'a> = sets
            .flat_map(|(set, own)| {
                own.counters.iter().map(|(name, counter)| ((*set, name.as_str()), counter.value.clone()))
            })
            .collect();
        for (_, device) in pool.devices().filter(|(id, _)| state.is_allocated(id)) {
            for (of, amount) in consumed(device) {
                if let Some(left) = available.get_mut(&of) {
                    left.subtract(amount);
                }
            }
        }
        Counters { available, taken: Amounts::new() }
    }

    /// Takes what a device is made of, if all of it is there.
    pub(super) fn take(&mut self, device: &'a Device) -> bool {
        for (of, amount) in consumed(device) {
            self.taken.entry(of).or_default().add(amount);
        }
        // A counter that is overdrawn already lets nothing be taken of the pool, as upstream has it.
        let none = Quantity::default();
        let is_enough = self.available.iter().all(|(of, left)| left >= self.taken.get(of).unwrap_or(&none));
        if !is_enough {
            self.give_back(device);
        }
        is_enough
    }

    pub(super) fn give_back(&mut self, device: &'a Device) {
        for (of, amount) in consumed(device) {
            self.taken.entry(of).or_default().subtract(amount);
        }
    }
}

fn consumed(device: &Device) -> impl Iterator<Item = ((&str, &str), &Quantity)> {
    device.consumes_counters.iter().flat_map(|own| {
        own.counters.iter().map(|(name, counter)| ((own.counter_set.as_str(), name.as_str()), &counter.value))
    })
}
