//! What several checks ask of a pod.

use api_meta::conditions;
use api_meta::owners::controller_of;
use api_types::core::v1::Pod;

/// Whether a pod has ended.
pub(super) fn is_over(pod: &Pod) -> bool {
    matches!(pod.status.phase.as_str(), "Succeeded" | "Failed")
}

/// Whether a pod counts for whoever made it: it has not ended, and is not about to go.
pub(super) fn is_active(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none() && !is_over(pod)
}

/// Whether a pod that counts is ready.
pub(super) fn is_ready(pod: &Pod) -> bool {
    is_active(pod) && conditions::is_true(&pod.status.conditions, "Ready")
}

/// Whether whoever has this uid controls a pod.
pub(super) fn is_of(pod: &Pod, uid: &str) -> bool {
    controller_of(&pod.metadata).is_some_and(|owner| owner.uid == uid)
}
