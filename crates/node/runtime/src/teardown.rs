//! Taking away what a container or a pod leaves: mounts, namespaces, control groups, files. Every step is idempotent, so whoever comes
//! last finishes it: the shim for a container, the agent for a pod, whether or not its shim lives.

use std::os::fd::AsFd;

use host::cgroup::{CgroupPath, Cgroups};
use host::mount::{LinuxMounts, Mounts};
use host::process::{Identity, PidFd};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::disk;
use crate::layout::{ContainerLayout, PodLayout};
use crate::limits::KILL_WAIT;

const SIGKILL: i32 = 9;

/// What could not be taken away. Trying again is safe.
#[derive(Debug, thiserror::Error)]
pub enum TeardownError {
    /// A control group.
    #[error("cannot take a control group away")]
    Cgroup(#[from] host::cgroup::CgroupError),
    /// The shim.
    #[error("cannot end the pod's shim")]
    Shim(#[source] nix::Error),
    /// A mount.
    #[error("cannot take a mount away")]
    Mount(#[from] host::mount::MountError),
    /// Files.
    #[error("cannot take files away")]
    Disk(#[from] disk::DiskError),
}

/// Kills whatever is in a group, waits until it is gone and removes the group.
pub(crate) fn group(cgroups: &dyn Cgroups, path: &CgroupPath) -> Result<(), TeardownError> {
    if !cgroups.exists(path) {
        return Ok(());
    }
    cgroups.kill(path)?;
    cgroups.wait_empty(path, KILL_WAIT)?;
    Ok(cgroups.remove(path)?)
}

/// Takes a container away: its processes, its root, its files.
pub(crate) fn container(
    cgroups: &dyn Cgroups,
    places: &ContainerLayout,
    cgroup: &CgroupPath,
) -> Result<(), TeardownError> {
    group(cgroups, cgroup)?;
    LinuxMounts.unmount(&places.rootfs())?;
    disk::remove_directory(&places.library)?;
    disk::remove_directory(&places.changes)?;
    Ok(disk::remove_directory(&places.directory)?)
}

/// Takes a pod away with its shim and all its containers.
pub(crate) fn pod(
    cgroups: &dyn Cgroups,
    places: &PodLayout,
    cgroup: &CgroupPath,
) -> Result<(), TeardownError> {
    // First, or it would start what is taken away.
    shim(places)?;
    group(cgroups, cgroup)?;
    files(places)
}

/// Kills a pod's shim, if it still runs, and waits until it is gone.
fn shim(places: &PodLayout) -> Result<(), TeardownError> {
    let Some(Some(identity)) = disk::read_json::<Option<Identity>>(&places.shim())? else { return Ok(()) };
    let Some(process) = PidFd::open(identity).map_err(TeardownError::Shim)? else { return Ok(()) };
    if process.signal(SIGKILL).map_err(TeardownError::Shim)? {
        let timeout = PollTimeout::try_from(KILL_WAIT).unwrap_or(PollTimeout::MAX);
        let _ = poll(&mut [PollFd::new(process.as_fd(), PollFlags::POLLIN)], timeout);
    }
    Ok(())
}

/// Takes away the mounts and files of a pod that nothing more is known of.
pub(crate) fn files(places: &PodLayout) -> Result<(), TeardownError> {
    for id in disk::names(&places.containers())? {
        disk::remove_directory(&places.container(&id).changes)?;
    }
    for point in LinuxMounts.below(places.directory())? {
        LinuxMounts.unmount(&point)?;
    }
    Ok(disk::remove_directory(places.directory())?)
}
