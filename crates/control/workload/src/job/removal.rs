//! Which active pods of a job are too many. Upstream: `activePodsForRemoval`.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use api_record::scalar;
use api_types::core::v1::Pod;

use super::indexes::index_of;
use crate::replicas::rank;
use control_base::pod;

/// Those that are to go, `at_least` if there are so many. Of an indexed job (one with this many `completions`) all go that have
/// no index, one that is not below `completions`, or one that another pod has as well.
pub(super) fn chosen<'a>(active: &[&'a Pod], at_least: usize, completions: Option<i64>) -> Vec<&'a Pod> {
    let (mut gone, mut left) = (Vec::new(), Vec::new());
    match completions {
        None => left.extend_from_slice(active),
        Some(completions) => {
            let mut by_index: BTreeMap<i64, Vec<&Pod>> = BTreeMap::new();
            for pod in active {
                match index_of(pod).filter(|index| *index < completions) {
                    Some(index) => by_index.entry(index).or_default().push(pod),
                    None => gone.push(*pod),
                }
            }
            for mut same in by_index.into_values() {
                same.sort_by(|a, b| compare(a, b));
                left.extend(same.pop());
                gone.append(&mut same);
            }
        }
    }
    if gone.len() < at_least {
        left.sort_by(|a, b| compare(a, b));
        gone.extend(left.into_iter().take(at_least - gone.len()));
    }
    gone
}

/// Less is the pod that goes first: upstream's `ActivePods`.
fn compare(a: &Pod, b: &Pod) -> Ordering {
    let is_assigned = |pod: &Pod| !pod.spec.node_name.is_empty();
    is_assigned(a)
        .cmp(&is_assigned(b))
        .then_with(|| rank::phase(a).cmp(&rank::phase(b)))
        .then_with(|| pod::is_ready(a).cmp(&pod::is_ready(b)))
        .then_with(|| younger(pod::ready_since(a), pod::ready_since(b)))
        .then_with(|| rank::restarts(b).cmp(&rank::restarts(a)))
        .then_with(|| younger(a.metadata.creation_timestamp, b.metadata.creation_timestamp))
}

/// The later time first, an absent one before any.
fn younger(left: Option<scalar::Time>, right: Option<scalar::Time>) -> Ordering {
    match (left, right) {
        (Some(left), Some(right)) => right.cmp(&left),
        (left, right) => left.is_some().cmp(&right.is_some()),
    }
}
