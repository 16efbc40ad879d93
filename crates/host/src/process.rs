//! Processes: an identity that survives the reuse of process ids, signals and exit codes by process descriptor, and what this
//! machine's kernel allows. Used by the runtime's shim and the node agent.
//!
//! Deliberately absent: starting processes (the shim forks its own workers; the agent uses tokio's).
#![allow(unsafe_code)]
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "host is where the kernel's files are touched"
)]

use std::fs;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::errno::Errno;
use nix::libc;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};

pub mod sealed;
pub mod sim;

/// Which process: its id alone may be another's by the time it is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The process id.
    pub pid: i32,
    /// When it started, in clock ticks since boot (field 22 of `/proc/<pid>/stat`).
    pub started_ticks: u64,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Exit {
    /// It exited with this code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
}

impl Exit {
    /// Reads what wait(2) and `PIDFD_GET_INFO` report.
    pub fn from_wait_status(status: i32) -> Exit {
        if libc::WIFSIGNALED(status) {
            Exit::Signal(libc::WTERMSIG(status))
        } else {
            Exit::Code(libc::WEXITSTATUS(status))
        }
    }

    /// The code that Kubernetes shows: 128 and the signal's number for a killed process.
    pub fn code(self) -> i32 {
        match self {
            Exit::Code(code) => code,
            Exit::Signal(signal) => 128 + signal,
        }
    }
}

/// The processes of a machine, by identity.
pub trait Processes: Send + Sync {
    /// The identity of the process that has `pid` now.
    fn identify(&self, pid: i32) -> Option<Identity>;
    /// Sends a signal. `Ok(false)` when the process is gone.
    fn signal(&self, process: Identity, signal: i32) -> Result<bool, Errno>;
}

/// The kernel's processes.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinuxProcesses;

impl Processes for LinuxProcesses {
    fn identify(&self, pid: i32) -> Option<Identity> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Some(Identity { pid, started_ticks: started_ticks(&stat)? })
    }

    fn signal(&self, process: Identity, signal: i32) -> Result<bool, Errno> {
        match PidFd::open(process)? {
            Some(descriptor) => descriptor.signal(signal),
            None => Ok(false),
        }
    }
}

/// The name in parentheses may hold anything, so fields are counted from its end.
fn started_ticks(stat: &str) -> Option<u64> {
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}

/// A descriptor of one process, whatever happens to its id.
#[derive(Debug)]
pub struct PidFd(OwnedFd);

impl PidFd {
    /// Opens a process; `None` when it is gone, or another has its id by now.
    ///
    /// # Errors
    /// When the kernel has no process descriptors (before Linux 5.3) or none are left.
    pub fn open(process: Identity) -> Result<Option<PidFd>, Errno> {
        let Some(pid) = Pid::from_raw(process.pid) else { return Ok(None) };
        let descriptor = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(descriptor) => descriptor,
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            Err(error) => return Err(Errno::from_raw(error.raw_os_error())),
        };
        // Looked up after opening: from here on the id cannot change hands unseen.
        Ok((LinuxProcesses.identify(process.pid) == Some(process)).then_some(PidFd(descriptor)))
    }

    /// Takes over a descriptor that came from elsewhere.
    pub fn from_fd(descriptor: OwnedFd) -> PidFd {
        PidFd(descriptor)
    }

    /// Another descriptor of the same process.
    ///
    /// # Errors
    /// When no descriptors are left.
    pub fn try_clone(&self) -> Result<PidFd, Errno> {
        self.0
            .try_clone()
            .map(PidFd)
            .map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EMFILE)))
    }

    /// Sends a signal. `Ok(false)` when the process is gone.
    ///
    /// # Errors
    /// When the kernel refuses, such as for a number that is no signal.
    pub fn signal(&self, signal: i32) -> Result<bool, Errno> {
        // SAFETY: the descriptor is open for the whole call, and no signal information is passed.
        let result = unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.0.as_raw_fd(),
                signal,
                std::ptr::null::<libc::siginfo_t>(),
                0,
            )
        };
        match Errno::result(result) {
            Ok(_) => Ok(true),
            Err(Errno::ESRCH) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// How the process ended, also when another process has reaped it. `None` while it runs, is not yet reaped, or when the kernel
    /// cannot tell (before Linux 6.15).
    pub fn exit(&self) -> Option<Exit> {
        let mut info = Info { mask: INFO_EXIT, ..Info::default() };
        // SAFETY: the descriptor is open, the request number carries the size of `Info`, and the kernel writes no more than that.
        let result = unsafe { libc::ioctl(self.0.as_raw_fd(), GET_INFO, &raw mut info) };
        (result == 0 && info.mask & INFO_EXIT != 0).then(|| Exit::from_wait_status(info.exit_code))
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl From<PidFd> for OwnedFd {
    fn from(descriptor: PidFd) -> OwnedFd {
        descriptor.0
    }
}

const INFO_EXIT: u64 = 1 << 3;
/// `_IOWR(0xFF, 11, struct pidfd_info)` with the first published size, which every kernel that knows the request accepts.
const GET_INFO: libc::c_ulong = (3 << 30) | ((size_of::<Info>() as libc::c_ulong) << 16) | (0xFF << 8) | 11;

/// `struct pidfd_info` of linux/pidfd.h, first version: 64 bytes.
#[repr(C)]
#[derive(Default)]
struct Info {
    mask: u64,
    cgroup_id: u64,
    pid: u32,
    tgid: u32,
    ppid: u32,
    ids: [u32; 8],
    exit_code: i32,
}

/// What this machine lets a node do. Detected once and said once, instead of failing at each container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeCapabilities {
    /// Whether `oom_score_adj` may be lowered (CAP_SYS_RESOURCE): without it a container gets no lower one than its node's.
    pub lower_oom_score: bool,
    /// SELinux confines processes here.
    pub selinux: bool,
    /// Whether exit codes survive the process that would have reaped them (`PIDFD_INFO_EXIT`, Linux 6.15).
    pub exit_info: bool,
}

impl NodeCapabilities {
    /// Asks the kernel.
    pub fn detect() -> NodeCapabilities {
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        NodeCapabilities {
            lower_oom_score: effective(&status) & (1 << CAP_SYS_RESOURCE) != 0,
            selinux: std::path::Path::new("/sys/fs/selinux/enforce").exists(),
            exit_info: kernel_version(&release) >= Some((6, 15)),
        }
    }
}

const CAP_SYS_RESOURCE: u32 = 24;

fn effective(status: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    line.and_then(|text| u64::from_str_radix(text.trim(), 16).ok()).unwrap_or(0)
}

fn kernel_version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// This process's own `oom_score_adj`.
pub fn oom_score_adj() -> i32 {
    fs::read_to_string("/proc/self/oom_score_adj").ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// Sets this process's own `oom_score_adj`; `false` when the kernel refuses.
pub fn set_oom_score_adj(score: i32) -> bool {
    fs::write(Path::new("/proc/self/oom_score_adj"), score.to_string()).is_ok()
}

/// Makes this process the parent of descendants whose own parent dies.
///
/// # Errors
/// When the kernel refuses.
pub fn become_subreaper() -> Result<(), Errno> {
    // SAFETY: this request takes one number and touches no memory.
    Errno::result(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn start_times_are_read_past_any_name() {
        let rest = "S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20";
        assert_eq!(started_ticks(&format!("42 (a) b (c) {rest}")), Some(777));
        assert_eq!(started_ticks("42 (cut"), None);
    }

    #[test]
    fn an_identity_is_not_another_process_with_the_same_id() {
        let me = LinuxProcesses.identify(std::process::id().cast_signed()).expect("this process exists");
        assert!(PidFd::open(me).expect("open").is_some());
        let other = Identity { started_ticks: me.started_ticks + 1, ..me };
        assert!(PidFd::open(other).expect("open").is_none());
    }

    #[test]
    fn an_exit_code_is_known_after_another_reaped_it() {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "read x; exit 42"]).stdin(std::process::Stdio::piped());
        let mut child = command.spawn().expect("a shell");
        let identity = LinuxProcesses.identify(child.id().cast_signed()).expect("it runs");
        let descriptor = PidFd::open(identity).expect("open").expect("it runs");
        assert_eq!(descriptor.exit(), None);
        drop(child.stdin.take());
        child.wait().expect("reap");
        if NodeCapabilities::detect().exit_info {
            assert_eq!(descriptor.exit(), Some(Exit::Code(42)));
        }
        assert_eq!(descriptor.signal(libc::SIGTERM), Ok(false));
    }

    #[test]
    fn capabilities_and_versions_are_read() {
        assert_eq!(effective("Name:\tx\nCapEff:\t000001fffeffffff\n") & (1 << CAP_SYS_RESOURCE), 0);
        assert_eq!(kernel_version("6.18.44-fc-v669\n"), Some((6, 18)));
        assert_eq!(kernel_version("?"), None);
        assert_eq!(Exit::Signal(9).code(), 137);
    }
}
