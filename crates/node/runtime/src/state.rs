//! What is known of a container: its state, how it ended. Sent to the agent, written to disk, and the same in both places.

use serde::{Deserialize, Serialize};

use host::process::Identity;

/// Why a container ended, in the words that a container's status shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ExitReason {
    /// With code 0.
    Completed,
    /// With another code.
    Error,
    /// The kernel killed something in it for want of memory.
    #[serde(rename = "OOMKilled")]
    OomKilled,
    /// It never ran.
    StartError,
    /// It is gone, and nobody saw how.
    ContainerStatusUnknown,
}

impl ExitReason {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            ExitReason::Completed => "Completed",
            ExitReason::Error => "Error",
            ExitReason::OomKilled => "OOMKilled",
            ExitReason::StartError => "StartError",
            ExitReason::ContainerStatusUnknown => "ContainerStatusUnknown",
        }
    }
}

/// How a container ended. On disk before anybody is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitRecord {
    /// The exit code: 128 and the signal's number for a killed process, 128 for a failed start, 137 when nobody knows.
    pub exit_code: i32,
    /// The signal that killed it, if one did.
    pub signal: Option<i32>,
    /// Why.
    pub reason: ExitReason,
    /// What a person should know; empty for an ordinary exit.
    pub message: String,
    /// When it started, in nanoseconds since the Unix epoch; 0 when it did not.
    pub started_at_nanos: i64,
    /// When it ended, in nanoseconds since the Unix epoch.
    pub finished_at_nanos: i64,
}

/// Where a container is in its life, which only goes forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContainerState {
    /// Made, not started.
    Created,
    /// Being started.
    Starting,
    /// Running.
    Running,
    /// Ended.
    Exited,
}

/// Who runs a container's first process, in the numbers that the kernel has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerUser {
    /// The user.
    pub uid: u32,
    /// The first group.
    pub gid: u32,
    /// All groups, the first one included.
    pub groups: Vec<u32>,
}

/// A container's status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerStatus {
    /// Which container.
    pub id: String,
    /// Where it is in its life.
    pub state: ContainerState,
    /// Its first process, while it runs.
    pub process: Option<Identity>,
    /// When it was made, in nanoseconds since the Unix epoch.
    pub created_at_nanos: i64,
    /// When it started, if it did.
    pub started_at_nanos: Option<i64>,
    /// How it ended, if it has.
    pub exit: Option<ExitRecord>,
    /// Who runs it, if it was started; shims of releases before this was told do not say.
    #[serde(default)]
    pub user: Option<ContainerUser>,
}

/// What happens to containers and processes, as it happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// A container's first process runs.
    Started {
        /// Which container.
        container: String,
    },
    /// A container has ended.
    Exited {
        /// Which container.
        container: String,
        /// How.
        exit: ExitRecord,
    },
    /// A process of an exec has ended.
    ExecExited {
        /// Which exec.
        exec: String,
        /// Its exit code.
        exit_code: i32,
    },
    /// The kernel has killed something in the container for want of memory; seen when the container ends.
    OutOfMemory {
        /// Which container.
        container: String,
    },
}

/// What is on disk about a container that was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartRecord {
    /// Its first process.
    pub process: Identity,
    /// When it started.
    pub started_at_nanos: i64,
    /// Who runs it.
    #[serde(default)]
    pub user: Option<ContainerUser>,
}
