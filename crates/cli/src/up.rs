//! `knarr up`: starts a server in the background, waits until it is ready, and says what to do next.
//!
//! Used by the binary. Run again, it starts what is stopped and says what runs. Interrupted, it undoes what this run made and nothing
//! else: pods that ran before go on, data that was there before stays. Deliberately absent: what a server does (see the binary), and
//! trying again.
#![allow(clippy::disallowed_types, clippy::disallowed_methods, reason = "the shell that starts the server")]

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::future::Future;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use base::time::Clock;
use host::process::{LinuxProcesses, Processes};

use crate::config::settings::differences;
use crate::config::{Place, ServerConfig};
use crate::down::{self, DownError, counted, say};
use crate::instance::{self, InstanceError, Record, Role};
use crate::invocation::ServerWords;
use crate::limits;
use crate::logs::last_lines;
use crate::machine::{Machine, MachineError, Probe};
use crate::service::{self, ServiceError};
use crate::stop::{StopError, stop};
use crate::surroundings::Surroundings;

pub mod progress;

use progress::Progress;

/// All that `up` works with.
pub struct Up<'a> {
    /// The server's configuration.
    pub config: &'a ServerConfig,
    /// The words that start it.
    pub words: &'a ServerWords,
    /// This binary.
    pub program: &'a Path,
    /// Looks at the cluster.
    pub probe: &'a dyn Probe,
    /// Ends what an interrupted run started.
    pub machine: &'a dyn Machine,
    /// What waits.
    pub clock: &'a dyn Clock,
    /// What a command finds around it.
    pub around: &'a dyn Surroundings,
}

/// How `up` ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The cluster is ready.
    Ready,
    /// The run was interrupted, and undone.
    Undone,
}

/// Why a cluster did not start.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// The data directory is an agent's.
    #[error(
        "{data_dir} belongs to a node of another cluster, whose agent {}: choose another --data-dir, or delete that (knarr down --purge{flag})",
        pid.map_or_else(|| format!("is stopped ({again} starts it)"), |pid| format!("runs, process {pid}"))
    )]
    Agent {
        /// The data directory.
        data_dir: PathBuf,
        /// The agent's process, if it runs.
        pid: Option<i32>,
        /// What starts it.
        again: String,
        /// The flag that selects the directory.
        flag: String,
    },
    /// The server ended.
    #[error("the server ended while starting ({status}){}", quoted(log, lines))]
    Ended {
        /// How.
        status: ExitStatus,
        /// Its log.
        log: String,
        /// The last lines of it.
        lines: Vec<String>,
    },
    /// The cluster is still not ready. It runs on.
    #[error(
        "after {seconds} seconds {missing}. The server runs on: see knarr status and knarr logs{}",
        quoted(log, lines)
    )]
    Late {
        /// How long was waited.
        seconds: u64,
        /// What is missing.
        missing: String,
        /// Its log.
        log: String,
        /// The last lines of it.
        lines: Vec<String>,
    },
    /// A directory or the log cannot be made.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// systemd does not start it.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The program does not start.
    #[error("{program} does not start")]
    Start {
        /// This binary.
        program: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// An interrupted run cannot be undone wholly.
    #[error("what this run started could not all be undone; knarr down does the rest")]
    Undo(#[from] UndoError),
}

/// Why a run cannot be undone.
#[derive(Debug, thiserror::Error)]
pub enum UndoError {
    /// The server does not stop.
    #[error("the server cannot be stopped")]
    Stop(#[from] StopError),
    /// systemd does not stop it.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The node's part stays.
    #[error("the node's part stays")]
    Machine(#[source] MachineError),
    /// Files stay.
    #[error("files stay")]
    Files(#[source] Box<DownError>),
}

fn quoted(log: &str, lines: &[String]) -> String {
    if lines.is_empty() {
        return format!("; its log {log} is empty");
    }
    format!(". The end of its log, {log}:\n  {}", lines.join("\n  "))
}

/// What was there before this run.
struct Before {
    data_dir: bool,
    pods: BTreeSet<String>,
    log_bytes: u64,
}

/// What this run started.
enum Started {
    Child(Child),
    /// What ends once systemd has the service ready, or cannot have it so.
    Service(Child),
    Nothing,
}

/// Starts the cluster and waits for it, or for `interrupt`.
///
/// # Errors
/// When the server cannot be started, ends, or does not become ready in time.
pub async fn up(
    up: &Up<'_>,
    interrupt: impl Future<Output = ()>,
    out: &mut (dyn Write + Send),
) -> Result<Outcome, UpError> {
    let place = &up.config.place;
    refuse_agents(place)?;
    let mut before = Before {
        data_dir: place.data_dir.exists(),
        pods: up.machine.pods().unwrap_or_default(),
        log_bytes: 0,
    };
    let mut started = match instance::find(place) {
        Some(record) => {
            say(out, &format!("Already running, process {}", record.process.pid));
            differing(up, &record).iter().for_each(|line| say(out, line));
            Started::Nothing
        }
        None => start(up, &mut before, out)?,
    };
    let mut interrupt = std::pin::pin!(interrupt);
    let waited = tokio::select! {
        biased;
        () = &mut interrupt => None,
        result = wait(up, &mut started, &before, out) => Some(result),
    };
    match waited {
        Some(Ok(())) => {
            next(up.config, out);
            Ok(Outcome::Ready)
        }
        Some(Err(error)) => Err(error),
        None => {
            undo(up, started, &before, out)?;
            Ok(Outcome::Undone)
        }
    }
}

/// A node's data and a cluster's do not go together.
fn refuse_agents(place: &Place) -> Result<(), UpError> {
    let Some(last) = instance::last(place).filter(|last| last.role == Role::Agent) else { return Ok(()) };
    Err(UpError::Agent {
        data_dir: place.data_dir.clone(),
        pid: last.is_alive().then_some(last.process.pid),
        again: last.again(place),
        flag: place.flag(),
    })
}

/// What to say where flags were given that are not what runs: none of them takes effect.
fn differing(up: &Up<'_>, running: &Record) -> Vec<String> {
    let found = differences(&up.words.given, &up.config.settings(), &running.settings);
    if found.is_empty() {
        return Vec::new();
    }
    let shown = |value: &str| if value.is_empty() { "nothing".to_owned() } else { value.to_owned() };
    let mut lines = vec!["  It runs with other flags than these, and nothing is changed:".to_owned()];
    lines.extend(
        found
            .iter()
            .map(|one| format!("  --{} is {}, not {}", one.flag, shown(&one.runs), shown(&one.asked))),
    );
    let flag = up.config.place.flag();
    lines.push(if running.supervised {
        format!("  To start it with them: knarr service install{flag} with these flags")
    } else {
        format!(
            "  To start it with them: knarr down{flag} (its pods end, its data stay), then this command again"
        )
    });
    lines
}

fn start(up: &Up<'_>, before: &mut Before, out: &mut (dyn Write + Send)) -> Result<Started, UpError> {
    let place = &up.config.place;
    if service::is_installed(place) {
        let starting = service::begin(place)?;
        say(out, &format!("Starting the service {}", place.unit()));
        if service::differs(place, up.program, up.words) {
            let again =
                format!("  To start it with them: knarr service install{} with these flags", place.flag());
            say(out, "  Its unit has other flags than these, and starts with its own");
            say(out, &again);
        }
        return Ok(Started::Service(starting));
    }
    let path = place.server_log();
    let log = open_log(&path)?;
    before.log_bytes = log.metadata().map_or(0, |log| log.len());
    let failed = |source| UpError::Start { program: up.program.to_owned(), source };
    let mut command = Command::new(up.program);
    command.arg("server").arg("--background").args(&up.words.words).stdin(Stdio::null());
    // Whoever called may run under systemd: the server is not that unit.
    command.env_remove("NOTIFY_SOCKET");
    if let Some(token) = &up.words.token {
        command.env("KNARR_TOKEN", token.reveal());
    }
    command.stdout(log.try_clone().map_err(failed)?).stderr(log);
    let child = command.spawn().map_err(failed)?;
    say(out, &format!("Starting the server, process {} (log: {})", child.id(), path.display()));
    if !before.pods.is_empty() {
        say(out, &format!("  {} from before will be adopted", counted(before.pods.len(), "running pod")));
    }
    Ok(Started::Child(child))
}

/// The log, the earlier one put aside once it is long.
fn open_log(path: &Path) -> Result<File, InstanceError> {
    let failed = |source| InstanceError::Io { what: "open", path: path.to_owned(), source };
    if let Some(directory) = path.parent() {
        instance::make_directory(directory, 0o711)?;
    }
    if fs::metadata(path).is_ok_and(|log| log.len() > limits::LOG_BYTES) {
        fs::rename(path, path.with_extension("log.1")).map_err(failed)?;
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(path).map_err(failed)
}

async fn wait(
    up: &Up<'_>,
    started: &mut Started,
    before: &Before,
    out: &mut (dyn Write + Send),
) -> Result<(), UpError> {
    let wants_node = !up.config.disable_agent;
    let place = &up.config.place;
    let begin = up.clock.now();
    let mut progress = Progress::default();
    loop {
        match started {
            Started::Child(child) => {
                let ended = child.try_wait().ok().flatten();
                let other =
                    instance::find(place).filter(|other| other.process.pid.unsigned_abs() != child.id());
                match (other, ended) {
                    // The one of this run finds the place taken, and ends.
                    (Some(other), _) => {
                        say(
                            out,
                            &format!("Another knarr started it meanwhile, process {}", other.process.pid),
                        );
                        *started = Started::Nothing;
                    }
                    (None, Some(_)) if instance::is_taken(place) => {
                        say(out, "Another knarr is starting it");
                        *started = Started::Nothing;
                    }
                    (None, Some(status)) => {
                        let (log, lines) = end_of_log(place, before);
                        return Err(UpError::Ended { status, log, lines });
                    }
                    (None, None) => {}
                }
            }
            Started::Service(starting) => {
                if starting.try_wait().is_ok_and(|ended| ended.is_some_and(|status| !status.success())) {
                    return Err(service::not_started(place).into());
                }
            }
            Started::Nothing => {}
        }
        let seen = up.probe.look().await;
        progress.step(&seen, wants_node).iter().for_each(|line| say(out, line));
        if progress.is_done(wants_node) {
            return Ok(());
        }
        let waited = up.clock.now().since(begin);
        if waited >= limits::READY {
            let (log, lines) = end_of_log(place, before);
            let missing = Progress::missing(&seen);
            return Err(UpError::Late { seconds: waited.as_secs(), missing, log, lines });
        }
        up.clock.sleep(limits::READY_POLL).await;
    }
}

/// Where the server's log is, and the end of what it wrote.
fn end_of_log(place: &Place, before: &Before) -> (String, Vec<String>) {
    if service::is_installed(place) {
        return (format!("journalctl -u {}", place.unit()), service::journal::last_lines(place));
    }
    let log = place.server_log();
    (log.display().to_string(), last_lines(&log, before.log_bytes))
}

fn next(config: &ServerConfig, out: &mut dyn Write) {
    let place = &config.place;
    say(out, "");
    say(out, "Next:");
    say(out, &format!("  export KUBECONFIG={}", place.kubeconfig.display()));
    say(out, "  kubectl get nodes,pods -A");
    say(out, &format!("Or add it to your own kubeconfig: knarr kubeconfig --merge{}", place.flag()));
    say(out, &format!("Stop it with: knarr down{}", place.flag()));
}

fn undo(up: &Up<'_>, started: Started, before: &Before, out: &mut dyn Write) -> Result<(), UndoError> {
    let place = &up.config.place;
    match started {
        Started::Nothing => {
            say(out, "Interrupted. It was running before and goes on");
            return Ok(());
        }
        Started::Service(_) => drop(service::stop(place)?),
        Started::Child(mut child) => {
            let process = i32::try_from(child.id()).ok().and_then(|pid| LinuxProcesses.identify(pid));
            if let Some(process) = process {
                stop(process, limits::STOP)?;
            }
            // It has ended: this only takes its exit code.
            let _ = child.wait();
        }
    }
    say(out, "Interrupted: stopped the server that this run started");
    let pods: BTreeSet<_> =
        up.machine.pods().map_err(UndoError::Machine)?.difference(&before.pods).cloned().collect();
    if !pods.is_empty() {
        up.machine.stop_pods(&pods, &mut |_| {}).map_err(UndoError::Machine)?;
        say(out, &format!("Stopped {} that it had started", counted(pods.len(), "pod")));
    }
    if before.pods.is_empty() {
        up.machine.clear().map_err(UndoError::Machine)?;
    }
    if !before.data_dir {
        down::purge(place, up.around, out).map_err(|error| UndoError::Files(Box::new(error)))?;
    }
    Ok(())
}

/// Leaves the terminal and its signals: the first thing that a server does that [`up`] started.
///
/// # Errors
/// When the process leads a group already, as one started from a shell does.
pub fn detach() -> io::Result<()> {
    rustix::process::setsid().map(drop).map_err(io::Error::from)
}

#[cfg(test)]
mod tests;
