//! What each node gets or loses, whatever is being rolled out: upstream's `manage`.

use api_types::core::v1::Pod;
use client::reconcile::Note;

use super::back_off::BackOff;
use super::placement::Fit;
use super::{Changes, Fleet, is_going, pods, rollout};
use control_base::pod;

/// The pods that nodes need, and those that have to go.
pub(super) fn tend<'a>(fleet: &Fleet<'a>, back_off: &mut BackOff) -> Changes<'a> {
    let mut changes = Changes::default();
    for (name, fit) in &fleet.nodes {
        match fleet.pods_on(name) {
            None if fit.runs => changes.needy.push(name),
            None => {}
            Some(own) if fit.stays => keep(fleet, (name, *fit), own, back_off, &mut changes),
            Some(own) => changes.doomed.extend(own.iter().filter(|pod| !is_going(pod))),
        }
    }
    // Pods that wait for a node that is gone would wait for ever: nobody collects what is on no node.
    let lost = fleet.pods.iter().filter(|(node, _)| !fleet.nodes.contains_key(*node));
    let waiting = lost.flat_map(|(_, own)| own).filter(|pod| pod.spec.node_name.is_empty());
    changes.doomed.extend(waiting);
    changes
}

/// On a node that may keep its pods: those that have ended go, and those that are too many.
fn keep<'a>(
    fleet: &Fleet<'a>,
    (node, fit): (&'a str, Fit),
    own: &[&'a Pod],
    back_off: &mut BackOff,
    changes: &mut Changes<'a>,
) {
    let mut running: Vec<&Pod> = Vec::new();
    for pod in own.iter().filter(|pod| !is_going(pod)) {
        let (namespace, name) = (&pod.metadata.namespace, &pod.metadata.name);
        match pod.status.phase.as_str() {
            "Failed" => match back_off.release(fleet.set, node, pod, fleet.now) {
                Ok(()) => {
                    let why = format!(
                        "Found failed daemon pod {namespace}/{name} on node {node}, will try to kill it"
                    );
                    changes.notes.push(Note::warning(fleet.set, "FailedDaemonPod", why));
                    changes.doomed.push(pod);
                }
                Err(wait) => changes.again = Some(changes.again.map_or(wait, |own| own.min(wait))),
            },
            "Succeeded" => {
                let why = format!(
                    "Found succeeded daemon pod {namespace}/{name} on node {node}, will try to delete it"
                );
                changes.notes.push(Note::normal(fleet.set, "SucceededDaemonPod", why));
                changes.doomed.push(pod);
            }
            _ => running.push(pod),
        }
    }
    if !rollout::surges(fleet.set) {
        changes.doomed.extend(running.into_iter().skip(1));
    } else if running.is_empty() {
        if fit.runs {
            changes.needy.push(node);
        }
    } else if running.len() > 1 {
        prune(fleet, &running, changes);
    }
}

/// While surging there may be two, an old one that is ready and a new one that is not yet available.
fn prune<'a>(fleet: &Fleet<'a>, running: &[&'a Pod], changes: &mut Changes<'a>) {
    let is_new = |pod: &Pod| pod.metadata.labels.get(pods::HASH_LABEL).is_some_and(|hash| hash == fleet.hash);
    let (mut new, mut old) = (None, None);
    for pod in running {
        let oldest = if is_new(pod) { &mut new } else { &mut old };
        match oldest {
            None => *oldest = Some(*pod),
            Some(_) => changes.doomed.push(pod),
        }
    }
    if let (Some(new), Some(old)) = (new, old)
        && (!pod::is_ready(old) || fleet.is_available(new))
    {
        changes.doomed.push(old);
    }
}
