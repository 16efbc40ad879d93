//! The claims of a pod: those that it names, and those that are made for it.

use api_meta::owners;
use api_types::core::v1::{PersistentVolumeClaim, Pod, Volume};

/// A claim as a pod uses it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Use {
    /// The claim's name, in the pod's namespace.
    pub claim: String,
    /// Whether it is made for the pod and goes with it.
    pub is_ephemeral: bool,
}

/// The claim that one of a pod's volumes is.
pub fn claim(pod: &Pod, volume: &Volume) -> Option<Use> {
    if let Some(source) = &volume.volume_source.persistent_volume_claim {
        return Some(Use { claim: source.claim_name.clone(), is_ephemeral: false });
    }
    let own = volume.volume_source.ephemeral.is_some();
    own.then(|| Use { claim: format!("{}-{}", pod.metadata.name, volume.name), is_ephemeral: true })
}

/// The claims that a pod uses, in the order of its volumes.
pub fn claims(pod: &Pod) -> impl Iterator<Item = Use> + '_ {
    pod.spec.volumes.iter().filter_map(|volume| claim(pod, volume))
}

/// Whether a claim of the right name was made for a pod.
///
/// # Errors
/// If it is somebody else's, in upstream's words.
pub fn is_for(pod: &Pod, claim: &PersistentVolumeClaim) -> Result<(), String> {
    let own = &pod.metadata;
    if claim.metadata.namespace == own.namespace && owners::is_controlled_by(&claim.metadata, own) {
        return Ok(());
    }
    Err(not_its_own(&own.namespace, &own.name, claim))
}

/// What is said of a claim that was not made for the pod that is to use it.
pub fn not_its_own(namespace: &str, name: &str, claim: &PersistentVolumeClaim) -> String {
    let meta = &claim.metadata;
    format!(
        "PVC {}/{} was not created for pod {namespace}/{name} (pod is not owner)",
        meta.namespace, meta.name
    )
}
