//! Volumes: whose they are, and why one is not free.

use api_types::core::v1::{PersistentVolume, PersistentVolumeClaim};

use crate::evidence::Evidence;
use crate::finding::Finding;

/// How a volume is, in a few words.
pub(crate) fn state(volume: &PersistentVolume) -> String {
    let phase = if volume.status.phase.is_empty() { "Pending" } else { &volume.status.phase };
    match volume.spec.claim_ref.as_deref() {
        Some(of) => format!("{phase}, claim {}/{}", of.namespace, of.name),
        None => phase.to_owned(),
    }
}

/// Why it is so.
pub(crate) fn explain(volume: &PersistentVolume, evidence: &Evidence) -> Vec<Finding> {
    let status = &volume.status;
    let since = status.last_phase_transition_time;
    let said = [status.reason.as_str(), status.message.as_str()].into_iter().filter(|text| !text.is_empty());
    let said = said.collect::<Vec<_>>().join(": ");
    match status.phase.as_str() {
        "Failed" => vec![
            Finding::new("Failed", format!("what was to be done with it after its claim failed: {said}"))
                .since(since),
        ],
        "Released" => vec![released(volume).since(since)],
        "Bound" => claimless(volume, evidence).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn released(volume: &PersistentVolume) -> Finding {
    let policy = volume.spec.persistent_volume_reclaim_policy.as_str();
    match policy {
        "Retain" => Finding::new("Released", "its claim is gone; what is on it is kept (reclaim policy Retain), so nobody else gets it")
            .remedy("look after the data, then delete the volume, or take spec.claimRef out to let it be claimed anew"),
        policy => Finding::new("Released", format!("its claim is gone, and it is to be taken away (reclaim policy {policy})"))
            .remedy("see whether the provisioner that made it runs"),
    }
}

/// It says that it is bound, and its claim is not there.
fn claimless(volume: &PersistentVolume, evidence: &Evidence) -> Option<Finding> {
    let of = volume.spec.claim_ref.as_deref()?;
    let known = evidence.knows_all::<PersistentVolumeClaim>();
    let claim = evidence.world.get::<PersistentVolumeClaim>(&of.namespace, &of.name);
    let other = claim.is_some_and(|claim| !of.uid.is_empty() && claim.metadata.uid != of.uid);
    let gone = known && (claim.is_none() || other);
    gone.then(|| {
        Finding::new("ClaimGone", format!("its claim {}/{} is not there any more", of.namespace, of.name))
    })
}
