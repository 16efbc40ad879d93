//! Changing the sizes of sets: because the deployment was scaled, or on the way of a rollout.

use std::cmp::Reverse;

use api_types::apps::v1::{Deployment, ReplicaSet};
use client::reconcile::Note;

use super::{Rollout, limits, sets, size, wanted};

impl Rollout<'_> {
    /// Whether somebody has changed how many pods are wanted since the sets were last scaled.
    pub(super) fn is_scaling_event(&self) -> bool {
        let mut active = self.sets().filter(|set| size(set) > 0);
        active.any(|set| sets::desired(set).is_some_and(|desired| desired != wanted(&self.deployment)))
    }

    /// Gives the set of this name another size; whether that is another.
    pub(super) fn resize(&mut self, name: &str, to: i32, annotate: bool) -> bool {
        let found = self.old.iter_mut().chain(&mut self.new).find(|set| set.metadata.name == name);
        let Some(set) = found else { return false };
        let from = size(set);
        if from == to && !annotate {
            return false;
        }
        set.spec.replicas = Some(to);
        sets::annotate_size(set, &self.deployment);
        if from == to {
            return false;
        }
        let direction = if from < to { "up" } else { "down" };
        let message = format!("Scaled {direction} replica set {name} from {from} to {to}");
        let note = Note::normal(&self.deployment, "ScalingReplicaSet", message);
        self.scaled.insert(name.to_owned(), note);
        true
    }

    /// Distributes the number of wanted pods over the sets, without moving a rollout forward.
    pub(super) fn scale(&mut self) {
        let wanted = wanted(&self.deployment);
        let active: Vec<&ReplicaSet> = self.sets().filter(|set| size(set) > 0).collect();
        let newest = || self.new.as_ref().or_else(|| self.old.iter().max_by(|a, b| sets::by_age(a, b)));
        let single = match active[..] {
            [] => newest(),
            [only] => Some(only),
            _ => None,
        };
        if let Some(single) = single {
            let name = single.metadata.name.clone();
            // Upstream leaves alone a set that has this size by chance, in the middle of a rollout say. Its note of how many were wanted
            // stays old, so each look is taken for another change of that number, and the rollout does not go on.
            self.resize(&name, wanted, true);
            return;
        }
        if active.is_empty() {
            return;
        }
        if self.new.as_ref().is_some_and(|new| is_saturated(&self.deployment, new)) {
            let old = self.old.iter().filter(|set| size(set) > 0);
            let names: Vec<String> = old.map(|set| set.metadata.name.clone()).collect();
            for name in names {
                self.resize(&name, 0, false);
            }
            return;
        }
        if limits::is_rolling(&self.deployment) {
            for (name, size) in proportions(&self.deployment, active) {
                self.resize(&name, size, true);
            }
        }
    }
}

fn is_saturated(deployment: &Deployment, set: &ReplicaSet) -> bool {
    let wanted = wanted(deployment);
    size(set) == wanted && sets::desired(set) == Some(wanted) && set.status.available_replicas == wanted
}

/// The sizes of the active sets in proportion to what they were, the largest taking what rounding leaves.
fn proportions(deployment: &Deployment, mut active: Vec<&ReplicaSet>) -> Vec<(String, i32)> {
    let wanted = wanted(deployment);
    let most = if wanted > 0 { wanted + limits::max_surge(deployment) } else { 0 };
    let missing = most - active.iter().map(|set| size(set)).sum::<i32>();
    active.sort_by(|a, b| {
        let age = if missing > 0 { sets::by_age(b, a) } else { sets::by_age(a, b) };
        Reverse(size(a)).cmp(&Reverse(size(b))).then(age)
    });
    let mut added = 0;
    let mut sizes = Vec::new();
    for set in active {
        let share = share(deployment, set, missing, added);
        added += share;
        sizes.push((set.metadata.name.clone(), size(set) + share));
    }
    if let Some((_, largest)) = sizes.first_mut().filter(|_| missing != 0) {
        *largest = (*largest + missing - added).max(0);
    }
    sizes
}

fn share(deployment: &Deployment, set: &ReplicaSet, missing: i32, added: i32) -> i32 {
    if size(set) == 0 || missing == 0 || missing == added {
        return 0;
    }
    let fraction = fraction(deployment, set);
    let left = missing - added;
    // Adopted sets say what another deployment allowed, so that their shares may point the other way. Upstream follows them and takes
    // from the largest what is then too much; as sets are written side by side here, that could exceed the bound in between.
    if missing > 0 { fraction.clamp(0, left.max(0)) } else { fraction.clamp(left.min(0), 0) }
}

/// By how much a set would have to change to keep its share.
fn fraction(deployment: &Deployment, set: &ReplicaSet) -> i32 {
    if wanted(deployment) == 0 {
        return -size(set);
    }
    let most = wanted(deployment) + limits::max_surge(deployment);
    let before = sets::allowed(set).unwrap_or(deployment.status.replicas);
    if before == 0 {
        return 0;
    }
    let exact = f64::from(size(set)) * f64::from(most) / f64::from(before);
    // A size in pods, far within what an i32 holds.
    #[allow(clippy::cast_possible_truncation, reason = "rounded and bounded by the sizes of sets")]
    let rounded = exact.round() as i32;
    rounded - size(set)
}
