//! What a pod says of the claims that it uses.

use std::sync::Arc;

use api_device::claim::{self, Named};
use api_types::core::v1::Pod;
use api_types::resource::v1::ResourceClaim;

use super::{ClaimKey, Devices};

/// The claims of a pod.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct PodClaims {
    pub(crate) namespace: Arc<str>,
    pub(crate) name: Arc<str>,
    pub(crate) uid: Arc<str>,
    /// In the pod's order; why it is not known which one it is, in upstream's words.
    claims: Vec<Result<Named, String>>,
}

impl PodClaims {
    /// Those of a pod; `None` for the many that have none.
    pub(crate) fn of(pod: &Pod) -> Option<PodClaims> {
        let known = pod.spec.resource_claims.iter().map(|own| claim::of_pod(pod, own));
        // What was found not to need a claim is none.
        let claims: Vec<Result<Named, String>> =
            known.filter_map(|own| own.map_err(|why| why.to_string()).transpose()).collect();
        let meta = &pod.metadata;
        (!claims.is_empty()).then(|| PodClaims {
            namespace: meta.namespace.as_str().into(),
            name: meta.name.as_str().into(),
            uid: meta.uid.as_str().into(),
            claims,
        })
    }

    fn key(&self, named: &Named) -> ClaimKey {
        (self.namespace.to_string(), named.claim.clone())
    }

    /// The keys of the claims that are known.
    pub(crate) fn keys(&self) -> impl Iterator<Item = ClaimKey> + '_ {
        self.claims.iter().flatten().map(|named| self.key(named))
    }

    /// Whether it uses a claim.
    pub(crate) fn uses(&self, of: &ClaimKey) -> bool {
        *self.namespace == *of.0 && self.claims.iter().flatten().any(|named| named.claim == of.1)
    }

    /// The claims, all of which have to be there and its own.
    pub(crate) fn usable<'a>(&self, devices: &'a Devices) -> Result<Vec<&'a ResourceClaim>, String> {
        let mut found = Vec::new();
        for named in &self.claims {
            let named = named.as_ref().map_err(Clone::clone)?;
            let name = &named.claim;
            let claim = devices
                .claim(&self.key(named))
                .ok_or_else(|| format!("could not find ResourceClaim \"{}/{name}\"", self.namespace))?;
            if claim.metadata.deletion_timestamp.is_some() {
                return Err(format!("resourceclaim {name:?} is being deleted"));
            }
            if named.is_made {
                claim::is_for_uid(&self.namespace, &self.name, &self.uid, claim)?;
            }
            found.push(claim);
        }
        Ok(found)
    }
}
