//! What a pod's claims of devices ask of the node: whether the pod may use them, and whose drivers have to prepare what it gets.
//!
//! Upstream: `pkg/kubelet/cm/dra`.

use std::collections::BTreeSet;

use api_device::claim::{self, Named, Unnamed};
use api_types::core::v1::Pod;
use api_types::resource::v1::ResourceClaim;

/// The step of preparing devices, which a driver may say that it has nothing to do for.
const PREPARE: &str = "NodePrepareResources";

/// The claims of a pod, also the one that the scheduler made for extended resources.
///
/// # Errors
/// If it is not known which one of them is.
pub fn claims(pod: &Pod) -> Result<Vec<Named>, Unnamed> {
    let own = pod.spec.resource_claims.iter().filter_map(|own| claim::of_pod(pod, own).transpose());
    let extended = pod.status.extended_resource_claim_status.iter();
    let extended =
        extended.map(|status| Ok(Named { claim: status.resource_claim_name.clone(), is_made: false }));
    own.chain(extended).collect()
}

/// The drivers that have to prepare a claim's devices before a pod can use it.
///
/// # Errors
/// If the pod may not use it, in upstream's words.
pub fn drivers<'a>(pod: &Pod, named: &Named, claim: &'a ResourceClaim) -> Result<BTreeSet<&'a str>, String> {
    if named.is_made {
        claim::is_for(pod, claim)?;
    }
    let (own, theirs) = (&pod.metadata, &claim.metadata);
    if !claim::is_reserved_for(claim, &own.uid) {
        return Err(format!(
            "pod {} ({}) is not allowed to use ResourceClaim {} ({})",
            own.name, own.uid, named.claim, theirs.uid
        ));
    }
    let allocation = claim
        .status
        .allocation
        .as_ref()
        .ok_or_else(|| format!("ResourceClaim {}: not allocated", theirs.name))?;
    let results = allocation.devices.results.iter();
    let prepared = results.filter(|own| !own.skip_node_operations.iter().any(|step| step == PREPARE));
    Ok(prepared.map(|own| own.driver.as_str()).collect())
}

#[cfg(test)]
mod tests {
    use api_types::core::v1::{PodExtendedResourceClaimStatus, PodResourceClaim};
    use api_types::resource::v1::{AllocationResult, DeviceRequestAllocationResult};

    use super::*;

    fn pod() -> Pod {
        let mut pod = Pod::default();
        (pod.metadata.name, pod.metadata.uid) = ("web".into(), "u1".into());
        pod.spec.resource_claims = vec![PodResourceClaim {
            name: "gpu".into(),
            resource_claim_name: Some("c".into()),
            resource_claim_template_name: None,
        }];
        pod
    }

    #[test]
    fn a_pod_uses_what_is_reserved_for_it() {
        let result =
            |driver: &str| DeviceRequestAllocationResult { driver: driver.into(), ..Default::default() };
        let mut skipped = result("skipped.io");
        skipped.skip_node_operations = vec!["NodePrepareResources".into()];
        let mut allocation = AllocationResult::default();
        allocation.devices.results = vec![result("b.io"), result("a.io"), skipped, result("b.io")];
        let mut claim = ResourceClaim::default();
        (claim.metadata.name, claim.metadata.uid) = ("c".into(), "u2".into());
        let named = Named { claim: "c".into(), is_made: false };
        let refused = drivers(&pod(), &named, &claim);
        assert_eq!(refused, Err("pod web (u1) is not allowed to use ResourceClaim c (u2)".to_owned()));
        claim.status.reserved_for = vec![claim::reference("web", "u1")];
        assert_eq!(drivers(&pod(), &named, &claim), Err("ResourceClaim c: not allocated".to_owned()));
        claim.status.allocation = Some(Box::new(allocation));
        assert_eq!(drivers(&pod(), &named, &claim), Ok(BTreeSet::from(["a.io", "b.io"])));
        let made = Named { claim: "c".into(), is_made: true };
        assert!(drivers(&pod(), &made, &claim).is_err_and(|why| why.ends_with("(Pod is not owner)")));
    }

    #[test]
    fn what_the_scheduler_claimed_for_extended_resources_is_the_pods_too() {
        let mut pod = pod();
        let extended =
            PodExtendedResourceClaimStatus { resource_claim_name: "x".into(), ..Default::default() };
        pod.status.extended_resource_claim_status = Some(Box::new(extended));
        let names: Vec<String> = claims(&pod).expect("known").into_iter().map(|named| named.claim).collect();
        assert_eq!(names, ["c", "x"]);
        pod.spec.resource_claims[0].resource_claim_name = None;
        assert!(claims(&pod).is_err());
    }
}
