//! Claims of devices, what is offered, and what is taken of it: what the API says, and on top of it what has been decided but not shown yet.
//!
//! A decision for a pod takes its devices from all others at once (`decide`), and stands until it is known what came of writing it down.
//! Upstream: `pkg/scheduler/framework/plugins/dynamicresources`, its `dra_manager` and `allocateddevices`.

pub(crate) mod binding;
pub(crate) mod claims;
mod intake;
pub(crate) mod wanted;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api_device::AllocatedState;
use api_device::allocate::Allocator;
use api_device::pool::Inventory;
use api_device::selector::Selectors;
use api_device::taint;
use api_types::resource::v1::{AllocationResult, DeviceClass, DeviceTaintRule, ResourceClaim, ResourceSlice};
use base::time::Time;

use crate::cluster::pod::PodId;

/// A claim, by namespace and name.
pub(crate) type ClaimKey = (String, String);

/// The key of a claim.
pub(crate) fn key(claim: &ResourceClaim) -> ClaimKey {
    (claim.metadata.namespace.clone(), claim.metadata.name.clone())
}

/// An allocation that is being written down.
struct InFlight {
    /// The uid of the pod that it was made for.
    pod: Arc<str>,
    allocation: AllocationResult,
}

/// All that is known of devices.
#[derive(Default)]
pub(crate) struct Devices {
    claims: BTreeMap<ClaimKey, ResourceClaim>,
    classes: BTreeMap<String, DeviceClass>,
    slices: BTreeMap<String, Arc<ResourceSlice>>,
    rules: BTreeMap<String, DeviceTaintRule>,
    /// By the uid of the claim.
    in_flight: BTreeMap<String, InFlight>,
    state: AllocatedState,
    inventory: Inventory,
    /// Whether the inventory is older than slices or rules.
    is_stale: bool,
    selectors: Selectors,
    /// When it is.
    pub(crate) now: Time,
    /// Pods that are held back because their claims are not as they have to be.
    pub(crate) held: BTreeSet<PodId>,
}

impl Devices {
    /// A claim.
    pub(crate) fn claim(&self, of: &ClaimKey) -> Option<&ResourceClaim> {
        self.claims.get(of)
    }

    /// A class.
    pub(crate) fn class(&self, name: &str) -> Option<&DeviceClass> {
        self.classes.get(name)
    }

    /// Whether an allocation of the claim of a uid is being written down.
    pub(crate) fn is_in_flight(&self, uid: &str) -> bool {
        self.in_flight.contains_key(uid)
    }

    /// Makes ready to look for devices, after whatever was taken in.
    pub(crate) fn lay_out(&mut self) {
        if std::mem::take(&mut self.is_stale) {
            let rules = &self.rules;
            let slices = self.slices.values();
            self.inventory = Inventory::of(slices.map(|slice| match taint::tainted(slice, rules.values()) {
                Some(tainted) => Arc::new(tainted),
                None => Arc::clone(slice),
            }));
        }
    }

    /// What looks for devices in what has been laid out.
    pub(crate) fn allocator(&self) -> Allocator<'_> {
        Allocator {
            inventory: &self.inventory,
            state: &self.state,
            classes: &self.classes,
            selectors: &self.selectors,
        }
    }

    /// From now on the devices are the claims'.
    fn decide(&mut self, pod: &Arc<str>, uid: &str, allocation: &AllocationResult) {
        self.state.add(allocation);
        let in_flight = InFlight { pod: Arc::clone(pod), allocation: allocation.clone() };
        if let Some(before) = self.in_flight.insert(uid.to_owned(), in_flight) {
            self.state.remove(&before.allocation);
        }
    }

    /// It is known what came of writing down what was decided for a pod.
    fn settle(&mut self, pod: &str) {
        let own: Vec<String> =
            self.in_flight.iter().filter(|(_, one)| *one.pod == *pod).map(|(uid, _)| uid.clone()).collect();
        for uid in own {
            if let Some(settled) = self.in_flight.remove(&uid) {
                self.state.remove(&settled.allocation);
            }
        }
    }

    /// Takes in a claim, unless it is known as it was later; answers what it was before.
    fn set_claim(&mut self, claim: &ResourceClaim) -> Option<Before> {
        let of = key(claim);
        let known = self.claims.get(&of);
        if known.is_some_and(|known| is_later(known, claim)) {
            return None;
        }
        let before = match known {
            None => Before { is_new: true, frees: false, is_same: false },
            Some(known) => {
                let frees = known.status.allocation.is_some() && claim.status.allocation.is_none();
                Before { is_new: false, frees, is_same: known.status == claim.status }
            }
        };
        self.forget(&of);
        if let Some(allocation) = &claim.status.allocation {
            self.state.add(allocation);
        }
        self.claims.insert(of, claim.clone());
        Some(before)
    }

    /// Forgets a claim; whether it had devices.
    fn forget(&mut self, of: &ClaimKey) -> bool {
        let Some(claim) = self.claims.remove(of) else { return false };
        let allocation = claim.status.allocation;
        if let Some(allocation) = &allocation {
            self.state.remove(allocation);
        }
        allocation.is_some()
    }

    fn set_slice(&mut self, slice: &ResourceSlice) {
        self.slices.insert(slice.metadata.name.clone(), Arc::new(slice.clone()));
        self.is_stale = true;
    }

    fn remove_slice(&mut self, name: &str) {
        self.slices.remove(name);
        self.is_stale = true;
    }

    fn set_rule(&mut self, rule: &DeviceTaintRule) -> bool {
        let before = self.rules.insert(rule.metadata.name.clone(), rule.clone());
        let is_changed = before.is_none_or(|before| before.spec != rule.spec);
        self.is_stale |= is_changed;
        is_changed
    }

    fn remove_rule(&mut self, name: &str) {
        self.is_stale |= self.rules.remove(name).is_some();
    }
}

/// How a claim was before.
struct Before {
    is_new: bool,
    /// It had devices, and has none now.
    frees: bool,
    /// Its status was the same.
    is_same: bool,
}

/// Whether one state of an object came after another: what was just written is known before the view shows it.
fn is_later(known: &ResourceClaim, other: &ResourceClaim) -> bool {
    let version = |claim: &ResourceClaim| claim.metadata.resource_version.parse::<u64>().ok();
    known.metadata.uid == other.metadata.uid
        && version(known).zip(version(other)).is_some_and(|(known, other)| known > other)
}

#[cfg(test)]
impl Devices {
    /// # Panics
    /// If what is taken is not what counting anew gives.
    pub(crate) fn audit(&self) {
        let mut state = AllocatedState::default();
        let shown = self.claims.values().filter_map(|claim| claim.status.allocation.as_deref());
        shown.for_each(|allocation| state.add(allocation));
        self.in_flight.values().for_each(|one| state.add(&one.allocation));
        assert_eq!(self.state, state);
    }
}
