//! A Deployment's rollout keeps to its bounds: never more pods than `maxSurge` above what is wanted, never fewer available ones
//! than `maxUnavailable` below.
//!
//! What is wanted may have changed a moment ago without the controllers having seen it: any value of the last while counts. And
//! what disturbs pods from outside (a death, a lost node) makes pods unavailable that no controller could keep available.

use std::collections::BTreeMap;
use std::time::Duration;

use api_meta::owners::controller_of;
use api_record::scalar::IntOrString;
use api_types::apps::v1::{Deployment, ReplicaSet};
use api_types::core::v1::{Namespace, Pod};
use base::time::Time;

use super::Check;
use super::pods::{is_active, is_of, is_ready};
use crate::history::{Change, History};
use crate::profile::Profile;
use crate::world::resources::{DEPLOYMENTS, SETS};

/// How many pods a Deployment may have at most, and must have available at least. As upstream's `ResolveFenceposts`, written
/// anew.
fn bounds(deployment: &Deployment) -> (i32, i32) {
    let wanted = deployment.spec.replicas.unwrap_or(1);
    if deployment.spec.strategy.type_ == "Recreate" {
        return (wanted, 0);
    }
    let rolling = deployment.spec.strategy.rolling_update.as_deref();
    let scaled =
        |limit: Option<&IntOrString>, up| limit.and_then(|limit| limit.scaled(wanted, up).ok()).unwrap_or(0);
    let surge = scaled(rolling.and_then(|limits| limits.max_surge.as_ref()), true);
    let unavailable = scaled(rolling.and_then(|limits| limits.max_unavailable.as_ref()), false);
    let unavailable = if surge == 0 && unavailable == 0 { 1 } else { unavailable };
    (wanted + surge, wanted - unavailable.min(wanted))
}

/// What held of the objects of a uid within a while before now, the present included.
pub(super) fn lately<'a, T: api_record::Record>(
    changes: &'a [Change],
    uid: &'a str,
    now: Time,
    lag: Duration,
) -> impl Iterator<Item = &'a T> {
    let from = now - lag;
    let mut earlier = false;
    let of_uid = changes.iter().rev().filter(move |change| {
        change.meta_after().or(change.meta_before()).is_some_and(|meta| meta.uid == uid)
    });
    // The last value from before the while held at its beginning.
    of_uid
        .take_while(move |change| {
            let taken = !earlier;
            earlier = change.at < from;
            taken
        })
        .filter_map(|change| change.after::<T>())
}

/// Not too many.
pub struct Surge {
    lag: Duration,
}

impl Surge {
    /// In worlds of a profile.
    pub fn new(profile: &Profile) -> Surge {
        Surge { lag: profile.longest_lag() }
    }

    fn sets(&self, history: &History, at: Time, set: &ReplicaSet) -> Result<(), String> {
        let Some(owner) = controller_of(&set.metadata) else { return Ok(()) };
        let own = history
            .all::<ReplicaSet>()
            .filter(|set| controller_of(&set.metadata).is_some_and(|other| other.uid == owner.uid));
        let total: i32 = own.map(|set| set.spec.replicas.unwrap_or(1)).sum();
        let wanted = lately::<Deployment>(history.of(&DEPLOYMENTS), &owner.uid, at, self.lag);
        match wanted.map(|deployment| bounds(deployment).0).max() {
            Some(most) if total > most => {
                Err(format!("the sets of {} want {total} pods, and {most} are allowed", owner.name))
            }
            _ => Ok(()),
        }
    }

    fn pods(&self, history: &History, at: Time, pod: &Pod) -> Result<(), String> {
        let Some(owner) = controller_of(&pod.metadata).filter(|owner| owner.kind == "ReplicaSet") else {
            return Ok(());
        };
        let count = history.all::<Pod>().filter(|pod| is_active(pod) && is_of(pod, &owner.uid)).count();
        let wanted = lately::<ReplicaSet>(history.of(&SETS), &owner.uid, at, self.lag);
        match wanted.map(|set| set.spec.replicas.unwrap_or(1)).max() {
            Some(most) if count > usize::try_from(most).unwrap_or(0) => {
                Err(format!("{} has {count} pods, and never wanted more than {most}", owner.name))
            }
            _ => Ok(()),
        }
    }
}

impl Check for Surge {
    fn name(&self) -> &'static str {
        "surge"
    }

    fn changed(&mut self, history: &History, change: &Change) -> Result<(), String> {
        if let Some(set) = change.after::<ReplicaSet>() {
            let before = change.before::<ReplicaSet>().map_or(0, |set| set.spec.replicas.unwrap_or(1));
            if set.spec.replicas.unwrap_or(1) > before {
                return self.sets(history, change.at, set);
            }
        }
        match change.after::<Pod>() {
            Some(pod) if change.before.is_none() => self.pods(history, change.at, pod),
            _ => Ok(()),
        }
    }
}

/// Not too few.
pub struct Availability {
    lag: Duration,
    off: bool,
    /// The Deployments that had all their pods available once, with how many went since of those that nobody had said were available.
    complete: BTreeMap<String, i32>,
}

impl Availability {
    /// In worlds of a profile.
    pub fn new(profile: &Profile) -> Availability {
        Availability { lag: profile.longest_lag(), off: profile.disturbs_pods(), complete: BTreeMap::new() }
    }
}

/// The Deployment of a pod that goes, if more of its set's pods were ready than the set has said.
fn unheard<'a>(history: &History, sets: &[&'a ReplicaSet], change: &Change) -> Option<&'a str> {
    let gone = change.before::<Pod>().filter(|pod| is_ready(pod))?;
    if change.after::<Pod>().is_some_and(is_ready) {
        return None;
    }
    let owner = controller_of(&gone.metadata)?;
    let set = sets.iter().find(|set| set.metadata.uid == owner.uid)?;
    let own = |pod: &&Pod| is_of(pod, &owner.uid);
    let left = history.all::<Pod>().filter(|pod| is_ready(pod)).filter(own).count();
    let said = usize::try_from(set.status.available_replicas).unwrap_or(0);
    (left + 1 > said).then(|| controller_of(&set.metadata).map(|owner| owner.uid.as_str()))?
}

impl Check for Availability {
    fn name(&self) -> &'static str {
        "availability"
    }

    fn changed(&mut self, history: &History, change: &Change) -> Result<(), String> {
        if self.off || change.after::<Pod>().or(change.before::<Pod>()).is_none() {
            return Ok(());
        }
        let mut available: BTreeMap<&str, i32> = BTreeMap::new();
        let sets: Vec<&ReplicaSet> = history.all().collect();
        // Pods that are not available go first, as far as anybody has said so: one that has become so since was promised by nobody.
        if let Some(lost) = unheard(history, &sets, change).and_then(|uid| self.complete.get_mut(uid)) {
            *lost += 1;
        }
        for pod in history.all::<Pod>() {
            if !is_ready(pod) {
                continue;
            }
            let Some(owner) = controller_of(&pod.metadata) else { continue };
            let set = sets.iter().find(|set| set.metadata.uid == owner.uid);
            if let Some(deployment) = set.and_then(|set| controller_of(&set.metadata)) {
                *available.entry(&deployment.uid).or_default() += 1;
            }
        }
        for deployment in history.all::<Deployment>() {
            let uid = &deployment.metadata.uid;
            let count = available.get(uid.as_str()).copied().unwrap_or(0);
            let lately: Vec<(i32, i32)> =
                lately::<Deployment>(history.of(&DEPLOYMENTS), uid, change.at, self.lag)
                    .map(bounds)
                    .collect();
            let wanted = deployment.spec.replicas.unwrap_or(1);
            if count >= wanted {
                self.complete.insert(uid.clone(), 0);
            }
            let recreated = deployment.spec.strategy.type_ == "Recreate";
            // A namespace that is deleted loses its pods first.
            let space = history.get::<Namespace>("", &deployment.metadata.namespace);
            let going = deployment.metadata.deletion_timestamp.is_some()
                || space.is_none_or(|space| space.metadata.deletion_timestamp.is_some());
            // What is wanted more since a while has to come first.
            let steady = lately.windows(2).all(|pair| pair[0] == pair[1]);
            if !steady {
                self.complete.remove(uid);
            }
            let Some(lost) = self.complete.get(uid).filter(|_| !recreated && !going) else { continue };
            let least = lately.iter().map(|(_, least)| *least).min().unwrap_or(0) - lost;
            if count < least {
                let name = &deployment.metadata.name;
                return Err(format!("{name} has {count} available pods, and {least} at least are promised"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
