//! A run that cleans up however it ends: it is a program of its own, and whoever started it, the guard, ends it and its clusters. When the guard
//! itself is killed, the run has a third one like it end both.

use std::io::Write as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::panic::PanicHookInfo;
use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus};

use anyhow::{Context as _, Result, bail};
use rustix::process::{
    Pid, Signal, getppid, kill_process_group, set_parent_process_death_signal, test_kill_process_group,
};
use tokio::signal::unix::{SignalKind, signal};

use crate::cluster;

/// What says to a program which of the three it is, and the process that it belongs to: `run PID` or `end PID`. (Knarr refuses variables of its
/// own that it does not know.)
const ROLE: &str = "YARDSTICK_ROLE";

/// The exit code of a run whose words nobody reads: that of a program which SIGPIPE ended.
const UNREAD: u8 = 141;

/// How long tests have to clean up on a cluster that is not the run's own.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// Which of the three this program is.
#[derive(Debug, PartialEq, Eq)]
pub enum Role {
    /// The first, which a person started.
    Guard,
    /// The run, started by the guard with this id.
    Run(i32),
    /// Who ends a run without a guard, and its clusters: the run's processes are of this group.
    End(i32),
}

impl Role {
    /// This program's.
    ///
    /// # Errors
    /// When the variable is no role.
    pub fn own() -> Result<Role> {
        match std::env::var(ROLE) {
            Ok(word) => Role::parse(&word).with_context(|| format!("{ROLE} is {word:?}")),
            Err(_) => Ok(Role::Guard),
        }
    }

    fn parse(word: &str) -> Option<Role> {
        let (role, pid) = word.split_once(' ')?;
        let pid = pid.parse().ok()?;
        match role {
            "run" => Some(Role::Run(pid)),
            "end" => Some(Role::End(pid)),
            _ => None,
        }
    }
}

/// The clusters that a run starts: their name, and where the files of each lie.
pub struct Clusters {
    /// Their name.
    pub name: &'static str,
    /// A place for each.
    pub places: Vec<PathBuf>,
}

impl Clusters {
    /// Ends them all; one that stays keeps none of the others.
    fn down(&self) -> Result<()> {
        let mut ended = Ok(());
        for place in &self.places {
            ended = cluster::both(ended, cluster::down(self.name, place));
        }
        ended
    }
}

/// How a run ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// As it meant to, having cleaned up, with this code.
    Own(u8),
    /// Otherwise: how, and the code that says so.
    Other(String, u8),
}

fn end(status: ExitStatus) -> End {
    if let Some(number) = status.signal() {
        let code = u8::try_from(128 + number).unwrap_or(u8::MAX);
        return End::Other(format!("the run was ended by signal {number}"), code);
    }
    match status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX) {
        code @ (0 | 1) => End::Own(code),
        UNREAD => End::Other("nobody reads what the run prints".to_owned(), UNREAD),
        code => End::Other(format!("the run broke off (exit status {code})"), code),
    }
}

/// Runs this program's arguments in another one like it, and ends the clusters when a signal asks to stop, or when the run ends in another way
/// than it means to.
///
/// # Errors
/// When it cannot be started, or a cluster stays.
pub fn guard(clusters: &Clusters) -> Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let mut hangup = signal(SignalKind::hangup())?;
        let mut quit = signal(SignalKind::quit())?;
        // No Ctrl-C reaches it: it could not clean up in the middle of starting something.
        let mut child = tokio::process::Command::from(again("run")?).spawn().context("running itself")?;
        let group = child.id().and_then(|id| i32::try_from(id).ok());
        let ended = tokio::select! {
            status = child.wait() => end(status?),
            _ = interrupt.recv() => End::Other("interrupted".to_owned(), 130),
            _ = terminate.recv() => End::Other("terminated".to_owned(), 143),
            _ = hangup.recv() => End::Other("the terminal was closed".to_owned(), 129),
            _ = quit.recv() => End::Other("told to quit".to_owned(), 131),
        };
        if let End::Other(how, _) = &ended {
            say(&format!("{how}: cleaning up"));
            if clusters.places.is_empty() {
                // On a cluster of somebody else's, only those who made something know what that is.
                group.map_or(Ok(()), ask_group)?;
                child.wait().await?;
                wait_for_group(group).await;
            }
            // With what it builds; what runs on machines ends with them.
            group.map_or(Ok(()), end_group)?;
            child.wait().await?;
            say("cleaned up");
        }
        anyhow::Ok(ended)
    })?;
    let code = match ended {
        End::Own(code) => code,
        End::Other(_, code) => {
            clusters.down()?;
            code
        }
    };
    Ok(ExitCode::from(code))
}

/// Has the run, this program, end with its guard.
///
/// # Errors
/// When that one has ended already, or the kernel does not tell of it.
pub fn follow(guard: i32) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut terminate = runtime.block_on(async { signal(SignalKind::terminate()) })?;
    set_parent_process_death_signal(Some(Signal::TERM)).context("following the guard")?;
    let has_guard = move || getppid().map(|parent| parent.as_raw_nonzero().get()) == Some(guard);
    if !has_guard() {
        bail!("who started this run has ended");
    }
    std::thread::spawn(move || {
        runtime.block_on(terminate.recv());
        if !has_guard()
            && let Ok(mut ender) = again("end")
        {
            say("who watched over the run has ended: cleaning up");
            // It ends this program, too.
            drop(ender.spawn());
        } else {
            std::process::exit(143);
        }
    });
    Ok(())
}

/// Ends a run that has no guard, and its clusters.
///
/// # Errors
/// When something stays.
pub fn finish(group: i32, clusters: &Clusters) -> Result<ExitCode> {
    end_group(group)?;
    clusters.down()?;
    Ok(ExitCode::SUCCESS)
}

/// This program with its arguments once more, in a role that belongs to this process.
fn again(role: &str) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(std::env::args_os().skip(1)).env(ROLE, format!("{role} {}", std::process::id()));
    command.process_group(0);
    Ok(command)
}

/// Waits, for a while, until nothing of a group is there any more.
async fn wait_for_group(group: Option<i32>) {
    let Some(group) = group.and_then(Pid::from_raw) else { return };
    let begun = std::time::Instant::now();
    while test_kill_process_group(group).is_ok() && begun.elapsed() < PATIENCE {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

fn ask_group(group: i32) -> Result<()> {
    signal_group(group, Signal::INT)
}

fn end_group(group: i32) -> Result<()> {
    signal_group(group, Signal::KILL)
}

fn signal_group(group: i32, signal: Signal) -> Result<()> {
    match Pid::from_raw(group).map(|group| kill_process_group(group, signal)) {
        None | Some(Ok(()) | Err(rustix::io::Errno::SRCH)) => Ok(()),
        Some(Err(error)) => Err(error).context("ending the run"),
    }
}

/// Tells, if anybody still hears it.
fn say(words: &str) {
    let _ = writeln!(std::io::stderr(), "{words}");
}

/// Ends this program without a word where what it prints is read no more, as in `… | head -1`.
pub fn end_when_unread() {
    let otherwise = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic: &PanicHookInfo<'_>| {
        if panic.payload_as_str().is_some_and(is_unread) {
            std::process::exit(i32::from(UNREAD));
        }
        otherwise(panic);
    }));
}

/// Whether these are the words of `println!` on a pipe that was closed.
fn is_unread(words: &str) -> bool {
    words.starts_with("failed printing to ") && words.contains("Broken pipe")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_run_that_ends_as_it_means_to_has_cleaned_up() {
        let other = |how: &str, code| End::Other(how.to_owned(), code);
        for (raw, wanted) in [
            (0, End::Own(0)),
            (1 << 8, End::Own(1)),
            (9, other("the run was ended by signal 9", 137)),
            (3, other("the run was ended by signal 3", 131)),
            (101 << 8, other("the run broke off (exit status 101)", 101)),
            (141 << 8, other("nobody reads what the run prints", 141)),
        ] {
            assert_eq!(end(ExitStatus::from_raw(raw)), wanted);
        }
    }

    #[test]
    fn a_role_is_a_word_and_a_process() {
        for (word, wanted) in [
            ("run 12", Some(Role::Run(12))),
            ("end 7", Some(Role::End(7))),
            ("run", None),
            ("run x", None),
            ("guard 1", None),
        ] {
            assert_eq!(Role::parse(word), wanted);
        }
    }

    #[test]
    fn a_closed_pipe_is_told_from_other_failures() {
        assert!(is_unread("failed printing to stdout: Broken pipe (os error 32)"));
        assert!(!is_unread("failed printing to stdout: No space left on device (os error 28)"));
        assert!(!is_unread("index out of bounds"));
    }
}
