//! Taking away what a container or a pod leaves: mounts, namespaces, control groups, files. Every step is idempotent, so whoever comes
//! last finishes it: the shim for a container, the agent for a pod, whether or not its shim lives.

use host::cgroup::{CgroupPath, Cgroups};
use host::mount::{LinuxMounts, Mounts};

use crate::disk;
use crate::layout::{ContainerLayout, PodLayout};
use crate::limits::KILL_WAIT;

/// What could not be taken away. Trying again is safe.
#[derive(Debug, thiserror::Error)]
pub enum TeardownError {
    /// A control group.
    #[error("cannot take a control group away")]
    Cgroup(#[from] host::cgroup::CgroupError),
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

/// Takes a pod away with all its containers.
pub(crate) fn pod(
    cgroups: &dyn Cgroups,
    places: &PodLayout,
    cgroup: &CgroupPath,
) -> Result<(), TeardownError> {
    group(cgroups, cgroup)?;
    files(places)
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
