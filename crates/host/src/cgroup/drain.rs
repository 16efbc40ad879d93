//! Waiting for the processes of a group to be gone, by their process descriptors: the kernel's own event, no polling.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::CgroupError;

/// Rounds of looking again: a group whose processes keep forking is not drained by waiting.
const ROUNDS_MAX: u32 = 64;

/// Calls `processes` until it names none, waiting between the calls for those that it named to exit.
pub(super) fn wait_empty(
    limit: Duration,
    processes: impl Fn() -> Result<Vec<i32>, CgroupError>,
) -> Result<Vec<i32>, CgroupError> {
    for _ in 0..ROUNDS_MAX {
        let pids = processes()?;
        if pids.is_empty() {
            return Ok(pids);
        }
        for descriptor in pids.iter().filter_map(|pid| open(*pid)) {
            if !exited(&descriptor, limit) {
                return processes();
            }
        }
    }
    processes()
}

fn open(pid: i32) -> Option<OwnedFd> {
    pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()
}

fn exited(descriptor: &OwnedFd, limit: Duration) -> bool {
    let timeout = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
    loop {
        match nix::poll::poll(&mut [PollFd::new(descriptor.as_fd(), PollFlags::POLLIN)], timeout) {
            Err(Errno::EINTR) => {}
            Ok(ready) => return ready > 0,
            Err(_) => return false,
        }
    }
}
