//! Ending a process that is not necessarily a child, by descriptor: never another that has its id by now.
//!
//! Used by `down` and by `up` when it is interrupted. It waits for the event itself; nothing is polled.

use std::time::Duration;

use host::process::{Identity, PidFd};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::limits;

const SIGTERM: i32 = 15;
const SIGKILL: i32 = 9;

/// How a process was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stopped {
    /// It was gone already.
    Gone,
    /// It ended when asked to.
    Asked,
    /// It had to be killed.
    Killed,
}

/// A process could not be ended.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// The kernel refuses.
    #[error("cannot signal process {pid}")]
    Signal {
        /// The process.
        pid: i32,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It outlives even being killed: it waits within the kernel.
    #[error(
        "process {0} does not end, not even when killed: it hangs in the kernel (a dead disk or network mount?)"
    )]
    Hangs(i32),
}

/// Asks a process to end, kills it when it does not in `patience`, and returns once it has ended.
///
/// # Errors
/// When the kernel refuses, or the process cannot end.
pub fn stop(process: Identity, patience: Duration) -> Result<Stopped, StopError> {
    let failed =
        |errno: i32| StopError::Signal { pid: process.pid, source: std::io::Error::from_raw_os_error(errno) };
    let Some(descriptor) = PidFd::open(process).map_err(|errno| failed(errno as i32))? else {
        return Ok(Stopped::Gone);
    };
    for (signal, patience, outcome) in
        [(SIGTERM, patience, Stopped::Asked), (SIGKILL, limits::KILL, Stopped::Killed)]
    {
        if !descriptor.signal(signal).map_err(|errno| failed(errno as i32))? {
            return Ok(Stopped::Gone);
        }
        if ends_within(&descriptor, patience).map_err(|errno| failed(errno.raw_os_error()))? {
            return Ok(outcome);
        }
    }
    Err(StopError::Hangs(process.pid))
}

/// A process's descriptor becomes readable when it ends, reaped or not.
fn ends_within(descriptor: &PidFd, patience: Duration) -> Result<bool, rustix::io::Errno> {
    let timeout = Timespec::try_from(patience).ok();
    loop {
        let mut waiting = [PollFd::new(descriptor, PollFlags::IN)];
        match poll(&mut waiting, timeout.as_ref()) {
            Ok(ready) => return Ok(ready > 0),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use host::process::{LinuxProcesses, Processes};

    use super::*;

    fn stopped(script: &str, patience: Duration) -> Stopped {
        let command =
            Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = command.expect("sh starts");
        let mut out = child.stdout.take().expect("a pipe");
        // The script says when it is ready to be signalled.
        let mut word = [0u8; 1];
        std::io::Read::read_exact(&mut out, &mut word).expect("a word");
        let process = LinuxProcesses.identify(i32::try_from(child.id()).unwrap()).expect("it runs");
        let outcome = stop(process, patience);
        let _ = child.kill();
        child.wait().expect("it is our child");
        assert_eq!(stop(process, patience).expect("nothing to do"), Stopped::Gone);
        outcome.expect("it ends")
    }

    #[test]
    fn a_process_is_asked_and_then_killed() {
        assert_eq!(stopped("echo; read x", Duration::from_secs(60)), Stopped::Asked);
        assert_eq!(stopped("trap '' TERM; echo; read x", Duration::ZERO), Stopped::Killed);
    }
}
