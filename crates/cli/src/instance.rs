//! Which server or agent runs from a data directory, and which other clusters run on this machine.
//!
//! Used by the binary (a server claims its place before anything else) and by the commands that look for it. State: one record in
//! the data directory and one in `/run/knarr/clusters`, each naming its process by id and start time, so that neither a reused
//! process id nor a reboot brings a dead one back; and a lock that the process holds.
//! Deliberately absent: signals (see [`crate::stop`]).
#![allow(
    clippy::disallowed_types,
    clippy::disallowed_methods,
    reason = "the shell that keeps the records of processes"
)]

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use host::process::{Identity, LinuxProcesses, Processes};
use serde::{Deserialize, Serialize};

use crate::config::{AgentConfig, Place, ServerConfig, Settings, kept};
use crate::surroundings::Surroundings;

mod clash;

pub use clash::{Clash, Ranges};

/// Where the clusters of this machine are noted: gone after a reboot, as they are.
pub const CLUSTERS: &str = "/run/knarr/clusters";

/// Which long-running command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// `knarr server`.
    Server,
    /// `knarr agent`.
    Agent,
}

impl Role {
    /// The command's name, which is also its folder's.
    pub fn name(self) -> &'static str {
        match self {
            Role::Server => "server",
            Role::Agent => "agent",
        }
    }
}

/// What a process says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Which command it runs.
    pub role: Role,
    /// The process.
    pub process: Identity,
    /// The boot that it belongs to.
    pub boot: String,
    /// The cluster's data directory.
    pub data_dir: PathBuf,
    /// The cluster's short name.
    pub cluster_id: String,
    /// The kubeconfig that it writes.
    pub kubeconfig: PathBuf,
    /// Whether systemd started it, and would start it again.
    pub supervised: bool,
    /// The network namespace that it is in.
    #[serde(default)]
    pub network: String,
    /// What it takes for itself; an agent does not know before its server has told it.
    pub ranges: Option<Ranges>,
    /// What it runs with; empty in a record of an earlier release.
    #[serde(default)]
    pub settings: Settings,
    /// What the cluster or node here was made with and keeps (see [`kept`]); empty until it was.
    #[serde(default)]
    pub kept: Settings,
    /// The uppermost directory that was made for the kubeconfig: `down --purge` deletes it, if nothing else is in it by then.
    #[serde(default)]
    pub made: Option<PathBuf>,
}

impl Record {
    /// Whether it is in this process's network namespace.
    pub fn shares_network(&self) -> bool {
        self.network == clash::network()
    }

    /// Whether the process that wrote this still runs.
    pub fn is_alive(&self) -> bool {
        Lifetime { process: self.process, boot: self.boot.clone() }.goes_on()
    }

    /// Whether it listens on this port.
    pub fn holds(&self, port: u16) -> bool {
        let of_ranges = self.ranges.as_ref().is_some_and(|ranges| {
            ranges.https_listen_port == Some(port) || ranges.kubelet_port == Some(port)
        });
        let of_agent = self.role == Role::Agent
            && self.settings.get("kubelet-port").is_some_and(|held| *held == port.to_string());
        of_ranges || of_agent
    }

    /// The command that starts it again.
    pub fn again(&self, place: &Place) -> String {
        let flag = place.flag();
        match (self.role, self.settings.get("server"), self.settings.get("kubeconfig")) {
            (Role::Server, ..) => format!("knarr up{flag}"),
            (Role::Agent, Some(server), _) => format!("knarr agent --server {server} --token TOKEN{flag}"),
            (Role::Agent, None, Some(file)) => {
                format!("knarr agent --kubeconfig {file}{flag} and its other flags")
            }
            (Role::Agent, None, None) => format!("knarr agent{flag} and its other flags"),
        }
    }

    /// Whether something of it goes on: itself, or what its node has in the kernel, for which [`state_dir`] stands.
    fn goes_on(&self, clusters: &Path) -> bool {
        self.is_alive() || (self.boot == boot_id() && state_dir(clusters, &self.cluster_id).exists())
    }
}

/// Where a cluster of this short name keeps what does not outlive the machine's uptime, beside the notes of clusters. It is there from a
/// node's start to `down`.
pub fn state_dir(clusters: &Path, cluster_id: &str) -> PathBuf {
    clusters.with_file_name(cluster_id)
}

/// A process and the boot that it belongs to, as records name it: neither a reused id nor a reboot brings a dead one back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifetime {
    /// The process.
    pub process: Identity,
    /// The boot.
    pub boot: String,
}

impl Lifetime {
    /// This process's.
    pub fn own() -> Lifetime {
        let pid = i32::try_from(std::process::id()).unwrap_or_default();
        let process = LinuxProcesses.identify(pid).unwrap_or(Identity { pid, started_ticks: 0 });
        Lifetime { process, boot: boot_id() }
    }

    /// Whether the process still runs.
    pub fn goes_on(&self) -> bool {
        self.boot == boot_id()
            && LinuxProcesses.identify(self.process.pid) == Some(self.process)
            && !has_ended(self.process.pid)
    }
}

/// Why a process cannot have its place.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// One runs already.
    #[error("{data_dir} is in use by another knarr{}", pid.map(|pid| format!(", process {pid}")).unwrap_or_default())]
    Running {
        /// The data directory.
        data_dir: PathBuf,
        /// The process, if it could be found.
        pid: Option<i32>,
    },
    /// Another cluster of this machine has what this one wants.
    #[error(transparent)]
    Clash(#[from] Clash),
    /// The directory is the other command's.
    #[error(
        "{data_dir} holds the data of knarr {holds}: give knarr {wants} another --data-dir, or delete that (knarr down --purge{flag})"
    )]
    Role {
        /// The data directory.
        data_dir: PathBuf,
        /// The command whose data are there.
        holds: &'static str,
        /// The command that was started.
        wants: &'static str,
        /// The flag that selects the directory.
        flag: String,
    },
    /// The node that lives here has another name.
    #[error(
        "the node of {data_dir} is called {is} and cannot become {wanted}: its pods and volumes are {is}'s. Start it without --node-name, or give {wanted} another --data-dir"
    )]
    NodeName {
        /// The data directory.
        data_dir: PathBuf,
        /// Its name.
        is: String,
        /// The name that was given.
        wanted: String,
    },
    /// A file cannot be used.
    #[error("cannot {what} {path}{}", crate::privilege::advice(source))]
    Io {
        /// `read`, `write`…
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
}

/// A place that is taken. Dropping it frees it.
#[derive(Debug)]
pub struct Claim {
    clusters: PathBuf,
    file: PathBuf,
    record: Mutex<Record>,
    _lock: File,
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

fn note(clusters: &Path, cluster_id: &str) -> PathBuf {
    clusters.join(format!("{cluster_id}.json"))
}

/// Forgets a cluster of which nothing goes on any more.
pub fn forget(place: &Place, clusters: &Path) {
    let _ = fs::remove_file(note(clusters, place.cluster_id.as_str()));
}

/// Whose data lie in a place: the command that ran there, running or not.
pub fn role_of(place: &Place) -> Option<Role> {
    [Role::Server, Role::Agent].into_iter().find(|role| pid_file(place, *role).exists())
}

/// What the server or agent said of itself that ran from this place last, running or not.
pub fn last(place: &Place) -> Option<Record> {
    find(place).or_else(|| read(&pid_file(place, role_of(place)?)))
}

/// The server or agent that runs from this place.
pub fn find(place: &Place) -> Option<Record> {
    let alive = |role| read(&pid_file(place, role)).filter(Record::is_alive);
    alive(Role::Server).or_else(|| alive(Role::Agent))
}

/// The place with the kubeconfig that its server wrote last, unless another than the default was asked for.
pub fn settled(place: Place, around: &dyn Surroundings) -> Place {
    if place.kubeconfig != Place::new(place.data_dir.clone(), None).kubeconfig {
        return place;
    }
    match noted(&place, Role::Server, around) {
        Some(record) => Place { kubeconfig: record.kubeconfig, ..place },
        None => place,
    }
}

/// What the server or agent said of itself that ran here last, as far as `around` shows it.
pub fn noted(place: &Place, role: Role, around: &dyn Surroundings) -> Option<Record> {
    let text = around.read(&pid_file(place, role)).ok().flatten()?;
    serde_json::from_str(&text).ok()
}

/// The clusters of this machine of which something goes on: their server or agent, or what a node leaves in the kernel until `down`.
pub fn present(clusters: &Path) -> Vec<Record> {
    let entries = fs::read_dir(clusters).into_iter().flatten().flatten();
    let records = entries.filter_map(|entry| read(&entry.path()));
    let mut records: Vec<_> = records.filter(|record| record.goes_on(clusters)).collect();
    records.sort_by(|a, b| a.data_dir.cmp(&b.data_dir));
    records
}

/// Where a process of this role leaves its record.
pub fn pid_file(place: &Place, role: Role) -> PathBuf {
    place.data_dir.join(role.name()).join("knarr.pid")
}

/// Whether a process has ended and only waits to be reaped, which in a container nobody may do.
fn has_ended(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_none_or(|(_, fields)| fields.starts_with(['Z', 'X']))
}

fn is_supervised() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
        || std::env::var("SYSTEMD_EXEC_PID").is_ok_and(|pid| pid == std::process::id().to_string())
}

fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

fn read(path: &Path) -> Option<Record> {
    serde_json::from_str(&fs::read_to_string(path).ok()?).ok()
}

fn write(path: &Path, record: &Record) -> Result<(), InstanceError> {
    let beside = path.with_extension("new");
    let text = serde_json::to_string(record).unwrap_or_default();
    fs::write(&beside, text).and_then(|()| fs::rename(&beside, path)).map_err(io_error("write", path))
}

fn wait_for_lock(path: &Path) -> Result<File, InstanceError> {
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = open.map_err(io_error("open", path))?;
    file.lock().map_err(io_error("lock", path))?;
    Ok(file)
}

fn lock(path: &Path) -> Result<Option<File>, InstanceError> {
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    let file = open.map_err(io_error("open", path))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(io_error("lock", path)(source)),
    }
}

/// A user's kubeconfig may lie below a data directory, so others may pass through, and see nothing.
pub(crate) fn make_directory(path: &Path, mode: u32) -> Result<(), InstanceError> {
    fs::DirBuilder::new().recursive(true).mode(mode).create(path).map_err(io_error("create", path))
}

fn io_error(what: &'static str, path: &Path) -> impl Fn(io::Error) -> InstanceError {
    move |source| InstanceError::Io { what, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
