//! The two halves of a binding: a volume names its claim, a claim its volume.

use api_types::core::v1::{ObjectReference, PersistentVolume, PersistentVolumeClaim};

use crate::annotation::{BIND_COMPLETED, BOUND_BY_CONTROLLER};

/// Whether a volume is this claim's, be it only by the claim's name, as somebody may have written beforehand.
pub fn is_bound_to(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> bool {
    let meta = &claim.metadata;
    volume.spec.claim_ref.as_ref().is_some_and(|of| {
        of.name == meta.name && of.namespace == meta.namespace && (of.uid.is_empty() || of.uid == meta.uid)
    })
}

/// Whether a claim has its volume and will keep it.
pub fn is_fully_bound(claim: &PersistentVolumeClaim) -> bool {
    !claim.spec.volume_name.is_empty() && claim.metadata.annotations.contains_key(BIND_COMPLETED)
}

/// The volume as it is once it names the claim; `None` if it does already.
pub fn bind(volume: &PersistentVolume, claim: &PersistentVolumeClaim) -> Option<PersistentVolume> {
    let meta = &claim.metadata;
    let names = volume
        .spec
        .claim_ref
        .as_ref()
        .is_some_and(|of| of.name == meta.name && of.namespace == meta.namespace && of.uid == meta.uid);
    let annotates =
        !is_bound_to(volume, claim) && !volume.metadata.annotations.contains_key(BOUND_BY_CONTROLLER);
    if names && !annotates {
        return None;
    }
    let mut bound = volume.clone();
    if !names {
        bound.spec.claim_ref = Some(Box::new(ObjectReference {
            kind: "PersistentVolumeClaim".to_owned(),
            api_version: "v1".to_owned(),
            namespace: meta.namespace.clone(),
            name: meta.name.clone(),
            uid: meta.uid.clone(),
            resource_version: meta.resource_version.clone(),
            ..ObjectReference::default()
        }));
    }
    if annotates {
        bound.metadata.annotations.insert(BOUND_BY_CONTROLLER.to_owned(), "yes".to_owned());
    }
    Some(bound)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim() -> PersistentVolumeClaim {
        let mut claim = PersistentVolumeClaim::default();
        (claim.metadata.namespace, claim.metadata.name) = ("shop".into(), "data".into());
        claim.metadata.uid = "u1".into();
        claim
    }

    #[test]
    fn a_volume_names_its_claim_once() {
        let mut volume = PersistentVolume::default();
        let bound = bind(&volume, &claim()).expect("it names nobody yet");
        assert!(bound.metadata.annotations.contains_key(BOUND_BY_CONTROLLER));
        assert!(is_bound_to(&bound, &claim()) && bind(&bound, &claim()).is_none());
        // What somebody bound beforehand stays theirs to let go.
        let of = ObjectReference { namespace: "shop".into(), name: "data".into(), ..Default::default() };
        volume.spec.claim_ref = Some(Box::new(of));
        let bound = bind(&volume, &claim()).expect("the uid is new");
        assert!(bound.metadata.annotations.is_empty());
        let mut other = claim();
        other.metadata.uid = "u2".into();
        assert!(is_bound_to(&volume, &other) && !is_bound_to(&bound, &other));
    }
}
