//! The claims of a pod: what they are called, whose they are, and for whom they are reserved (`resourceclaim`).

use api_meta::owners;
use api_types::core::v1::{Pod, PodResourceClaim};
use api_types::resource::v1::{ResourceClaim, ResourceClaimConsumerReference};

/// Holds a claim that is allocated.
pub const FINALIZER: &str = "resource.kubernetes.io/delete-protection";

/// On a claim that was made of a template: which of the pod's claims it is.
pub const POD_CLAIM: &str = "resource.kubernetes.io/pod-claim-name";

/// On a claim that the scheduler made for what a pod asks for as extended resources: `true`.
pub const EXTENDED_RESOURCE: &str = "resource.kubernetes.io/extended-resource-claim";

/// A claim as a pod names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Named {
    /// The name of the object, in the pod's namespace.
    pub claim: String,
    /// Whether it was made for the pod, and must be the pod's own.
    pub is_made: bool,
}

/// Why it is not known which object one of a pod's claims is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unnamed {
    /// It is made of a template, and has not been yet.
    NotMade(String),
    /// The pod says neither a name nor a template.
    Unsupported(String),
}

impl std::fmt::Display for Unnamed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Unnamed::NotMade(why) | Unnamed::Unsupported(why) => f.write_str(why),
        }
    }
}

/// Which object one of a pod's claims is; `None` if it was found not to need one.
///
/// # Errors
/// If that is not known, in upstream's words.
pub fn of_pod(pod: &Pod, claim: &PodResourceClaim) -> Result<Option<Named>, Unnamed> {
    if let Some(name) = &claim.resource_claim_name {
        return Ok(Some(Named { claim: name.clone(), is_made: false }));
    }
    let (namespace, name) = (&pod.metadata.namespace, &pod.metadata.name);
    if claim.resource_claim_template_name.is_none() {
        let own = &claim.name;
        return Err(Unnamed::Unsupported(format!(
            "pod \"{namespace}/{name}\", spec.resourceClaim {own:?}: none of the supported fields are set"
        )));
    }
    match pod.status.resource_claim_statuses.iter().find(|status| status.name == claim.name) {
        Some(status) => Ok(status.resource_claim_name.clone().map(|claim| Named { claim, is_made: true })),
        None => Err(Unnamed::NotMade(format!("pod \"{namespace}/{name}\": ResourceClaim not created yet"))),
    }
}

/// The names of the objects that a pod's claims are known to be: also the one that the scheduler made for extended resources.
pub fn names(pod: &Pod) -> impl Iterator<Item = String> + '_ {
    let named = pod.spec.resource_claims.iter().filter_map(|claim| of_pod(pod, claim).ok().flatten());
    let extended = pod.status.extended_resource_claim_status.iter();
    named.map(|named| named.claim).chain(extended.map(|status| status.resource_claim_name.clone()))
}

/// Whether a claim was made for a pod.
///
/// # Errors
/// If it is somebody else's, in upstream's words.
pub fn is_for(pod: &Pod, claim: &ResourceClaim) -> Result<(), String> {
    let own = &pod.metadata;
    is_for_uid(&own.namespace, &own.name, &own.uid, claim)
}

/// The same of a pod of which no more is known than this.
///
/// # Errors
/// If it is somebody else's, in upstream's words.
pub fn is_for_uid(namespace: &str, name: &str, uid: &str, claim: &ResourceClaim) -> Result<(), String> {
    let meta = &claim.metadata;
    let (theirs, of) = (&meta.namespace, &meta.name);
    if theirs != namespace {
        return Err(format!(
            "ResourceClaim {theirs}/{of} is not in the same namespace as Pod {namespace}/{name}"
        ));
    }
    if owners::controller_of(meta).is_some_and(|owner| owner.uid == uid) {
        return Ok(());
    }
    Err(format!("ResourceClaim {theirs}/{of} was not created for Pod {namespace}/{name} (Pod is not owner)"))
}

/// Whether a claim is reserved for the pod of a uid.
pub fn is_reserved_for(claim: &ResourceClaim, uid: &str) -> bool {
    claim.status.reserved_for.iter().any(|user| user.uid == uid)
}

/// The pod that a claim is reserved for, as the claim says so.
pub fn reference(name: &str, uid: &str) -> ResourceClaimConsumerReference {
    ResourceClaimConsumerReference {
        api_group: String::new(),
        resource: "pods".to_owned(),
        name: name.to_owned(),
        uid: uid.to_owned(),
    }
}

/// Whether the reference is to a pod.
pub fn is_pod(user: &ResourceClaimConsumerReference) -> bool {
    user.api_group.is_empty() && user.resource == "pods"
}

#[cfg(test)]
mod tests {
    use api_types::core::v1::PodResourceClaimStatus;
    use api_types::meta::v1::OwnerReference;

    use super::*;

    fn pod(statuses: &[(&str, Option<&str>)]) -> Pod {
        let mut pod = Pod::default();
        (pod.metadata.namespace, pod.metadata.name) = ("shop".into(), "web".into());
        pod.metadata.uid = "u1".into();
        let status = |(name, claim): &(&str, Option<&str>)| PodResourceClaimStatus {
            name: (*name).into(),
            resource_claim_name: claim.map(str::to_owned),
        };
        pod.status.resource_claim_statuses = statuses.iter().map(status).collect();
        pod
    }

    #[test]
    fn a_claim_is_named_by_the_pod_or_by_its_status() {
        let named = |name: Option<&str>, template: Option<&str>, statuses: &[(&str, Option<&str>)]| {
            let claim = PodResourceClaim {
                name: "gpu".into(),
                resource_claim_name: name.map(str::to_owned),
                resource_claim_template_name: template.map(str::to_owned),
            };
            match of_pod(&pod(statuses), &claim) {
                Ok(Some(named)) => format!("{} {}", named.claim, named.is_made),
                Ok(None) => "-".to_owned(),
                Err(why) => why.to_string(),
            }
        };
        for (name, template, statuses, expected) in [
            (Some("a"), None, &[][..], "a false"),
            (None, Some("t"), &[("gpu", Some("web-gpu-x"))][..], "web-gpu-x true"),
            (None, Some("t"), &[("gpu", None)][..], "-"),
            (None, Some("t"), &[("nic", Some("b"))][..], "pod \"shop/web\": ResourceClaim not created yet"),
            (
                None,
                None,
                &[][..],
                "pod \"shop/web\", spec.resourceClaim \"gpu\": none of the supported fields are set",
            ),
        ] {
            assert_eq!(named(name, template, statuses), expected, "{name:?} {template:?} {statuses:?}");
        }
    }

    #[test]
    fn a_claim_that_was_made_is_the_pods_own() {
        let claim = |namespace: &str, owner: &str| {
            let mut claim = ResourceClaim::default();
            (claim.metadata.namespace, claim.metadata.name) = (namespace.into(), "c".into());
            claim.metadata.owner_references =
                vec![OwnerReference { uid: owner.into(), controller: Some(true), ..Default::default() }];
            claim
        };
        assert_eq!(is_for(&pod(&[]), &claim("shop", "u1")), Ok(()));
        assert_eq!(
            is_for(&pod(&[]), &claim("shop", "u2")),
            Err("ResourceClaim shop/c was not created for Pod shop/web (Pod is not owner)".to_owned())
        );
        assert_eq!(
            is_for(&pod(&[]), &claim("mall", "u1")),
            Err("ResourceClaim mall/c is not in the same namespace as Pod shop/web".to_owned())
        );
    }
}
