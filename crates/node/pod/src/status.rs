//! A pod's status from its record: what `kubectl get pod` shows, as kubelet computes it.

use std::collections::BTreeMap;

use api_meta::pod_resources::{Count, requests};
use api_record::scalar;
use api_types::core::v1::{
    Container, ContainerState, ContainerStateRunning, ContainerStateTerminated, ContainerStateWaiting,
    ContainerStatus, ContainerUser, HostIP, LinuxContainerUser, Pod, PodIP, PodStatus, VolumeMount,
    VolumeMountStatus,
};
use base::time::Time;

use crate::backoff::go_seconds;
use crate::conditions;
use crate::container::{Role, ephemeral, pod_text, shown_id};
use crate::env::Node;
use crate::plan::has_initialized;
use crate::preemption;
use crate::record::{ContainerRecord, Exit, PodRecord, Stage, State};
use crate::resize::{IN_PROGRESS, PENDING};
use crate::resources::qos;
use crate::restart::{is_sidecar, should_restart};

mod resources;

/// The status of a pod, as it was granted. What other components have written in its present one (conditions of theirs) stays.
pub fn compute(pod: &Pod, record: &PodRecord, node: &Node, now: Time) -> PodStatus {
    let mut status = pod.status.clone();
    let list = |containers: &[Container], role: Role| -> Vec<ContainerStatus> {
        containers.iter().map(|container| of_container(container, role, pod, record, now)).collect()
    };
    status.init_container_statuses = list(&pod.spec.init_containers, Role::Init);
    status.container_statuses = list(&pod.spec.containers, Role::Regular);
    status.ephemeral_container_statuses = list(&ephemeral(pod).collect::<Vec<_>>(), Role::Ephemeral);
    let over = record.stage > Stage::Syncing;
    let computed = phase(pod, &status, over, record);
    // A pod that has ended keeps its phase, whatever becomes of its containers.
    let ended = matches!(pod.status.phase.as_str(), "Succeeded" | "Failed");
    if !ended {
        computed.clone_into(&mut status.phase);
        status.reason = String::new();
        status.message = String::new();
    }
    if let Some(verdict) = &record.verdict {
        status.phase = "Failed".to_owned();
        status.reason = verdict.reason.clone();
        status.message = verdict.message.clone();
        if record.containers.is_empty() {
            // Rejected before anything was made: as kubelet's, it has no containers to speak of, and kubectl shows the reason.
            status.init_container_statuses = Vec::new();
            status.container_statuses = Vec::new();
        }
    } else if over && !ended && matches!(computed, "Pending" | "Running") && !record.is_active() {
        // Nothing runs and nothing will: what never ended well has failed.
        status.phase = "Failed".to_owned();
    }
    status.observed_generation = pod.metadata.generation;
    status.qos_class = qos(pod).name().to_owned();
    status.start_time = status.start_time.or(Some(Time::from_unix_nanos(record.seen_nanos).into()));
    status.host_ip = node.host_ips.first().cloned().unwrap_or_default();
    status.host_ips = node.host_ips.iter().map(|ip| HostIP { ip: ip.clone() }).collect();
    status.pod_ip = record.addresses.first().cloned().unwrap_or_default();
    status.pod_ips = record.addresses.iter().map(|ip| PodIP { ip: ip.clone() }).collect();
    conditions::set_all(pod, &mut status, record.sandbox, now);
    if record.verdict.as_ref() == Some(&preemption::verdict()) {
        conditions::set_preempted(pod, &mut status, now);
    }
    let is_running = status.phase == "Running";
    status.resources = Some(Box::new(resources::of_pod(pod, record, is_running)));
    status.allocated_resources = requests(pod, Count::Wished);
    status.conditions.retain(|condition| !matches!(condition.type_.as_str(), PENDING | IN_PROGRESS));
    if !matches!(status.phase.as_str(), "Succeeded" | "Failed") {
        let told = [(PENDING, &record.pending), (IN_PROGRESS, &record.in_progress)];
        let told = told.into_iter().filter_map(|(type_, progress)| Some(progress.as_ref()?.condition(type_)));
        status.conditions.extend(told);
    }
    status
}

/// What of a volume a container has been shown.
fn mounted(mount: &VolumeMount) -> VolumeMountStatus {
    let deep = matches!(mount.recursive_read_only.as_deref(), Some("Enabled" | "IfPossible"));
    let mode = if deep { "Enabled" } else { "Disabled" };
    VolumeMountStatus {
        name: mount.name.clone(),
        mount_path: mount.mount_path.clone(),
        read_only: mount.read_only,
        recursive_read_only: mount.read_only.then(|| mode.to_owned()),
        volume_status: None,
    }
}

fn user(known: &ContainerRecord) -> Option<Box<ContainerUser>> {
    let user = known.user.as_ref()?;
    let linux = LinuxContainerUser {
        uid: user.uid.into(),
        gid: user.gid.into(),
        supplemental_groups: user.groups.iter().map(|group| i64::from(*group)).collect(),
    };
    Some(Box::new(ContainerUser { linux: Some(Box::new(linux)) }))
}

fn terminated(exit: &Exit) -> ContainerStateTerminated {
    let time = |nanos: i64| Some(scalar::Time::from(Time::from_unix_nanos(nanos)));
    ContainerStateTerminated {
        exit_code: exit.code,
        signal: exit.signal,
        reason: exit.reason.clone(),
        message: exit.message.clone(),
        started_at: time(exit.started_nanos),
        finished_at: time(exit.finished_nanos),
        container_id: shown_id(&exit.id),
    }
}

fn ended(exit: &Exit) -> ContainerState {
    ContainerState { terminated: Some(Box::new(terminated(exit))), ..ContainerState::default() }
}

fn waiting(reason: &str, message: &str) -> ContainerState {
    let waiting = ContainerStateWaiting { reason: reason.to_owned(), message: message.to_owned() };
    ContainerState { waiting: Some(Box::new(waiting)), ..ContainerState::default() }
}

/// The status of one container.
fn of_container(
    container: &Container,
    role: Role,
    pod: &Pod,
    record: &PodRecord,
    now: Time,
) -> ContainerStatus {
    let nothing = ContainerRecord::default();
    let known = record.containers.get(&container.name).unwrap_or(&nothing);
    let creating = if pod.spec.init_containers.is_empty() { "ContainerCreating" } else { "PodInitializing" };
    let last = || known.last.as_ref().map(ended).unwrap_or_default();
    let told = || known.waiting.as_ref().map(|told| waiting(&told.reason, &told.message));
    let (state, before) = match &known.state {
        State::Running(since) => {
            let started_at = Some(Time::from_unix_nanos(*since).into());
            let running = ContainerStateRunning { started_at };
            (ContainerState { running: Some(Box::new(running)), ..ContainerState::default() }, last())
        }
        State::Absent => (told().unwrap_or_else(|| waiting(creating, "")), last()),
        State::Starting => (told().unwrap_or_else(|| waiting(creating, "")), last()),
        State::Exited(exit) if known.is_replaced() && record.stage == Stage::Syncing => {
            (told().unwrap_or_else(|| waiting(creating, "")), ended(exit))
        }
        State::Exited(exit) => {
            let again =
                record.stage == Stage::Syncing && should_restart(container, &pod.spec, role, exit.code);
            match (again, crash_loop(container, pod, known, exit, now).or_else(told)) {
                (true, Some(state)) => (state, ended(exit)),
                _ => (ended(exit), last()),
            }
        }
    };
    let ready = match (role == Role::Init && !is_sidecar(container), &known.state) {
        (true, State::Exited(exit)) => exit.code == 0,
        (true, _) => false,
        // As with kubelet: it is of no account.
        (false, _) if role == Role::Ephemeral => false,
        (false, _) => known.is_running() && known.started && known.ready,
    };
    // Of an attempt that was never made there is nothing to be said.
    let exists = known.attempt > 0 || matches!(known.state, State::Running(_) | State::Exited(_));
    let shown = exists.then(|| resources::of_container(container, known, record));
    let allocated = exists.then(|| container.resources.requests.clone());
    ContainerStatus {
        name: container.name.clone(),
        state,
        volume_mounts: container.volume_mounts.iter().map(mounted).collect(),
        user: user(known).filter(|_| exists),
        allocated_resources: allocated.unwrap_or_default(),
        resources: shown.map(Box::new),
        last_termination_state: before,
        ready,
        restart_count: i32::try_from(known.attempt).unwrap_or(i32::MAX),
        image: if known.image.is_empty() { container.image.clone() } else { known.image.clone() },
        image_id: known.image_id.clone(),
        container_id: match known.state {
            State::Running(_) | State::Exited(_) => shown_id(&known.id),
            _ => known.last.as_ref().map(|exit| shown_id(&exit.id)).unwrap_or_default(),
        },
        started: (role != Role::Ephemeral).then_some(known.is_running() && known.started),
        ..ContainerStatus::default()
    }
}

fn crash_loop(
    container: &Container,
    pod: &Pod,
    known: &ContainerRecord,
    exit: &Exit,
    now: Time,
) -> Option<ContainerState> {
    known.backoff.until(Time::from_unix_nanos(exit.finished_nanos), now)?;
    let wait = go_seconds(known.backoff.wait());
    let message =
        format!("back-off {wait} restarting failed container={} pod={}", container.name, pod_text(pod));
    Some(waiting("CrashLoopBackOff", &message))
}

#[derive(Default)]
struct Tally {
    running: usize,
    waiting: usize,
    stopped: usize,
    final_: usize,
    succeeded: usize,
}

/// A pod's phase from its containers' states; `over` says that none is started again. As kubelet's `getPhase`.
fn phase(pod: &Pod, status: &PodStatus, over: bool, record: &PodRecord) -> &'static str {
    let initialized = has_initialized(pod, record);
    let goes_on =
        |name: &str| !over && record.containers.get(name).is_some_and(ContainerRecord::is_being_replaced);
    let states: BTreeMap<&str, &ContainerStatus> = status
        .init_container_statuses
        .iter()
        .chain(&status.container_statuses)
        .map(|status| (status.name.as_str(), status))
        .collect();
    let end = |status: &ContainerStatus| match &status.state.terminated {
        Some(end) => Some(end.exit_code),
        None => status.last_termination_state.terminated.as_ref().map(|end| end.exit_code),
    };
    let (mut pending_inits, mut pending_sidecars) = (0, 0);
    let mut tally = Tally::default();
    for container in &pod.spec.init_containers {
        let Some(known) = states.get(container.name.as_str()) else { continue };
        if is_sidecar(container) {
            let started = known.started == Some(true);
            match (&known.state.running, &known.state.waiting) {
                (Some(_), _) => {
                    pending_sidecars += usize::from(!started);
                    tally.running += 1;
                }
                (None, Some(_)) if known.last_termination_state.terminated.is_none() => {
                    pending_sidecars += 1;
                    tally.waiting += 1;
                }
                _ => {}
            }
            continue;
        }
        match end(known) {
            _ if known.state.running.is_some() => pending_inits += 1,
            Some(0) => {}
            Some(code) if !should_restart(container, &pod.spec, Role::Init, code) => return "Failed",
            Some(_) => {}
            None => pending_inits += 1,
        }
        if known.state.waiting.is_some() && end(known) != Some(0) {
            pending_inits += 1;
        }
    }
    for container in &pod.spec.containers {
        let Some(known) = states.get(container.name.as_str()) else { continue };
        if known.state.running.is_some() || goes_on(&container.name) {
            tally.running += 1;
            continue;
        }
        match end(known) {
            None => tally.waiting += 1,
            Some(code) => {
                tally.stopped += 1;
                tally.final_ += usize::from(!should_restart(container, &pod.spec, Role::Regular, code));
                tally.succeeded += usize::from(known.state.terminated.is_some() && code == 0);
            }
        }
    }
    verdict(&tally, pending_inits > 0 || (pending_sidecars > 0 && !initialized), over)
}

fn verdict(tally: &Tally, initializing: bool, over: bool) -> &'static str {
    let result = if tally.stopped == tally.succeeded { "Succeeded" } else { "Failed" };
    match tally {
        _ if initializing || tally.waiting > 0 => "Pending",
        Tally { running: 1.., .. } => "Running",
        Tally { stopped: 0, .. } => "Pending",
        _ if over => result,
        Tally { stopped, final_, .. } if stopped != final_ => "Running",
        _ => result,
    }
}

#[cfg(test)]
mod tests;
