//! `knarr service install` and `remove`: the systemd unit of a server.
//!
//! Used by the binary, and by `up` and `down`, which leave starting and stopping to systemd where there is a unit. The unit's text is
//! pure. `KillMode=process` and `Delegate=yes` are what lets pods live on while the server restarts: systemd ends the server's process
//! alone, and keeps out of the cgroups below.
#![allow(clippy::disallowed_methods, reason = "the shell that writes the unit and calls systemctl")]

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::config::Place;
use crate::invocation::ServerWords;

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
}

/// The text of the unit that runs `program` as this place's server.
///
/// # Errors
/// When a word cannot be written in a unit.
pub fn unit(place: &Place, program: &Path, words: &ServerWords) -> Result<String, ServiceError> {
    let data_dir = OsString::from(format!("--data-dir={}", place.data_dir.display()));
    let rest = words.words.iter().filter(|word| !word.to_string_lossy().starts_with("--data-dir="));
    let all = [program.as_os_str().to_owned(), "server".into(), data_dir];
    let command = all.iter().chain(rest).map(quoted).collect::<Result<Vec<_>, _>>()?.join(" ");
    let log = path_setting(&place.server_log())?;
    let environment = path_setting(&environment_file(place))?;
    Ok(format!(
        "# Written by knarr service install; knarr service remove deletes it.\n\
         [Unit]\n\
         Description=Knarr, Kubernetes in one binary\n\
         Wants=network-online.target\n\
         After=network-online.target\n\
         \n\
         [Service]\n\
         Type=notify\n\
         EnvironmentFile=-{environment}\n\
         ExecStart={command}\n\
         KillMode=process\n\
         Delegate=yes\n\
         Restart=always\n\
         RestartSec=5s\n\
         TimeoutStartSec=0\n\
         LimitNOFILE=1048576\n\
         LimitNPROC=infinity\n\
         LimitCORE=infinity\n\
         TasksMax=infinity\n\
         StandardOutput=append:{log}\n\
         StandardError=inherit\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    ))
}

/// Writes the unit, and starts it now and after every boot.
///
/// # Errors
/// When there is no systemd, or a step fails.
pub fn install(place: &Place, program: &Path, words: &ServerWords) -> Result<(), ServiceError> {
    let text = unit(place, program, words)?;
    require_systemd()?;
    if let Some(log) = place.server_log().parent() {
        fs::create_dir_all(log).map_err(io_error("create", log))?;
    }
    let environment = environment_file(place);
    match &words.token {
        Some(token) => write(&environment, &format!("KNARR_TOKEN={}\n", token.reveal()), 0o600)?,
        None => delete(&environment)?,
    }
    write(&unit_file(place), &text, 0o644)?;
    systemctl(&["daemon-reload"])?;
    systemctl(&["enable", &place.unit()])?;
    systemctl(&["restart", "--no-block", &place.unit()])
}

/// Stops the server and deletes its unit. Pods go on. Says whether there was one.
///
/// # Errors
/// When a step fails.
pub fn remove(place: &Place) -> Result<bool, ServiceError> {
    if !is_installed(place) {
        return Ok(false);
    }
    if require_systemd().is_ok() {
        systemctl(&["disable", "--now", &place.unit()])?;
    }
    delete(&unit_file(place))?;
    delete(&environment_file(place))?;
    if require_systemd().is_ok() {
        systemctl(&["daemon-reload"])?;
    }
    Ok(true)
}

/// Whether this place's server has a unit.
pub fn is_installed(place: &Place) -> bool {
    unit_file(place).exists()
}

/// Starts the unit, without waiting until the server is ready.
///
/// # Errors
/// When systemd refuses.
pub fn start(place: &Place) -> Result<(), ServiceError> {
    require_systemd()?;
    systemctl(&["start", "--no-block", &place.unit()])
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

fn unit_file(place: &Place) -> PathBuf {
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

/// A word of `ExecStart=`: systemd splits at spaces and replaces `%` and `$`.
fn quoted(word: &OsString) -> Result<String, ServiceError> {
    let text = text(word)?;
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%").replace('$', "$$");
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,%+@[]$".contains(c);
    Ok(if text.chars().all(plain) { text } else { format!("\"{text}\"") })
}

/// A path after `=`, where quotes would be part of it.
fn path_setting(path: &Path) -> Result<String, ServiceError> {
    Ok(text(&path.as_os_str().to_owned())?.replace('%', "%%"))
}

fn text(word: &OsString) -> Result<&str, ServiceError> {
    match word.to_str() {
        Some(text) if !text.contains(['\n', '\0']) => Ok(text),
        _ => Err(ServiceError::Word(word.clone())),
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[test]
    fn the_unit_is_as_written_here() {
        let place = Place::new("/srv/my cluster".into(), None);
        let words = ServerWords {
            words: ["--data-dir=/srv/my cluster", "--cluster-domain=50%.example", "--node-label=a=$b"]
                .map(OsString::from)
                .into(),
            token: Some(Secret::new("secret".to_owned())),
            ..ServerWords::default()
        };
        let expected = r#"# Written by knarr service install; knarr service remove deletes it.
[Unit]
Description=Knarr, Kubernetes in one binary
Wants=network-online.target
After=network-online.target

[Service]
Type=notify
EnvironmentFile=-/etc/systemd/system/UNIT.service.env
ExecStart=/usr/local/bin/knarr server "--data-dir=/srv/my cluster" --cluster-domain=50%%.example --node-label=a=$$b
KillMode=process
Delegate=yes
Restart=always
RestartSec=5s
TimeoutStartSec=0
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
StandardOutput=append:/srv/my cluster/server/log/knarr.log
StandardError=inherit

[Install]
WantedBy=multi-user.target
"#;
        let got = unit(&place, Path::new("/usr/local/bin/knarr"), &words).unwrap();
        assert_eq!(got, expected.replace("UNIT", &place.unit()));
    }

    #[test]
    fn a_word_with_a_line_end_is_refused() {
        let place = Place::new("/srv/a".into(), None);
        let words = ServerWords {
            words: vec!["--node-name=a\nExecStartPre=/bin/evil".into()],
            ..ServerWords::default()
        };
        assert!(matches!(unit(&place, Path::new("/k"), &words), Err(ServiceError::Word(_))));
    }
}
