//! What to do next with a pod. Level-triggered: from the pod as the API shows it, its record and the time, never from what changed.

use std::collections::BTreeSet;

use api_types::core::v1::{Container, Pod};
use base::time::Time;

use crate::container::{Role, ephemeral};
use crate::record::{ContainerRecord, PodRecord, Stage, State, Verdict};
use crate::resize::{Change, Wanted, wanted};
use crate::restart::{is_sidecar, should_restart};

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make the sandbox: volumes, network, namespaces, control group.
    Sandbox,
    /// Start a container's next attempt. The record's back-off is to be prolonged if its last one has ended.
    Start {
        /// Its name.
        container: String,
    },
    /// Stop a container; it is started again if its policy says so.
    Stop {
        /// Its name.
        container: String,
        /// Why, for the event.
        message: String,
    },
    /// Put in force what the pod was given.
    Resize(Change),
    /// Stop a container, so that it starts with other resources.
    Replace {
        /// Its name.
        container: String,
        /// Why, for the event.
        message: String,
    },
    /// Begin to terminate the pod.
    Terminate {
        /// Why it has failed as a whole, if it has.
        verdict: Option<Verdict>,
    },
    /// Stop everything that runs, within the grace.
    StopAll,
    /// Take everything away: nothing of it runs any more.
    Finish,
}

/// What to do next.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What to do, in order.
    pub steps: Vec<Step>,
    /// When to plan again if nothing happens before.
    pub wake: Option<Time>,
}

impl Plan {
    fn only(step: Step) -> Plan {
        Plan { steps: vec![step], wake: None }
    }

    fn wake_at(&mut self, time: Time) {
        self.wake = Some(self.wake.map_or(time, |wake| wake.min(time)));
    }
}

/// What to do next with a pod as it was granted; `pod` is `None` once the API has it no more.
pub fn plan(pod: Option<&Pod>, record: &PodRecord, now: Time) -> Plan {
    match record.stage {
        Stage::Syncing => match pod {
            Some(pod) => sync(pod, record, now),
            None => Plan::only(Step::Terminate { verdict: None }),
        },
        Stage::Terminating if record.is_active() => Plan::only(Step::StopAll),
        Stage::Terminating => Plan::only(Step::Finish),
        Stage::Terminated => Plan::default(),
    }
}

/// Kubelet's words for a pod that ran longer than it may.
const DEADLINE: &str = "Pod was active on the node longer than the specified deadline";

fn sync(pod: &Pod, record: &PodRecord, now: Time) -> Plan {
    let mut plan = Plan::default();
    if let Some(verdict) = &record.verdict {
        return Plan::only(Step::Terminate { verdict: Some(verdict.clone()) });
    }
    if pod.metadata.deletion_timestamp.is_some()
        || matches!(pod.status.phase.as_str(), "Succeeded" | "Failed")
    {
        return Plan::only(Step::Terminate { verdict: None });
    }
    if let Some(seconds) = pod.spec.active_deadline_seconds {
        let begun = Time::from_unix_nanos(record.seen_nanos);
        let end = begun + std::time::Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
        if end <= now {
            let verdict = Verdict { reason: "DeadlineExceeded".into(), message: DEADLINE.into() };
            return Plan::only(Step::Terminate { verdict: Some(verdict) });
        }
        plan.wake_at(end);
    }
    if is_over(pod, record) {
        return Plan::only(Step::Terminate { verdict: None });
    }
    if !record.sandbox {
        plan.steps.push(Step::Sandbox);
        return plan;
    }
    resize(pod, record, &mut plan);
    // Before the init containers, as kubelet does: they can be looked at while they run.
    for container in ephemeral(pod) {
        tend(&container, pod, Role::Ephemeral, record, now, &mut plan);
    }
    let initialized = initialize(pod, record, now, &mut plan);
    if initialized {
        for container in &pod.spec.containers {
            tend(container, pod, Role::Regular, record, now, &mut plan);
        }
    }
    plan
}

/// What was given and is not in force yet. Whoever has to start anew for it is stopped first: what the pod as a whole may use then
/// fits what runs.
fn resize(pod: &Pod, record: &PodRecord, plan: &mut Plan) {
    let Wanted { restart, change } = wanted(pod, record, has_initialized(pod, record));
    // Also those that an agent before this one began to replace.
    let begun = record.containers.iter().filter(|(_, known)| known.is_replaced() && known.is_running());
    let replaced: BTreeSet<String> = begun.map(|(name, _)| name.clone()).chain(restart).collect();
    if replaced.is_empty() && !change.is_nothing() {
        plan.steps.push(Step::Resize(change));
    }
    plan.steps.extend(replaced.into_iter().map(|container| {
        let message = format!("Container {container} resize requires restart");
        Step::Replace { container, message }
    }));
}

/// Whether every regular container has ended for good, or an init container has failed for good.
fn is_over(pod: &Pod, record: &PodRecord) -> bool {
    let over = |container: &Container, role: Role| {
        record
            .containers
            .get(&container.name)
            .filter(|known| !known.is_replaced())
            .and_then(ContainerRecord::exit)
            .map(|exit| (exit.code, !should_restart(container, &pod.spec, role, exit.code)))
    };
    let mut inits = pod.spec.init_containers.iter().filter(|container| !is_sidecar(container));
    if inits.any(|container| matches!(over(container, Role::Init), Some((code, true)) if code != 0)) {
        return true;
    }
    pod.spec.containers.iter().all(|container| matches!(over(container, Role::Regular), Some((_, true))))
}

/// Whether any regular container was ever started: the pod has been initialized then, and stays so.
pub fn has_initialized(pod: &Pod, record: &PodRecord) -> bool {
    let begun = |container: &Container| {
        record.containers.get(&container.name).is_some_and(|known| {
            known.attempt > 0 || matches!(known.state, State::Running(_) | State::Exited(_))
        })
    };
    pod.spec.containers.iter().any(begun)
}

/// Init containers one after another, sidecars as long as the pod lives. Returns whether regular containers may run.
fn initialize(pod: &Pod, record: &PodRecord, now: Time, plan: &mut Plan) -> bool {
    let initialized = has_initialized(pod, record);
    for container in &pod.spec.init_containers {
        let known = record.containers.get(&container.name);
        if is_sidecar(container) {
            tend(container, pod, Role::Init, record, now, plan);
            let started =
                known.is_some_and(|known| known.is_running() && known.started && known.post_started);
            if !started && !initialized {
                return false;
            }
            continue;
        }
        if initialized {
            continue;
        }
        match known.map(|known| &known.state) {
            Some(State::Exited(exit)) if exit.code == 0 => {}
            _ => {
                tend(container, pod, Role::Init, record, now, plan);
                return false;
            }
        }
    }
    true
}

/// Starts, restarts or stops one container as it needs.
fn tend(container: &Container, pod: &Pod, role: Role, record: &PodRecord, now: Time, plan: &mut Plan) {
    let nothing = ContainerRecord::default();
    let known = record.containers.get(&container.name).unwrap_or(&nothing);
    let start = || Step::Start { container: container.name.clone() };
    match &known.state {
        State::Absent => match retry_at(known, now) {
            Some(until) => plan.wake_at(until),
            None => plan.steps.push(start()),
        },
        State::Starting => {}
        State::Running(_) if known.is_replaced() => {}
        State::Running(_) => {
            if let Some(message) = &known.unhealthy {
                plan.steps.push(Step::Stop { container: container.name.clone(), message: message.clone() });
            }
        }
        State::Exited(_) if known.is_replaced() => match retry_at(known, now) {
            Some(until) => plan.wake_at(until),
            None => plan.steps.push(start()),
        },
        State::Exited(exit) => {
            if !should_restart(container, &pod.spec, role, exit.code) {
                return;
            }
            let ended = Time::from_unix_nanos(exit.finished_nanos);
            match known.backoff.until(ended, now).or_else(|| retry_at(known, now)) {
                Some(until) => plan.wake_at(until),
                None => plan.steps.push(start()),
            }
        }
    }
}

/// When a container whose last start came to nothing is tried again.
fn retry_at(known: &ContainerRecord, now: Time) -> Option<Time> {
    let retry = Time::from_unix_nanos(known.retry_nanos);
    (retry > now).then_some(retry)
}

#[cfg(test)]
mod tests;
