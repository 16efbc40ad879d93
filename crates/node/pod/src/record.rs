//! What is kept of a pod on disk: what neither the API nor the kernel could tell a restarted agent.

use std::collections::{BTreeMap, BTreeSet};

use api_types::core::v1::Pod;
use host::cgroup::Limits;
use node_runtime::state::ContainerUser;
use serde::{Deserialize, Serialize};

use crate::allocation::{Allocation, Share};
use crate::backoff::Backoff;
use crate::resize::Progress;

/// Where a pod is in its life. It only goes forward.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Stage {
    /// Its containers are started and restarted.
    #[default]
    Syncing,
    /// Its containers are being stopped; none starts any more.
    Terminating,
    /// Nothing of it runs.
    Terminated,
}

/// How a container ended.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Exit {
    /// The exit code.
    pub code: i32,
    /// The signal that killed it, 0 for none.
    #[serde(default)]
    pub signal: i32,
    /// Why, in one word.
    pub reason: String,
    /// What it left behind to say.
    #[serde(default)]
    pub message: String,
    /// When it started, in nanoseconds since the Unix epoch; 0 when it did not.
    pub started_nanos: i64,
    /// When it ended, in nanoseconds since the Unix epoch.
    pub finished_nanos: i64,
    /// The container's id.
    pub id: String,
}

/// Where a container's current attempt is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// There is none yet.
    #[default]
    Absent,
    /// It is being made.
    Starting,
    /// It runs since this time, in nanoseconds since the Unix epoch.
    Running(i64),
    /// It has ended.
    Exited(Exit),
}

/// Why a container is not running yet, in the words of its status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// One word.
    pub reason: String,
    /// A sentence.
    pub message: String,
}

/// What is known of one of a pod's containers.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ContainerRecord {
    /// The number of the current attempt, from 0: the restart count.
    pub attempt: u32,
    /// Where it is.
    pub state: State,
    /// Its id, empty before there was one.
    pub id: String,
    /// The image as the status shows it.
    pub image: String,
    /// The image's id as the status shows it.
    pub image_id: String,
    /// The digest of the image's configuration, by which the node knows it; empty before one was found.
    pub image_digest: String,
    /// The signal that stops it.
    pub stop_signal: String,
    /// How the attempt before ended.
    pub last: Option<Exit>,
    /// How long restarts wait.
    pub backoff: Backoff,
    /// Why it is not running.
    pub waiting: Option<Waiting>,
    /// Not to be tried again before this time after a start that came to nothing, in nanoseconds since the Unix epoch.
    pub retry_nanos: i64,
    /// Its startup probe has succeeded, or it has none and runs.
    pub started: bool,
    /// Its readiness probe succeeds, or it has none and has started.
    pub ready: bool,
    /// Its postStart hook has run.
    pub post_started: bool,
    /// Why it is to be stopped and started again: a failed probe or hook.
    pub unhealthy: Option<String>,
    /// What the running attempt has of processor and memory, its pod's limits included where it has none of its own.
    pub actuated: Option<Share>,
    /// The attempt that was stopped so that the next one has other resources: that one starts at once, whatever the policy says of ends.
    pub replaced: Option<u32>,
    /// Who runs its first process.
    pub user: Option<ContainerUser>,
}

/// Why a pod has failed as a whole, whatever its containers did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// One word.
    pub reason: String,
    /// A sentence.
    pub message: String,
}

/// A pod's record.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PodRecord {
    /// The pod's uid.
    pub uid: String,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Where it is in its life.
    pub stage: Stage,
    /// When the node first saw it, in nanoseconds since the Unix epoch.
    pub seen_nanos: i64,
    /// Whether its sandbox exists: network, namespaces, control group.
    pub sandbox: bool,
    /// Its addresses, the first being its primary one.
    pub addresses: Vec<String>,
    /// Why it failed as a whole.
    pub verdict: Option<Verdict>,
    /// When everything left is killed, in nanoseconds since the Unix epoch; set when it begins to terminate.
    pub deadline_nanos: Option<i64>,
    /// The images that its volumes have shown, by the digests of their configurations: they stay as long as the pod.
    pub volume_images: BTreeSet<String>,
    /// Its containers, init and sidecar ones included, by name.
    pub containers: BTreeMap<String, ContainerRecord>,
    /// What the node has given it of what it asks for; `None` before it was admitted.
    pub allocation: Option<Allocation>,
    /// What of that is in force for the pod as a whole, where it asks for anything as such.
    pub actuated: Option<Share>,
    /// What its control group was told.
    pub group: Limits,
    /// What is said of a resize that waits for room.
    pub pending: Option<Progress>,
    /// What is said of a resize that is being put in force.
    pub in_progress: Option<Progress>,
}

impl PodRecord {
    /// The record of a pod that was never seen before.
    pub fn new(uid: &str, namespace: &str, name: &str, seen_nanos: i64) -> PodRecord {
        PodRecord {
            uid: uid.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            seen_nanos,
            ..PodRecord::default()
        }
    }

    /// The machine was started anew, or the pod was ended with the node: what its containers do next is no loop of theirs, as kubelet's
    /// back-offs do not survive a reboot either.
    pub fn forget_back_offs(&mut self) {
        for known in self.containers.values_mut() {
            known.backoff = Backoff::default();
            known.retry_nanos = 0;
        }
    }

    /// The pod as if it asked for what it was given: what its containers are made by.
    pub fn granted(&self, pod: &Pod) -> Pod {
        match &self.allocation {
            Some(allocation) => allocation.applied(pod),
            None => pod.clone(),
        }
    }

    /// A container's record; an empty one where nothing is known.
    pub fn container(&mut self, name: &str) -> &mut ContainerRecord {
        self.containers.entry(name.to_owned()).or_default()
    }

    /// Whether any container runs or is being started.
    pub fn is_active(&self) -> bool {
        self.containers.values().any(ContainerRecord::is_active)
    }
}

impl ContainerRecord {
    /// Whether it runs or is being started.
    pub fn is_active(&self) -> bool {
        matches!(self.state, State::Starting | State::Running(_))
    }

    /// Whether it runs.
    pub fn is_running(&self) -> bool {
        matches!(self.state, State::Running(_))
    }

    /// Whether the current attempt is to make room for one with other resources, or has.
    pub fn is_replaced(&self) -> bool {
        self.replaced == Some(self.attempt)
    }

    /// Whether one attempt makes room for the next, which does not run yet: that is no end of the container, whatever its policy.
    pub fn is_being_replaced(&self) -> bool {
        let next = self.replaced.is_some_and(|replaced| replaced + 1 == self.attempt);
        (self.is_replaced() && !self.is_running()) || (next && self.state == State::Starting)
    }

    /// How the current attempt ended, if it has.
    pub fn exit(&self) -> Option<&Exit> {
        match &self.state {
            State::Exited(exit) => Some(exit),
            _ => None,
        }
    }

    /// Begins an attempt: the next one if one has ended.
    pub fn begin(&mut self, id: impl FnOnce(u32) -> String) {
        if let State::Exited(exit) = &self.state {
            self.last = Some(exit.clone());
            self.attempt += 1;
        }
        self.id = id(self.attempt);
        self.state = State::Starting;
        self.started = false;
        self.ready = false;
        self.post_started = false;
        self.unhealthy = None;
    }

    /// An attempt came to nothing before there was a container.
    pub fn abandon(&mut self, waiting: Waiting) {
        self.waiting = Some(waiting);
        self.state = match self.last.take() {
            // The attempt is made again under the same number.
            Some(exit) if self.attempt > 0 => {
                self.attempt -= 1;
                State::Exited(exit)
            }
            last => {
                self.last = last;
                State::Absent
            }
        };
    }

    /// It has ended.
    pub fn exited(&mut self, exit: Exit) {
        self.state = State::Exited(exit);
        self.waiting = None;
        self.started = false;
        self.ready = false;
        self.unhealthy = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_count_up_only_after_an_end() {
        let mut record = ContainerRecord::default();
        record.begin(|attempt| format!("id{attempt}"));
        assert_eq!((record.attempt, record.id.as_str()), (0, "id0"));
        record.abandon(Waiting { reason: "ErrImagePull".into(), message: String::new() });
        assert_eq!((record.attempt, &record.state), (0, &State::Absent));
        record.begin(|attempt| format!("id{attempt}"));
        let exit = Exit { code: 1, ..Exit::default() };
        record.exited(exit.clone());
        record.begin(|attempt| format!("id{attempt}"));
        assert_eq!((record.attempt, record.last.as_ref()), (1, Some(&exit)));
        record.abandon(Waiting::default());
        assert_eq!((record.attempt, record.exit()), (0, Some(&exit)));
    }

    #[test]
    fn a_new_sandbox_knows_no_back_off() {
        let mut record = PodRecord::default();
        let backoff = Backoff { seconds: 80, updated_nanos: 1 };
        *record.container("main") =
            ContainerRecord { attempt: 3, backoff, retry_nanos: 9, ..Default::default() };
        record.forget_back_offs();
        let expected = ContainerRecord { attempt: 3, ..ContainerRecord::default() };
        assert_eq!(record.containers["main"], expected);
    }
}
