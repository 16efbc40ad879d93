//! From claims, classes, slices and rules to what the scheduler remembers of them, whom that may help, and whose devices are written down now.

use std::sync::Arc;

use api_device::claim;
use api_types::resource::v1::{DeviceClass, DeviceTaintRule, ResourceClaim, ResourceSlice};
use base::time::Time;

use super::binding::{self, Promise};
use super::claims::PodClaims;
use super::wanted::Wanted;
use super::{ClaimKey, key};
use crate::cluster::node::NodeIx;
use crate::cluster::pod::PodId;
use crate::event::{Action, ClaimRef, Deallocated};
use crate::queue::Lane;
use crate::queue::hints::Change;
use crate::reason::Plugin;
use crate::scheduler::Scheduler;

impl Scheduler {
    pub(crate) fn on_device_claim(&mut self, claim: &ResourceClaim, now: Time) {
        let Some(before) = self.cluster.devices.set_claim(claim) else { return };
        let of = key(claim);
        self.keep_pledges(now);
        self.let_in(&of, now);
        let is_other = before.is_new || !before.is_same;
        self.wake(&Change::DeviceClaim { of: &of, is_other, frees: before.frees }, now);
    }

    pub(crate) fn on_device_claim_gone(&mut self, namespace: &str, name: &str, now: Time) {
        let of = (namespace.to_owned(), name.to_owned());
        let frees = self.cluster.devices.forget(&of);
        self.keep_pledges(now);
        self.wake(&Change::DeviceClaim { of: &of, is_other: false, frees }, now);
    }

    pub(crate) fn on_device_class(&mut self, class: &DeviceClass, now: Time) {
        self.cluster.devices.classes.insert(class.metadata.name.clone(), class.clone());
        self.wake(&Change::Devices, now);
    }

    pub(crate) fn on_device_class_gone(&mut self, name: &str) {
        self.cluster.devices.classes.remove(name);
    }

    pub(crate) fn on_slice(&mut self, slice: &ResourceSlice, now: Time) {
        self.cluster.devices.set_slice(slice);
        self.wake(&Change::Devices, now);
    }

    pub(crate) fn on_slice_gone(&mut self, name: &str) {
        self.cluster.devices.remove_slice(name);
    }

    pub(crate) fn on_taint_rule(&mut self, rule: &DeviceTaintRule, now: Time) {
        if self.cluster.devices.set_rule(rule) {
            self.wake(&Change::Devices, now);
        }
    }

    pub(crate) fn on_taint_rule_gone(&mut self, name: &str, now: Time) {
        self.cluster.devices.remove_rule(name);
        self.wake(&Change::Devices, now);
    }

    /// Holds a pod of these claims back if they are not as they have to be; answers whether they are not. It is let in once they are.
    pub(crate) fn hold(&mut self, id: PodId, claims: Option<&PodClaims>) -> bool {
        let profile = self.cluster.profiles.find(&self.cluster.pods[id].of.scheduler_name);
        let asks = profile.is_some_and(|at| self.cluster.profiles.of(at).filters(Plugin::DynamicResources));
        let lacks = claims.filter(|_| asks).is_some_and(|own| own.usable(&self.cluster.devices).is_err());
        match lacks {
            true => self.cluster.devices.held.insert(id),
            false => self.cluster.devices.held.remove(&id),
        };
        lacks
    }

    /// Lets pods in that were held back, and whose claims are as they have to be now.
    fn let_in(&mut self, of: &ClaimKey, now: Time) {
        let uses = |id: &PodId| {
            let pod = &self.cluster.pods[*id];
            pod.devices.as_ref().is_some_and(|own| own.uses(of))
        };
        let held: Vec<PodId> = self.cluster.devices.held.iter().copied().filter(uses).collect();
        for id in held {
            let claims = self.cluster.pods[id].devices.clone();
            if self.hold(id, claims.as_deref()) {
                continue;
            }
            let pod = &mut self.cluster.pods[id];
            let waits =
                pod.pending.as_ref().is_some_and(|own| own.ticket.lane == Lane::Gated && !own.has_gates);
            if waits {
                self.queue.leave(id, pod);
                self.queue.enter(id, pod, false, now);
            }
        }
    }

    /// Takes for a pod, which is to run on a node, the devices that it gets there; `None` if nothing has to be written for that.
    pub(crate) fn promise(&mut self, id: PodId, node: NodeIx, now: Time) -> Option<Promise> {
        let profiles = &self.cluster.profiles;
        let profile = profiles.find(&self.cluster.pods[id].of.scheduler_name)?;
        let wanted = Wanted::of(&self.cluster, profiles.of(profile), id).ok().flatten()?;
        let mut bindings = wanted.decide(node)?;
        let pod = self.cluster.pods[id].of.clone();
        for binding in &mut bindings.claims {
            if let Some(allocation) = &mut binding.allocation {
                allocation.allocation_timestamp = Some(now.into());
                binding::tell_apart(&binding.claim, allocation);
                self.cluster.devices.decide(&pod.uid, &binding.claim.metadata.uid, allocation);
            }
        }
        let bindings = Arc::new(bindings);
        let node = self.cluster.nodes.name[node.index()].clone();
        self.actions.push(Action::BindDevices { pod, node, bindings: Arc::clone(&bindings) });
        Some(Promise::of(bindings, now))
    }

    pub(crate) fn on_devices_written(
        &mut self,
        uid: &str,
        claims: &[ResourceClaim],
        result: Result<(), &str>,
        now: Time,
    ) {
        for claim in claims {
            self.on_device_claim(claim, now);
        }
        // Only now, so that the devices are nobody's at no time.
        self.cluster.devices.settle(uid);
        match (result, self.by_uid.get(uid).copied()) {
            (Ok(()), Some(id)) => {
                if let Some(promise) = self.pledges.get_mut(&id).and_then(|own| own.devices.as_mut()) {
                    promise.is_written = true;
                }
                self.keep_pledges(now);
            }
            (Err(error), Some(id)) => self.break_pledge(id, Plugin::DynamicResources, error, now),
            (_, None) => {}
        }
        if result.is_err() {
            self.wake(&Change::Devices, now);
        }
    }

    /// A pod that is not bound after all gives up the claims that are reserved for it.
    pub(crate) fn unreserve(&mut self, id: PodId) {
        let pod = &self.cluster.pods[id];
        let Some(own) = &pod.devices else { return };
        let reserved = own.keys().filter_map(|of| {
            let claim = self.cluster.devices.claim(&of)?;
            let is_reserved = claim.status.allocation.is_some() && claim::is_reserved_for(claim, &pod.of.uid);
            is_reserved.then(|| ClaimRef { namespace: of.0, name: of.1, uid: claim.metadata.uid.clone() })
        });
        let claims: Vec<ClaimRef> = reserved.collect();
        if !claims.is_empty() {
            self.actions.push(Action::Unreserve { pod: pod.of.clone(), claims });
        }
    }

    /// Gives back the devices of one of these claims, by chance, which are where the pod cannot run; whether there was one.
    pub(crate) fn deallocate(&mut self, id: PodId, claims: &[ClaimKey]) -> bool {
        if claims.is_empty() {
            return false;
        }
        let of = &claims[self.cycle.dice.below(claims.len())];
        let Some(claim) = self.cluster.devices.claim(of) else { return false };
        let mut claim = claim.clone();
        (claim.status.allocation, claim.status.reserved_for) = (None, Vec::new());
        claim.status.devices.clear();
        let pod = self.cluster.pods[id].of.clone();
        self.actions.push(Action::Deallocate { pod, claim: Deallocated(Box::new(claim)) });
        true
    }
}
