//! What agent and shim say to each other over the shim's socket: a hello with the version first, then calls, answers and events.
//!
//! A frame is a little-endian `u32` length and that many bytes of JSON; descriptors travel beside the frame's first byte, their
//! number is in it. Only [`Hello`] never changes: whoever hears a version it does not speak says so and hangs up.

use serde::{Deserialize, Serialize};

use crate::spec::{ContainerSpec, ExecSpec};
use crate::state::{ContainerStatus, Event};
use host::cgroup::Limits;

pub mod frame;
pub(crate) mod wire;

/// The version spoken here. A release also speaks the one before it, once there is one.
pub const VERSION: u32 = 1;

/// The first frame, in both directions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The version of the protocol.
    pub knarr_shim_protocol: u32,
    /// The sender's release, for people.
    pub release: String,
}

impl Hello {
    /// This build's.
    pub fn ours() -> Hello {
        Hello { knarr_shim_protocol: VERSION, release: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// Everything after the hello.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Message {
    /// The agent asks.
    Call {
        /// Repeated in the answer.
        id: u64,
        /// What.
        call: Call,
    },
    /// The shim answers.
    Answer {
        /// Of which call.
        id: u64,
        /// The answer, or why there is none.
        answer: Result<Answer, Failure>,
    },
    /// Something happened.
    Event(Event),
}

/// What a shim is asked to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Call {
    /// Make a container. Nothing runs yet.
    Create(Box<ContainerSpec>),
    /// Run a container's first process. Answered once it executes its program, or cannot.
    Start {
        /// Which container.
        container: String,
    },
    /// Run one more process. The descriptors of its standard streams come along, in order, as far as it has them; none with a terminal.
    Exec {
        /// The name that the exit event will have.
        exec: String,
        /// What to run.
        spec: Box<ExecSpec>,
    },
    /// Send a copy of a container's output to the descriptors that come along: standard output, and standard error without terminal.
    Attach {
        /// Which container.
        container: String,
    },
    /// Let a container's standard input end once nobody else holds it.
    CloseStdin {
        /// Which container.
        container: String,
    },
    /// Send a signal to a container's first process.
    Signal {
        /// Which container.
        container: String,
        /// Its number.
        signal: i32,
    },
    /// Send a signal to a process of an exec.
    SignalExec {
        /// Which exec.
        exec: String,
        /// Its number.
        signal: i32,
    },
    /// Kill every process of a container.
    Kill {
        /// Which container.
        container: String,
    },
    /// Take away a container that does not run.
    Delete {
        /// Which container.
        container: String,
    },
    /// Change the size of a terminal.
    Resize {
        /// Of which container or exec.
        target: String,
        /// Characters in a line.
        columns: u16,
        /// Lines.
        rows: u16,
    },
    /// Change what a container may use.
    Limit {
        /// Which container.
        container: String,
        /// The new limits.
        limits: Limits,
    },
    /// Set the log file aside now.
    RotateLog {
        /// Which container.
        container: String,
    },
    /// Tell every container's status.
    List,
    /// After a shim's death, to its successor: descriptors of the processes and terminals that the agent still holds, in this order. What
    /// is not known afterwards counts as lost.
    Recover {
        /// Containers whose process descriptors come along.
        processes: Vec<String>,
        /// Containers whose terminals come along.
        terminals: Vec<String>,
    },
    /// Kill what runs and go away.
    Shutdown,
}

/// A shim's answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// It is done.
    Done,
    /// A container was started. A descriptor of its process comes along, and its terminal's if it has one.
    Started(ContainerStatus),
    /// A process was started. Its terminal's descriptor comes along if it has one.
    Executing {
        /// Its process id on the node.
        pid: i32,
    },
    /// The container's standard input comes along, or its terminal.
    Attached {
        /// Whether a descriptor for writing comes along.
        stdin: bool,
    },
    /// Every container, in the order of ids. For each one that runs a descriptor of its process comes along, then for each one with a terminal
    /// that one's.
    Containers {
        /// Their status.
        containers: Vec<ContainerStatus>,
        /// Whose process descriptors come along.
        processes: Vec<String>,
        /// Whose terminals come along.
        terminals: Vec<String>,
        /// Whether the shim is the successor of one that died and waits for `Recover`.
        recovering: bool,
    },
}

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// Which kind.
    pub kind: FailureKind,
    /// What is wrong, for people; for a failed start what runc says.
    pub message: String,
    /// The exit code that a shell would report for a failed start: 127 not found, 126 not executable, otherwise 128.
    pub exit_code: Option<i32>,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, message: impl Into<String>) -> Failure {
        Failure { kind, message: message.into(), exit_code: None }
    }

    pub(crate) fn internal(error: &dyn std::error::Error) -> Failure {
        Failure::new(FailureKind::Internal, base::error::Chain(error).to_string())
    }
}

/// Which kind of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FailureKind {
    /// There is no such container or process.
    NotFound,
    /// There is one already.
    Exists,
    /// It is not in a state for this.
    WrongState,
    /// The request makes no sense, or asks for something that cannot be honoured.
    Invalid,
    /// The process could not be started.
    Start,
    /// Something else broke.
    Internal,
}
