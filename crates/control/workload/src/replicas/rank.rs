//! Which pod is rather to be deleted: upstream's `ActivePodsWithRanks`.

use std::cmp::Ordering;

use api_record::scalar;
use api_types::core::v1::Pod;
use base::time::Time;

use control_base::pod;

const DELETION_COST: &str = "controller.kubernetes.io/pod-deletion-cost";

/// Less is the pod that goes first; `crowd_a` and `crowd_b` count the related pods on the pod's node.
pub(super) fn compare(a: &Pod, b: &Pod, crowd_a: usize, crowd_b: usize, now: Time) -> Ordering {
    let unassigned = |pod: &Pod| !pod.spec.node_name.is_empty();
    unassigned(a)
        .cmp(&unassigned(b))
        .then_with(|| phase(a).cmp(&phase(b)))
        .then_with(|| pod::is_ready(a).cmp(&pod::is_ready(b)))
        .then_with(|| cost(a).cmp(&cost(b)))
        .then_with(|| crowd_b.cmp(&crowd_a))
        .then_with(|| match pod::is_ready(a) {
            true => younger(pod::ready_since(a), pod::ready_since(b), a, b, now),
            false => Ordering::Equal,
        })
        .then_with(|| restarts(b).cmp(&restarts(a)))
        .then_with(|| younger(a.metadata.creation_timestamp, b.metadata.creation_timestamp, a, b, now))
}

/// Pending pods before unknown ones before running ones.
pub(crate) fn phase(pod: &Pod) -> u8 {
    match pod.status.phase.as_str() {
        "Unknown" => 1,
        "Running" => 2,
        _ => 0,
    }
}

fn cost(pod: &Pod) -> i32 {
    let cost = pod.metadata.annotations.get(DELETION_COST);
    // As upstream: no leading plus and no leading zeroes.
    let canonical = |text: &&String| text.parse::<i32>().is_ok_and(|cost| cost.to_string() == **text);
    cost.filter(canonical).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// The later time first, an absent one before any; on a logarithmic scale, so that among equals chance (the uid) decides.
fn younger(left: Option<scalar::Time>, right: Option<scalar::Time>, a: &Pod, b: &Pod, now: Time) -> Ordering {
    match (left, right) {
        (left, right) if left == right => Ordering::Equal,
        (None, _) => Ordering::Less,
        (_, None) => Ordering::Greater,
        (Some(left), Some(right)) => {
            age(left, now).cmp(&age(right, now)).then_with(|| a.metadata.uid.cmp(&b.metadata.uid))
        }
    }
}

fn age(time: scalar::Time, now: Time) -> i32 {
    let nanos = now.since(time.into()).as_nanos();
    nanos.checked_ilog2().map_or(-1, |log| i32::try_from(log).unwrap_or(i32::MAX))
}

/// The most restarts of a container, and of a sidecar.
pub(crate) fn restarts(pod: &Pod) -> (i32, i32) {
    let regular = pod.status.container_statuses.iter().map(|status| status.restart_count).max();
    let is_sidecar = |name: &str| {
        pod.spec
            .init_containers
            .iter()
            .any(|container| container.name == name && container.restart_policy.as_deref() == Some("Always"))
    };
    let sidecars = pod.status.init_container_statuses.iter().filter(|status| is_sidecar(&status.name));
    (regular.unwrap_or(0), sidecars.map(|status| status.restart_count).max().unwrap_or(0))
}
