//! `knarr service install` and `remove`: the systemd service of a server.
//!
//! Used by the binary, and by `up` and `down`, which leave starting and stopping to systemd where there is a unit. What the unit says is
//! in [`unit`]; what its server says is in [`journal`], which bounds it.
#![allow(clippy::disallowed_methods, reason = "the shell that writes the unit and calls systemctl")]

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::config::Place;
use crate::down::say;
use crate::instance::{self, Record, Role};
use crate::invocation::ServerWords;
use crate::limits;
use crate::stop::{StopError, stop as stop_process};

pub mod journal;
pub mod unit;

/// Where units of the administrator are.
const UNITS: &str = "/etc/systemd/system";

/// Why the service cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// There is no systemd.
    #[error("systemd does not run here: start the server another way, as with knarr up")]
    NoSystemd,
    /// A flag cannot stand in a unit.
    #[error("{0:?} cannot stand in a systemd unit: it is no text, or has a line end")]
    Word(OsString),
    /// A file cannot be used.
    #[error("cannot {what} {path}{}", crate::privilege::advice(source))]
    Io {
        /// `write`, `delete`…
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// systemctl fails.
    #[error("systemctl {arguments} failed: {output}")]
    Systemctl {
        /// Its arguments.
        arguments: String,
        /// What it said.
        output: String,
    },
    /// An agent runs from the data directory.
    #[error("{0} belongs to a node of another cluster, and its agent runs: choose another --data-dir")]
    Agent(PathBuf),
    /// A server that runs already cannot be stopped.
    #[error("the server that runs already cannot be stopped")]
    Stop(#[from] StopError),
    /// The server does not start.
    #[error(
        "the service {unit} does not start{}. The end of its log (journalctl -u {unit}):\n  {}",
        if *again { "; systemd tries again every few seconds" } else { "" },
        lines.join("\n  ")
    )]
    NotStarted {
        /// The unit's name.
        unit: String,
        /// Whether systemd goes on trying.
        again: bool,
        /// The last lines of the journal.
        lines: Vec<String>,
    },
    /// The journal cannot be shown.
    #[error("journalctl does not start")]
    Journal(#[source] io::Error),
}

/// Writes the unit, and starts it now and after every boot, telling `out` what is done. Returns once the server is ready. One that runs
/// already is replaced; its pods go on.
///
/// # Errors
/// When there is no systemd, a step fails, or the server does not start.
pub fn install(
    place: &Place,
    program: &Path,
    words: &ServerWords,
    out: &mut dyn Write,
) -> Result<(), ServiceError> {
    let text = unit::text(place, program, words)?;
    require_systemd()?;
    let running = instance::find(place);
    if running.as_ref().is_some_and(|record| record.role == Role::Agent) {
        return Err(ServiceError::Agent(place.data_dir.clone()));
    }
    let environment = environment_file(place);
    match &words.token {
        Some(token) => write(&environment, &format!("KNARR_TOKEN={}\n", token.reveal()), 0o600)?,
        None => delete(&environment)?,
    }
    let file = unit_file(place);
    if fs::read_to_string(&file).is_ok_and(|present| present == text) {
        say(out, &format!("Unchanged: the systemd unit {}", file.display()));
    } else {
        write(&file, &text, 0o644)?;
        say(out, &format!("Wrote the systemd unit {}", file.display()));
    }
    systemctl(&["daemon-reload"])?;
    systemctl(&["enable", &place.unit()])?;
    say(out, "Enabled it: it starts whenever this machine does");
    match running {
        Some(Record { process, supervised: false, .. }) => {
            stop_process(process, limits::STOP)?;
            say(out, &format!("Stopped the server, process {}: its pods go on", process.pid));
            say(out, &format!("Starting the service {}", place.unit()));
        }
        Some(_) => say(out, &format!("Restarting the service {}: its pods go on", place.unit())),
        None => say(out, &format!("Starting the service {}", place.unit())),
    }
    systemctl(&["restart", &place.unit()]).map_err(|_| not_started(place))?;
    say(out, "✓ The API is ready");
    let flag = place.flag();
    say(
        out,
        &format!("See knarr status{flag} and knarr logs{flag}; undo it with knarr service remove{flag}"),
    );
    Ok(())
}

/// Stops the server and deletes its unit. Pods go on. Says whether there was one.
///
/// # Errors
/// When a step fails.
pub fn remove(place: &Place) -> Result<bool, ServiceError> {
    if !is_installed(place) {
        return Ok(false);
    }
    let systemd = require_systemd().is_ok();
    if systemd {
        systemctl(&["disable", "--now", &place.unit()])?;
    }
    delete(&unit_file(place))?;
    delete(&environment_file(place))?;
    if systemd {
        systemctl(&["daemon-reload"])?;
        // A service that had failed is remembered otherwise; that of others is not known any more, which is no failure.
        let _ = systemctl(&["reset-failed", &place.unit()]);
    }
    Ok(true)
}

/// Whether this place's server has a unit.
pub fn is_installed(place: &Place) -> bool {
    unit_file(place).exists()
}

/// Whether the unit starts the server with other flags than these, if these are any.
pub fn differs(place: &Place, program: &Path, words: &ServerWords) -> bool {
    let selects = |word: &OsString| {
        let word = word.to_string_lossy();
        word.starts_with("--data-dir=") || word.starts_with("--config=")
    };
    let wanted = unit::text(place, program, words).unwrap_or_default();
    let present = fs::read_to_string(unit_file(place)).unwrap_or_default();
    !words.words.iter().all(selects) && unit::flags(&wanted) != unit::flags(&present)
}

/// Begins to start the unit. The process that is returned ends once the server is ready, or fails once it cannot be.
///
/// # Errors
/// When there is no systemd.
pub fn begin(place: &Place) -> Result<Child, ServiceError> {
    require_systemd()?;
    let unit = place.unit();
    let mut command = Command::new("systemctl");
    command.args(["start", &unit]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map_err(|error| ServiceError::Systemctl {
        arguments: format!("start {unit}"),
        output: error.to_string(),
    })
}

/// Why the service did not start, as its server said it.
pub fn not_started(place: &Place) -> ServiceError {
    let unit = place.unit();
    let again = systemctl(&["is-failed", "--quiet", &unit]).is_err();
    ServiceError::NotStarted { unit, again, lines: journal::last_lines(place) }
}

/// Stops the unit until it is started again; says whether there was anything to stop.
///
/// # Errors
/// When systemd refuses.
pub fn stop(place: &Place) -> Result<bool, ServiceError> {
    if require_systemd().is_err() {
        return Ok(false);
    }
    let active = systemctl(&["is-active", "--quiet", &place.unit()]).is_ok();
    systemctl(&["stop", &place.unit()])?;
    Ok(active)
}

/// The unit's file.
pub fn unit_file(place: &Place) -> PathBuf {
    Path::new(UNITS).join(format!("{}.service", place.unit()))
}

fn environment_file(place: &Place) -> PathBuf {
    Path::new(UNITS).join(format!("{}.service.env", place.unit()))
}

/// As `sd_booted` tells it.
fn require_systemd() -> Result<(), ServiceError> {
    if Path::new("/run/systemd/system").is_dir() { Ok(()) } else { Err(ServiceError::NoSystemd) }
}

fn systemctl(arguments: &[&str]) -> Result<(), ServiceError> {
    let failed = |output: String| ServiceError::Systemctl { arguments: arguments.join(" "), output };
    let output =
        Command::new("systemctl").args(arguments).output().map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), ServiceError> {
    let beside = path.with_extension("new");
    fs::write(&beside, "")
        .and_then(|()| fs::set_permissions(&beside, fs::Permissions::from_mode(mode)))
        .and_then(|()| fs::write(&beside, text))
        .and_then(|()| fs::rename(&beside, path))
        .map_err(io_error("write", path))
}

fn delete(path: &Path) -> Result<(), ServiceError> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(io_error("delete", path)(source)),
        _ => Ok(()),
    }
}

fn io_error(what: &'static str, path: &Path) -> impl Fn(io::Error) -> ServiceError {
    move |source| ServiceError::Io { what, path: path.to_owned(), source }
}
