//! A StatefulSet that keeps an order makes no pod before those of lower ordinals were ready, and no set makes one that it never wanted.
//!
//! What was ready may be so no more when the pod is made: any moment of the last while counts.

use std::time::Duration;

use api_meta::conditions;
use api_meta::owners::controller_of;
use api_types::apps::v1::StatefulSet;
use api_types::core::v1::Pod;
use base::time::Time;

use super::Check;
use super::bounds::lately;
use crate::history::{Change, History};
use crate::profile::Profile;
use crate::world::resources::{PODS, STATEFUL_SETS};

/// One after the other.
pub struct Ordinals {
    lag: Duration,
}

impl Ordinals {
    /// In worlds of a profile.
    pub fn new(profile: &Profile) -> Ordinals {
        Ordinals { lag: profile.longest_lag() }
    }

    /// Whether a pod of this name was ready at some moment of the last while.
    fn was_ready(&self, history: &History, at: Time, namespace: &str, name: &str) -> bool {
        let own = history.of(&PODS).iter().rev();
        let own = own.filter(|change| change.namespace == namespace && change.name == name);
        let mut earlier = false;
        let from = at - self.lag;
        let mut lately = own.take_while(|change| {
            let taken = !earlier;
            earlier = change.at < from;
            taken
        });
        lately.any(|change| {
            let ready = |pod: &Pod| conditions::is_true(&pod.status.conditions, "Ready");
            change.after::<Pod>().is_some_and(ready)
        })
    }
}

impl Check for Ordinals {
    fn name(&self) -> &'static str {
        "ordinals"
    }

    fn changed(&mut self, history: &History, change: &Change) -> Result<(), String> {
        let Some(pod) = change.after::<Pod>().filter(|_| change.before.is_none()) else { return Ok(()) };
        let owner = controller_of(&pod.metadata).filter(|owner| owner.kind == "StatefulSet");
        let Some(owner) = owner else { return Ok(()) };
        let sets: Vec<&StatefulSet> =
            lately(history.of(&STATEFUL_SETS), &owner.uid, change.at, self.lag).collect();
        let ordinal = pod.metadata.name.rsplit_once('-').and_then(|(_, digits)| digits.parse::<i32>().ok());
        let Some(ordinal) = ordinal else { return Err("the pod has no ordinal".into()) };
        if sets.iter().all(|set| set.spec.replicas.unwrap_or(1) <= ordinal) {
            return Err(format!("{} never wanted so many pods", owner.name));
        }
        if sets.iter().any(|set| set.spec.pod_management_policy == "Parallel") {
            return Ok(());
        }
        let before = (0..ordinal).map(|before| format!("{}-{before}", owner.name));
        let mut unready = before.filter(|name| !self.was_ready(history, change.at, &change.namespace, name));
        match unready.next() {
            Some(name) => Err(format!("the pod is made, and {name} was not ready")),
            None => Ok(()),
        }
    }
}
