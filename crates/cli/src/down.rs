//! `knarr down`: ends the server or agent, then the pods, then what carried them, and says what is left. With `--purge` nothing is.
//!
//! Used by the binary. Safe to repeat: each step looks first at what there is.
#![allow(clippy::disallowed_methods, reason = "the shell that deletes a cluster's files")]

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::config::Place;
use crate::instance::{self, Record, Role};
use crate::kubeconfig::file::{self, KubeconfigFileError};
use crate::kubeconfig::owner::users_kubeconfig;
use crate::kubeconfig::{self, owner};
use crate::limits;
use crate::machine::{Machine, MachineError};
use crate::service::{self, ServiceError};
use crate::stop::{StopError, Stopped, stop};
use crate::surroundings::Surroundings;

/// Why a cluster could not be taken down, or not wholly.
#[derive(Debug, thiserror::Error)]
pub enum DownError {
    /// The server or agent cannot be stopped.
    #[error("the {role} cannot be stopped")]
    Stop {
        /// Which.
        role: &'static str,
        /// Why not.
        #[source]
        source: StopError,
    },
    /// systemd does not do as asked.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// Something of the node stays.
    #[error("{what}; run knarr down again")]
    Machine {
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        #[source]
        source: MachineError,
    },
    /// A kubeconfig cannot be changed.
    #[error("the kubeconfig entries cannot be removed")]
    Kubeconfig(#[from] KubeconfigFileError),
    /// The data directory is none of ours.
    #[error("{0} does not look like a data directory of Knarr, and is not deleted")]
    Foreign(PathBuf),
    /// Something is mounted below the data directory.
    #[error(
        "{mount} is still mounted, and {data_dir} is not deleted: unmount it (umount {mount}) and run knarr down --purge again"
    )]
    Mounted {
        /// The data directory.
        data_dir: PathBuf,
        /// What is mounted below.
        mount: PathBuf,
    },
    /// A file cannot be deleted.
    #[error("cannot delete {path}")]
    Delete {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// Takes a cluster down, telling `out` what is done.
///
/// # Errors
/// For the first thing that cannot be done. What was done before stays so.
pub fn down(
    place: &Place,
    purge: bool,
    machine: &dyn Machine,
    around: &dyn Surroundings,
    out: &mut dyn Write,
) -> Result<(), DownError> {
    // Read first: nothing of it is left after a purge.
    let last = instance::last(place);
    let stopped = stop_process(place, out)?;
    let pods =
        machine.pods().map_err(|source| DownError::Machine { what: "the pods cannot be listed", source })?;
    if !pods.is_empty() {
        say(out, &format!("Stopping {}", counted(pods.len(), "pod")));
        machine
            .stop_pods(&pods, &mut |pod| say(out, &format!("  {pod}")))
            .map_err(|source| DownError::Machine { what: "not every pod could be stopped", source })?;
    }
    let cleared = machine.clear().map_err(|source| DownError::Machine {
        what: "the node's traces could not all be removed",
        source,
    })?;
    if !cleared.is_empty() {
        say(out, &format!("Removed {}", cleared.join(", ")));
    }
    if !stopped && pods.is_empty() && cleared.is_empty() {
        say(out, "Nothing was running");
    }
    let lines = if purge {
        self::purge(place, around, out)?;
        last.as_ref().and_then(left_elsewhere).into_iter().collect()
    } else {
        left(place, last.as_ref())
    };
    lines.iter().for_each(|line| say(out, line));
    Ok(())
}

fn stop_process(place: &Place, out: &mut dyn Write) -> Result<bool, DownError> {
    let mut stopped = false;
    if service::is_installed(place) {
        // It would be started again otherwise.
        stopped = service::stop(place)?;
        if stopped {
            say(out, &format!("Stopped the service {}", place.unit()));
        }
    }
    while let Some(record) = instance::find(place) {
        let role = record.role.name();
        let pid = record.process.pid;
        say(out, &format!("Stopping the {role}, process {pid} (it has {} seconds)", limits::STOP.as_secs()));
        let how = stop(record.process, limits::STOP).map_err(|source| DownError::Stop { role, source })?;
        let how = if how == Stopped::Killed { " (killed: it did not end in time)" } else { "" };
        say(out, &format!("Stopped the {role}, process {pid}{how}"));
        stopped = true;
    }
    Ok(stopped)
}

/// What `down` without `--purge` leaves, for whoever wants it again or gone.
fn left(place: &Place, last: Option<&Record>) -> Vec<String> {
    let mut lines = Vec::new();
    if place.data_dir.exists() {
        let whose = if is_agent(last) { "node" } else { "cluster" };
        lines.push(format!("Left: the {whose}'s data in {}", place.data_dir.display()));
    }
    if place.kubeconfig.exists() {
        lines.push(format!("Left: the kubeconfig {}", place.kubeconfig.display()));
    }
    if service::is_installed(place) {
        lines.push(format!("Left: the systemd unit {}, which starts it again after a reboot", place.unit()));
    }
    if !lines.is_empty() {
        let again = last.map_or_else(|| format!("knarr up{}", place.flag()), |last| last.again(place));
        let purge = format!("knarr down --purge{}", place.flag());
        lines.push(format!("Start it again with: {again}   Delete all of it with: {purge}"));
    }
    lines
}

fn is_agent(last: Option<&Record>) -> bool {
    last.is_some_and(|last| last.role == Role::Agent)
}

/// What a node leaves in its cluster when its machine has nothing of it any more.
fn left_elsewhere(last: &Record) -> Option<String> {
    let node = last.settings.get("node-name").filter(|_| last.role == Role::Agent)?;
    Some(format!(
        "Left in the cluster: the node {node}, which somebody who may deletes: kubectl delete node {node}"
    ))
}

/// Deletes the service, the kubeconfig entries, the kubeconfig and the data directory of a cluster that does not run.
///
/// # Errors
/// For the first that cannot be deleted.
pub fn purge(place: &Place, around: &dyn Surroundings, out: &mut dyn Write) -> Result<(), DownError> {
    check_deletable(place)?;
    if service::is_installed(place) {
        service::remove(place)?;
        say(out, &format!("Deleted the systemd unit {}", place.unit()));
    }
    let made = instance::last(place).and_then(|last| last.made);
    let own = file::text(&place.kubeconfig).ok();
    if let Some(access) = own.and_then(|text| kubeconfig::read(&text, &place.context()).ok()) {
        let default = owner::home(around).map(|home| home.join(".kube/config"));
        let own_root = around.variable("HOME").map(|home| PathBuf::from(home).join(".kube/config"));
        let mut files: Vec<PathBuf> =
            [users_kubeconfig(around), default, own_root].into_iter().flatten().collect();
        files.sort();
        files.dedup();
        for path in files.iter().filter(|path| !file::is_same(path, &place.kubeconfig)) {
            if file::remove_from(path, &access)? {
                say(out, &format!("Removed {} from {}", access.name, path.display()));
            }
        }
        delete(&place.kubeconfig, fs::remove_file(&place.kubeconfig))?;
        say(out, &format!("Deleted {}", place.kubeconfig.display()));
        // Only what was made for it, and as far as nothing else is there.
        let above = place.kubeconfig.ancestors().skip(1);
        let made =
            above.take_while(|directory| made.as_ref().is_some_and(|made| directory.starts_with(made)));
        let _ = made.map(fs::remove_dir).take_while(Result::is_ok).count();
    }
    if place.data_dir.exists() {
        delete(&place.data_dir, fs::remove_dir_all(&place.data_dir))?;
        say(out, &format!("Deleted {}", place.data_dir.display()));
    }
    if instance::present(Path::new(instance::CLUSTERS)).is_empty() {
        let _ = fs::remove_dir_all(instance::CLUSTERS);
    }
    // Only where nothing else is left in them.
    let _ = fs::remove_dir("/run/knarr");
    let _ = fs::remove_dir("/etc/knarr");
    Ok(())
}

/// Deleting is for what Knarr made, and stops at what others mounted into it.
fn check_deletable(place: &Place) -> Result<(), DownError> {
    let data_dir = &place.data_dir;
    if !data_dir.exists() {
        return Ok(());
    }
    let ours = ["server", "agent", "lock"].iter().any(|name| data_dir.join(name).exists());
    let is_empty = fs::read_dir(data_dir).is_ok_and(|mut entries| entries.next().is_none());
    if data_dir.parent().is_none() || !(ours || is_empty) {
        return Err(DownError::Foreign(data_dir.clone()));
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    match mounts_below(&mounts, data_dir).into_iter().next() {
        Some(mount) => Err(DownError::Mounted { data_dir: data_dir.clone(), mount }),
        None => Ok(()),
    }
}

/// What is mounted within a directory, by the text of `/proc/self/mountinfo`, whose fifth field has octal escapes.
fn mounts_below(mountinfo: &str, directory: &Path) -> Vec<PathBuf> {
    let points = mountinfo.lines().filter_map(|line| line.split(' ').nth(4));
    let paths = points.map(|point| {
        let plain = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
        PathBuf::from(
            plain.iter().fold(point.to_owned(), |text, (escape, plain)| text.replace(escape, plain)),
        )
    });
    paths.filter(|path| path.starts_with(directory) && path != directory).collect()
}

fn delete(path: &Path, result: io::Result<()>) -> Result<(), DownError> {
    match result {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(DownError::Delete { path: path.to_owned(), source })
        }
        _ => Ok(()),
    }
}

pub(crate) fn counted(number: usize, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// A closed pipe must not keep a cluster from being stopped.
pub(crate) fn say(out: &mut dyn Write, line: &str) {
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

#[cfg(test)]
mod tests;
