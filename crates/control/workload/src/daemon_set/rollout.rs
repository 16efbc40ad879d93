//! Moving from old pods to those of the current template, within the bounds of the strategy.

use api_meta::Status;
use api_record::scalar::IntOrString;
use api_types::apps::v1::{DaemonSet, RollingUpdateDaemonSet};
use api_types::core::v1::Pod;

use super::{Changes, Fleet, is_going};

/// Whether a node may have two pods for a while.
pub(super) fn surges(set: &DaemonSet) -> bool {
    surge(set, 1).is_ok_and(|surge| surge > 0)
}

fn limits(set: &DaemonSet) -> Option<&RollingUpdateDaemonSet> {
    let strategy = &set.spec.update_strategy;
    strategy.rolling_update.as_deref().filter(|_| strategy.type_ == "RollingUpdate")
}

fn surge(set: &DaemonSet, nodes: i32) -> Result<i32, String> {
    limits(set).and_then(|limits| limits.max_surge.as_ref()).map_or(Ok(0), |surge| surge.scaled(nodes, true))
}

fn unavailable(set: &DaemonSet, nodes: i32) -> Result<i32, String> {
    let limit: Option<&IntOrString> = limits(set).and_then(|limits| limits.max_unavailable.as_ref());
    limit.map_or(Ok(0), |limit| limit.scaled(nodes, true))
}

/// How far a rollout may go, in nodes.
struct Bounds {
    surge: usize,
    unavailable: usize,
    /// How many nodes should have a pod.
    desired: usize,
}

impl Bounds {
    fn of(fleet: &Fleet<'_>) -> Result<Bounds, Status> {
        let desired = fleet.nodes.values().filter(|fit| fit.runs).count();
        let nodes = i32::try_from(desired).unwrap_or(i32::MAX);
        let failed = |why| Status::internal_error(format!("couldn't get unavailable numbers: {why}"));
        let unavailable = unavailable(fleet.set, nodes)
            .map_err(|why| failed(format!("invalid value for MaxUnavailable: {why}")))?;
        let surge =
            surge(fleet.set, nodes).map_err(|why| failed(format!("invalid value for MaxSurge: {why}")))?;
        // Nothing would ever move.
        let unavailable = if desired > 0 && unavailable == 0 && surge == 0 { 1 } else { unavailable };
        let size = |number| usize::try_from(number).unwrap_or(0);
        Ok(Bounds { surge: size(surge), unavailable: size(unavailable), desired })
    }
}

/// The new and the old pod of a node, those that are going aside; `None` if there are two of a sort, which the tending of nodes
/// will see to.
fn pair<'a>(fleet: &Fleet<'_>, own: &[&'a Pod]) -> Option<(Option<&'a Pod>, Option<&'a Pod>)> {
    let (mut new, mut old) = (None, None);
    for pod in own.iter().filter(|pod| !is_going(pod)) {
        let same = if fleet.is_updated(pod) { &mut new } else { &mut old };
        if same.replace(*pod).is_some() {
            return None;
        }
    }
    Some((new, old))
}

/// Upstream's `rollingUpdate`.
///
/// # Errors
/// If the bounds are no numbers.
pub(super) fn roll<'a>(fleet: &Fleet<'a>) -> Result<Changes<'a>, Status> {
    let bounds = Bounds::of(fleet)?;
    Ok(if bounds.surge == 0 { replace(fleet, &bounds) } else { overlap(fleet, &bounds) })
}

/// Old pods go, as many as may be missing; the tending of nodes makes the new ones.
fn replace<'a>(fleet: &Fleet<'a>, bounds: &Bounds) -> Changes<'a> {
    let mut unavailable = 0;
    let (mut doomed, mut candidates) = (Vec::new(), Vec::new());
    let empty = fleet.nodes.iter().filter(|(name, fit)| fit.runs && fleet.pods_on(name).is_none());
    unavailable += empty.count();
    for own in fleet.pods.values() {
        match pair(fleet, own) {
            None | Some((None, None) | (Some(_), Some(_))) => unavailable += 1,
            Some((Some(new), None)) => unavailable += usize::from(!fleet.is_available(new)),
            // One that serves nobody may go at once.
            Some((None, Some(old))) if !fleet.is_available(old) => {
                doomed.push(old);
                unavailable += 1;
            }
            Some((None, Some(old))) => candidates.push(old),
        }
    }
    doomed.extend(candidates.into_iter().take(bounds.unavailable.saturating_sub(unavailable)));
    Changes { doomed, ..Changes::default() }
}

/// New pods come beside old ones, which go when the new ones are available.
fn overlap<'a>(fleet: &Fleet<'a>, bounds: &Bounds) -> Changes<'a> {
    let (mut surging, mut available) = (0, 0);
    let mut changes = Changes::default();
    // Nodes whose turn it may be, and old pods on nodes that should have none any more.
    let (mut candidates, mut leaving) = (Vec::new(), Vec::new());
    for (name, own) in &fleet.pods {
        let Some((new, old)) = pair(fleet, own) else {
            surging += 1;
            continue;
        };
        available += usize::from(old.or(new).is_some_and(|pod| fleet.is_available(pod)));
        let Some(old) = old else { continue };
        if let Some(new) = new {
            match fleet.is_available(new) {
                true => changes.doomed.push(old),
                false => surging += 1,
            }
            continue;
        }
        // What is on a node that is gone will be collected; upstream waits for that.
        let Some((name, fit)) = fleet.nodes.get_key_value(name) else { continue };
        match (fleet.is_available(old), fit.runs) {
            (true, true) => candidates.push(*name),
            (true, false) => leaving.push(old),
            (false, true) => changes.needy.push(name),
            (false, false) => changes.doomed.push(old),
        }
    }
    // The template may have moved from some nodes to others: those that are to be left keep their pods until the others have
    // theirs.
    changes.doomed.extend(leaving.into_iter().take(available.saturating_sub(bounds.desired)));
    changes.needy.extend(candidates.into_iter().take(bounds.surge.saturating_sub(surging)));
    changes
}
