//! Claims that are made for one pod and go with it. Upstream: `pkg/controller/volume/ephemeral`.

#[cfg(test)]
mod tests;

use api_meta::Status;
use api_meta::gvk::GroupVersionKind;
use api_meta::owners;
use api_types::core::v1::{PersistentVolumeClaim, Pod, Volume};
use api_types::meta::v1::ObjectMeta;
use api_volume::pod;
use base::time::Time;
use client::reconcile::{Controller, Name, Note, Plan, Wires, World, Write, name};

const POD: GroupVersionKind<'static> = GroupVersionKind { group: "", version: "v1", kind: "Pod" };

/// Makes the claims of pods' ephemeral volumes.
pub struct EphemeralVolumes;

impl Controller for EphemeralVolumes {
    const NAME: &'static str = "ephemeral-volume-controller";
    const SOURCE: &'static str = "ephemeral_volume";
    type Key = Name;

    fn wire(&self, wires: &mut Wires<Name>) {
        wires.maps::<Pod>(|pod, _| {
            let meta = &pod.metadata;
            let any = pod.spec.volumes.iter().any(|volume| volume.volume_source.ephemeral.is_some());
            if any { vec![name(&meta.namespace, &meta.name)] } else { Vec::new() }
        });
        // One that was deleted makes room for another.
        wires.maps::<PersistentVolumeClaim>(|claim, _| {
            let owner = owners::controller_of(&claim.metadata).filter(|owner| owner.kind == POD.kind);
            owner.map(|owner| name(&claim.metadata.namespace, &owner.name)).into_iter().collect()
        });
    }

    fn plan(&self, key: &Name, world: &World, _: Time) -> Plan {
        let mut plan = Plan::default();
        let Some(pod) = world.get::<Pod>(&key.0, &key.1) else { return plan };
        if pod.metadata.deletion_timestamp.is_some() {
            return plan;
        }
        for volume in pod.spec.volumes.iter().filter(|volume| volume.volume_source.ephemeral.is_some()) {
            let Some(wanted) = wanted(pod, volume) else { continue };
            let found = world.get::<PersistentVolumeClaim>(&key.0, &wanted.metadata.name);
            let said = |why: &str| {
                Note::warning(pod, "FailedBinding", format!("ephemeral volume {}: {why}", volume.name))
            };
            match found.map(|claim| pod::is_for(pod, claim)) {
                Some(Ok(())) => {}
                Some(Err(why)) => {
                    plan.events.push(said(&why));
                    let (namespace, name, volume) = (&key.0, &key.1, &volume.name);
                    let message = format!("pod {namespace}/{name}, ephemeral volume {volume}: {why}");
                    plan.failure = Some(Status::internal_error(message));
                    break;
                }
                None => {
                    let failed = said(&format!("create PVC {}: {{error}}", wanted.metadata.name));
                    plan.stage([Write::create(wanted).telling(None, Some(failed))]);
                }
            }
        }
        plan
    }
}

/// The claim of one of a pod's ephemeral volumes.
fn wanted(pod: &Pod, volume: &Volume) -> Option<PersistentVolumeClaim> {
    let template = volume.volume_source.ephemeral.as_ref()?.volume_claim_template.as_ref()?;
    let metadata = ObjectMeta {
        name: pod::claim(pod, volume)?.claim,
        namespace: pod.metadata.namespace.clone(),
        labels: template.metadata.labels.clone(),
        annotations: template.metadata.annotations.clone(),
        owner_references: vec![owners::controller_reference(&pod.metadata, POD)],
        ..ObjectMeta::default()
    };
    Some(PersistentVolumeClaim { metadata, spec: template.spec.clone(), ..PersistentVolumeClaim::default() })
}
