//! A pod's conditions, as kubelet's `status/generate.go` sets them.

use api_meta::conditions::{FALSE, TRUE, find, set};
use api_types::core::v1::{ContainerStatus, Pod, PodCondition, PodStatus};
use base::time::Time;

use crate::restart::is_sidecar;

/// The condition's status, reason and message.
type Finding = (&'static str, &'static str, String);

/// Sets all of the node's conditions in a status whose phase and containers' statuses are computed.
pub fn set_all(pod: &Pod, status: &mut PodStatus, sandbox: bool, now: Time) {
    let containers = containers_ready(pod, status);
    let sandbox =
        if sandbox { (TRUE, "", String::new()) } else { (FALSE, "PodSandboxNotReady", String::new()) };
    let findings = [
        ("PodReadyToStartContainers", sandbox),
        ("Initialized", initialized(pod, status)),
        ("Ready", ready(pod, status, &containers)),
        ("ContainersReady", containers),
        ("PodScheduled", (TRUE, "", String::new())),
    ];
    for (type_, (state, reason, message)) in findings {
        let condition = PodCondition {
            type_: type_.to_owned(),
            observed_generation: pod.metadata.generation,
            status: state.to_owned(),
            reason: reason.to_owned(),
            message,
            ..PodCondition::default()
        };
        set(&mut status.conditions, condition, now.into());
    }
}

/// What says that a pod made room for one that the node cannot do without.
pub const DISRUPTED: (&str, &str) = ("DisruptionTarget", "TerminationByKubelet");

/// Says so.
pub(crate) fn set_preempted(pod: &Pod, status: &mut PodStatus, now: Time) {
    let condition = PodCondition {
        type_: DISRUPTED.0.to_owned(),
        observed_generation: pod.metadata.generation,
        status: TRUE.to_owned(),
        reason: DISRUPTED.1.to_owned(),
        message: "Pod was preempted by Kubelet to accommodate a critical pod.".to_owned(),
        ..PodCondition::default()
    };
    set(&mut status.conditions, condition, now.into());
}

fn listed(prefix: &str, names: &[&str]) -> String {
    format!("{prefix}: [{}]", names.join(" "))
}

fn initialized(pod: &Pod, status: &PodStatus) -> Finding {
    if status.phase == "Succeeded" {
        return (TRUE, "PodCompleted", String::new());
    }
    let has_begun = |status: &ContainerStatus| {
        status.state.running.is_some()
            || status.state.terminated.is_some()
            || status.last_termination_state.terminated.is_some()
    };
    if status.container_statuses.iter().any(has_begun) {
        return (TRUE, "", String::new());
    }
    let known = pod.spec.init_containers.iter().zip(&status.init_container_statuses);
    let incomplete: Vec<&str> = known
        .filter(|(container, known)| match is_sidecar(container) {
            true => known.started != Some(true),
            false => !known.ready,
        })
        .map(|(container, _)| container.name.as_str())
        .collect();
    match incomplete.is_empty() {
        true => (TRUE, "", String::new()),
        false => {
            (FALSE, "ContainersNotInitialized", listed("containers with incomplete status", &incomplete))
        }
    }
}

fn containers_ready(pod: &Pod, status: &PodStatus) -> Finding {
    match status.phase.as_str() {
        "Succeeded" => return (FALSE, "PodCompleted", String::new()),
        "Failed" => return (FALSE, "PodFailed", String::new()),
        _ => {}
    }
    let sidecars = pod.spec.init_containers.iter().zip(&status.init_container_statuses);
    let sidecars = sidecars.filter(|(container, _)| is_sidecar(container)).map(|(_, known)| known);
    let unready: Vec<&str> = sidecars
        .chain(&status.container_statuses)
        .filter(|known| !known.ready)
        .map(|known| known.name.as_str())
        .collect();
    match unready.is_empty() {
        true => (TRUE, "", String::new()),
        false => (FALSE, "ContainersNotReady", listed("containers with unready status", &unready)),
    }
}

fn ready(pod: &Pod, status: &PodStatus, containers: &Finding) -> Finding {
    if containers.0 != TRUE {
        return containers.clone();
    }
    let unmet: Vec<String> = pod
        .spec
        .readiness_gates
        .iter()
        .filter_map(|gate| {
            let type_ = &gate.condition_type;
            match find(&status.conditions, type_) {
                None => {
                    Some(format!("corresponding condition of pod readiness gate {type_:?} does not exist."))
                }
                Some(found) if found.status != TRUE => Some(format!(
                    "the status of pod readiness gate {type_:?} is not \"True\", but {}",
                    found.status
                )),
                Some(_) => None,
            }
        })
        .collect();
    match unmet.is_empty() {
        true => (TRUE, "", String::new()),
        false => (FALSE, "ReadinessGatesNotReady", unmet.join(", ")),
    }
}
