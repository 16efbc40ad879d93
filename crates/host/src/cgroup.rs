//! Control groups behind one small trait, for both generations: [`v1`] (one tree per controller) and [`v2`] (one tree).
//!
//! The node agent makes a pod's group and its limits; the runtime's shim makes one child per container, reads its out-of-memory
//! kills and ends it. Deliberately absent: systemd as a middleman (Kubernetes' `cgroupfs` driver is the one honoured here), and any
//! decision about which limits a pod gets.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::errno::Errno;
use serde::{Deserialize, Serialize};

pub mod device;
mod device_program;
mod drain;
mod files;
pub mod sim;
pub mod v1;
pub mod v2;

pub use device::{Access, DeviceKind, DeviceRule};

/// Where the kernel's trees are mounted.
const ROOT: &str = "/sys/fs/cgroup";

/// The generation of control groups that a machine's controllers are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// One tree per controller. A hybrid machine, whose unified tree holds no CPU or memory, counts as this.
    V1,
    /// One tree for all controllers.
    V2,
}

/// An absolute path inside the control group trees, such as `/kubepods/burstable/pod<uid>/<container>`. It never climbs (`..`)
/// and is never the root, so nothing that takes one can touch the machine's own groups.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CgroupPath(String);

impl CgroupPath {
    /// Checks and normalises a path: one slash before each name, none at the end.
    ///
    /// # Errors
    /// When it is empty, the root, or has a part that is `.` or `..`.
    pub fn parse(text: &str) -> Result<CgroupPath, CgroupError> {
        let invalid = || CgroupError::InvalidPath { path: text.to_owned() };
        let mut path = String::with_capacity(text.len() + 1);
        for part in text.split('/').filter(|part| !part.is_empty()) {
            if part == "." || part == ".." || part.contains('\0') {
                return Err(invalid());
            }
            path.push('/');
            path.push_str(part);
        }
        if path.is_empty() { Err(invalid()) } else { Ok(CgroupPath(path)) }
    }

    /// The child `name` of this group.
    ///
    /// # Errors
    /// When `name` is not one plain path part.
    pub fn join(&self, name: &str) -> Result<CgroupPath, CgroupError> {
        if name.is_empty() || name.contains('/') {
            return Err(CgroupError::InvalidPath { path: format!("{}/{name}", self.0) });
        }
        CgroupPath::parse(&format!("{}/{name}", self.0))
    }

    /// The path as text, with a leading slash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The directory of this group below `mount`.
    pub fn below(&self, mount: &Path) -> PathBuf {
        mount.join(&self.0[1..])
    }
}

impl TryFrom<String> for CgroupPath {
    type Error = CgroupError;
    fn try_from(text: String) -> Result<CgroupPath, CgroupError> {
        CgroupPath::parse(&text)
    }
}

impl From<CgroupPath> for String {
    fn from(path: CgroupPath) -> String {
        path.0
    }
}

impl fmt::Display for CgroupPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a group may use. What is `None` is left as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Relative weight as version 1 counts it, 2 to 262144 (1024 is one CPU). Converted for version 2.
    pub cpu_shares: Option<u64>,
    /// CPU time per period in microseconds; negative is unlimited.
    pub cpu_quota_micros: Option<i64>,
    /// The period of the quota in microseconds.
    pub cpu_period_micros: Option<u64>,
    /// Memory in bytes; negative is unlimited.
    pub memory_bytes: Option<i64>,
    /// Swap in bytes, not counting memory; negative is unlimited.
    pub swap_bytes: Option<i64>,
    /// The number of processes and threads; negative is unlimited.
    pub pids: Option<i64>,
    /// The CPUs to run on, as a list such as `0-3,7`.
    pub cpuset_cpus: Option<String>,
    /// The memory nodes to use.
    pub cpuset_mems: Option<String>,
    /// Bytes of huge pages, by page size as the kernel names it (`2MB`).
    pub hugetlb_bytes: BTreeMap<String, u64>,
    /// Whether an out-of-memory kill takes the whole group (version 2; kubelet's default there).
    pub oom_group: Option<bool>,
    /// Files of the unified tree to write as they are (`memory.high`, `memory.min`); version 1 refuses them.
    pub unified: BTreeMap<String, String>,
}

/// What a group has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time in nanoseconds.
    pub cpu_nanos: u64,
    /// Memory in bytes, page cache included.
    pub memory_bytes: u64,
    /// Memory that cannot be dropped at once: `memory_bytes` less the inactive page cache, as kubelet's eviction counts it.
    pub working_set_bytes: u64,
    /// Processes and threads.
    pub pids: u64,
}

/// What cannot be done with a control group.
#[derive(Debug, thiserror::Error)]
pub enum CgroupError {
    /// The path is not one that may be used.
    #[error("control group path {path:?} must name a group below the root, without . or ..")]
    InvalidPath {
        /// The path as given.
        path: String,
    },
    /// The machine offers no controller that a limit needs.
    #[error("this machine has no {controller} controller, which {what} needs")]
    NoController {
        /// The controller's name.
        controller: &'static str,
        /// What asked for it.
        what: String,
    },
    /// The kernel refused.
    #[error("cannot {action} {}", path.display())]
    Kernel {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Errno,
    },
    /// A file of the kernel holds something else than it should.
    #[error("cannot understand {} ({text:?})", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What it holds.
        text: String,
    },
    /// Processes are still in the group.
    #[error("control group {path} still holds processes {pids:?}")]
    Busy {
        /// Which group.
        path: CgroupPath,
        /// Which processes.
        pids: Vec<i32>,
    },
}

/// The control groups of a machine.
pub trait Cgroups: Send + Sync {
    /// Which generation this is.
    fn version(&self) -> Version;
    /// Makes a group and its parents, with every controller there is. An existing one is left as it is.
    fn create(&self, path: &CgroupPath) -> Result<(), CgroupError>;
    /// Whether the group exists.
    fn exists(&self, path: &CgroupPath) -> bool;
    /// Sets what the group may use.
    fn limit(&self, path: &CgroupPath, limits: &Limits) -> Result<(), CgroupError>;
    /// Denies every device but those that `rules` allow.
    fn allow_devices(&self, path: &CgroupPath, rules: &[DeviceRule]) -> Result<(), CgroupError>;
    /// Moves a process into the group.
    fn attach(&self, path: &CgroupPath, pid: i32) -> Result<(), CgroupError>;
    /// The processes of the group and of all below it; none when the group does not exist.
    fn processes(&self, path: &CgroupPath) -> Result<Vec<i32>, CgroupError>;
    /// Stops (or lets go on) every process of the group and of all below it.
    fn freeze(&self, path: &CgroupPath, frozen: bool) -> Result<(), CgroupError>;
    /// Sends SIGKILL to every process of the group and of all below it. They may take a moment to be gone.
    fn kill(&self, path: &CgroupPath) -> Result<(), CgroupError>;
    /// Removes the group and all below it; an absent one counts as removed.
    ///
    /// # Errors
    /// [`CgroupError::Busy`] while processes are in it.
    fn remove(&self, path: &CgroupPath) -> Result<(), CgroupError>;
    /// What the group has used.
    fn usage(&self, path: &CgroupPath) -> Result<Usage, CgroupError>;
    /// How many processes of the group the kernel has killed for want of memory.
    fn oom_kills(&self, path: &CgroupPath) -> Result<u64, CgroupError>;
    /// Waits until the group and all below it hold no process, at most `limit`. Returns those that are left.
    fn wait_empty(&self, path: &CgroupPath, limit: std::time::Duration) -> Result<Vec<i32>, CgroupError>;
}

/// The groups of this machine: version 2 where `/sys/fs/cgroup` is the unified tree, version 1 otherwise.
///
/// # Errors
/// When neither is mounted there.
pub fn detect() -> Result<Arc<dyn Cgroups>, CgroupError> {
    let root = Path::new(ROOT);
    if root.join("cgroup.controllers").exists() {
        return Ok(Arc::new(v2::Unified::new(root.to_owned())));
    }
    Ok(Arc::new(v1::Legacy::discover()?))
}

#[cfg(test)]
mod tests;
