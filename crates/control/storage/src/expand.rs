//! Claims that ask for more than they have. Whoever made their volumes makes them larger; until then the claim says for whom it waits.
//!
//! Upstream: `pkg/controller/volume/expand`, whose plugins within Kubernetes have all gone to drivers. The resizer of a plugin that went
//! there is not named on the claim.

use api_meta::Status;
use api_types::core::v1::{PersistentVolume, PersistentVolumeClaim};
use api_volume::annotation::PRE_RESIZE_CAPACITY;
use api_volume::{STORAGE, matching};
use base::time::Time;
use client::reconcile::{Controller, Name, Note, Plan, Wires, World, name};

/// Tells of claims that wait to be expanded.
pub struct Expansions;

impl Controller for Expansions {
    const NAME: &'static str = "expand-controller";
    const SOURCE: &'static str = "volume_expand";
    type Key = Name;

    fn wire(&self, wires: &mut Wires<Name>) {
        let sizes = |claim: &PersistentVolumeClaim| {
            (
                matching::requested(claim),
                claim.status.capacity.get(STORAGE).cloned(),
                claim.status.phase.clone(),
            )
        };
        wires.maps_changed::<PersistentVolumeClaim>(
            move |old, new| sizes(old) != sizes(new),
            |claim, _| vec![name(&claim.metadata.namespace, &claim.metadata.name)],
        );
        wires.reads::<PersistentVolume>();
    }

    fn plan(&self, key: &Name, world: &World, _: Time) -> Plan {
        let mut plan = Plan::default();
        let claim = world.get::<PersistentVolumeClaim>(&key.0, &key.1);
        let Some(claim) = claim.filter(|claim| claim.status.phase == "Bound") else { return plan };
        let Some(volume) = world.get::<PersistentVolume>("", &claim.spec.volume_name) else { return plan };
        let had = claim.status.capacity.get(STORAGE).cloned().unwrap_or_default();
        let grows = matching::requested(claim) > had;
        if !grows && !volume.metadata.annotations.contains_key(PRE_RESIZE_CAPACITY) {
            return plan;
        }
        let of = volume.spec.claim_ref.as_ref();
        if of.is_none_or(|of| of.namespace != claim.metadata.namespace || of.uid != claim.metadata.uid) {
            let (namespace, name) = key;
            plan.failure = Some(Status::internal_error(format!(
                "persistent Volume is not bound to PVC being updated : {namespace}/{name}"
            )));
            return plan;
        }
        let message = "waiting for an external controller to expand this PVC";
        plan.events.push(Note::normal(claim, "ExternalExpanding", message));
        plan
    }
}

#[cfg(test)]
mod tests {
    use api_types::core::v1::ObjectReference;
    use client::Revision;

    use super::*;

    fn said(requested: &str, had: &str, uid: &str) -> Result<Vec<String>, String> {
        let mut claim = PersistentVolumeClaim::default();
        (claim.metadata.namespace, claim.metadata.name) = ("shop".into(), "data".into());
        claim.metadata.uid = "u1".into();
        claim.spec.volume_name = "v".into();
        claim.spec.resources.requests.insert(STORAGE.into(), requested.parse().expect("a quantity"));
        claim.status.capacity.insert(STORAGE.into(), had.parse().expect("a quantity"));
        claim.status.phase = "Bound".into();
        let mut volume = PersistentVolume::default();
        volume.metadata.name = "v".into();
        let of = ObjectReference { namespace: "shop".into(), uid: uid.into(), ..ObjectReference::default() };
        volume.spec.claim_ref = Some(Box::new(of));
        let world = World::default().with([claim], Revision(1)).with([volume], Revision(1));
        let plan = Expansions.plan(&name("shop", "data"), &world, Time::EPOCH);
        match plan.failure {
            Some(failure) => Err(failure.message.clone()),
            None => Ok(plan.events.into_iter().map(|note| note.message).collect()),
        }
    }

    #[test]
    fn a_claim_that_grows_says_whom_it_waits_for() {
        assert_eq!(said("1Gi", "1Gi", "u1"), Ok(vec![]));
        assert_eq!(said("1Gi", "2Gi", "u2"), Ok(vec![]));
        let waits = "waiting for an external controller to expand this PVC".to_owned();
        assert_eq!(said("2Gi", "1Gi", "u1"), Ok(vec![waits]));
        assert!(said("2Gi", "1Gi", "u2").is_err());
    }
}
