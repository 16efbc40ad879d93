//! Devices that are being bound for a pod: what is to be written, and whether they are ready for it.
//!
//! A driver may have conditions that its device must meet before a pod is bound to the node: it prepares the device then, or says that it
//! cannot.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;

use api_meta::conditions;
use api_types::resource::v1::{
    AllocatedDeviceStatus, AllocationResult, DeviceRequestAllocationResult, ResourceClaim,
};
use base::random::{self, Random};
use base::time::Time;

use super::{ClaimKey, Devices, key};
use crate::limits::BIND_DEVICES;

/// What is to be written about one claim so that a pod can use it: it is reserved for the pod.
#[derive(Clone)]
pub struct Binding {
    /// The claim as it was when that was decided.
    pub claim: ResourceClaim,
    /// Its devices, if it gets them only now.
    pub allocation: Option<AllocationResult>,
}

/// What is to be written about a pod's claims of devices.
#[derive(Clone, Default)]
pub struct Bindings {
    /// Claim by claim.
    pub claims: Vec<Binding>,
}

impl Bindings {
    /// The claims with the devices that they get.
    fn names(&self) -> Vec<(ClaimKey, Vec<String>)> {
        let devices = |binding: &Binding| {
            let results = binding.allocation.iter().flat_map(|allocation| &allocation.devices.results);
            results.map(|own| format!("{}/{}/{}", own.driver, own.pool, own.device)).collect()
        };
        self.claims.iter().map(|binding| (key(&binding.claim), devices(binding))).collect()
    }
}

impl fmt::Debug for Bindings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bindings").field(&self.names()).finish()
    }
}

impl PartialEq for Bindings {
    fn eq(&self, other: &Bindings) -> bool {
        self.names() == other.names()
    }
}

impl Eq for Bindings {}

/// That a pod waits for its devices.
pub(crate) struct Promise {
    pub(crate) bindings: Arc<Bindings>,
    /// Whether what was decided has been written.
    pub(crate) is_written: bool,
    /// When to look again, whatever happens.
    pub(crate) until: Time,
}

impl Promise {
    pub(crate) fn of(bindings: Arc<Bindings>, now: Time) -> Promise {
        Promise { bindings, is_written: false, until: now + BIND_DEVICES }
    }

    /// Whether all devices are ready.
    ///
    /// # Errors
    /// Why they never will be, in upstream's words.
    pub(crate) fn is_kept(&self, devices: &Devices, now: Time) -> Result<bool, String> {
        for binding in &self.bindings.claims {
            let of = key(&binding.claim);
            let claim = devices
                .claim(&of)
                .ok_or_else(|| format!("could not find ResourceClaim \"{}/{}\"", of.0, of.1))?;
            if !is_ready(claim)? {
                if is_late(claim, now) {
                    return Err(format!("device binding timeout: claim={}", of.1));
                }
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn results(claim: &ResourceClaim) -> impl Iterator<Item = &DeviceRequestAllocationResult> {
    claim.status.allocation.iter().flat_map(|allocation| &allocation.devices.results)
}

/// Gives every share of a device an identity of its own: made of the claim and the state that it was in, as the core knows no chance that is
/// not the same after a restart.
pub(crate) fn tell_apart(claim: &ResourceClaim, allocation: &mut AllocationResult) {
    let meta = &claim.metadata;
    let shares = allocation.devices.results.iter_mut().enumerate();
    for (at, share) in shares.filter_map(|(at, own)| Some((at, own.share_id.as_mut()?))) {
        let hash = |salt: u64| {
            let mut hasher = DefaultHasher::new();
            (salt, &meta.uid, &meta.resource_version, at).hash(&mut hasher);
            hasher.finish()
        };
        *share = random::uuid(&Hashed([hash(0), hash(1)]));
    }
}

/// Bytes that look like chance.
struct Hashed([u64; 2]);

impl Random for Hashed {
    fn fill(&self, bytes: &mut [u8]) {
        let own = self.0.iter().flat_map(|half| half.to_be_bytes());
        bytes.iter_mut().zip(own).for_each(|(byte, own)| *byte = own);
    }
}

/// Whether a claim has devices with conditions.
pub(crate) fn waits(claim: &ResourceClaim) -> bool {
    results(claim).any(|own| !own.binding_conditions.is_empty())
}

/// Whether a claim's devices will not be ready any more.
pub(crate) fn is_broken(claim: &ResourceClaim, now: Time) -> bool {
    match is_ready(claim) {
        Err(_) => true,
        Ok(is_ready) => !is_ready && is_late(claim, now),
    }
}

/// Whether a claim's devices meet all conditions; those of a claim without any are none.
fn is_ready(claim: &ResourceClaim) -> Result<bool, String> {
    if claim.status.allocation.is_none() {
        return Ok(false);
    }
    for own in results(claim).filter(|own| !own.binding_conditions.is_empty()) {
        let Some(status) = status_of(claim, own) else { return Ok(false) };
        for failure in &own.binding_failure_conditions {
            let said = conditions::find(&status.conditions, failure);
            if let Some(said) = said.filter(|said| said.status == conditions::TRUE) {
                return Err(format!(
                    "device binding failed: claim={}, reason={}, message={:?}",
                    claim.metadata.name, said.reason, said.message
                ));
            }
        }
        if !own.binding_conditions.iter().all(|name| conditions::is_true(&status.conditions, name)) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn is_late(claim: &ResourceClaim, now: Time) -> bool {
    let since = claim.status.allocation.as_ref().and_then(|allocation| allocation.allocation_timestamp);
    waits(claim) && since.is_some_and(|since| Time::from(since) + BIND_DEVICES < now)
}

fn status_of<'a>(
    claim: &'a ResourceClaim,
    own: &DeviceRequestAllocationResult,
) -> Option<&'a AllocatedDeviceStatus> {
    let is_its = |status: &&AllocatedDeviceStatus| {
        status.device == own.device && status.driver == own.driver && status.pool == own.pool
    };
    claim.status.devices.iter().find(is_its)
}

#[cfg(test)]
mod tests {
    use api_types::meta::v1::Condition;

    use super::*;

    #[test]
    fn a_device_is_ready_when_its_conditions_are_met() {
        let claim = |said: Option<&[&str]>| {
            let mut claim = ResourceClaim::default();
            claim.metadata.name = "c".into();
            let mut allocation = AllocationResult {
                allocation_timestamp: Some(Time::from_unix_seconds(100).into()),
                ..AllocationResult::default()
            };
            allocation.devices.results = vec![DeviceRequestAllocationResult {
                device: "a".into(),
                binding_conditions: vec!["Attached".into(), "Warm".into()],
                binding_failure_conditions: vec!["Broken".into()],
                ..DeviceRequestAllocationResult::default()
            }];
            claim.status.allocation = Some(Box::new(allocation));
            let condition = |name: &&str| Condition {
                type_: (*name).into(),
                status: "True".into(),
                reason: "Because".into(),
                message: "it is so".into(),
                ..Condition::default()
            };
            claim.status.devices = said
                .map(|said| AllocatedDeviceStatus {
                    device: "a".into(),
                    conditions: said.iter().map(condition).collect::<Vec<_>>().into(),
                    ..AllocatedDeviceStatus::default()
                })
                .into_iter()
                .collect();
            claim
        };
        for (said, expected) in [
            (None, Ok(false)),
            (Some(&["Attached"][..]), Ok(false)),
            (Some(&["Attached", "Warm"][..]), Ok(true)),
            (
                Some(&["Attached", "Warm", "Broken"][..]),
                Err("device binding failed: claim=c, reason=Because, message=\"it is so\"".to_owned()),
            ),
        ] {
            assert_eq!(is_ready(&claim(said)), expected, "{said:?}");
        }
        let at = |seconds| Time::from_unix_seconds(seconds);
        assert!(!is_broken(&claim(None), at(700)) && is_broken(&claim(None), at(701)));
        assert!(!is_broken(&claim(Some(&["Attached", "Warm"])), at(701)));
        assert_eq!(is_ready(&ResourceClaim::default()), Ok(false));
    }
}
