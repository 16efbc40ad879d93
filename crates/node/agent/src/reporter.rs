//! One pod's status on its way to the API: always the latest, until it was taken. In kubelet this is the status manager.

use std::sync::Arc;

use api_meta::conditions;
use api_types::core::v1::{Pod, PodCondition, PodStatus};
use base::error::Chain;
use node_pod::conditions::DISRUPTED;
use node_pod::resize::{IN_PROGRESS, PENDING};
use tokio::sync::watch;

use crate::calls::PODS;
use crate::core::Core;
use crate::error::AgentError;
use crate::limits;

/// Conditions that the node sets; all others in a status are somebody else's.
const OWN: [&str; 5] =
    ["PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled"];

/// Conditions that the node sets and takes away; their times are its own.
const PASSING: [&str; 2] = [PENDING, IN_PROGRESS];

/// The number of a report, and what it says.
type Wanted = (u64, Option<(Pod, PodStatus)>);

/// Where a worker puts its pod's status.
pub(crate) struct Reporter {
    wanted: watch::Sender<Wanted>,
    taken: watch::Receiver<u64>,
    sent: u64,
}

impl Reporter {
    /// A reporter, and the task behind it, which ends with it.
    pub(crate) fn start(core: Arc<Core>) -> Reporter {
        let (wanted, receiver) = watch::channel((0, None));
        let (sender, taken) = watch::channel(0);
        tokio::spawn(run(core, receiver, sender));
        Reporter { wanted, taken, sent: 0 }
    }

    /// Says what the status is now.
    pub(crate) fn report(&mut self, pod: &Pod, status: PodStatus) {
        self.sent += 1;
        self.wanted.send_replace((self.sent, Some((pod.clone(), status))));
    }

    /// Waits until the latest status was taken, or the pod is gone.
    pub(crate) async fn settled(&mut self) {
        let sent = self.sent;
        // An error means that the task has ended, which it does only with this.
        let _ = self.taken.wait_for(|taken| *taken >= sent).await;
    }
}

async fn run(core: Arc<Core>, mut wanted: watch::Receiver<Wanted>, taken: watch::Sender<u64>) {
    let mut known: Option<Pod> = None;
    while wanted.changed().await.is_ok() {
        let mut wait = limits::RETRY_FIRST;
        loop {
            let (number, Some((pod, status))) = wanted.borrow_and_update().clone() else { break };
            match send(&core, &pod, status, &mut known).await {
                Ok(()) => {
                    taken.send_replace(number);
                    break;
                }
                Err(error) => {
                    tracing::debug!(name = pod.metadata.name, error = %Chain(&error), "a pod's status was not taken");
                }
            }
            tokio::select! {
                () = core.clock.sleep(wait) => wait = (wait * 2).min(limits::RETRY_MAX),
                changed = wanted.changed() => if changed.is_err() { return },
            }
        }
    }
}

async fn send(core: &Core, pod: &Pod, status: PodStatus, known: &mut Option<Pod>) -> Result<(), AgentError> {
    let meta = &pod.metadata;
    let mut fresh = false;
    loop {
        let shown = core.pods.snapshot();
        let shown =
            shown.get(&meta.namespace, &meta.name).and_then(|object| object.downcast_ref::<Pod>().cloned());
        let newest = known.take().into_iter().chain(shown).filter(|one| one.metadata.uid == meta.uid);
        let newest = newest.max_by_key(|one| one.metadata.resource_version.parse::<u64>().unwrap_or(0));
        let base = match newest {
            Some(base) if !fresh => base,
            _ => match core.calls.get::<Pod>(PODS, &meta.namespace, &meta.name).await {
                Ok(base) if base.metadata.uid == meta.uid => base,
                Ok(_) => return Ok(()),
                Err(error) if error.is_not_found() => return Ok(()),
                Err(error) => return Err(error),
            },
        };
        let merged = merge(&base.status, status.clone());
        if merged == base.status {
            *known = Some(base);
            return Ok(());
        }
        let mut next = base;
        next.status = merged;
        match core.calls.update(PODS, (&meta.namespace, &meta.name, "status"), next).await {
            Ok(kept) => {
                *known = Some(kept);
                return Ok(());
            }
            Err(error) if error.is_not_found() => return Ok(()),
            Err(error) if !fresh && error.status().is_some_and(client::Status::is_conflict) => fresh = true,
            Err(error) => return Err(error),
        }
    }
}

/// What is ours over what is there.
fn merge(base: &PodStatus, ours: PodStatus) -> PodStatus {
    let mut merged = PodStatus { conditions: base.conditions.clone(), ..ours.clone() };
    let passes = |type_: &str| PASSING.contains(&type_);
    merged.conditions.retain(|one| !passes(&one.type_));
    merged.conditions.extend(ours.conditions.iter().filter(|one| passes(&one.type_)).cloned());
    // That a pod was disrupted others say as well.
    let is_own = |one: &PodCondition| {
        OWN.contains(&one.type_.as_str()) || (one.type_.as_str(), one.reason.as_str()) == DISRUPTED
    };
    for condition in ours.conditions.into_iter().filter(is_own) {
        match conditions::find(&merged.conditions, &condition.type_) {
            // An unchanged status keeps the time of its transition.
            Some(old) if old.status == condition.status => {
                let mut condition = condition;
                condition.last_transition_time = old.last_transition_time;
                merged.conditions.retain(|one| one.type_ != condition.type_);
                merged.conditions.push(condition);
            }
            _ => {
                merged.conditions.retain(|one| one.type_ != condition.type_);
                merged.conditions.push(condition);
            }
        }
    }
    // An equal set in another order is no change.
    let mut ordered = Vec::new();
    for old in &base.conditions {
        ordered.extend(merged.conditions.iter().find(|one| one.type_ == old.type_).cloned());
    }
    for new in merged.conditions {
        if !ordered.iter().any(|one| one.type_ == new.type_) {
            ordered.push(new);
        }
    }
    merged.conditions = ordered;
    merged.nominated_node_name.clone_from(&base.nominated_node_name);
    merged.resource_claim_statuses.clone_from(&base.resource_claim_statuses);
    merged
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(conditions: &[(&str, &str, &str)]) -> PodStatus {
        let condition = |(type_, status, reason): &(&str, &str, &str)| PodCondition {
            type_: (*type_).into(),
            status: (*status).into(),
            reason: (*reason).into(),
            ..PodCondition::default()
        };
        PodStatus { conditions: conditions.iter().map(condition).collect(), ..PodStatus::default() }
    }

    #[test]
    fn others_conditions_stay_and_those_of_a_resize_go_when_it_is_over() {
        let base =
            status(&[("x/y", "True", "theirs"), (PENDING, "True", "Deferred"), ("Ready", "False", "")]);
        let ours = status(&[("x/y", "False", "stale"), (IN_PROGRESS, "True", ""), ("Ready", "True", "")]);
        let merged = merge(&base, ours);
        let shown: Vec<_> =
            merged.conditions.iter().map(|one| (one.type_.as_str(), one.reason.as_str())).collect();
        assert_eq!(shown, [("x/y", "theirs"), ("Ready", ""), (IN_PROGRESS, "")]);
        assert_eq!(merge(&merged, merged.clone()), merged);
    }
}
