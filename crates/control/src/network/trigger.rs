//! When that happened which has endpoints written anew: a note on them, by which proxies measure how long it took until they knew.
//!
//! Upstream: `staging/src/k8s.io/endpointslice/util/trigger_time_tracker.go`. It remembers when each pod became ready, or ceased to
//! be, when it last looked; here what was written last tells which pods have done so since. It can say nothing of a pod that has got an address
//! without becoming ready.

use api_record::scalar::Time;
use api_types::core::v1::{Pod, Service};
use api_types::meta::v1::ObjectMeta;
use control_base::pod;

const LAST_CHANGE: &str = "endpoints.kubernetes.io/last-change-trigger-time";

/// The time of the first change that has not been written down yet: of the service itself if nothing has. `was_ready` says what has been written
/// of a pod.
pub(super) fn time(
    service: &Service,
    pods: &[&Pod],
    was_ready: Option<impl Fn(&Pod) -> Option<bool>>,
) -> Option<Time> {
    let Some(was_ready) = was_ready else { return service.metadata.creation_timestamp };
    let changed = pods.iter().filter(|pod| was_ready(pod).unwrap_or(false) != pod::is_ready(pod));
    changed.filter_map(|pod| pod::ready_condition(pod)?.last_transition_time).min()
}

/// Notes it on what is written.
pub(super) fn note(metadata: &mut ObjectMeta, time: Option<Time>) {
    match time {
        Some(time) => drop(metadata.annotations.insert(LAST_CHANGE.into(), time.to_string())),
        None => drop(metadata.annotations.remove(LAST_CHANGE)),
    }
}

/// Has what is written say the same as another.
pub(super) fn renew(metadata: &mut ObjectMeta, as_in: &ObjectMeta) {
    match as_in.annotations.get(LAST_CHANGE) {
        Some(time) => drop(metadata.annotations.insert(LAST_CHANGE.into(), time.clone())),
        None => drop(metadata.annotations.remove(LAST_CHANGE)),
    }
}
