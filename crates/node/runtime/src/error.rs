//! What can go wrong on the agent's side of the runtime.

use std::path::PathBuf;

use nix::errno::Errno;

use crate::protocol::{Failure, FailureKind};

/// An error of the runtime.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The shim refused or failed.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The shim died, or its connection broke, before it answered. Whether it did what was asked shows in the container's status.
    #[error("the shim of pod {uid} was lost before it answered")]
    ShimLost {
        /// Of which pod.
        uid: String,
    },
    /// The shim did not answer in time.
    #[error("the shim of pod {uid} did not answer within {seconds} s")]
    Timeout {
        /// Of which pod.
        uid: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The shim speaks another version.
    #[error("the shim of pod {uid} speaks protocol {theirs} (release {release}), this agent speaks {ours}")]
    Version {
        /// Of which pod.
        uid: String,
        /// The agent's version.
        ours: u32,
        /// The shim's version.
        theirs: u32,
        /// The shim's release.
        release: String,
    },
    /// The shim answered something that does not belong here.
    #[error("the shim of pod {uid} answered out of turn")]
    Protocol {
        /// Of which pod.
        uid: String,
    },
    /// The shim could not be started.
    #[error("cannot start the shim of pod {uid}: {message}")]
    Launch {
        /// Of which pod.
        uid: String,
        /// What it said.
        message: String,
    },
    /// There is a pod of this uid already.
    #[error("pod {uid} already exists")]
    PodExists {
        /// Which.
        uid: String,
    },
    /// The pod has been deleted.
    #[error("pod {uid} has been deleted")]
    PodDeleted {
        /// Which.
        uid: String,
    },
    /// A uid that cannot name a directory.
    #[error("pod uid {uid:?} must be of letters, digits and '-'")]
    InvalidUid {
        /// The uid as given.
        uid: String,
    },
    /// A directory that should hold a pod does not.
    #[error("{} holds no pod", path.display())]
    NoPod {
        /// Which.
        path: PathBuf,
    },
    /// A seccomp profile.
    #[error("cannot use the seccomp profile")]
    Seccomp(#[from] crate::seccomp::SeccompError),
    /// A seccomp profile's text.
    #[error("cannot understand the seccomp profile")]
    SeccompText(#[source] serde_json::Error),
    /// A file.
    #[error("cannot use a file")]
    Disk(#[from] crate::disk::DiskError),
    /// The program of shims.
    #[error("cannot seal the shims' program")]
    Seal(#[from] host::process::sealed::SealError),
    /// Control groups.
    #[error("cannot use control groups")]
    Cgroup(#[from] host::cgroup::CgroupError),
    /// Taking something away.
    #[error("cannot take the pod away")]
    Teardown(#[from] crate::teardown::TeardownError),
    /// The kernel or the runtime of this process.
    #[error("cannot {action}")]
    System {
        /// What.
        action: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl RuntimeError {
    pub(crate) fn io(action: &'static str) -> impl FnOnce(std::io::Error) -> RuntimeError {
        move |source| RuntimeError::System { action, source }
    }

    pub(crate) fn errno(action: &'static str) -> impl FnOnce(Errno) -> RuntimeError {
        move |source| RuntimeError::System { action, source: source.into() }
    }

    /// The failure of a start, whose message and code go into the container's status.
    pub fn start_failure(&self) -> Option<&Failure> {
        match self {
            RuntimeError::Failed(failure) if failure.kind == FailureKind::Start => Some(failure),
            _ => None,
        }
    }

    /// Whether there is no such container or process.
    pub fn is_not_found(&self) -> bool {
        matches!(self, RuntimeError::Failed(failure) if failure.kind == FailureKind::NotFound)
    }
}
