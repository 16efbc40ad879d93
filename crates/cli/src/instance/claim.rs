//! Taking a place: its data directory by a lock, and what it wants of this machine by a note that other clusters read.
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the shell that keeps the records of processes"
)]

use std::fs::{self, File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use host::process::Identity;

use super::clash::{self, Ranges};
use super::{
    CLUSTERS, InstanceError, Lifetime, Record, Role, find, io_error, make_directory, note, pid_file, present,
    read, role_of, state_dir, write,
};
use crate::config::{AgentConfig, Place, ServerConfig, Settings, kept};

/// A place that is taken. Dropping it frees it.
#[derive(Debug)]
pub struct Claim {
    clusters: PathBuf,
    file: PathBuf,
    record: Mutex<Record>,
    _lock: Lock,
}

impl Claim {
    /// The cluster or node is made: what it was made with is what it is started with from now on, unless flags say otherwise.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn keep(&self) -> Result<(), InstanceError> {
        self.change(|record| {
            let made = kept::of(&record.settings);
            record.kept.extend(made);
            Ok(())
        })
    }

    /// Notes the uppermost directory that was made for the kubeconfig.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn note_made(&self, directory: PathBuf) -> Result<(), InstanceError> {
        self.change(|record| {
            record.made = Some(directory);
            Ok(())
        })
    }

    /// Takes what an agent has learned of its cluster, as [`claim_server`] does for a server.
    ///
    /// # Errors
    /// When another cluster clashes, or the record cannot be written.
    pub fn take(&self, ranges: Ranges) -> Result<(), InstanceError> {
        self.change(|record| {
            record.ranges = Some(ranges);
            refuse_clashes(record, &self.clusters)
        })
    }

    fn change(
        &self,
        change: impl FnOnce(&mut Record) -> Result<(), InstanceError>,
    ) -> Result<(), InstanceError> {
        let _noting = wait_for_lock(&self.clusters.join("lock"))?;
        let mut held = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        let mut record = held.clone();
        change(&mut record)?;
        [&self.file, &note(&self.clusters, &record.cluster_id)]
            .into_iter()
            .try_for_each(|file| write(file, &record))?;
        *held = record;
        Ok(())
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let record = self.record.get_mut().unwrap_or_else(PoisonError::into_inner);
        // Pods, DNS and tables go on after a node's server: others must know of them.
        let note = note(&self.clusters, &record.cluster_id);
        record.process = Identity { pid: 0, started_ticks: 0 };
        let _ = match state_dir(&self.clusters, &record.cluster_id).exists() {
            true => write(&note, record),
            false => fs::remove_file(&note).map_err(io_error("delete", &note)),
        };
        // The record stays, without its process: it tells later commands where the kubeconfig is.
        record.boot.clear();
        let _ = write(&self.file, record);
    }
}

/// Whether a process holds this place, which may not have said yet who it is.
pub fn is_taken(place: &Place) -> bool {
    place.data_dir.exists() && lock(&place.data_dir.join("lock")).is_ok_and(|lock| lock.is_none())
}

/// Fails if a server or agent runs from this place.
///
/// # Errors
/// When one does.
pub fn refuse_second(place: &Place) -> Result<(), InstanceError> {
    match find(place) {
        Some(record) => {
            Err(InstanceError::Running { data_dir: place.data_dir.clone(), pid: Some(record.process.pid) })
        }
        None => Ok(()),
    }
}

/// Takes a server's place: its data directory, and its ranges among this machine's clusters.
///
/// # Errors
/// When a server or agent runs from it already, another cluster clashes, or files cannot be written.
pub fn claim_server(config: &ServerConfig) -> Result<Claim, InstanceError> {
    let taking = Taking { role: Role::Server, ranges: Some(Ranges::of(config)), settings: config.settings() };
    claim(&config.place, taking, &clusters(&config.place))
}

/// Takes an agent's place.
///
/// # Errors
/// When a server or agent runs from it already, or files cannot be written.
pub fn claim_agent(config: &AgentConfig) -> Result<Claim, InstanceError> {
    let taking = Taking { role: Role::Agent, ranges: None, settings: config.settings() };
    claim(&config.place, taking, &clusters(&config.place))
}

/// Where this process may note its cluster: a user's control plane has no place that others look at, and finds its port taken instead.
fn clusters(place: &Place) -> PathBuf {
    if rustix::process::geteuid().is_root() { CLUSTERS.into() } else { place.data_dir.join("clusters") }
}

/// What a process says of itself as it takes its place.
#[derive(Clone, Debug)]
pub struct Taking {
    /// Which command it runs.
    pub role: Role,
    /// What it takes for itself.
    pub ranges: Option<Ranges>,
    /// What it runs with.
    pub settings: Settings,
}

/// Takes a place, noting it in `clusters`.
///
/// # Errors
/// As [`claim_server`].
pub fn claim(place: &Place, taking: Taking, clusters: &Path) -> Result<Claim, InstanceError> {
    let Taking { role, ranges, settings } = taking;
    if let Some(holds) = role_of(place).filter(|holds| *holds != role && find(place).is_none()) {
        let (holds, wants) = (holds.name(), role.name());
        return Err(InstanceError::Role {
            data_dir: place.data_dir.clone(),
            holds,
            wants,
            flag: place.flag(),
        });
    }
    make_directory(&place.data_dir.join(role.name()), 0o711)?;
    make_directory(clusters, 0o755)?;
    let own = lock(&place.data_dir.join("lock"))?.ok_or_else(|| InstanceError::Running {
        data_dir: place.data_dir.clone(),
        pid: find(place).map(|record| record.process.pid),
    })?;
    let file = pid_file(place, role);
    let before = read(&file);
    let made = before.as_ref().and_then(|before| before.made.clone());
    let kept = before.map(|before| before.kept).unwrap_or_default();
    refuse_rename(place, &kept, &settings)?;
    let Lifetime { process, boot } = Lifetime::own();
    let record = Record {
        role,
        process,
        boot,
        data_dir: place.data_dir.clone(),
        cluster_id: place.cluster_id.to_string(),
        kubeconfig: place.kubeconfig.clone(),
        supervised: is_supervised(),
        network: ranges.as_ref().map_or_else(clash::network, |ranges| ranges.network.clone()),
        ranges,
        settings,
        kept,
        made,
    };
    // Held while looking and noting, so that of two clusters that start at once one sees the other.
    let _noting = wait_for_lock(&clusters.join("lock"))?;
    refuse_clashes(&record, clusters)?;
    [&file, &note(clusters, &record.cluster_id)].into_iter().try_for_each(|file| write(file, &record))?;
    Ok(Claim { clusters: clusters.to_owned(), file, record: Mutex::new(record), _lock: own })
}

/// A node's pods and volumes are of its name.
fn refuse_rename(place: &Place, kept: &Settings, settings: &Settings) -> Result<(), InstanceError> {
    match (kept.get("node-name"), kept::of(settings).remove("node-name")) {
        (Some(is), Some(wanted)) if *is != wanted => {
            Err(InstanceError::NodeName { data_dir: place.data_dir.clone(), is: is.clone(), wanted })
        }
        _ => Ok(()),
    }
}

fn refuse_clashes(record: &Record, clusters: &Path) -> Result<(), InstanceError> {
    for other in present(clusters).iter().filter(|other| other.data_dir != record.data_dir) {
        clash::check(record, other)?;
    }
    Ok(())
}

fn is_supervised() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
        || std::env::var("SYSTEMD_EXEC_PID").is_ok_and(|pid| pid == std::process::id().to_string())
}

fn wait_for_lock(path: &Path) -> Result<Lock, InstanceError> {
    let file = open(path)?;
    file.lock().map_err(io_error("lock", path))?;
    Ok(Lock(file))
}

fn lock(path: &Path) -> Result<Option<Lock>, InstanceError> {
    let file = open(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(Lock(file))),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(io_error("lock", path)(source)),
    }
}

fn open(path: &Path) -> Result<File, InstanceError> {
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    open.map_err(io_error("open", path))
}

/// A lock that is held until this is dropped.
#[derive(Debug)]
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone leaves it with a process that is being started, which has the descriptor until it executes its program.
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_free_once_it_is_dropped_whoever_has_a_copy_of_its_descriptor() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("lock");
        let held = lock(&path).unwrap().expect("nobody holds it");
        let _copy = held.0.try_clone().unwrap();
        assert!(lock(&path).unwrap().is_none());
        drop(held);
        assert!(lock(&path).unwrap().is_some());
    }
}
