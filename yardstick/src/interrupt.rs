//! A run that cleans up also when it is interrupted: it is a program of its own, and whoever started it ends it and its cluster.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::signal::unix::{SignalKind, signal};

use crate::cluster;

/// What says to the second program that it is the second. (Knarr refuses variables of its own that it does not know.)
const INNER: &str = "YARDSTICK_INNER";

/// Runs this program's arguments in another one like it, and ends the clusters of this name, whose files lie in these places, when a signal asks to
/// stop. None if this is that other one.
///
/// # Errors
/// When it cannot be started, or a cluster stays.
pub fn guarded(name: &str, places: &[PathBuf]) -> Result<Option<ExitCode>> {
    if std::env::var_os(INNER).is_some() {
        return Ok(None);
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let code = runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let mut command = Command::new(std::env::current_exe()?);
        // No Ctrl-C reaches it: it could not clean up in the middle of starting something.
        command.args(std::env::args_os().skip(1)).env(INNER, "1").process_group(0);
        let mut child = tokio::process::Command::from(command).spawn().context("running itself")?;
        let group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        tokio::select! {
            status = child.wait() => {
                let code = status?.code().unwrap_or(1);
                return Ok(u8::try_from(code).unwrap_or(1));
            }
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        eprintln!("interrupted: cleaning up");
        // With what it builds; what runs on machines ends with them.
        if let Some(group) = group {
            kill_process_group(group, Signal::KILL).context("ending the run")?;
        }
        child.wait().await?;
        anyhow::Ok(130)
    })?;
    if code == 130 {
        places.iter().try_for_each(|place| cluster::down(name, place))?;
    }
    Ok(Some(ExitCode::from(code)))
}
