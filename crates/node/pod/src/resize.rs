//! Resources of a pod that runs: what of them is to change, in which order, and what a status and events say of it.
//!
//! A change is carried out in two halves. The node first gives the pod what it asks for, if there is room ([`crate::ledger`]); then what
//! was given is put in force, container by container, which this file plans. Everything here looks at the pod as if it asked for what it
//! was given ([`crate::allocation::Allocation::applied`]).
//!
//! Upstream: `computePodResizeAction`, `doPodResizeAction` and `validateMemoryResizeAction` of `pkg/kubelet/kuberuntime`,
//! `pkg/kubelet/events/resize.go`.

use std::collections::BTreeMap;

use api_meta::resources::ResourceList;
use api_types::core::v1::{Container, Pod, PodCondition};
use base::time::Time;
use host::cgroup::Limits;
use serde::{Deserialize, Serialize};

use crate::allocation::{Amounts, Share};
use crate::container::{Role, all};
use crate::record::{ContainerRecord, PodRecord};
use crate::resources::{amounts_limits, pod_limits};
use crate::restart::is_sidecar;

/// The condition of a pod whose resize waits for room.
pub const PENDING: &str = "PodResizePending";
/// The condition of a pod whose resize is being put in force.
pub const IN_PROGRESS: &str = "PodResizeInProgress";

/// What a status says of a resize.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Progress {
    /// One word; empty while all goes well.
    pub reason: String,
    /// A sentence.
    pub message: String,
    /// The generation of the pod that asks for it.
    pub generation: i64,
    /// Since when it is as its reason says, in nanoseconds since the Unix epoch.
    pub since_nanos: i64,
    /// When that was last looked at, in nanoseconds since the Unix epoch.
    pub looked_nanos: i64,
}

impl Progress {
    /// As it is now; the time of its beginning stays as long as the reason does.
    #[must_use]
    pub fn next(
        before: Option<&Progress>,
        reason: &str,
        message: &str,
        generation: i64,
        now: Time,
    ) -> Progress {
        let since = before.filter(|before| before.reason == reason).map(|before| before.since_nanos);
        Progress {
            reason: reason.to_owned(),
            message: message.to_owned(),
            generation,
            since_nanos: since.unwrap_or(now.unix_nanos()),
            looked_nanos: now.unix_nanos(),
        }
    }

    /// The condition of a pod's status.
    pub fn condition(&self, type_: &str) -> PodCondition {
        PodCondition {
            type_: type_.to_owned(),
            status: api_meta::conditions::TRUE.to_owned(),
            reason: self.reason.clone(),
            message: self.message.clone(),
            observed_generation: self.generation,
            last_probe_time: Some(Time::from_unix_nanos(self.looked_nanos).into()),
            last_transition_time: Some(Time::from_unix_nanos(self.since_nanos).into()),
        }
    }
}

/// One container that runs, and is to have other resources.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Update {
    /// Its name.
    pub container: String,
    /// What it has.
    pub from: Amounts,
    /// What it is to have.
    pub to: Amounts,
}

/// What of a pod is to change while its containers run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// Containers whose memory changes: those that give some back first.
    pub memory: Vec<Update>,
    /// Containers whose CPUs change: those that give some back first.
    pub cpu: Vec<Update>,
    /// Whether the pod's own control group changes.
    pub group: bool,
    /// Whether what the pod as a whole was given changes.
    pub whole: bool,
}

/// What is to be done so that what was given is in force.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Containers that are to be stopped and started again, for so their policies say.
    pub restart: Vec<String>,
    /// What changes beside that.
    pub change: Change,
}

impl Change {
    /// Whether nothing changes.
    pub fn is_nothing(&self) -> bool {
        *self == Change::default()
    }
}

/// What is to be done with a pod that has a sandbox; `initialized` says that its regular containers may run.
pub fn wanted(pod: &Pod, record: &PodRecord, initialized: bool) -> Wanted {
    let mut wanted = Wanted::default();
    let whole = pod.spec.resources.as_deref().map(Share::of);
    let inits = pod.spec.init_containers.iter().rev().map(|container| (container, Role::Init));
    let regular =
        pod.spec.containers.iter().filter(|_| initialized).map(|container| (container, Role::Regular));
    for (container, role) in inits.chain(regular) {
        let Some(known) = record.containers.get(&container.name).filter(|known| known.is_running()) else {
            continue;
        };
        // Before it has started, nobody knows whether it stays.
        if known.unhealthy.is_some() || (role == Role::Init && is_sidecar(container) && !known.started) {
            continue;
        }
        let to = Share::of(&container.resources).within(whole.as_ref()).amounts();
        let from = in_force(known, record, &container.name).amounts();
        compare(container, from, to, &mut wanted);
    }
    wanted.change.group = differs(&record.group, &pod_limits(pod));
    wanted.change.whole = whole.as_ref().map(Share::amounts).unwrap_or_default()
        != record.actuated.as_ref().map(Share::amounts).unwrap_or_default();
    wanted
}

/// What a container's running attempt has.
pub fn in_force(known: &ContainerRecord, record: &PodRecord, name: &str) -> Share {
    match (&known.actuated, &record.allocation) {
        (Some(actuated), _) => actuated.clone(),
        // Started by an agent that did not keep it: as none could be resized then, it has what it was given.
        (None, Some(allocation)) => allocation.container(name),
        (None, None) => Share::default(),
    }
}

fn compare(container: &Container, from: Amounts, to: Amounts, wanted: &mut Wanted) {
    let memory = from.memory_limit_bytes != to.memory_limit_bytes
        || from.memory_request_bytes != to.memory_request_bytes;
    let cpu =
        from.cpu_limit_millis != to.cpu_limit_millis || from.cpu_request_millis != to.cpu_request_millis;
    let restarts = |resource: &str| {
        let policy = container.resize_policy.iter().find(|policy| policy.resource_name == resource);
        policy.is_some_and(|policy| policy.restart_policy == "RestartContainer")
    };
    if (memory && restarts("memory")) || (cpu && restarts("cpu")) {
        wanted.restart.push(container.name.clone());
        return;
    }
    let update = || Update { container: container.name.clone(), from, to };
    // What limits decide, requests do not.
    let shrinks = |limits: (i64, i64), requests: (i64, i64)| match limits {
        (from, to) if from != to => to < from,
        _ => requests.1 < requests.0,
    };
    let add = |list: &mut Vec<Update>, shrinks: bool| match shrinks {
        true => list.insert(0, update()),
        false => list.push(update()),
    };
    if memory {
        let limits = (from.memory_limit_bytes, to.memory_limit_bytes);
        add(&mut wanted.change.memory, shrinks(limits, (from.memory_request_bytes, to.memory_request_bytes)));
    }
    if cpu {
        let limits = (from.cpu_limit_millis, to.cpu_limit_millis);
        add(&mut wanted.change.cpu, shrinks(limits, (from.cpu_request_millis, to.cpu_request_millis)));
    }
}

/// Whether a control group lacks something that it is to have. A limit that is no more is not taken away, as with kubelet.
fn differs(has: &Limits, wants: &Limits) -> bool {
    let one = |has: Option<i64>, wants: Option<i64>| wants.is_some() && wants != has;
    one(has.memory_bytes, wants.memory_bytes)
        || one(has.cpu_quota_micros, wants.cpu_quota_micros)
        || (wants.cpu_shares.is_some() && wants.cpu_shares != has.cpu_shares)
}

/// Whether something of what was given is not in force yet.
pub fn is_in_progress(pod: &Pod, record: &PodRecord) -> bool {
    let whole = pod.spec.resources.as_deref().map(Share::of);
    let lacks = |container: &Container| {
        record.containers.get(&container.name).is_some_and(|known| {
            let share = Share::of(&container.resources).within(whole.as_ref());
            known.is_replaced()
                || (known.is_running()
                    && in_force(known, record, &container.name).amounts() != share.amounts())
        })
    };
    let has = record.actuated.as_ref().map(Share::amounts);
    let of_pod = whole.as_ref().is_some_and(|whole| has != Some(whole.amounts()))
        || differs(&record.group, &pod_limits(pod));
    (record.sandbox && of_pod) || all(pod).any(|(container, _)| lacks(container))
}

/// One thing to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// On the pod's own control group.
    Group(Limits),
    /// On a container's.
    Container {
        /// Its name.
        container: String,
        /// All that it then has.
        limits: Limits,
        /// Which of its resources is new.
        resource: &'static str,
    },
}

/// What is to be written, in order: memory before CPUs; a pod's limit grows before its containers' and shrinks after them, so that
/// no container is ever held below what it has.
pub fn writes(change: &Change, has: &Limits, wants: &Limits) -> Vec<Write> {
    let mut writes = Vec::new();
    let unlimited = |limit: Option<i64>, none: i64| limit.filter(|limit| *limit >= 0).unwrap_or(none);
    if !change.memory.is_empty() || change.group {
        let (now, next) = (unlimited(has.memory_bytes, i64::MAX), wants.memory_bytes);
        let limit = || Write::Group(Limits { memory_bytes: next, ..Limits::default() });
        writes.extend(next.filter(|next| *next > now).map(|_| limit()));
        writes.extend(change.memory.iter().map(|update| Write::Container {
            container: update.container.clone(),
            limits: amounts_limits(Amounts {
                memory_limit_bytes: update.to.memory_limit_bytes,
                memory_request_bytes: update.to.memory_request_bytes,
                ..update.from
            }),
            resource: "memory",
        }));
        writes.extend(next.filter(|next| *next < now).map(|_| limit()));
    }
    if !change.cpu.is_empty() || change.group {
        // An unlimited quota is the least number, as the kernel has it: whoever gets a limit gets it first.
        let (quota, next_quota) = (unlimited(has.cpu_quota_micros, -1), wants.cpu_quota_micros);
        let (shares, next_shares) = (has.cpu_shares.unwrap_or(0), wants.cpu_shares);
        let limit = || {
            Write::Group(Limits {
                cpu_quota_micros: next_quota,
                cpu_period_micros: wants.cpu_period_micros,
                ..Limits::default()
            })
        };
        let request = || Write::Group(Limits { cpu_shares: next_shares, ..Limits::default() });
        writes.extend(next_quota.filter(|next| *next > quota).map(|_| limit()));
        writes.extend(next_shares.filter(|next| *next > shares).map(|_| request()));
        writes.extend(change.cpu.iter().map(|update| Write::Container {
            container: update.container.clone(),
            // Memory comes first: it is by now as it is to be.
            limits: amounts_limits(update.to),
            resource: "cpu",
        }));
        writes.extend(next_shares.filter(|next| *next < shares).map(|_| request()));
        writes.extend(next_quota.filter(|next| *next < quota).map(|_| limit()));
    }
    writes
}

/// Memory that is in use, in bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// By the whole pod.
    pub pod: Option<u64>,
    /// By its containers, by name.
    pub containers: BTreeMap<String, u64>,
}

/// Whether memory limits become lower, so that what is used must be known first.
pub fn lowers_memory(change: &Change, has: &Limits, wants: &Limits) -> bool {
    lowers_group(change, has, wants).is_some() || change.memory.iter().any(|update| lowered(update).is_some())
}

fn lowers_group(change: &Change, has: &Limits, wants: &Limits) -> Option<i64> {
    let touched = !change.memory.is_empty() || change.group;
    wants.memory_bytes.filter(|wants| touched && has.memory_bytes.is_none_or(|has| *wants < has))
}

fn lowered(update: &Update) -> Option<i64> {
    let (from, to) = (update.from.memory_limit_bytes, update.to.memory_limit_bytes);
    (to != 0 && (from == 0 || to < from)).then_some(to)
}

/// Refuses limits of memory that are below what is used: the kernel would kill.
///
/// # Errors
/// Kubelet's sentence about each.
pub fn check_memory(change: &Change, has: &Limits, wants: &Limits, used: &Usage) -> Result<(), String> {
    let below = |limit: i64, used: u64| used >= limit.unsigned_abs();
    let mut faults = Vec::new();
    if let Some(limit) = lowers_group(change, has, wants) {
        match used.pod {
            None => faults.push("missing pod memory usage".to_owned()),
            Some(used) if below(limit, used) => {
                faults.push(format!(
                    "attempting to set pod memory limit ({limit}) below current usage ({used})"
                ));
            }
            Some(_) => {}
        }
    }
    for update in &change.memory {
        let (Some(limit), name) = (lowered(update), &update.container) else { continue };
        match used.containers.get(name) {
            None => faults.push(format!("missing container {name:?} memory usage")),
            Some(used) if below(limit, *used) => faults.push(format!(
                "attempting to set container {name:?} memory limit ({limit}) below current usage ({used})"
            )),
            Some(_) => {}
        }
    }
    match &faults[..] {
        [] => Ok(()),
        [one] => Err(format!("cannot decrease memory limits: {one}")),
        many => Err(format!("cannot decrease memory limits: [{}]", many.join(", "))),
    }
}

/// What events say that a pod asks for, as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary<'a> {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    init_containers: Vec<Asked<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    containers: Vec<Asked<'a>>,
    generation: i64,
    #[serde(skip_serializing_if = "str::is_empty")]
    error: &'a str,
}

#[derive(Serialize)]
struct Asked<'a> {
    name: &'a str,
    resources: Resources<'a>,
}

#[derive(Serialize)]
struct Resources<'a> {
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    limits: BTreeMap<&'a str, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    requests: BTreeMap<&'a str, String>,
}

/// The message of an event about a resize: `what`, and what the pod asks for.
pub fn summary(what: &str, pod: &Pod, generation: i64, error: &str) -> String {
    let summary = Summary {
        init_containers: pod.spec.init_containers.iter().map(asked).collect(),
        containers: pod.spec.containers.iter().map(asked).collect(),
        generation,
        error,
    };
    match serde_json::to_string(&summary) {
        Ok(text) => format!("{what}: {text}"),
        Err(_) => what.to_owned(),
    }
}

fn asked(container: &Container) -> Asked<'_> {
    let own = &container.resources;
    Asked {
        name: &container.name,
        resources: Resources { limits: texts(&own.limits), requests: texts(&own.requests) },
    }
}

fn texts(list: &ResourceList) -> BTreeMap<&str, String> {
    list.iter().map(|(name, quantity)| (name.as_str(), quantity.to_string())).collect()
}

#[cfg(test)]
mod tests;
