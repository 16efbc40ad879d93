//! Making the pods that are too few, deleting those that are too many.

use std::collections::{BTreeMap, BTreeSet};

use api_meta::owners;
use api_types::core::v1::Pod;
use base::time::Time;
use client::reconcile::{World, Write};

use super::{Replicated, rank};
use control_base::pod;

/// How many pods are made or deleted at once (`BurstReplicas`).
const BURST: usize = 500;

/// The writes that bring the number of active pods to what is wanted.
pub(super) fn writes<S: Replicated>(set: &S, active: &[&Pod], world: &World, now: Time) -> Vec<Write> {
    let wanted = usize::try_from(set.wanted()).unwrap_or(0);
    if active.len() < wanted {
        let Some(template) = set.template() else { return Vec::new() };
        let missing = (wanted - active.len()).min(BURST);
        let reference = owners::controller_reference(set.metadata(), S::KIND);
        let pod = pod::from_template(template, set.metadata(), reference);
        return (0..missing).map(|_| pod::creation(set, pod.clone())).collect();
    }
    let surplus = (active.len() - wanted).min(BURST);
    let mut doomed = active.to_vec();
    if surplus > 0 && surplus < active.len() {
        let crowding = crowding(set, world);
        let on_node = |pod: &Pod| crowding.get(pod.spec.node_name.as_str()).copied().unwrap_or(0);
        doomed.sort_by(|a, b| rank::compare(a, b, on_node(a), on_node(b), now));
    }
    doomed.into_iter().take(surplus).map(|pod| pod::deletion(set, pod)).collect()
}

/// How many active pods of the set's owner each node has, those of the owner's other sets included.
fn crowding<'a, S: Replicated>(set: &S, world: &'a World) -> BTreeMap<&'a str, usize> {
    let owner = owners::controller_of(set.metadata()).map(|reference| reference.uid.as_str());
    let namespace = &set.metadata().namespace;
    let mut nodes = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let related = world.in_namespace::<S>(namespace).filter(|other| match owner {
        Some(uid) => owners::controller_of(other.metadata()).is_some_and(|reference| reference.uid == uid),
        None => other.metadata().uid == set.metadata().uid,
    });
    let selectors: Vec<_> = related.filter_map(S::selector).collect();
    let picked = selectors.iter().flat_map(|selector| world.picked::<Pod>(namespace, selector));
    for pod in picked.filter(|pod| pod::is_active(pod)) {
        if seen.insert(&pod.metadata.uid) {
            *nodes.entry(pod.spec.node_name.as_str()).or_insert(0) += 1;
        }
    }
    nodes
}
