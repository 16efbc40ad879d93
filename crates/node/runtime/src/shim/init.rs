//! The first process of a shared process namespace: it reaps what is orphaned there, and does nothing else.
//!
//! The sealed binary executed once more, so that it holds nothing of the shim's memory, and then shut in: an empty read-only root, no
//! capabilities, no descriptors, not root. Whoever may look into it from a container (`/proc/1/root`) finds nothing.
#![allow(unsafe_code)]

use std::ffi::CString;
use std::os::fd::OwnedFd;
use std::path::Path;

use host::cgroup::{CgroupPath, Cgroups};
use host::mount::{LinuxMounts, Mounts};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Gid, Pid, Uid, execv, fork, pivot_root, setgroups, setresgid, setresuid};

use super::ShimError;
use super::capability;
use crate::disk;
use crate::layout::PodLayout;

/// The argument that makes this binary such a process.
pub(super) const ARGUMENT: &str = "init";
/// Who runs it: the user that upstream's pause container has.
const USER: u32 = 65_535;

/// Starts it in a new process namespace, pinned, in the control group `cgroup`. Returns its process id.
pub(super) fn start(
    places: &PodLayout,
    prefix: &[String],
    cgroups: &dyn Cgroups,
    cgroup: &CgroupPath,
) -> Result<Pid, ShimError> {
    cgroups.create(cgroup)?;
    let pin = places.namespace("pid");
    LinuxMounts.unmount(&pin)?;
    disk::replace(&pin, b"")?;
    let (outcome, report) = nix::unistd::pipe2(OFlag::O_CLOEXEC).map_err(ShimError::system("make a pipe"))?;
    // SAFETY: a shim has one thread, so the child may do whatever its parent could.
    match unsafe { fork() }.map_err(ShimError::system("fork"))? {
        ForkResult::Child => {
            let pid = between(prefix, places, cgroups, cgroup).unwrap_or(Pid::from_raw(0));
            let _ = nix::unistd::write(&report, &pid.as_raw().to_le_bytes());
            // SAFETY: ends the forked copy without running what the shim registered for its own end.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            drop(report);
            let pid = read_pid(&outcome);
            waitpid(child, None).map_err(ShimError::system("wait for the first process"))?;
            let pid =
                pid.ok_or(ShimError::System { action: "start the first process", source: Errno::ECHILD })?;
            LinuxMounts.bind(Path::new(&format!("/proc/{pid}/ns/pid")), &pin)?;
            Ok(pid)
        }
    }
}

fn read_pid(pipe: &OwnedFd) -> Option<Pid> {
    let mut bytes = [0; 4];
    let count = nix::unistd::read(pipe, &mut bytes).ok()?;
    let pid = i32::from_le_bytes(bytes);
    (count == 4 && pid > 0).then(|| Pid::from_raw(pid))
}

/// Between the shim and the new namespace's first process, which only a child of whoever unshares can be. When this one exits the
/// shim, a subreaper, becomes its parent.
fn between(
    prefix: &[String],
    places: &PodLayout,
    cgroups: &dyn Cgroups,
    cgroup: &CgroupPath,
) -> Result<Pid, ShimError> {
    cgroups.attach(cgroup, Pid::this().as_raw())?;
    unshare(CloneFlags::CLONE_NEWPID).map_err(ShimError::system("make a process namespace"))?;
    // SAFETY: as above.
    match unsafe { fork() }.map_err(ShimError::system("fork"))? {
        ForkResult::Parent { child } => Ok(child),
        ForkResult::Child => {
            let text = |text: &str| CString::new(text).unwrap_or_default();
            let mut args = vec![text("knarr")];
            args.extend(prefix.iter().map(|part| text(part)));
            args.extend([text(ARGUMENT), text(&places.namespaces().to_string_lossy())]);
            let _ = execv(c"/proc/self/exe", &args);
            // SAFETY: nothing was executed; ends the forked copy.
            unsafe { libc::_exit(127) }
        }
    }
}

/// What it does. Returns only if it cannot shut itself in.
pub(super) fn run(directory: &Path) -> Result<std::convert::Infallible, ShimError> {
    let system = ShimError::system;
    let mut wanted = SigSet::empty();
    wanted.add(Signal::SIGCHLD);
    wanted.thread_block().map_err(system("block signals"))?;
    unshare(CloneFlags::CLONE_NEWNS).map_err(system("make a mount namespace"))?;
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(None::<&str>, "/", None::<&str>, private, None::<&str>).map_err(system("keep mounts private"))?;
    let empty = MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some("empty"), directory, Some("tmpfs"), empty, Some("size=0,mode=555"))
        .map_err(system("mount an empty root"))?;
    nix::unistd::chdir(directory).map_err(system("enter the empty root"))?;
    pivot_root(".", ".").map_err(system("change the root"))?;
    umount2(".", MntFlags::MNT_DETACH).map_err(system("leave the old root"))?;
    nix::unistd::chdir("/").map_err(system("enter the empty root"))?;
    // SAFETY: closes every descriptor of this process, none of which is used below.
    Errno::result(unsafe { libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0) })
        .map_err(system("close descriptors"))?;
    capability::drop_bounding(0).map_err(system("drop capabilities"))?;
    setgroups(&[]).map_err(system("leave groups"))?;
    let (gid, uid) = (Gid::from_raw(USER), Uid::from_raw(USER));
    setresgid(gid, gid, gid).map_err(system("change the group"))?;
    setresuid(uid, uid, uid).map_err(system("change the user"))?;
    loop {
        loop {
            match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) | Err(_) => break,
                Ok(_) => {}
            }
        }
        let _ = wanted.wait();
    }
}
