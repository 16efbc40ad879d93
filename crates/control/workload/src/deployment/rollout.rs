//! Moving from the old sets to the new one: little by little, or all at once.

use api_meta::conditions;
use api_types::apps::v1::{Deployment, ReplicaSet};
use api_types::core::v1::Pod;

use super::{Rollout, limits, sets, size, status, wanted};
use control_base::pod;

/// How large the new set may become when all sets together want `total` pods and itself `own`.
pub(super) fn new_size(deployment: &Deployment, total: i32, own: i32) -> i32 {
    let wanted = wanted(deployment);
    if !limits::is_rolling(deployment) {
        return wanted;
    }
    let limits = deployment.spec.strategy.rolling_update.as_deref();
    let surge = limits.and_then(|limits| limits.max_surge.as_ref());
    let most = wanted + surge.and_then(|surge| surge.scaled(wanted, true).ok()).unwrap_or(0);
    if total >= most { own } else { own + (most - total).min(wanted - own) }
}

impl Rollout<'_> {
    fn total(&self) -> i32 {
        self.sets().map(size).sum()
    }

    /// Upstream's `rolloutRolling`: up if there is room, else down if enough is available.
    pub(super) fn roll_gradually(&mut self) {
        if !self.ensure_new() {
            return;
        }
        if self.grow_new() || self.shrink_old() {
            return self.sync_rollout();
        }
        if status::is_complete(&self.deployment, &self.deployment.status) {
            self.clean_up();
        }
        self.sync_rollout();
    }

    fn grow_new(&mut self) -> bool {
        let wanted = wanted(&self.deployment);
        let Some((name, own)) = self.new.as_ref().map(|new| (new.metadata.name.clone(), size(new))) else {
            return false;
        };
        if own == wanted || self.creates {
            return false;
        }
        let to = if own > wanted { wanted } else { new_size(&self.deployment, self.total(), own) };
        self.resize(&name, to, false)
    }

    fn shrink_old(&mut self) -> bool {
        if self.old.iter().map(size).sum::<i32>() == 0 {
            return false;
        }
        let Some(new) = &self.new else { return false };
        // What a set said of its pods before it saw its present size is not to be relied on: after a quick undo it may still
        // count pods that are being deleted. Upstream does not wait for that, and can fall below its bound.
        if self.sets().any(|set| set.status.observed_generation < set.metadata.generation) {
            return false;
        }
        let least = wanted(&self.deployment) - limits::max_unavailable(&self.deployment);
        let new_unavailable = size(new) - new.status.available_replicas;
        let most = self.total() - least - new_unavailable;
        if most <= 0 {
            return false;
        }
        self.old.sort_by(sets::by_age);
        let cleaned = self.drop_unhealthy(most);
        self.drop_surplus(least) || cleaned
    }

    /// Old pods that are not available may go first: that costs no availability.
    fn drop_unhealthy(&mut self, most: i32) -> bool {
        let mut dropped = 0;
        let old: Vec<(String, i32, i32)> = self.old.iter().map(sizes).collect();
        for (name, size, available) in old {
            if dropped >= most {
                break;
            }
            if size == 0 || size == available {
                continue;
            }
            let count = (most - dropped).min(size - available);
            // A set can have more available pods than it wants while it shrinks: it must not grow again.
            if count > 0 {
                self.resize(&name, size - count, false);
                dropped += count;
            }
        }
        dropped > 0
    }

    fn drop_surplus(&mut self, least: i32) -> bool {
        // A set that shrinks will not keep more than it wants.
        let available: i32 = self.sets().map(|set| set.status.available_replicas.min(size(set))).sum();
        let most = available - least;
        let mut dropped = 0;
        let old: Vec<(String, i32, i32)> = self.old.iter().map(sizes).collect();
        for (name, size, _) in old {
            if dropped >= most {
                break;
            }
            let count = size.min(most - dropped);
            if count > 0 {
                self.resize(&name, size - count, false);
                dropped += count;
            }
        }
        dropped > 0
    }

    /// Upstream's `rolloutRecreate`: nothing new before all that is old is gone.
    pub(super) fn roll_recreate(&mut self) {
        let active = self.old.iter().filter(|set| size(set) > 0);
        let names: Vec<String> = active.map(|set| set.metadata.name.clone()).collect();
        let mut scaled = false;
        for name in &names {
            scaled |= self.resize(name, 0, false);
        }
        if scaled || self.runs_old_pods() {
            return self.sync_rollout();
        }
        if !self.ensure_new() {
            return;
        }
        if let Some(name) = self.new.as_ref().filter(|_| !self.creates).map(|new| new.metadata.name.clone()) {
            self.resize(&name, wanted(&self.deployment), false);
        }
        if status::is_complete(&self.deployment, &self.deployment.status) {
            self.clean_up();
        }
        self.sync_rollout();
    }

    fn runs_old_pods(&self) -> bool {
        let runs = |set: &ReplicaSet| {
            let mut pods = self.world.owned_by::<Pod>(&set.metadata.uid);
            set.status.replicas > 0 || pods.any(|pod| !pod::is_terminal(pod))
        };
        self.old.iter().any(runs)
    }

    /// Says why a pause is no lack of progress.
    pub(super) fn note_pause(&mut self) {
        if limits::progress_deadline(&self.deployment).is_none() {
            return;
        }
        let reason = self.progressing().map(|condition| condition.reason.as_str());
        let is_noted = reason == Some("DeploymentPaused");
        if reason == Some("ProgressDeadlineExceeded") || is_noted == self.deployment.spec.paused {
            return;
        }
        let (reason, message) = match self.deployment.spec.paused {
            true => ("DeploymentPaused", "Deployment is paused"),
            false => ("DeploymentResumed", "Deployment is resumed"),
        };
        self.set_condition(super::progress::PROGRESSING, conditions::UNKNOWN, reason, message.to_owned());
    }
}

fn sizes(set: &ReplicaSet) -> (String, i32, i32) {
    (set.metadata.name.clone(), size(set), set.status.available_replicas)
}
