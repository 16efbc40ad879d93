//! When a pod has to leave its devices, and because of which rules.

use std::collections::BTreeSet;
use std::time::Duration;

use api_device::claim;
use api_device::taint::{NO_EXECUTE, selects, tolerates};
use api_record::scalar;
use api_types::core::v1::Pod;
use api_types::resource::v1::{DeviceRequestAllocationResult, DeviceTaint, DeviceTaintRule, ResourceClaim};
use base::time::Time;
use client::reconcile::World;

use super::tainted::Tainted;

/// That a pod has to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Eviction {
    pub(super) when: Time,
    /// The uids of the rules because of which; of slices none is told.
    pub(super) rules: BTreeSet<String>,
}

/// The rules because of which pods have to go.
pub(super) fn evicting(world: &World) -> Vec<&DeviceTaintRule> {
    world.all::<DeviceTaintRule>().filter(|rule| rule.spec.taint.effect == NO_EXECUTE).collect()
}

/// When a pod has to go, if it has to; one that is on no node does not.
pub(super) fn of_pod(
    pod: &Pod,
    world: &World,
    tainted: &Tainted,
    rules: &[&DeviceTaintRule],
) -> Option<Eviction> {
    if pod.spec.node_name.is_empty() {
        return None;
    }
    let mut eviction: Option<Eviction> = None;
    for own in &pod.spec.resource_claims {
        let Ok(Some(named)) = claim::of_pod(pod, own) else { continue };
        let Some(claim) = world.get::<ResourceClaim>(&pod.metadata.namespace, &named.claim) else { continue };
        if (named.is_made && claim::is_for(pod, claim).is_err())
            || !claim::is_reserved_for(claim, &pod.metadata.uid)
        {
            continue;
        }
        join(&mut eviction, of_claim(claim, tainted, rules));
    }
    eviction
}

fn join(eviction: &mut Option<Eviction>, other: Option<Eviction>) {
    match (eviction.as_mut(), other) {
        (_, None) => {}
        (None, other) => *eviction = other,
        (Some(own), Some(other)) => {
            own.when = own.when.min(other.when);
            own.rules.extend(other.rules);
        }
    }
}

/// When those who use a claim have to go.
fn of_claim(claim: &ResourceClaim, tainted: &Tainted, rules: &[&DeviceTaintRule]) -> Option<Eviction> {
    let mut eviction = None;
    for device in claim.status.allocation.iter().flat_map(|allocation| &allocation.devices.results) {
        for taint in tainted.taints(&device.driver, &device.pool, &device.device) {
            let when = when(device, &taint.taint, taint.since);
            join(&mut eviction, when.map(|when| Eviction { when, rules: BTreeSet::new() }));
        }
        let about = rules.iter().filter(|rule| selects(rule, &device.driver, &device.pool, &device.device));
        for rule in about {
            let taint = &rule.spec.taint;
            let when = when(device, taint, taint.time_added.or(rule.metadata.creation_timestamp));
            let rules = BTreeSet::from([rule.metadata.uid.clone()]);
            join(&mut eviction, when.map(|when| Eviction { when, rules }));
        }
    }
    eviction
}

/// When a device has to be left because of a taint; `None` if that is tolerated for ever.
fn when(
    device: &DeviceRequestAllocationResult,
    taint: &DeviceTaint,
    since: Option<scalar::Time>,
) -> Option<Time> {
    let mut least: Option<u64> = None;
    let tolerations = device.tolerations.iter();
    for own in tolerations.filter(|own| own.effect == NO_EXECUTE && tolerates(own, taint)) {
        let seconds = u64::try_from(own.toleration_seconds?).unwrap_or(0);
        least = Some(least.map_or(seconds, |least| least.min(seconds)));
    }
    Some(since.map_or(Time::EPOCH, Time::from) + Duration::from_secs(least.unwrap_or(0)))
}
